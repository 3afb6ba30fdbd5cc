//! The servers: the backend, the bare proxy that the gateway is compared with, and the gateway.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use palisade_core::diagnostic::Diagnostic;
use palisade_gateway::config::load;
use palisade_gateway::run::Gateway;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::{Failure, site};

/// Answers every request with the same order, or with one that has more lines.
pub(crate) fn upstream() -> Result<(), Failure> {
    let (order, long) = (Bytes::from(site::answer()), Bytes::from(site::long_answer()));
    run(listen(move |request: Request<Incoming>| {
        let is_long = request.uri().path_and_query().is_some_and(|target| *target == site::LONG_TARGET);
        let order = if is_long { long.clone() } else { order.clone() };
        async move {
            // A body that is left unread would end the connection.
            request.into_body().collect().await?;
            let mut response = Response::new(Full::new(order));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Ok::<_, hyper::Error>(response)
        }
    }))
}

/// The least that a proxy can do with hyper: the target of the request changes, all else streams through.
pub(crate) fn bare(backend: &str) -> Result<(), Failure> {
    let authority: Authority = backend.parse()?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<_, Incoming> =
        Client::builder(TokioExecutor::new()).pool_max_idle_per_host(256).build(connector);
    run(listen(move |mut request: Request<Incoming>| {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(authority.clone());
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
        client.request(request)
    }))
}

/// The gateway as `palisade run` starts it.
pub(crate) fn gateway(policy: &Path) -> Result<(), Failure> {
    run(async {
        let loaded = load(policy).map_err(|problems| told(&problems))?;
        let gateway = Gateway::prepare(&loaded).await.map_err(|problems| told(&problems))?;
        let (_, address) = gateway.addresses().into_iter().next().ok_or("the gateway listens nowhere")?;
        announce(address)?;
        gateway.run(std::future::pending()).await;
        Ok(())
    })
}

fn told(problems: &[Diagnostic]) -> String {
    problems.iter().map(Diagnostic::to_string).collect::<Vec<_>>().join("\n")
}

/// Runs a server until standard input closes. All have one worker, so that no work moves between threads.
fn run(server: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (closed, parent) = oneshot::channel();
    std::thread::spawn(move || {
        // However it ends, nobody is there any more.
        let _ = std::io::stdin().read(&mut [0]);
        let _ = closed.send(());
    });
    runtime.block_on(async {
        tokio::select! {
            ended = server => ended,
            _ = parent => Ok(()),
        }
    })
}

/// Serves HTTP/1.1 on a free port.
async fn listen<A, F, B, E>(answer: A) -> Result<(), Failure>
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Failure>> + Send + 'static,
    E: Into<Failure>,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?)?;
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answer = answer.clone();
        connections.spawn(async move {
            let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await;
            // The client hears of it.
            drop(served);
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Tells the parent where to find this server.
fn announce(address: SocketAddr) -> Result<(), Failure> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{address}")?;
    Ok(output.flush()?)
}
