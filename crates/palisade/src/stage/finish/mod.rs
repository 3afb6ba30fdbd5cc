//! Puts security headers on every response, refusals included, and removes those that tell attackers what runs here.
//!
//! 1. An answer to a program gets a Content-Security-Policy under which nothing runs, `nosniff`, no framing, no referrer,
//!    and isolation from other origins. A page gets the route's policy for pages: no script runs, unless the handler asks
//!    for this response's [`crate::csp::Nonce`]; then scripts that carry it do.
//! 2. `Strict-Transport-Security` is sent over TLS only.
//! 3. An answer to a known principal, one that sets a cookie and one with a nonce is not stored by caches.
//! 4. `Server`, `X-Powered-By` and their like are removed.
//! 5. Cookies of the application are made safe: [`crate::cookie::CookieSettings`].
//! 6. The request's id is in `X-Request-Id`.
//! 7. What other stages have planned for the response is applied last.
//!
//! **The application may tighten and never loosen.** Its own Content-Security-Policy is sent beside ours, and browsers
//! enforce both. Of a header whose values have an order a stricter one is kept. Everything else is replaced. What is to
//! be looser is named in [`FinishSettings`], by route.
//!
//! A nonce is never put into a page that an application behind a gateway has made: a script that somebody injected there
//! would get it too.

mod ready;
mod settings;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, SERVER, SET_COOKIE, STRICT_TRANSPORT_SECURITY,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use palisade_core::event::EventKind;
use palisade_core::port::Entropy;
use palisade_core::stage::StageId;
use ready::Ready;
pub use settings::{
    ApplicationPolicy, Cache, DnsPrefetch, Embedder, FinishSettings, Hsts, HstsError, Opener, PermissionError,
    Permissions, Reach, Referrer, Resource, Tls,
};

use super::{Head, Next, Outcome, Stage};
use crate::body::Body;
use crate::cookie::{Corrected, correct};
use crate::csp::{Nonce, NonceSlot};
use crate::facts::{Facts, Transport};
use crate::settings::PerRoute;

/// The stage. Its defaults score A+ where headers are scored; there is nothing to switch on.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use axum::{Router, routing::get};
/// use palisade::stage::{StageLayer, finish::Finish};
/// use palisade::testing::{request, send};
///
/// let app = Router::new().route("/", get(|| async { "hi" })).layer(StageLayer::new(Finish::default()));
/// let answer = send(&app, request("GET /")).await;
/// assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
/// # });
/// ```
#[derive(Clone)]
pub struct Finish {
    settings: PerRoute<Ready>,
    entropy: Option<Arc<dyn Entropy>>,
}

impl Finish {
    /// The stage with settings by route.
    pub fn new(settings: PerRoute<FinishSettings>) -> Self {
        Self { settings: settings.map(Ready::new), entropy: None }
    }

    /// The same stage in front of handlers that may ask for a nonce.
    #[must_use]
    pub fn minting(self, entropy: Arc<dyn Entropy>) -> Self {
        Self { entropy: Some(entropy), ..self }
    }
}

impl Default for Finish {
    fn default() -> Self {
        Self::new(PerRoute::default())
    }
}

impl std::fmt::Debug for Finish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Finish").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Stage for Finish {
    fn id(&self) -> StageId {
        StageId::Finish
    }

    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        let slot = self.entropy.as_ref().map(|entropy| Arc::new(NonceSlot::new(Arc::clone(entropy))));
        if let Some(slot) = &slot {
            head.parts.extensions.insert(Arc::clone(slot));
        }
        Box::pin(async move {
            let mut response = next.run(head, body).await?;
            let nonce = slot.as_ref().and_then(|slot| slot.minted());
            dress(response.headers_mut(), self.settings.of(head), nonce, &mut head.facts);
            std::mem::take(&mut head.plan).apply(response.headers_mut());
            Ok(response)
        })
    }

    fn dangers(&self) -> Vec<String> {
        self.settings.distinct(|ready| ready.dangers.clone())
    }
}

