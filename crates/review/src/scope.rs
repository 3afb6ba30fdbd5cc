//! The scope is what a run may touch, and its client is the only place that opens sockets.
//!
//! A run that leaves its target attacks somebody who did not ask for it. So the host never comes from the contract or
//! from an answer: every request goes to the authority of the base URL, redirects are reported and not followed, and
//! the number of requests, their rate, their time and the size of their answers are bounded.

use std::num::NonZeroU32;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::{Instant, sleep_until, timeout};

use crate::exchange::{Answer, Call, Credential};
use crate::sink::Sink;

/// What is attacked, and how hard.
///
/// ```
/// use palisade_review::Target;
///
/// let target = Target::new("http://127.0.0.1:9000".parse().unwrap()).unwrap();
/// assert_eq!(target.scope.authority.as_str(), "127.0.0.1:9000");
/// assert!(Target::new("https://api.example".parse().unwrap()).is_err());
/// ```
#[derive(Clone, Debug)]
pub struct Target {
    /// The base URL; paths of the contract are put behind it.
    pub base: Uri,
    /// What the run may touch.
    pub scope: Scope,
}

impl Target {
    /// A target with the default scope.
    ///
    /// # Errors
    ///
    /// When the URL is not plain HTTP, has no host, or has a query.
    pub fn new(base: Uri) -> Result<Self, TargetError> {
        let authority = base.authority().cloned().ok_or(TargetError::NotAbsolute)?;
        if base.scheme() != Some(&Scheme::HTTP) {
            return Err(TargetError::NotHttp);
        }
        if base.query().is_some() || authority.as_str().contains('@') {
            return Err(TargetError::NotBase);
        }
        Ok(Self { base, scope: Scope::new(authority) })
    }
}

/// The bounds of a run.
///
/// ```
/// let scope = palisade_review::Scope::new("127.0.0.1:9000".parse().unwrap());
/// assert_eq!((scope.budget, scope.rate), (2_000, None));
/// ```
#[derive(Clone, Debug)]
pub struct Scope {
    /// The only host and port that is sent anything.
    pub authority: Authority,
    /// How many requests may be made.
    pub budget: u32,
    /// How many requests may be made in a second; `None` for as many as are answered.
    pub rate: Option<NonZeroU32>,
    /// How long one answer may take.
    pub deadline: Duration,
}

impl Scope {
    /// 2,000 requests without a rate, ten seconds each.
    #[must_use]
    pub fn new(authority: Authority) -> Self {
        Self { authority, budget: 2_000, rate: None, deadline: Duration::from_secs(10) }
    }
}

/// Why something is not a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// There is no host.
    #[error("the base URL must name a host")]
    NotAbsolute,
    /// There is more than scheme, host, port and path.
    #[error("the base URL must have no query and no user")]
    NotBase,
    /// It is not plain HTTP.
    #[error("the base URL must begin with `http://`")]
    NotHttp,
}

/// Why a request was not made or not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The run has made all the requests it may.
    #[error("the budget of {0} requests is used up")]
    Budget(u32),
    /// The request cannot be written as HTTP.
    #[error("the request cannot be written: {0}")]
    Malformed(String),
    /// The request would go to somebody else.
    #[error("`{0}` is outside the scope of this run")]
    OutOfScope(String),
    /// The answer took too long.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The target cannot be reached, or broke off.
    #[error("the target did not answer: {0}")]
    Unreachable(String),
}

/// Sends requests within a scope.
#[derive(Debug)]
pub(crate) struct ScopedClient {
    client: Client<HttpConnector, Full<Bytes>>,
    scope: Scope,
    base: String,
    sent: AtomicU32,
    next: Mutex<Option<Instant>>,
}

impl ScopedClient {
    pub(crate) fn new(target: &Target) -> Self {
        let client = Client::builder(TokioExecutor::new()).retry_canceled_requests(true).build_http();
        let base = target.base.to_string().trim_end_matches('/').to_owned();
        Self { client, scope: target.scope.clone(), base, sent: AtomicU32::new(0), next: Mutex::new(None) }
    }

    /// The base URL without a final slash.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The host of the target, without the port.
    pub(crate) fn host(&self) -> &str {
        self.scope.authority.host()
    }

