//! Answers again what the backend has said may be answered again, without asking it (RFC 9111).
//!
//! Off by default, and on a route by its settings. Everything that judges a request or an answer encloses this stage: an
//! answer from memory has passed the same checks as one of the backend's, for the caller who gets it.
//!
//! 1. Kept is what the backend's own `Cache-Control` or `Expires` allow a shared cache to keep; nothing is guessed. Never
//!    kept: what is `private` or `no-store`, sets a cookie, has `Vary: *`, is part of a whole, or is an error that one odd
//!    request could have provoked; and with a credential, what the backend does not expressly give to all (section 3.5).
//! 2. Even so two principals never share an answer: it is kept for one subject, tenant, set of roles and scopes and level
//!    of assurance. Requests without a credential share.
//! 3. Requests pass by whose caller we do not know although the backend may: with a cookie, with a credential that the
//!    backend verifies. So do parts (`Range`), requests with a body, and those with preconditions for writing.
//! 4. An answer is found by host, path and query as the backend gets them, and by every header that it varies by.
//! 5. A stale answer is used after the backend has confirmed it. A confirmation of another one confirms nothing, and
//!    whoever sends for us asks again for the whole answer ([`Confirming`]). Where the settings allow it and the backend says for how
//!    long, also while somebody is asking, and where the backend fails (RFC 5861).
//! 6. What changes a resource (section 4.4) makes every answer of its path useless, whatever the query, and those that are
//!    on their way as well.
//! 7. One request asks, others for the same wait for its answer, up to a bound.
//! 8. HEAD is answered from what GET has brought. `If-None-Match` and `If-Modified-Since` are answered here.
//!
//! An answer that may be kept is read whole before it leaves. Caveat: whoever adds a header to requests that the backend
//! obeys without saying so in `Vary` can have the answer kept for all: a fault of the backend's, and the reason why only
//! few statuses are kept.

mod asked;
mod confirm;
mod control;
mod fresh;
mod settings;
mod store;

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, stream};
use http::header::{
    AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG,
    EXPIRES, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION, TRANSFER_ENCODING, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use palisade_core::canon;
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::port::Clock;
use palisade_core::stage::StageId;
use tokio::time::{Instant, timeout};

use asked::Asked;
pub use confirm::Confirming;
pub use control::Directives;
use fresh::{Life, length, varied};
pub use settings::{CacheNumbers, CacheSettings, Wishes};
pub use store::CacheStore;
use store::{Flight, Kept, Turn};

use super::{Head, Next, Outcome, Stage, Stop};
use crate::body::Body;
use crate::settings::PerRoute;

/// The stage; keeps nothing where a route has no store.
///
/// ```
/// use std::sync::Arc;
/// use palisade::settings::PerRoute;
/// use palisade::stage::cache::{Cache, CacheSettings, CacheStore};
/// use palisade::testing::TestWorld;
///
/// let store = CacheStore::new(CacheSettings { max_size: 8 << 20, ..CacheSettings::default() });
/// let stage = Cache::new(PerRoute::same(Some(store.clone())), Arc::clone(&TestWorld::new().world.clock));
/// palisade::testing::assert_stage(&stage);
/// assert_eq!(store.numbers().hits, 0);
/// ```
#[derive(Clone)]
pub struct Cache {
    stores: PerRoute<Option<CacheStore>>,
    clock: Arc<dyn Clock>,
}

impl Cache {
    /// The stage with a store for each route that keeps answers.
    pub fn new(stores: PerRoute<Option<CacheStore>>, clock: Arc<dyn Clock>) -> Self {
        Self { stores, clock }
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("stores", &self.stores).finish_non_exhaustive()
    }
}

impl Stage for Cache {
    fn id(&self) -> StageId {
        StageId::Cache
    }

    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        let Some(store) = self.stores.of(head) else { return next.run(head, body) };
        if !is_read(&head.parts.method) {
            return if is_safe(&head.parts.method) { next.run(head, body) } else { changing(store, head, body, next) };
        }
        match Asked::of(head, &body, store) {
            None => {
                tell(head, store, "fwd=bypass");
                next.run(head, body)
            }
            Some(asked) => {
                Box::pin(async move { Work { store, clock: &*self.clock, asked }.serve(head, body, next).await })
            }
        }
    }
}

/// GET and HEAD.
fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn is_safe(method: &Method) -> bool {
    method.is_safe() || method.as_str() == "QUERY"
}