fn dress(headers: &mut HeaderMap, ready: &Ready, nonce: Option<&Nonce>, facts: &mut Facts) {
    if headers.keys().any(|name| LEAKING.contains(name)) {
        for name in &LEAKING {
            headers.remove(name);
        }
    }
    let is_page = is_page(headers);
    let kind = if is_page { &ready.page } else { &ready.api };
    headers.reserve(kind.fixed.len() + kind.ladders.len() + 5);
    let policy = match nonce.filter(|_| is_page) {
        None => Some(kind.policy.clone()),
        Some(nonce) => ready.page_with_nonce.header(nonce),
    };
    add_policy(headers, policy.unwrap_or_else(|| ready.api.policy.clone()), ready.application_policy);
    for (name, value) in &kind.fixed {
        headers.insert(name.clone(), value.clone());
    }
    kind.ladders.iter().for_each(|ladder| ladder.apply(headers));
    if facts.transport == Transport::Encrypted || ready.tls == Tls::InFront {
        headers.insert(STRICT_TRANSPORT_SECURITY, ready.hsts.clone());
    } else {
        headers.remove(STRICT_TRANSPORT_SECURITY);
    }
    let sets_cookie = headers.contains_key(SET_COOKIE);
    if sets_cookie {
        correct_cookies(headers, ready, facts);
    }
    let own = !facts.principal.is_anonymous() || sets_cookie || nonce.is_some();
    if !may_be_kept(headers, own, nonce.is_some(), ready.cache) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Ok(id) = HeaderValue::from_str(facts.request_id.as_str()) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
}

/// Whether a browser shows the response as a page in which scripts could run.
fn is_page(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter().map(HeaderValue::as_bytes);
    types.any(|media| {
        ["text/html", "application/xhtml+xml"]
            .iter()
            .any(|page| media.get(..page.len()).is_some_and(|start| start.eq_ignore_ascii_case(page.as_bytes())))
    })
}

/// Sends our policy, and the application's beside it or in its place.
fn add_policy(headers: &mut HeaderMap, ours: HeaderValue, application: ApplicationPolicy) {
    if !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, ours);
    } else if application == ApplicationPolicy::Both {
        headers.append(CONTENT_SECURITY_POLICY, ours);
    }
}

/// Whether what the application says of caches holds. What only its receiver may see is kept by nobody; where the route
/// says so, by the receiver's own browser.
fn may_be_kept(headers: &HeaderMap, own: bool, has_nonce: bool, cache: Cache) -> bool {
    let mut said = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok()).peekable();
    if !own {
        return said.peek().is_some();
    }
    let private = said.flat_map(|text| text.split(',')).any(|item| item.trim().eq_ignore_ascii_case("private"));
    private && !has_nonce && cache == Cache::Private
}

fn correct_cookies(headers: &mut HeaderMap, ready: &Ready, facts: &mut Facts) {
    let cookies: Vec<HeaderValue> = headers.get_all(SET_COOKIE).iter().cloned().collect();
    headers.remove(SET_COOKIE);
    for cookie in cookies {
        let (text, reason) = match correct(cookie.as_bytes(), &ready.cookies) {
            Corrected::Cookie(text) => (Some(text.into_owned()), None),
            Corrected::Changed(text, reason) => (Some(text), Some(reason)),
            Corrected::Withheld(reason) => (None, Some(reason)),
        };
        if let Some(reason) = reason {
            // Without a `=` all of it is the value, which may be secret.
            let name =
                cookie.as_bytes().iter().position(|byte| *byte == b'=').and_then(|at| cookie.as_bytes().get(..at));
            let name = String::from_utf8_lossy(name.unwrap_or(b"-"));
            let effect = if text.is_some() { "changed" } else { "withheld" };
            facts.note(EventKind::CookieCorrected, &[("cookie", &name), ("reason", reason), ("effect", effect)]);
        }
        if let Some(Ok(value)) = text.map(HeaderValue::try_from) {
            headers.append(SET_COOKIE, value);
        }
    }
}

/// Headers that tell what software answers.
static LEAKING: [HeaderName; 11] = [
    SERVER,
    HeaderName::from_static("x-powered-by"),
    HeaderName::from_static("x-aspnet-version"),
    HeaderName::from_static("x-aspnetmvc-version"),
    HeaderName::from_static("x-runtime"),
    HeaderName::from_static("x-version"),
    HeaderName::from_static("x-generator"),
    HeaderName::from_static("x-backend-server"),
    HeaderName::from_static("x-debug-token"),
    HeaderName::from_static("x-debug-token-link"),
    HeaderName::from_static("via"),
];

#[cfg(test)]
mod tests;
