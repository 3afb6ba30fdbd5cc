//! Resolves how the way to a store's server is protected, and refuses one that others can read along.

use http::Uri;
use palisade_core::diagnostic::Diagnostic;
use palisade_core::secret::Secret;

use super::super::raw::RawStoreTls;
use super::super::scalar::Fault;
use super::super::settings::{HiddenSecret, StoreTrust};
use super::context::{At, Context};
use super::tls;

/// How the way to the server at `url` is protected. `at` is the section that names it.
pub(super) fn trust(
    cx: &mut Context<'_>,
    at: &At,
    url: &str,
    raw: &RawStoreTls,
    danger_cleartext: bool,
) -> Option<StoreTrust> {
    judge(cx, &at.key("url"), url, danger_cleartext)?;
    let at = at.key("tls");
    if raw.is_given() && is_plain(url) {
        let message = "this server is reached without TLS, so `tls` means nothing";
        cx.fault(&at, Fault::new("bad-store", message, "write `rediss://`, or `sslmode=verify-full`, or remove it"));
        return None;
    }
    let ca = match &raw.ca {
        None => None,
        Some(file) => {
            tls::anchors(cx, &at.key("ca"), file)?;
            Some(cx.file_ref(&at.key("ca"), file)?)
        }
    };
    let identity = match (&raw.cert, &raw.key) {
        (None, None) => None,
        (Some(cert), Some(key)) => {
            let provider = rustls::crypto::aws_lc_rs::default_provider();
            tls::certified(cx, &at, cert, key, &provider)?;
            let chain = cx.file_ref(&at.key("cert"), cert)?;
            Some((chain, HiddenSecret(Secret::new(cx.file_ref(&at.key("key"), key)?))))
        }
        (cert, _) => {
            let (given, missing) = if cert.is_some() { ("cert", "key") } else { ("key", "cert") };
            let message = format!("`{given}` without `{missing}` proves nothing");
            cx.fault(&at.key(given), Fault::new("bad-store", message, "give both, or none"));
            return None;
        }
    };
    Some(StoreTrust { ca, identity, danger_cleartext })
}

/// That nobody reads along, or that this was said to be no matter.
fn judge(cx: &mut Context<'_>, at: &At, url: &str, danger_cleartext: bool) -> Option<()> {
    if !is_unproven(url) || is_here(url) {
        return Some(());
    }
    let message = "what goes to this store can be read by others, its password included, or they can play the store";
    if danger_cleartext {
        let help = "write `rediss://`, or leave `sslmode` out, as soon as the server speaks TLS";
        cx.report(at, Diagnostic::warning("store-cleartext", message).help(help));
        return Some(());
    }
    let help = "write `rediss://`, or leave `sslmode` out, and name who vouches for the server in `tls.ca`; \
                `danger_cleartext = true` is for a network that nobody else is in";
    cx.fault(at, Fault::new("store-cleartext", message, help));
    None
}

/// Whether nothing is encrypted.
fn is_plain(url: &str) -> bool {
    url.starts_with("redis") && !url.starts_with("rediss:") || matches!(mode(url), Some("disable" | "allow" | "prefer"))
}

/// Whether the server need not prove its name. PostgreSQL's must unless the URL says less.
fn is_unproven(url: &str) -> bool {
    url.starts_with("redis://") || mode(url).is_some_and(|mode| mode != "verify-full")
}

/// The last of `sslmode`, which is the one that holds. The store itself judges what an odd spelling hides.
fn mode(url: &str) -> Option<&str> {
    let (_, parameters) = url.split_once('?')?;
    let pairs = parameters.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _)| matches!(*name, "sslmode" | "ssl-mode")).map(|(_, value)| value).next_back()
}

fn is_here(url: &str) -> bool {
    let host = url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
