//! Resolves `[bearer.NAME]`.

use std::time::Duration;

use palisade::stage::publish::Resource;
use palisade_core::diagnostic::{Diagnostic, Source};
use palisade_core::secret::Secret;

use super::super::address;
use super::super::raw::RawBearer;
use super::super::scalar::{self, Fault};
use super::super::settings::{Algorithm, Bearer, BearerKeys, ClaimPath, HiddenSecret};
use super::context::{At, Context};

pub(crate) fn bearer(cx: &mut Context<'_>, at: &At, name: &str, raw: &RawBearer) -> Option<Bearer> {
    let issuer = cx.text(&at.key("issuer"), &raw.issuer);
    let audience = cx.text(&at.key("audience"), &raw.audience);
    let keys = keys(cx, at, raw);
    let algorithms = algorithms(cx, at, raw);
    let leeway = cx.value(&at.key("leeway"), &raw.leeway, leeway);
    let roles_claim = cx.value(&at.key("roles_claim"), &raw.roles_claim, claim_path);
    let tenant_claim = cx.value(&at.key("tenant_claim"), &raw.tenant_claim, claim_path);
    let resource = match &raw.resource {
        None => Some(None),
        Some(text) => cx.value(&at.key("resource"), text, resource).map(Some),
    };
    let nonce_key = match &raw.dpop_nonce_key {
        None => Some(None),
        Some(text) => secret(cx, &at.key("dpop_nonce_key"), text).map(|secret| Some(HiddenSecret(secret))),
    };
    Some(Bearer {
        name: name.into(),
        issuer: issuer?,
        audience: audience?,
        keys: keys?,
        algorithms: algorithms?,
        token_type: raw.token_type,
        leeway: leeway?,
        roles_claim: roles_claim?,
        tenant_claim: tenant_claim?,
        resource: resource?,
        dpop: raw.dpop,
        dpop_nonce_key: nonce_key?,
    })
}

fn resource(text: &str) -> Result<Resource, Fault> {
    Resource::parse(text).ok_or_else(|| {
        let help = "write the `https` URL by which clients know the API, such as `https://api.example.com`";
        Fault::new("bad-url", format!("`{text}` does not name an API"), help)
    })
}

fn keys(cx: &mut Context<'_>, at: &At, raw: &RawBearer) -> Option<BearerKeys> {
    let (jwks_at, secret_at) = (at.key("jwks"), at.key("secret"));
    match (&raw.jwks, &raw.secret) {
        (None, Some(text)) => secret(cx, &secret_at, text).map(BearerKeys::Secret),
        (Some(text), None) if text.starts_with("file:") => key_set(cx, &jwks_at, text).map(BearerKeys::File),
        (Some(text), None) => cx.value(&jwks_at, text, address::fetch_url).map(BearerKeys::Url),
        (None, None) => {
            let message = "it is not said what tokens are verified with";
            let help = "add `jwks` with the URL of the issuer's public keys, or `secret` with the file of a shared key";
            cx.report(at, Diagnostic::error("missing-key", message).help(help));
            None
        }
        (Some(_), Some(_)) => {
            let message = "`jwks` and `secret` exclude each other";
            let help =
                "with both, a public key could be passed off as the secret: keep the one that the issuer signs with";
            cx.report(&secret_at, Diagnostic::error("conflicting-keys", message).help(help));
            None
        }
    }
}

fn secret(cx: &mut Context<'_>, at: &At, text: &str) -> Option<Secret> {
    let mut bytes = cx.file_ref(at, text)?;
    // Editors and shells end a text with a line break, which is not part of the key; in a binary key it is.
    if let Some((_, line)) = bytes.split_last().filter(|(last, line)| **last == b'\n' && is_text(line)) {
        bytes = line.strip_suffix(b"\r").unwrap_or(line).to_vec();
    }
    if bytes.len() >= MIN_SECRET {
        return Some(Secret::new(bytes));
    }
    let message = format!("the key in `{text}` has {} bytes, and HS256 needs {MIN_SECRET}", bytes.len());
    cx.fault(at, Fault::new("weak-secret", message, "make one with `openssl rand -base64 32`"));
    None
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.strip_suffix(b"\r").unwrap_or(bytes).iter().all(u8::is_ascii_graphic)
}

fn key_set(cx: &mut Context<'_>, at: &At, text: &str) -> Option<Source> {
    let bytes = cx.file_ref(at, text)?;
    let name = text.strip_prefix("file:").unwrap_or(text);
    let parsed: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
    let keys = parsed.as_ref().and_then(|set| set.get("keys")).and_then(serde_json::Value::as_array);
    let Some(keys) = keys.filter(|keys| !keys.is_empty()) else {
        let help = "it must be a JSON object with a list `keys` of public keys (RFC 7517 section 5)";
        cx.fault(at, Fault::new("bad-jwks", format!("`{name}` is not a set of keys"), help));
        return None;
    };
    if keys.iter().any(|key| key.get("d").is_some() || key.get("k").is_some()) {
        let help = "export the public keys only, without `d` and `k`, and replace them if others saw the private ones";
        cx.fault(at, Fault::new("private-jwks", format!("`{name}` has private keys"), help));
        return None;
    }
    String::from_utf8(bytes).ok().map(|json| Source::new(name, json))
}

fn algorithms(cx: &mut Context<'_>, at: &At, raw: &RawBearer) -> Option<Vec<Algorithm>> {
    let is_shared = raw.secret.is_some();
    let Some(listed) = &raw.algorithms else {
        return Some(if is_shared { vec![Algorithm::Hs256] } else { Algorithm::ASYMMETRIC.to_vec() });
    };
    let at = at.key("algorithms");
    let wrong = listed.iter().position(|&algorithm| (algorithm == Algorithm::Hs256) != is_shared);
    let Some((index, wrong)) = wrong.and_then(|index| Some((index, listed.get(index)?))) else {
        return Some(listed.clone());
    };
    let (message, help) = if is_shared {
        (
            format!("`{}` does not go with a `secret`", wrong.as_str()),
            "a `secret` verifies HS256 only: use `jwks` for the others",
        )
    } else {
        let help = "whoever knows the public key could sign tokens with it: remove HS256, or use `secret`";
        (format!("`{}` does not go with `jwks`", wrong.as_str()), help)
    };
    cx.fault(&at.item(index), Fault::new("algorithm-mismatch", message, help));
    None
}

fn leeway(text: &str) -> Result<Duration, Fault> {
    let span = if text == "0s" { Duration::ZERO } else { scalar::duration(text)? };
    if span <= MAX_LEEWAY {
        return Ok(span);
    }
    let message = format!("`{text}` is too much: tokens would live that much longer");
    Err(Fault::new("out-of-range", message, "write at most `120s`, and set the clocks by NTP"))
}

/// `roles`, `realm_access.roles`, or a URL as one name, as some issuers write their own claims.
fn claim_path(text: &str) -> Result<ClaimPath, Fault> {
    let is_one = text.starts_with("https://") || text.starts_with("http://");
    let names: Box<[Box<str>]> = if is_one { [text.into()].into() } else { text.split('.').map(Into::into).collect() };
    if names.iter().all(|name| !name.is_empty()) {
        return Ok(ClaimPath(names));
    }
    let help = "write the name of a claim such as `roles`, or names that lead to it such as `realm_access.roles`";
    Err(Fault::new("bad-claim", format!("`{text}` does not name a claim"), help))
}

const MIN_SECRET: usize = 32;
const MAX_LEEWAY: Duration = Duration::from_secs(120);
