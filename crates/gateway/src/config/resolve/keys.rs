//! Resolves `[keys.NAME]`.

use http::HeaderName;
use palisade_core::id::ClientId;
use palisade_core::principal::{RoleSet, ScopeSet};

use super::super::raw::{RawKey, RawKeys};
use super::super::scalar::{self, Fault};
use super::super::settings::{Key, Keys};
use super::context::{At, Context};

pub(crate) fn keys(cx: &mut Context<'_>, at: &At, name: &str, raw: &RawKeys) -> Option<Keys> {
    let header = cx.value(&at.key("header"), &raw.header, header);
    let list_at = at.key("key");
    let mut keys: Vec<Key> = Vec::new();
    for (index, raw) in raw.key.iter().enumerate() {
        let at = list_at.item(index);
        let Some(key) = key(cx, &at, raw) else { continue };
        if keys.iter().any(|earlier| earlier.hash == key.hash) {
            let message = format!("the key of `{}` is listed twice", key.client);
            let help = "one key, one client: remove an entry, or issue another key";
            cx.fault(&at.key("hash"), Fault::new("duplicate-credential", message, help));
        }
        keys.push(key);
    }
    Some(Keys { name: name.into(), header: header?, keys })
}

fn key(cx: &mut Context<'_>, at: &At, raw: &RawKey) -> Option<Key> {
    let hash = cx.value(&at.key("hash"), &raw.hash, digest);
    let client = cx.text(&at.key("client"), &raw.client);
    let expires = match &raw.expires {
        None => Some(None),
        Some(text) => cx.value(&at.key("expires"), text, scalar::timestamp).map(Some),
    };
    Some(Key {
        hash: hash?,
        client: ClientId::new(client?),
        scopes: raw.scopes.iter().map(String::as_str).collect::<ScopeSet>(),
        roles: raw.roles.iter().map(String::as_str).collect::<RoleSet>(),
        expires: expires?,
    })
}

/// `sha256:` and 64 hexadecimal digits.
fn digest(text: &str) -> Result<[u8; 32], Fault> {
    let bytes = text.strip_prefix("sha256:").and_then(|hex| {
        let digits: Option<Vec<u8>> =
            hex.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
        let bytes: Option<Vec<u8>> =
            digits?.chunks(2).map(|pair| if let [high, low] = pair { Some(high << 4 | low) } else { None }).collect();
        <[u8; 32]>::try_from(bytes?).ok()
    });
    bytes.ok_or_else(|| {
        let help = "write `sha256:` and 64 hexadecimal digits: `printf %s \"$KEY\" | sha256sum`";
        Fault::new("bad-hash", "this is not a SHA-256 digest", help)
    })
}

/// A header that can carry a key.
pub(crate) fn header(text: &str) -> Result<HeaderName, Fault> {
    let name = HeaderName::from_bytes(text.as_bytes()).ok().filter(|name| name.as_str() != "*");
    name.ok_or_else(|| {
        let help = "write the name of a header such as `x-api-key`; `*` is not accepted";
        Fault::new("bad-header", format!("`{text}` is not the name of a header"), help)
    })
}