    /// How many requests were made.
    pub(crate) fn sent(&self) -> u32 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Makes one request. Redirects are answers like any other.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, SendError> {
        let uri: Uri = format!("{}{}", self.base, call.path).parse().map_err(malformed)?;
        self.check(&uri)?;
        let mut request = Request::builder().method(call.method.clone()).uri(uri);
        for (name, value) in &call.headers {
            request = request.header(name.as_ref(), HeaderValue::from_bytes(value.as_bytes()).map_err(malformed)?);
        }
        if let Credential::Bearer { token, .. } = &call.credential {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(malformed)?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        let body = match &call.body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, body.media_type());
                body.to_bytes()
            }
            None => Bytes::new(),
        };
        let request = request.header(header::USER_AGENT, AGENT).body(Full::new(body)).map_err(malformed)?;
        self.take()?;
        self.wait().await;
        let deadline = self.scope.deadline;
        timeout(deadline, self.exchange(request)).await.map_err(|_| SendError::Timeout(deadline))?
    }

    /// Asks our own sink for a path, to show that it can be reached. Being ours, it is in every scope.
    pub(crate) async fn touch(&self, sink: &Sink, path: &str) -> Result<(), SendError> {
        let uri: Uri = format!("http://{}{path}", sink.address()).parse().map_err(malformed)?;
        let request = Request::get(uri).body(Full::default()).map_err(malformed)?;
        let deadline = self.scope.deadline;
        timeout(deadline, self.exchange(request)).await.map_err(|_| SendError::Timeout(deadline))?.map(|_| ())
    }

    fn check(&self, uri: &Uri) -> Result<(), SendError> {
        let is_ours = uri.scheme() == Some(&Scheme::HTTP) && uri.authority() == Some(&self.scope.authority);
        if is_ours { Ok(()) } else { Err(SendError::OutOfScope(uri.to_string())) }
    }

    fn take(&self) -> Result<(), SendError> {
        let budget = self.scope.budget;
        let more = |sent: u32| (sent < budget).then_some(sent + 1);
        let taken = self.sent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.map(|_| ()).map_err(|_| SendError::Budget(budget))
    }

    async fn wait(&self) {
        let Some(rate) = self.scope.rate else { return };
        let slot = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let slot = next.unwrap_or_else(Instant::now).max(Instant::now());
            *next = Some(slot + Duration::from_secs(1) / rate.get());
            slot
        };
        sleep_until(slot).await;
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, SendError> {
        let response = self.client.request(request).await.map_err(|error| unreachable_for(&error))?;
        let (parts, mut body) = response.into_parts();
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| unreachable_for(&error))?;
            if let Some(data) = frame.data_ref() {
                let room = MAXIMUM_BODY.saturating_sub(bytes.len());
                bytes.extend_from_slice(data.get(..room).unwrap_or(data));
                if data.len() > room {
                    break;
                }
            }
        }
        Ok(Answer::new(parts.status, parts.headers, &bytes))
    }
}

fn malformed(error: impl std::fmt::Display) -> SendError {
    SendError::Malformed(error.to_string())
}

fn unreachable_for(error: &dyn std::error::Error) -> SendError {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = cause.to_string();
        source = cause.source();
    }
    SendError::Unreachable(text)
}

const AGENT: &str = concat!("palisade-review/", env!("CARGO_PKG_VERSION"));
const MAXIMUM_BODY: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn client(base: &str, budget: u32) -> ScopedClient {
        let mut target = Target::new(base.parse().unwrap()).unwrap();
        target.scope.budget = budget;
        ScopedClient::new(&target)
    }

    #[test]
    fn targets_are_plain_http() {
        let check = |base: &str, expect: Option<TargetError>| {
            assert_eq!(Target::new(base.parse().unwrap()).err(), expect, "{base}");
        };
        check("http://127.0.0.1:1/api", None);
        check("https://127.0.0.1", Some(TargetError::NotHttp));
        check("/v1", Some(TargetError::NotAbsolute));
        check("http://a?b", Some(TargetError::NotBase));
        check("http://user@a/", Some(TargetError::NotBase));
    }

    #[tokio::test]
    async fn refuses_another_authority() {
        let client = client("http://127.0.0.1:9", 10);
        // A path that is glued to the port makes another authority.
        for path in ["1/v1", ".evil.example/", "@evil.example/"] {
            let error = client.send(&Call::get(path)).await.unwrap_err();
            assert!(matches!(error, SendError::OutOfScope(_) | SendError::Malformed(_)), "{path}: {error}");
        }
        assert_eq!(client.sent(), 0, "nothing was sent");
    }

    #[tokio::test]
    async fn stops_at_the_budget() {
        let client = client("http://127.0.0.1:9", 1);
        assert!(matches!(client.send(&Call::get("/")).await, Err(SendError::Unreachable(_))));
        assert_eq!(client.send(&Call::get("/")).await.unwrap_err(), SendError::Budget(1));
    }
}
