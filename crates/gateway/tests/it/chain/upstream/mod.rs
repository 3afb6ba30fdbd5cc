//! Backends that die, hang, reset and come back, behind a whole gateway.

mod backend;
mod circuit;
mod pool;
mod retry;
mod spread;
mod tls;

use std::net::SocketAddr;

use futures_util::future::join_all;

use self::backend::Backend;
use super::harness::{POLICY, Site};
use super::wire::{self, Answer};

/// The policy with other keys for the upstream, and sections behind them. One worker serves: each has its own connections.
fn with_upstream(keys: &str) -> String {
    let policy = POLICY.replace("url = \"{upstream}\"\nfailures = 100\n", &format!("{keys}\n"));
    format!("{policy}\n[server]\nworkers = 1\n")
}

/// A gateway in front of these, with more keys for the upstream.
async fn site(backends: &[&Backend], keys: &str) -> Site {
    let urls: Vec<String> = backends.iter().map(|backend| format!("{:?}", backend.url())).collect();
    // The circuit has tests of its own.
    let circuit = if keys.starts_with("failures = ") { "" } else { "failures = 1000\n" };
    Site::start(&with_upstream(&format!("urls = [{}]\n{circuit}{keys}", urls.join(", "))), "").await
}

const ORDER: &str = "POST /orders\nauthorization: Bearer ${alice}\ncontent-type: application/json\n\n\
                     {\"item\":1,\"amount\":2}";

/// Statuses of so many requests, one after the other.
async fn statuses(site: &Site, request: &str, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(site.ask(request).await.status.as_u16());
    }
    statuses
}

/// Answers to so many requests at the same time.
async fn at_once(site: &Site, request: &str, times: usize) -> Vec<Answer> {
    let bytes = site.request(request);
    let one = |address: SocketAddr, bytes: Vec<u8>| async move { wire::exchange(address, &bytes).await.unwrap() };
    join_all((0..times).map(|_| one(site.address, bytes.clone()))).await
}