/// A request that may change what is kept. Whatever became of it: that it failed does not mean that nothing was done.
fn changing<'a>(store: &'a CacheStore, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
    Box::pin(async move {
        let host = host(head);
        let change = Change { store, place: place(&host, head.parts.uri.path()) };
        let outcome = next.run(head, body).await;
        drop(change);
        if let Ok(response) = &outcome {
            for name in [LOCATION, CONTENT_LOCATION] {
                let path = response.headers().get(name).and_then(|value| own_path(value, &host));
                if let Some(path) = path {
                    store.change(&place(&host, &path));
                }
            }
        }
        outcome
    })
}

/// A change that counts also when the caller does not wait for its answer.
struct Change<'a> {
    store: &'a CacheStore,
    place: Arc<str>,
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.store.change(&self.place);
    }
}

/// The path that a header names, if it is one of this host's.
fn own_path(value: &HeaderValue, host: &str) -> Option<String> {
    let uri: Uri = value.to_str().ok()?.parse().ok()?;
    let is_own = uri.authority().is_none_or(|authority| authority.as_str().eq_ignore_ascii_case(host));
    is_own.then(|| uri.path().to_owned())
}

fn host(head: &Head) -> String {
    head.facts.host.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn place(host: &str, path: &str) -> Arc<str> {
    format!("{host}{path}").into()
}

/// One request and what becomes of it.
struct Work<'a> {
    store: &'a CacheStore,
    clock: &'a dyn Clock,
    asked: Asked,
}

