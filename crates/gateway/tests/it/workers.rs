//! Listeners with several workers: every one takes connections, and all of them end with the gateway.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum_core::body::Body;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use palisade::facts::Malformed;
use palisade_core::diagnostic::Source;
use palisade_gateway::config::{self, Loaded};
use palisade_gateway::listen::{Bounds, Connection, Drained, Handler, Inherited, bind, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

/// Remembers the threads on which requests were answered.
#[derive(Default)]
struct Threads(Mutex<BTreeSet<String>>);

struct Remembering(Arc<Threads>);

impl Handler for Remembering {
    fn handle(&self, _: Request<Body>, _: &Arc<Connection>) -> BoxFuture<'static, Response<Body>> {
        let threads = Arc::clone(&self.0);
        Box::pin(async move {
            threads.0.lock().unwrap().insert(std::thread::current().name().unwrap_or("?").to_owned());
            Response::new(Body::from("hello"))
        })
    }

    fn refuse(&self, _: Malformed, _: Request<Body>, _: &Arc<Connection>) -> BoxFuture<'static, Response<Body>> {
        unreachable!("nothing here is malformed")
    }
}

fn load(server: &str) -> Loaded {
    let text = format!(
        "version = 1\n[server]\n{server}\n[listen.main]\naddress = \"127.0.0.1:0\"\n[upstream.api]\n\
         url = \"http://127.0.0.1:1\"\n[contract.api]\nopenapi = \"openapi.yaml\"\n[route.api]\npath = \"/**\"\n\
         upstream = \"api\"\ncontract = \"api\"\n"
    );
    config::parse(&Source::new("palisade.toml", text), FIXTURES.as_ref()).unwrap()
}

async fn ask(address: SocketAddr) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn every_worker_takes_connections() {
    let loaded = load("workers = 3");
    let listeners = bind(&loaded, Inherited::none()).await.unwrap();
    let (address, threads) = (listeners[0].local(), Arc::new(Threads::default()));
    let (stop, stopped) = oneshot::channel::<()>();
    let mut serving = JoinSet::new();
    let handler = Arc::new(Remembering(Arc::clone(&threads)));
    serving.spawn(serve(listeners, handler, Bounds::of(&loaded.settings), async move {
        stopped.await.unwrap_or_default();
    }));
    for _ in 0..200 {
        assert!(ask(address).await.unwrap().ends_with(b"hello"));
    }
    let names: Vec<String> = threads.0.lock().unwrap().iter().cloned().collect();
    assert_eq!(names, ["worker-0", "worker-1", "worker-2"]);
    stop.send(()).unwrap();
    assert_eq!(serving.join_next().await.unwrap().unwrap(), Drained { cut_off: 0 });
    assert!(TcpStream::connect(address).await.is_err());
    assert_eq!(Arc::strong_count(&threads), 1, "no worker is left");
}

/// A connection that is in the queue when the shutdown begins has been accepted as far as its client can see.
#[tokio::test]
async fn what_waits_in_the_queue_is_served_before_the_end() {
    for workers in 1..3 {
        let loaded = load(&format!("workers = {workers}"));
        let listeners = bind(&loaded, Inherited::none()).await.unwrap();
        let address = listeners[0].local();
        let mut asking = JoinSet::new();
        for _ in 0..20 {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            std::io::Write::write_all(&mut stream, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
            stream.set_nonblocking(true).unwrap();
            let mut stream = TcpStream::from_std(stream).unwrap();
            asking.spawn(async move {
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).await.map(|_| answer)
            });
        }
        let handler = Arc::new(Remembering(Arc::default()));
        // It has been told to stop before it has begun.
        let drained = serve(listeners, handler, Bounds::of(&loaded.settings), async {}).await;
        assert_eq!(drained, Drained { cut_off: 0 });
        while let Some(answer) = asking.join_next().await {
            let answer = answer.unwrap().unwrap();
            assert!(answer.ends_with(b"hello"), "{}", String::from_utf8_lossy(&answer));
        }
    }
}

#[tokio::test]
async fn dropping_the_server_ends_all_workers() {
    let loaded = load("workers = 2");
    let listeners = bind(&loaded, Inherited::none()).await.unwrap();
    let (address, threads) = (listeners[0].local(), Arc::new(Threads::default()));
    let handler = Arc::new(Remembering(Arc::clone(&threads)));
    let serving = serve(listeners, handler, Bounds::of(&loaded.settings), std::future::pending());
    tokio::select! {
        _ = serving => panic!("it was not told to stop"),
        answer = ask(address) => assert!(answer.unwrap().ends_with(b"hello")),
    }
    while TcpStream::connect(address).await.is_ok() || Arc::strong_count(&threads) > 1 {
        tokio::task::yield_now().await;
    }
}
