//! The client: a few connections that are kept open, on each of which one request follows the other.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::{Failure, site};

/// How many requests are under way at once.
pub(crate) const CONNECTIONS: usize = 16;

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    method: Method,
    target: &'static str,
    body: Bytes,
    /// Values of `Authorization`; each request uses the next.
    tokens: Arc<[HeaderValue]>,
    /// How long the body of an answer must be.
    expect: usize,
}

impl Plan {
    /// Requests with this method and these tokens.
    pub(crate) fn new(method: Method, tokens: Vec<HeaderValue>) -> Self {
        let body = if method == Method::POST { site::change().into() } else { Bytes::new() };
        Self { method, target: site::TARGET, body, tokens: tokens.into(), expect: site::answer().len() }
    }

    /// The same, where the answers are long.
    pub(crate) fn long(self) -> Self {
        Self { target: site::LONG_TARGET, expect: site::long_answer().len(), ..self }
    }

    /// Their method.
    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    /// Whether both ask for the same, with whatever token.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.method == other.method && self.target == other.target
    }

    fn request(&self, number: usize, host: &HeaderValue) -> Result<Request<Full<Bytes>>, Failure> {
        let token = self.tokens.get(number % self.tokens.len().max(1)).ok_or("there are no tokens")?;
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.target.parse()?;
        let headers = request.headers_mut();
        headers.insert(HOST, host.clone());
        headers.insert(AUTHORIZATION, token.clone());
        if !self.body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(request)
    }
}

/// Open connections to one server, each of which has had its first answer.
pub(crate) struct Callers {
    callers: Vec<Caller>,
    /// The tasks that drive the connections; they end with this value.
    _drivers: JoinSet<()>,
}

/// Connects and asks once on each connection.
pub(crate) async fn connect(address: SocketAddr, plan: &Plan) -> Result<Callers, Failure> {
    let mut drivers = JoinSet::new();
    let mut callers = Vec::new();
    let host = HeaderValue::try_from(address.to_string())?;
    for number in 0..CONNECTIONS {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // What goes wrong on a connection, its caller hears as well.
        drivers.spawn(async move { connection.await.unwrap_or_default() });
        let mut caller = Caller { sender, plan: plan.clone(), host: host.clone() };
        caller.ask(number).await?;
        callers.push(caller);
    }
    Ok(Callers { callers, _drivers: drivers })
}

impl Callers {
    /// Sends so many requests over all connections and reads their answers.
    pub(crate) async fn ask(self, requests: usize) -> Result<(), Failure> {
        let mut tasks = JoinSet::new();
        for (first, mut caller) in (CONNECTIONS..).zip(self.callers) {
            tasks.spawn(async move {
                for number in (first..requests + CONNECTIONS).step_by(CONNECTIONS) {
                    caller.ask(number).await?;
                }
                Ok::<_, Failure>(())
            });
        }
        while let Some(finished) = tasks.join_next().await {
            finished??;
        }
        Ok(())
    }
}

struct Caller {
    sender: SendRequest<Full<Bytes>>,
    plan: Plan,
    host: HeaderValue,
}

impl Caller {
    async fn ask(&mut self, number: usize) -> Result<(), Failure> {
        let request = self.plan.request(number, &self.host)?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if status == StatusCode::OK && body.len() == self.plan.expect {
            return Ok(());
        }
        Err(format!("the answer was {status} with {} bytes: {}", body.len(), String::from_utf8_lossy(&body)).into())
    }
}
