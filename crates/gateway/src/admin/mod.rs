//! What operators and their programs see of a running gateway: health, numbers, the rules in force, what was asked for,
//! and why it was refused.
//!
//! 1. It is a listener of its own, off by default, on an address of this machine or on a socket that only the gateway's
//!    user may open. Other machines reach it only where the configuration says so twice, and then with a token.
//! 2. It only shows; nothing can be changed over it.
//! 3. `/live` and `/ready` need no token, because those who ask them have none, and they say one word.
//! 4. Without a token a request has to be for an IP address or `localhost`: a page whose name was turned to this machine
//!    (DNS rebinding) is for a name.
//! 5. What strangers have sent is shown as text and nothing else; pages run no scripts and load nothing from elsewhere.

mod page;
mod policy;
mod serve;
mod show;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST};
use http::header::{REFERRER_POLICY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use palisade_core::canon::host::CanonicalHost;
use palisade_core::port::counter::{LimitKey, Rate};
use palisade_core::secret::Secret;
pub(crate) use serve::{Door, open};

use crate::inventory::Seen;
use crate::listen::Open;
use crate::metrics;
use crate::reload::Live;

/// Everything that the admin listener looks at.
pub(crate) struct Office {
    pub(crate) live: Arc<Live>,
    pub(crate) seen: Arc<Seen>,
    pub(crate) open: Open,
    pub(crate) token: Option<Secret>,
    /// Whether callers come by a socket of this machine's files, which no page of a browser can.
    pub(crate) by_file: bool,
    draining: AtomicBool,
}

impl Office {
    pub(crate) fn new(live: Arc<Live>, seen: Arc<Seen>, open: Open, token: Option<Secret>, by_file: bool) -> Self {
        Self { live, seen, open, token, by_file, draining: AtomicBool::new(false) }
    }

    /// From now on the gateway is not ready: it is about to stop.
    pub(crate) fn leave(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Answers one request.
    pub(crate) async fn answer(self: &Arc<Self>, request: &Parts) -> Response<String> {
        let mut response = self.route(request).await;
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if request.method == Method::HEAD {
            response.body_mut().clear();
        }
        response
    }

    async fn route(self: &Arc<Self>, request: &Parts) -> Response<String> {
        if request.method != Method::GET && request.method != Method::HEAD {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "this listener only shows");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match request.uri.path() {
            "/live" => return plain(StatusCode::OK, "live"),
            "/ready" => {
                return match self.unready().await {
                    None => plain(StatusCode::OK, "ready"),
                    Some(why) => plain(StatusCode::SERVICE_UNAVAILABLE, why),
                };
            }
            _ => {}
        }
        if let Some(refusal) = self.refuse(request) {
            return refusal;
        }
        match request.uri.path() {
            "/" => with(StatusCode::OK, "text/html; charset=utf-8", page::front(self, self.unready().await)),
            "/inventory" => json(&show::inventory(self)),
            "/metrics" => with(StatusCode::OK, metrics::MEDIA_TYPE, metrics::text(self)),
            "/policy" => json(&policy::show(&self.live.policy.load())),
            "/refusals" => json(&show::refusals(self)),
            "/style.css" => with(StatusCode::OK, "text/css; charset=utf-8", page::STYLE.to_owned()),
            _ => plain(StatusCode::NOT_FOUND, "there is nothing here; begin at /"),
        }
    }

    /// Why no requests should be sent here now.
    async fn unready(&self) -> Option<&'static str> {
        if self.draining.load(Ordering::Acquire) {
            return Some("stopping");
        }
        let world = &self.live.world;
        let key = LimitKey::new("admin", "ready");
        let asked = world.counters.try_acquire(&key, PROBE, world.clock.now());
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(_)) => None,
            Ok(Err(_)) | Err(_) => Some("the store is out of order"),
        }
    }

    /// Why this caller may not look.
    fn refuse(&self, request: &Parts) -> Option<Response<String>> {
        let Some(token) = &self.token else {
            let is_local = self.by_file || is_address(request.headers.get(HOST));
            return (!is_local).then(|| plain(StatusCode::FORBIDDEN, "ask by the address, not by a name"));
        };
        let given = request.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
        let (scheme, given) = given.split_at_checked(7).unwrap_or_default();
        if scheme.eq_ignore_ascii_case(b"bearer ") && token.matches(given) {
            return None;
        }
        let mut response = plain(StatusCode::UNAUTHORIZED, "send the token of `[admin]` as `Authorization: Bearer`");
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        Some(response)
    }
}

/// Whether a request is for an IP address or for `localhost`.
fn is_address(host: Option<&HeaderValue>) -> bool {
    let host = host.and_then(|host| host.to_str().ok()).and_then(|host| CanonicalHost::parse(host).ok());
    host.is_some_and(|host| {
        let name = host.name().trim_start_matches('[').trim_end_matches(']');
        name == "localhost" || name.parse::<std::net::IpAddr>().is_ok()
    })
}

fn with(status: StatusCode, media: &'static str, text: String) -> Response<String> {
    let mut response = Response::new(text);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

fn plain(status: StatusCode, text: &str) -> Response<String> {
    with(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

fn json(value: &serde_json::Value) -> Response<String> {
    with(StatusCode::OK, "application/json", format!("{value:#}\n"))
}

const CSP: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// So much that asking is never refused: it is asked only whether the store answers.
const PROBE: Rate = Rate { burst: std::num::NonZeroU32::MAX, per: Duration::from_secs(1) };

const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_was_turned_to_this_machine_is_no_address() {
        for (host, expect) in [
            (Some("127.0.0.1:9901"), true),
            (Some("[::1]:9901"), true),
            (Some("localhost:9901"), true),
            (Some("LOCALHOST"), true),
            (Some("evil.example:9901"), false),
            (Some("localhost.evil.example"), false),
            (Some("127.0.0.1.evil.example"), false),
            (Some(""), false),
            (None, false),
        ] {
            let value = host.map(|host| HeaderValue::from_str(host).unwrap());
            assert_eq!(is_address(value.as_ref()), expect, "{host:?}");
        }
    }
}
