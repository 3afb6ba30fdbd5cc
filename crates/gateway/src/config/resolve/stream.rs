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
    let request_trailers = cx.list(&at.key("request_trailers"), &raw.request_trailers, request_trailer);
    Some(AnswerSettings { pause: pause?, trailers: trailers?.into(), request_trailers: request_trailers?.into() })
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

/// The same of a request, where what only we may say cannot be said by others either.
fn request_trailer(text: &str) -> Result<HeaderName, Fault> {
    let name = trailer(text)?;
    let is_ours = OURS.iter().any(|start| name.as_str().starts_with(start));
    let message = || format!("`{name}` is only for the gateway to say");
    let help = "a backend that reads trailers as headers would believe the client: choose another name";
    if is_ours { Err(Fault::new("bad-trailer", message(), help)) } else { Ok(name) }
}

/// Beginnings of what backends are told about callers.
const OURS: &[&str] = &["forwarded", "palisade-", "x-forwarded-", "x-real-ip", "x-request-id"];

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