impl Work<'_> {
    async fn serve(self, head: &mut Head, body: Body, next: Next<'_>) -> Outcome {
        let Self { store, asked, .. } = &self;
        let settings = &store.0.settings;
        let found = store.find(&asked.key, &head.parts.headers);
        if let Some(kept) = &found
            && asked.takes(kept, kept.age(Instant::now()))
        {
            return self.answer(head, kept, "hit");
        }
        if asked.wishes.only_if_cached {
            return Err(Denial::new(DenialCode::NotCached, StageId::Cache).into());
        }
        // HEAD brings nothing to keep, and who has an answer of its own may be told by the backend that it is the right one.
        if asked.is_head || found.is_none() && (asked.known.0.is_some() || asked.known.1.is_some()) {
            return self.ask(head, body, next, None, None).await;
        }
        let flight = match store.turn(&asked.key) {
            Turn::First(flight) => Some(flight),
            Turn::Alone => None,
            Turn::Behind(mut waiting) => {
                if let Some(kept) = found.as_ref().filter(|kept| {
                    let seconds = kept.life.control.stale_while_revalidate;
                    let age = kept.age(Instant::now());
                    settings.stale_while_revalidate && !asked.wishes.no_cache && kept.life.may_be_stale(age, seconds)
                }) {
                    return self.answer(head, kept, "hit; detail=stale-while-revalidate");
                }
                if timeout(settings.max_wait, waiting.changed()).await.is_err() {
                    store.overtake(&asked.key, &waiting);
                }
                let found = store.find(&asked.key, &head.parts.headers);
                if let Some(kept) = found.filter(|kept| asked.takes(kept, kept.age(Instant::now()))) {
                    return self.answer(head, &kept, "hit; collapsed");
                }
                None
            }
        };
        self.ask(head, body, next, found, flight).await
    }

    /// Asks the backend: for a confirmation of the answer that is here, where there is one that can be confirmed.
    async fn ask(
        &self,
        head: &mut Head,
        body: Body,
        next: Next<'_>,
        found: Option<Arc<Kept>>,
        flight: Option<Flight>,
    ) -> Outcome {
        let store = self.store;
        count(&store.0.misses);
        let mut request = head.parts.headers.clone();
        for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE] {
            request.remove(name);
        }
        let confirming = found.as_ref().is_some_and(|kept| ask_to_confirm(kept, head));
        let begun = Instant::now();
        let outcome = next.run(head, body).await;
        if let Some(kept) = found.as_ref().filter(|kept| has_failed(&outcome) && self.may_hide(kept)) {
            return Ok(self.use_kept(head, kept, "hit; detail=stale-if-error"));
        }
        let response = outcome?;
        let how = if found.is_some() { "fwd=stale" } else { "fwd=miss" };
        let answered = match found {
            Some(kept) if confirming && response.status() == StatusCode::NOT_MODIFIED => {
                let (parts, _) = response.into_parts();
                return self.confirmed(head, &kept, &parts.headers, &request, begun);
            }
            found => self.take(response, &request, begun, found).await?,
        };
        drop(flight);
        match answered {
            Taken::Kept(kept) => {
                tell(head, store, &format!("{how}; stored"));
                Ok(self.response(&kept))
            }
            Taken::Passing(response) => {
                tell(head, store, how);
                Ok(response)
            }
        }
    }

    /// The backend says that the answer is still right.
    fn confirmed(
        &self,
        head: &mut Head,
        kept: &Arc<Kept>,
        told: &HeaderMap,
        request: &HeaderMap,
        begun: Instant,
    ) -> Outcome {
        let Self { store, asked, .. } = self;
        if !Confirming(Arc::clone(kept)).is_met_by(told) {
            store.forget(&asked.key, kept);
            let denial = Denial::new(DenialCode::UpstreamFailed, StageId::Cache);
            return Err(denial.because("reason", "confirms_another_answer").into());
        }
        let mut headers = kept.headers.clone();
        for name in told.keys().filter(|name| !OF_THE_BODY.contains(name)) {
            headers.remove(name);
            for value in told.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        if !told.contains_key(AGE) {
            headers.remove(AGE);
        }
        tell(head, store, "fwd=stale; fwd-status=304");
        let (status, body) = (kept.status, kept.body.clone());
        if let Some(fresh) = self.kept(status, headers.clone(), body.clone(), request, begun) {
            let fresh = Arc::new(fresh);
            store.keep(&asked.key, Arc::clone(&fresh));
            return Ok(self.response(&fresh));
        }
        // It is right, and that was the last time.
        store.forget(&asked.key, kept);
        let (life, came) = (kept.life, Instant::now());
        Ok(self.response(&Kept { status, headers, body, life, varied: Vec::new(), asked: begun, came }))
    }

    /// Keeps an answer if that is allowed and it is not too long.
    async fn take(
        &self,
        response: Response<Body>,
        request: &HeaderMap,
        begun: Instant,
        found: Option<Arc<Kept>>,
    ) -> Result<Taken, Stop> {
        let Self { store, asked, .. } = self;
        let most = store.0.settings.max_body;
        let fits = length(response.headers()).is_none_or(|length| usize::try_from(length).is_ok_and(|l| l <= most));
        let (parts, body) = response.into_parts();
        let kept = (fits && !asked.is_head)
            .then(|| self.kept(parts.status, parts.headers.clone(), Bytes::new(), request, begun))
            .flatten();
        let Some(kept) = kept else {
            self.leave(&parts, found.as_ref());
            return Ok(Taken::Passing(Response::from_parts(parts, body)));
        };
        match whole(body, most).await? {
            Read::Whole(body) => {
                let kept = Arc::new(Kept { body, ..kept });
                store.keep(&asked.key, Arc::clone(&kept));
                Ok(Taken::Kept(kept))
            }
            Read::Part(body) => {
                self.leave(&parts, found.as_ref());
                Ok(Taken::Passing(Response::from_parts(parts, body)))
            }
        }
    }

    /// What follows from an answer that is not kept.
    fn leave(&self, parts: &http::response::Parts, found: Option<&Arc<Kept>>) {
        if self.asked.is_head {
            return;
        }
        if let Some(found) = found.filter(|_| !parts.status.is_server_error()) {
            self.store.forget(&self.asked.key, found);
        }
        self.store.pass(&self.asked.key);
    }

    /// An answer that may be kept.
    fn kept(
        &self,
        status: StatusCode,
        mut headers: HeaderMap,
        body: Bytes,
        request: &HeaderMap,
        asked: Instant,
    ) -> Option<Kept> {
        let came = Instant::now();
        let life = Life::of(status, &headers, self.clock.now(), came - asked, self.asked.credential)?;
        let can_be_used = life.fresh > life.age || headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED);
        let varied = varied(&headers).filter(|_| can_be_used)?;
        let values = |name: &HeaderName| request.get_all(name).iter().cloned().collect();
        let varied = varied.into_iter().map(|name| (name.clone(), values(&name))).collect();
        headers.remove(AGE);
        canon::header::strip_hop_by_hop(&mut headers);
        Some(Kept { status, headers, body, life, varied, asked, came })
    }

    /// Whether a stale answer may stand in for a backend that fails.
    fn may_hide(&self, kept: &Kept) -> bool {
        let seconds = kept.life.control.stale_if_error;
        let wanted = self.store.0.settings.stale_if_error && !self.asked.wishes.no_cache;
        wanted && kept.life.may_be_stale(kept.age(Instant::now()), seconds)
    }

    /// Answers in place of the backend. That takes the proof that the policy was asked, as serving does.
    fn answer(&self, head: &mut Head, kept: &Kept, how: &str) -> Outcome {
        match head.take_permit() {
            Some(_permit) => Ok(self.use_kept(head, kept, how)),
            None => Err(Denial::new(DenialCode::Unpermitted, StageId::Cache).into()),
        }
    }

    fn use_kept(&self, head: &mut Head, kept: &Kept, how: &str) -> Response<Body> {
        let age = kept.age(Instant::now());
        count(if kept.life.is_fresh(age) { &self.store.0.hits } else { &self.store.0.stale });
        let left = i64::try_from(kept.life.fresh.as_secs()).unwrap_or(i64::MAX)
            - i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
        tell(head, self.store, &format!("{how}; ttl={left}"));
        self.response(kept)
    }

    fn response(&self, kept: &Kept) -> Response<Body> {
        let (mut parts, ()) = Response::new(()).into_parts();
        let age = HeaderValue::from(kept.age(Instant::now()).as_secs());
        if self.asked.has(kept) {
            parts.status = StatusCode::NOT_MODIFIED;
            for name in OF_NOT_MODIFIED {
                for value in kept.headers.get_all(&name) {
                    parts.headers.append(&name, value.clone());
                }
            }
            parts.headers.insert(AGE, age);
            return Response::from_parts(parts, Body::empty());
        }
        (parts.status, parts.headers) = (kept.status, kept.headers.clone());
        parts.headers.insert(AGE, age);
        let body = if self.asked.is_head { Body::empty() } else { Body::from(kept.body.clone()) };
        Response::from_parts(parts, body)
    }
}

