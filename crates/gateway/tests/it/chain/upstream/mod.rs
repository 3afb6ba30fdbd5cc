//! Backends that die, hang, reset and come back, behind a whole gateway.

mod backend;
mod circuit;
mod pool;
mod retry;
mod spread;
mod tls;

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

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
    sent(site, request, times).join_all().await
}

/// So many requests at the same time, whose answers come when they come.
fn sent(site: &Site, request: &str, times: usize) -> JoinSet<Answer> {
    let (address, bytes) = (site.address, site.request(request));
    let one = |bytes: Vec<u8>| async move { wire::exchange(address, &bytes).await.unwrap() };
    (0..times).map(|_| one(bytes.clone())).collect()
}

/// The next answers of those, as many as are wanted.
async fn next(asking: &mut JoinSet<Answer>, wanted: usize) -> Vec<Answer> {
    let mut answers = Vec::new();
    for _ in 0..wanted {
        let answer = timeout(Duration::from_secs(20), asking.join_next()).await.expect("an answer in time");
        answers.push(answer.unwrap().unwrap());
    }
    answers
}

/// Waits until so many requests have come to a backend.
async fn arrived(backends: &[&Backend], requests: usize) {
    let come = || backends.iter().map(|backend| backend.count()).sum::<usize>();
    eventually(|| come() == requests).await;
}

/// Waits until something is so.
async fn eventually(is_so: impl Fn() -> bool) {
    let soon = async {
        while !is_so() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), soon).await.expect("it becomes so");
}
