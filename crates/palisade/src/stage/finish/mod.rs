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
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, SERVER, SET_COOKIE, STRICT_TRANSPORT_SECURITY, VIA,
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
            let mut plan = std::mem::take(&mut head.plan);
            plan.take_away(response.headers_mut());
            dress(response.headers_mut(), self.settings.of(head), nonce, &mut head.facts);
            plan.apply(response.headers_mut());
            Ok(response)
        })
    }

    fn dangers(&self) -> Vec<String> {
        self.settings.distinct(|ready| ready.dangers.clone())
    }
}

/// Gives a response our headers, and keeps of its own ones what may stand beside them.
fn dress(headers: &mut HeaderMap, ready: &Ready, nonce: Option<&Nonce>, facts: &mut Facts) {
    let is_page = is_page(headers);
    let kind = if is_page { &ready.page } else { &ready.api };
    // Copying a finished map costs a fraction of putting fifteen headers into one.
    let own = std::mem::replace(headers, kind.headers.clone());
    if let Some(nonce) = nonce.filter(|_| is_page) {
        let policy = ready.page_with_nonce.header(nonce);
        headers.insert(CONTENT_SECURITY_POLICY, policy.unwrap_or_else(|| ready.api.policy()));
    }
    kind.ladders.iter().for_each(|ladder| ladder.apply(&own, headers));
    if facts.transport == Transport::Encrypted || ready.tls == Tls::InFront {
        headers.insert(STRICT_TRANSPORT_SECURITY, ready.hsts.clone());
    }
    let said = keep(own, headers, ready, facts);
    let is_private = !facts.principal.is_anonymous() || said.sets_cookie || nonce.is_some();
    let may_be_kept = match is_private {
        true => said.private && nonce.is_none() && ready.cache == Cache::Private,
        false => said.caching,
    };
    if !may_be_kept {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Ok(id) = HeaderValue::from_str(facts.request_id.as_str()) {
        headers.insert(X_REQUEST_ID, id);
    }
}

/// What the application's own headers say of the response.
#[derive(Default)]
struct Said {
    sets_cookie: bool,
    /// Something of caches.
    caching: bool,
    /// That its receiver may keep it, and nobody else.
    private: bool,
}

/// Puts the application's headers beside ours, but for those that tell what runs here and those that we say ourselves.
fn keep(own: HeaderMap, headers: &mut HeaderMap, ready: &Ready, facts: &mut Facts) -> Said {
    let mut said = Said::default();
    let mut replaces = ready.application_policy == ApplicationPolicy::DangerReplaces;
    // A name stands before the first of its values only.
    let mut current: Option<HeaderName> = None;
    for (name, value) in own {
        if let Some(name) = name {
            let is_ours = name != CONTENT_SECURITY_POLICY && headers.contains_key(&name);
            let is_kept = !is_ours && name != STRICT_TRANSPORT_SECURITY && !is_leaking(&name);
            current = is_kept.then_some(name);
        }
        let Some(name) = &current else { continue };
        if *name == CONTENT_SECURITY_POLICY && std::mem::take(&mut replaces) {
            headers.insert(CONTENT_SECURITY_POLICY, value);
            continue;
        }
        if *name == SET_COOKIE {
            said.sets_cookie = true;
            add_cookie(headers, &value, ready, facts);
            continue;
        }
        if *name == CACHE_CONTROL
            && let Ok(text) = value.to_str()
        {
            said.caching = true;
            said.private |= text.split(',').any(|item| item.trim().eq_ignore_ascii_case("private"));
        }
        headers.append(name, value);
    }
    said
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

fn is_leaking(name: &HeaderName) -> bool {
    *name == SERVER || *name == VIA || (name.as_str().starts_with("x-") && LEAKING.contains(&name.as_str()))
}

/// Sets a cookie of the application, made safe.
fn add_cookie(headers: &mut HeaderMap, cookie: &HeaderValue, ready: &Ready, facts: &mut Facts) {
    let (text, reason) = match correct(cookie.as_bytes(), &ready.cookies) {
        Corrected::Cookie(text) => (Some(text.into_owned()), None),
        Corrected::Changed(text, reason) => (Some(text), Some(reason)),
        Corrected::Withheld(reason) => (None, Some(reason)),
    };
    if let Some(reason) = reason {
        // Without a `=` all of it is the value, which may be secret.
        let name = cookie.as_bytes().iter().position(|byte| *byte == b'=').and_then(|at| cookie.as_bytes().get(..at));
        let name = String::from_utf8_lossy(name.unwrap_or(b"-"));
        let effect = if text.is_some() { "changed" } else { "withheld" };
        facts.note(EventKind::CookieCorrected, &[("cookie", &name), ("reason", reason), ("effect", effect)]);
    }
    if let Some(Ok(value)) = text.map(HeaderValue::try_from) {
        headers.append(SET_COOKIE, value);
    }
}

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers that tell what software answers, besides `Server` and `Via`.
const LEAKING: [&str; 9] = [
    "x-powered-by",
    "x-aspnet-version",
    "x-aspnetmvc-version",
    "x-runtime",
    "x-version",
    "x-generator",
    "x-backend-server",
    "x-debug-token",
    "x-debug-token-link",
];

#[cfg(test)]
mod tests;
