//! Resolves how long what streams may be open.

use http::HeaderName;
use palisade::stage::upgrade::UpgradeSettings;
use palisade_core::canon::header::HOP_BY_HOP;

use super::super::raw::{RawRoute, RawWebsocket};
use super::super::scalar::{self, Fault};
use super::context::{At, Context};
use super::keys::header;
use crate::upstream::AnswerSettings;

pub(crate) fn answers(cx: &mut Context<'_>, at: &At, raw: &RawRoute) -> Option<AnswerSettings> {
    let pause = cx.value(&at.key("stream_idle_timeout"), &raw.stream_idle_timeout, scalar::duration);
    let trailers = cx.list(&at.key("trailers"), &raw.trailers, trailer);
    Some(AnswerSettings { pause: pause?, trailers: trailers?.into() })
}

/// A field that may stand behind a body (RFC 9110 section 6.5.1).
fn trailer(text: &str) -> Result<HeaderName, Fault> {
    let name = header(text)?;
    let text = name.as_str();
    let is_for_heads = HOP_BY_HOP.contains(&text) || text.starts_with("content-") || FOR_HEADS.contains(&text);
    let message = || format!("`{text}` may not stand behind a body");
    let help = "who reads it there may obey it after everybody has decided without it: send it as a header";
    if is_for_heads { Err(Fault::new("bad-trailer", message(), help)) } else { Ok(name) }
}

/// What is obeyed by whoever reads a message, besides what frames and describes it.
const FOR_HEADS: &[&str] = &[
    "authorization",
    "cache-control",
    "cookie",
    "host",
    "location",
    "set-cookie",
    "strict-transport-security",
    "www-authenticate",
];

pub(crate) fn websocket(cx: &mut Context<'_>, at: &At, raw: &RawWebsocket) -> Option<UpgradeSettings> {
    let idle = cx.value(&at.key("idle_timeout"), &raw.idle_timeout, scalar::duration);
    let lifetime = cx.value(&at.key("max_lifetime"), &raw.max_lifetime, scalar::duration);
    Some(UpgradeSettings { idle: idle?, lifetime: lifetime? })
}
