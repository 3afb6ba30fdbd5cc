//! The client sends what the scope allows, and nothing else: it is the only thing in the reviewer with a socket.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::time::{Instant, sleep_until, timeout};

use super::attempt::{AGENT, Failure, exchange, malformed, unreachable_for};
use super::certificate::Worth;
use super::guard::Guard;
use super::hello::{Offer, is_spoken};
use super::wire::{Connector, Protocol, dial};
use super::{Scope, SendError, Target};
use crate::exchange::{Answer, Call, Credential, cookie, with_query};
use crate::keeper::{Keeper, Standing};
use crate::login::PartPlace;
use crate::session::sign_in;
use crate::sink::Sink;
use crate::surface::encode;

/// Sends requests within a scope.
pub(crate) struct ScopedClient {
    client: Client<Connector, Full<Bytes>>,
    connector: Connector,
    scope: Scope,
    scheme: Scheme,
    base: String,
    sent: AtomicU32,
    began: Instant,
    next: Mutex<Option<Instant>>,
    ends: Option<Instant>,
    guard: Guard,
    keepers: Mutex<Vec<Arc<Keeper>>>,
    /// How many requests in a row were not answered, whatever the operation.
    silent: AtomicU32,
    /// Whether an operation that does not answer is passed over.
    is_lenient: AtomicBool,
    has_heard: AtomicBool,
    /// Requests that were made after the run was told to stop.
    late: AtomicU32,
}

impl ScopedClient {
    pub(crate) fn new(target: &Target, guard: Guard) -> Self {
        let scheme = target.base.scheme().cloned().unwrap_or(Scheme::HTTP);
        let connector = Connector::to(target);
        let scope = target.scope.clone();
        let mut client = Client::builder(TokioExecutor::new());
        client.retry_canceled_requests(true).http2_only(target.protocol == Protocol::Http2);
        Self {
            client: client.build(connector.clone()),
            connector,
            ends: scope.duration.map(|duration| Instant::now() + duration),
            base: target.base.to_string().trim_end_matches('/').to_owned(),
            scope,
            scheme,
            sent: AtomicU32::new(0),
            began: Instant::now(),
            next: Mutex::new(None),
            guard,
            keepers: Mutex::new(Vec::new()),
            silent: AtomicU32::new(0),
            is_lenient: AtomicBool::new(false),
            has_heard: AtomicBool::new(false),
            late: AtomicU32::new(0),
        }
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

    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Whether the target has answered at all.
    pub(crate) fn has_heard(&self) -> bool {
        self.has_heard.load(Ordering::Relaxed)
    }

    /// Whether the target has left several requests in a row unanswered.
    pub(crate) fn is_gone(&self) -> bool {
        self.silent.load(Ordering::Relaxed) >= GONE
    }

    /// From now on a request without an answer is an answer that says so, or an error again.
    pub(crate) fn be_lenient(&self, is_lenient: bool) {
        self.is_lenient.store(is_lenient, Ordering::Relaxed);
    }

    /// From now on a credential is renewed when it has expired.
    pub(crate) fn keep(&self, keeper: Arc<Keeper>) {
        self.keepers().push(keeper);
    }

    /// Why no new attack should begin.
    pub(crate) fn stopped(&self) -> Option<SendError> {
        if let Some(why) = self.scope.stop.why() {
            return Some(SendError::Stopped(why));
        }
        let is_over = self.ends.is_some_and(|ends| ends <= Instant::now());
        is_over.then(|| SendError::Stopped(format!("{:?} are over", self.scope.duration.unwrap_or_default())))
    }

    /// Makes one request, unless the guard objects. Redirects are answers like any other. When the credential of an
    /// identity has expired, it signs in anew, and the request is made again.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, SendError> {
        match self.send_renewing(call).await {
            Err(error @ (SendError::Timeout(_) | SendError::Unreachable(_)))
                if self.is_lenient.load(Ordering::Relaxed) && self.silent.load(Ordering::Relaxed) < SILENCE =>
            {
                Ok(Answer::withheld(&error.to_string()))
            }
            other => other,
        }
    }

    async fn send_renewing(&self, call: &Call) -> Result<Answer, SendError> {
        let keepers = self.keepers().clone();
        if let Some(why) = self.guard.objection(call, &keepers) {
            return Ok(Answer::withheld(&why));
        }
        let known = keepers.iter().find_map(|keeper| match keeper.standing(&call.credential) {
            Standing::Unknown => None,
            standing => Some((keeper, standing)),
        });
        let Some((keeper, standing)) = known else { return self.send_plainly(call).await };
        let current = match standing {
            Standing::Former => Some(call.clone().with_credential(keeper.credential())),
            Standing::Current | Standing::Unknown => None,
        };
        let call = current.as_ref().unwrap_or(call);
        let answer = self.send_plainly(call).await?;
        if answer.is_success() && call.method == Method::GET {
            keeper.served(call);
        }
        let is_refused = answer.meaning() == StatusCode::UNAUTHORIZED;
        if is_refused && self.renew(keeper, &call.credential).await? {
            return self.send_plainly(&call.clone().with_credential(keeper.credential())).await;
        }
        Ok(answer)
    }