/// What a 304 says of itself (RFC 9110 section 15.4.5).
const OF_NOT_MODIFIED: [HeaderName; 7] = [CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, LAST_MODIFIED, VARY];

/// What a confirmation does not change (RFC 9111 section 3.2).
const OF_THE_BODY: [HeaderName; 5] = [CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, TRANSFER_ENCODING];

/// Asks whether an answer is still right, in place of what the client asks. Whether it can be asked for.
fn ask_to_confirm(kept: &Arc<Kept>, head: &mut Head) -> bool {
    let headers = &mut head.parts.headers;
    let validators = [(IF_NONE_MATCH, ETAG), (IF_MODIFIED_SINCE, LAST_MODIFIED)];
    if validators.iter().all(|(_, own)| !kept.headers.contains_key(own)) {
        return false;
    }
    for (name, own) in validators {
        headers.remove(&name);
        if let Some(value) = kept.headers.get(own) {
            headers.insert(name, value.clone());
        }
    }
    head.parts.extensions.insert(Confirming(Arc::clone(kept)));
    true
}

/// Whether the backend has failed, so that an older answer may be better than none (RFC 5861 section 4).
fn has_failed(outcome: &Outcome) -> bool {
    match outcome {
        Ok(response) => matches!(response.status().as_u16(), 500 | 502..=504),
        Err(Stop::Deny(denial)) => matches!(
            denial.code(),
            DenialCode::CircuitOpen
                | DenialCode::DeadlineExceeded
                | DenialCode::UpstreamFailed
                | DenialCode::UpstreamUnreachable
        ),
        Err(Stop::Answer(_)) => false,
    }
}

/// What became of an answer of the backend's.
enum Taken {
    Kept(Arc<Kept>),
    Passing(Response<Body>),
}

/// A body that was read.
enum Read {
    /// All of it.
    Whole(Bytes),
    /// It is too long, or more than data: what was read, and the rest.
    Part(Body),
}

async fn whole(mut body: Body, most: usize) -> Result<Read, Denial> {
    let mut read = BytesMut::new();
    loop {
        let frame = match body.frame().await {
            None => return Ok(Read::Whole(read.freeze())),
            Some(Err(error)) => {
                let denial = Denial::new(DenialCode::UpstreamUnreachable, StageId::Cache);
                return Err(denial.because("error", error.to_string()));
            }
            Some(Ok(frame)) => frame,
        };
        match frame.into_data() {
            Ok(data) if read.len() + data.len() <= most => read.extend_from_slice(&data),
            too_much => {
                let last = too_much.map_or_else(|frame| frame, Frame::data);
                let before = [Ok(Frame::data(read.freeze())), Ok(last)];
                let rest = stream::unfold(body, |mut body| async { body.frame().await.map(|frame| (frame, body)) });
                return Ok(Read::Part(Body::new(StreamBody::new(stream::iter(before).chain(rest)))));
            }
        }
    }
}

fn count(number: &AtomicU64) {
    number.fetch_add(1, Ordering::Relaxed);
}

/// Says where the answer comes from, where that is wanted (RFC 9211).
fn tell(head: &mut Head, store: &CacheStore, how: &str) {
    if !store.0.settings.status {
        return;
    }
    let mut text = String::from("palisade; ");
    // Writing to a String cannot fail.
    let _ = text.write_str(how);
    if let Ok(value) = HeaderValue::try_from(text) {
        head.plan.append(HeaderName::from_static("cache-status"), value);
    }
}

#[cfg(test)]
mod tests;
