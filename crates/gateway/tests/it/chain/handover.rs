//! A gateway takes over from another while clients ask without a pause: none of them is refused or broken off.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use palisade_gateway::config::load;
use palisade_gateway::listen::Drained;
use palisade_gateway::run::Gateway;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::harness::{Site, shop, with_route};

/// Asks over and over, on one connection as long as it is kept or on a new one each time; counts what is answered.
async fn hammer(address: SocketAddr, keep: bool, done: Arc<AtomicBool>, answered: Arc<AtomicUsize>) {
    let mut kept: Option<TcpStream> = None;
    while !done.load(Ordering::Relaxed) {
        let mut stream = match kept.take() {
            Some(stream) => stream,
            None => TcpStream::connect(address).await.expect("a connection is accepted"),
        };
        let close = if keep { "" } else { "connection: close\r\n" };
        let request = format!("GET /items HTTP/1.1\r\nhost: a\r\n{close}\r\n");
        stream.write_all(request.as_bytes()).await.expect("a request is taken");
        let mut received = Vec::new();
        while !received.ends_with(b"[ ]") {
            let some = stream.read_buf(&mut received).await.expect("an answer comes");
            assert_ne!(some, 0, "the answer breaks off: {}", String::from_utf8_lossy(&received));
        }
        let text = String::from_utf8(received).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
        answered.fetch_add(1, Ordering::Relaxed);
        if keep && !text.contains("connection: close") {
            kept = Some(stream);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_when_another_gateway_takes_over() {
    let upstream = shop().await;
    let unlimited = with_route("throttle = { requests = 100000000, per = \"1s\" }");
    let policy = format!("{unlimited}[server]\nhandover = \"palisade.sock\"\nworkers = 2\n");
    let mut first = Site::start(&policy, &upstream.url()).await;
    let (address, file) = (first.address, first.dir.path().join("palisade.toml"));
    // The file keeps a port that is the system's choice; the successor has to ask for the one that was chosen.
    let text = std::fs::read_to_string(&file).unwrap().replace("127.0.0.1:0", &address.to_string());
    std::fs::write(&file, text).unwrap();
    let (done, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut clients = JoinSet::new();
    for number in 0..8 {
        clients.spawn(hammer(address, number % 2 == 0, Arc::clone(&done), Arc::clone(&answered)));
    }
    let so_many_more = |number| {
        let (answered, until) = (Arc::clone(&answered), answered.load(Ordering::Relaxed) + number);
        async move {
            let answering = async {
                while answered.load(Ordering::Relaxed) < until {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            timeout(Duration::from_secs(20), answering).await.expect("requests are answered");
        }
    };
    so_many_more(200).await;
    let mut running = JoinSet::new();
    let mut stops = Vec::new();
    for _ in 0..2 {
        let successor = Gateway::prepare(&load(&file).unwrap()).await.unwrap();
        assert_eq!(successor.addresses()[0].1, address);
        let (stop, stopped) = oneshot::channel::<()>();
        stops.push(stop);
        running.spawn(successor.run(async { stopped.await.unwrap_or_default() }));
        if stops.len() == 1 {
            // Nobody has told the first to stop.
            assert_eq!(first.ended().await, Drained { cut_off: 0 });
        } else {
            assert_eq!(running.join_next().await.unwrap().unwrap(), Drained { cut_off: 0 });
        }
        so_many_more(200).await;
    }
    done.store(true, Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    for stop in stops {
        let _ = stop.send(());
    }
    assert_eq!(running.join_next().await.unwrap().unwrap(), Drained { cut_off: 0 });
    assert!(!first.dir.path().join("palisade.sock").exists(), "the last one tidies up");
}