    /// Makes one request as it is.
    pub(crate) async fn send_plainly(&self, call: &Call) -> Result<Answer, SendError> {
        let request = self.request(call)?;
        self.take()?;
        let mut outcome = self.attempt(request.clone()).await;
        if matches!(&outcome, Err(Failure::Dropped(_))) && self.stopped().is_none() {
            self.take()?;
            outcome = self.attempt(request).await;
        }
        let outcome = outcome.map_err(SendError::from);
        match &outcome {
            Ok(_) => {
                self.silent.store(0, Ordering::Relaxed);
                self.has_heard.store(true, Ordering::Relaxed);
                self.guard.answered(call);
            }
            Err(_) => {
                self.silent.fetch_add(1, Ordering::Relaxed);
                self.guard.failed(call);
            }
        }
        outcome
    }

    /// Asks our own sink for a path, to show that it can be reached. Being ours, it is in every scope.
    pub(crate) async fn touch(&self, sink: &Sink, path: &str) -> Result<(), SendError> {
        let uri: Uri = format!("http://{}{path}", sink.address()).parse().map_err(malformed)?;
        let request = Request::get(uri).body(Full::default()).map_err(malformed)?;
        let deadline = self.scope.deadline;
        let asked = timeout(deadline, exchange(&self.client, request, MAXIMUM_BODY)).await;
        asked.map_err(|_| SendError::Timeout(deadline))?.map(|_| ()).map_err(SendError::from)
    }

    /// Whether the target is in TLS.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Whether the target would go on with an offer that it should refuse.
    pub(crate) async fn speaks(&self, offer: Offer) -> Result<bool, SendError> {
        let (host, port) = self.place();
        let ask = async {
            let mut stream = dial(host, port).await?;
            // Whoever breaks off has refused.
            Ok(is_spoken(&mut stream, host, offer).await.unwrap_or(false))
        };
        self.alone(ask).await
    }

    /// What the target's certificate is worth.
    pub(crate) async fn certificate(&self) -> Result<Worth, SendError> {
        let (host, port) = self.place();
        self.alone(async { self.connector.certificate(host, dial(host, port).await?).await }).await
    }

    /// Where the target is, for a connection of its own.
    fn place(&self) -> (&str, u16) {
        let host = self.host().trim_start_matches('[').trim_end_matches(']');
        (host, self.scope.authority.port_u16().unwrap_or(443))
    }

    /// Makes a connection of its own, which counts like a request.
    async fn alone<T>(&self, ask: impl Future<Output = io::Result<T>>) -> Result<T, SendError> {
        self.take()?;
        self.wait().await;
        let deadline = self.scope.deadline;
        let answer = timeout(deadline, ask).await.map_err(|_| SendError::Timeout(deadline))?;
        answer.map_err(|error| unreachable_for(&error))
    }

    /// Whether a credential had expired and was renewed.
    async fn renew(&self, keeper: &Keeper, refused: &Credential) -> Result<bool, SendError> {
        let Some(control) = keeper.control() else { return Ok(false) };
        // Whoever comes second finds the work done.
        let _turn = keeper.renewing.lock().await;
        if keeper.credential() != *refused {
            return Ok(true);
        }
        if self.send_plainly(&control).await?.meaning() != StatusCode::UNAUTHORIZED {
            return Ok(false);
        }
        match Box::pin(sign_in(self, &keeper.identity)).await {
            Ok(credential) => keeper.renew(credential),
            Err(_) => keeper.lose(),
        }
        Ok(!keeper.is_lost())
    }

    fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>, SendError> {
        let query: Vec<(String, String)> = call.credential.sent(PartPlace::Query).into_iter().map(encoded).collect();
        let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let uri: Uri = format!("{}{}", self.base, with_query(&call.path, &query)).parse().map_err(malformed)?;
        self.check(&uri)?;
        let mut request = Request::builder().method(call.method.clone()).uri(uri);
        let (cookies, headers): (Vec<_>, Vec<_>) = call.headers.iter().partition(|(name, _)| name == "cookie");
        for (name, value) in headers {
            request = request.header(name.as_ref(), HeaderValue::from_bytes(value.as_bytes()).map_err(malformed)?);
        }
        if let Credential::Bearer { token, .. } = &call.credential {
            request = request.header(header::AUTHORIZATION, secret(&format!("Bearer {token}"))?);
        }
        for (name, value) in call.credential.sent(PartPlace::Header) {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(malformed)?;
            request = request.header(name, secret(value)?);
        }
        // All cookies are in one header (RFC 6265 section 5.4).
        let signed = cookie(&call.credential.sent(PartPlace::Cookie));
        let cookies: Vec<String> =
            signed.into_iter().chain(cookies.into_iter().map(|(_, pairs)| pairs.clone())).collect();
        if !cookies.is_empty() {
            let cookies = cookies.join("; ");
            request = request.header(header::COOKIE, secret(&cookies)?);
        }
        let body = match &call.body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, body.media_type());
                body.to_bytes()
            }
            None => Bytes::new(),
        };
        request.header(header::USER_AGENT, AGENT).body(Full::new(body)).map_err(malformed)
    }

    fn check(&self, uri: &Uri) -> Result<(), SendError> {
        let is_ours = uri.scheme() == Some(&self.scheme) && uri.authority() == Some(&self.scope.authority);
        if is_ours { Ok(()) } else { Err(SendError::OutOfScope(uri.to_string())) }
    }

    fn take(&self) -> Result<(), SendError> {
        if self.silent.load(Ordering::Relaxed) >= SILENCE {
            return Err(SendError::Unreachable(format!("{SILENCE} requests in a row were not answered")));
        }
        // What was begun may be put back, within bounds.
        if let Some(stopped) = self.stopped()
            && self.late.fetch_add(1, Ordering::Relaxed) >= LATE
        {
            return Err(stopped);
        }
        let budget = self.scope.budget;
        let more = |sent: u32| (sent < budget).then_some(sent + 1);
        let taken = self.sent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.map(|_| ()).map_err(|_| SendError::Budget(budget))
    }

    async fn wait(&self) {
        let Some(rate) = self.scope.rate else { return };
        let slot = {
            let mut next = lock(&self.next);
            let slot = next.unwrap_or_else(Instant::now).max(Instant::now());
            *next = Some(slot + Duration::from_secs(1) / rate.get());
            slot
        };
        sleep_until(slot).await;
    }

    /// One exchange, in its time.
    async fn attempt(&self, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        self.wait().await;
        let deadline = self.scope.deadline;
        let after = self.began.elapsed();
        let mut answer = timeout(deadline, exchange(&self.client, request, MAXIMUM_BODY))
            .await
            .map_err(|_| Failure::Lasting(SendError::Timeout(deadline)))??;
        answer.timing.after = after;
        Ok(answer)
    }

    fn keepers(&self) -> MutexGuard<'_, Vec<Arc<Keeper>>> {
        lock(&self.keepers)
    }
}

fn encoded((name, value): (&str, &str)) -> (String, String) {
    (encode(name), encode(value))
}

fn secret(value: &str) -> Result<HeaderValue, SendError> {
    let mut value = HeaderValue::from_str(value).map_err(malformed)?;
    value.set_sensitive(true);
    Ok(value)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const MAXIMUM_BODY: usize = 1024 * 1024;
/// After so many requests in a row without an answer, the target is gone.
const SILENCE: u32 = 8;
/// After so many it seems to be.
const GONE: u32 = 3;
/// How many requests may still be made to put back what was begun when the run was told to stop.
const LATE: u32 = 6;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::JoinSet;

    use super::*;

    fn client(base: &str, budget: u32) -> ScopedClient {
        let mut target = Target::new(base.parse().unwrap()).unwrap();
        target.scope.budget = budget;
        ScopedClient::new(&target, Guard::default())
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

    /// Answers each connection so often, and then closes it when it is asked for more.
    async fn closing(listener: TcpListener, answers: usize) {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            for _ in 0..answers {
                wait_for_a_request(&mut stream).await;
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            }
            wait_for_a_request(&mut stream).await;
        }
    }

    async fn wait_for_a_request(stream: &mut TcpStream) {
        let read = stream.read(&mut [0; 4096]).await;
        assert!(read.is_ok(), "{read:?}");
    }

    #[tokio::test]
    async fn a_request_that_a_closed_connection_swallowed_is_made_again() {
        let check = async |answers: usize, is_answered: &[bool]| {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let client = client(&format!("http://{}", listener.local_addr().unwrap()), 20);
            let mut tasks = JoinSet::new();
            tasks.spawn(closing(listener, answers));
            for expect in is_answered {
                let outcome = client.send(&Call::get("/")).await;
                assert_eq!(outcome.is_ok(), *expect, "{:?}", outcome.err());
            }
        };
        check(1, &[true, true, true]).await;
        // Who never answers is not asked for ever.
        check(0, &[false, false]).await;
    }

    #[tokio::test]
    async fn stops_at_the_budget() {
        let client = client("http://127.0.0.1:9", 1);
        assert!(matches!(client.send(&Call::get("/")).await, Err(SendError::Unreachable(_))));
        assert_eq!(client.send(&Call::get("/")).await.unwrap_err(), SendError::Budget(1));
    }
}
