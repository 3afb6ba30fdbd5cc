//! What stands behind the body of a request: nothing of it goes further but what the route names.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::harness::{Site, with_route};

/// The names of the trailers that a backend of HTTP/2 gets of a request that has three.
async fn reaching(route: &str) -> Vec<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(HeaderMap::new())));
    let (mut running, told) = (JoinSet::new(), Arc::clone(&seen));
    running.spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(|request: Request<Incoming>| {
            let told = Arc::clone(&told);
            async move {
                let body = request.into_body().collect().await.unwrap();
                *told.lock().unwrap() = body.trailers().cloned().unwrap_or_default();
                assert_eq!(body.to_bytes(), "photo");
                Ok::<_, Infallible>(Response::builder().status(204).body(Empty::<Bytes>::new()).unwrap())
            }
        });
        let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
    });
    let policy = with_route(route).replace("failures = 100", "protocol = \"h2\"");
    let site = Site::start(&policy, &format!("http://{address}")).await;
    let stream = TcpStream::connect(site.address).await.unwrap();
    let (mut send, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    running.spawn(async move { drop(connection.await) });
    let mut trailers = HeaderMap::new();
    for name in ["x-sum", "x-other", "palisade-subject"] {
        trailers.insert(name, "root".parse().unwrap());
    }
    let frames = [Frame::data(Bytes::from("pho")), Frame::data(Bytes::from("to")), Frame::trailers(trailers)];
    let body = StreamBody::new(futures_util::stream::iter(frames.into_iter().map(Ok::<_, Infallible>)));
    let request = Request::put("http://a/photos/1").header("content-type", "application/octet-stream");
    let answer = send.send_request(request.body(body).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 204);
    site.finish().await;
    let mut names: Vec<String> = seen.lock().unwrap().keys().map(ToString::to_string).collect();
    names.sort();
    names
}

#[tokio::test]
async fn trailers_of_requests_pass_by_a_list() {
    assert!(reaching("").await.is_empty());
    assert_eq!(reaching("request_trailers = [\"x-sum\", \"x-more\"]").await, ["x-sum"]);
}
