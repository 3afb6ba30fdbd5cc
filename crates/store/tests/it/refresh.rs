//! Families of refresh tokens: the contract of the port, older schemas, and a process that is killed while it refreshes.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use palisade_core::port::RefreshStore as _;
use palisade_core::port::refresh::{FamilyId, Grace, Outcome, Presented, Turn};
use palisade_core::time::Timestamp;
use palisade_store::memory::{MemoryKeys, MemoryRefresh, MemoryRevocations};
use palisade_store::records::Records;
use palisade_store::sqlite::SqliteStore;
use palisade_store::{Place, moment::Moment};
use palisade_testkit::dir::TempDir;
use palisade_testkit::server::Postgres;
use palisade_testkit::store::{assert_key_store, assert_refresh_store, assert_revocation_log, family};
use tokio::task::JoinSet;

const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_keeps_the_contract() {
    assert_refresh_store(async || MemoryRefresh::default()).await;
    assert_key_store(async || MemoryKeys::default()).await;
    assert_revocation_log(async || MemoryRevocations::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_keeps_the_contract() {
    let (dir, count) = (TempDir::new(), AtomicU32::new(0));
    let path = || dir.path().join(format!("{}.db", count.fetch_add(1, Ordering::SeqCst))).display().to_string();
    assert_refresh_store(async || SqliteStore::open_durable(&path()).await.unwrap()).await;
    assert_key_store(async || SqliteStore::open_durable(&path()).await.unwrap()).await;
    assert_revocation_log(async || SqliteStore::open_durable(&path()).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_the_contract() {
    let (server, count) = (Postgres::start(), AtomicU32::new(0));
    assert_refresh_store(async || crate::server::postgres(&server, &count).await).await;
    assert_key_store(async || crate::server::postgres(&server, &count).await).await;
    assert_revocation_log(async || crate::server::postgres(&server, &count).await).await;
}

/// Two processes with one file: each has a connection and a thread of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_on_one_file_make_one_step() {
    let dir = TempDir::new();
    let path = dir.path().join("palisade.db").display().to_string();
    let stores = [SqliteStore::open_durable(&path).await.unwrap(), SqliteStore::open_durable(&path).await.unwrap()];
    let stores = stores.map(Arc::new);
    let family = family(1, "s", "u");
    stores[0].begin(&family, NOW).await.unwrap();
    let mut calls = JoinSet::new();
    for call in 0..64 {
        let store = Arc::clone(&stores[call % 2]);
        calls.spawn(async move { store.redeem(family.id, rotate(0), NOW).await.unwrap() });
    }
    let outcomes = calls.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Rotated { generation: 1 }).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Again { generation: 1 }).count(), 63);
}

/// A call that is given up takes no other with it, and happens whole or not at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_gives_up_stops_nobody_else() {
    let dir = TempDir::new();
    let path = dir.path().join("palisade.db").display().to_string();
    let store = Arc::new(SqliteStore::open_durable(&path).await.unwrap());
    for id in 0..64 {
        store.begin(&family(id, "s", "u"), NOW).await.unwrap();
    }
    let (mut patient, mut hasty) = (JoinSet::new(), JoinSet::new());
    for id in 0..64_u128 {
        let store = Arc::clone(&store);
        let call = async move { store.redeem(FamilyId::from_bytes(id.to_be_bytes()), rotate(0), NOW).await };
        if id % 2 == 0 {
            patient.spawn(call)
        } else {
            hasty.spawn(call)
        };
    }
    hasty.shutdown().await;
    for outcome in patient.join_all().await {
        assert_eq!(outcome.unwrap(), Outcome::Rotated { generation: 1 });
    }
    for id in 0..64_u128 {
        let outcome = store.redeem(FamilyId::from_bytes(id.to_be_bytes()), rotate(0), NOW).await.unwrap();
        let is_whole = matches!(outcome, Outcome::Rotated { generation: 1 } | Outcome::Again { generation: 1 });
        assert!(is_whole, "{outcome:?}");
    }
}

fn rotate(generation: u32) -> Presented {
    Presented { generation, turn: Turn::Rotate, grace: Grace::default() }
}

/// How many families the killed process refreshes, and how many refreshes it is told to make.
const FAMILIES: u32 = 20;
const REFRESHES: u32 = 1_000;

/// Where the child of the test below finds its store; without it this is no test.
const URL: &str = "PALISADE_TEST_REFRESH_URL";

/// The child: refreshes in parallel and says so only when the store has said so.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn refreshes_for_the_test_that_kills_it() {
    let Ok(url) = std::env::var(URL) else { return };
    let records = Records::open(&Place { moment: Moment::Caller, ..crate::server::patient(url) }).await.unwrap();
    let mut calls = JoinSet::new();
    for id in 0..FAMILIES {
        let refresh = Arc::clone(&records.refresh);
        calls.spawn(async move {
            let family = family(id.into(), "s", "u");
            refresh.begin(&family, NOW).await.unwrap();
            for generation in 0..REFRESHES / FAMILIES {
                let outcome = refresh.redeem(family.id, rotate(generation), NOW).await.unwrap();
                assert_eq!(outcome, Outcome::Rotated { generation: generation + 1 });
                // One write of one line, so that no two run into each other.
                let line = format!("rotated {id} {}\n", generation + 1);
                std::io::stdout().write_all(line.as_bytes()).unwrap();
            }
        });
    }
    calls.join_all().await;
}

/// Kills the child after each of some numbers of refreshes, and looks at what the store holds.
async fn nothing_is_lost_or_forked(url: &str, kill_after: usize) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "refresh::refreshes_for_the_test_that_kills_it", "--nocapture"])
        .env(URL, url)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut told: BTreeMap<u32, u32> = BTreeMap::new();
    let mut lines = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // The harness of tests may write before the first line on the same line.
        let Some((_, numbers)) = line.split_once("rotated ") else { continue };
        let Some((id, generation)) = numbers.split_once(' ') else { continue };
        let (Ok(id), Ok(generation)) = (id.parse(), generation.parse()) else { continue };
        told.insert(id, generation);
        lines += 1;
        if lines == kill_after {
            // SIGKILL: nothing is finished, nothing is tidied up. What was written before is still read.
            child.kill().unwrap();
        }
    }
    assert!(!child.wait().unwrap().success(), "it was killed, and not done");
    assert!((kill_after..REFRESHES as usize).contains(&lines), "{lines} refreshes were told of");

    let records = Records::open(&Place { moment: Moment::Caller, ..crate::server::patient(url) }).await.unwrap();
    let kept = records.refresh.list(&family(0, "s", "u").grant.subject, NOW).await.unwrap();
    let kept: BTreeMap<FamilyId, u32> =
        kept.into_iter().map(|kept| (kept.family.id, kept.progress.generation)).collect();
    for (id, generation) in told {
        let id = FamilyId::from_bytes(u128::from(id).to_be_bytes());
        let found = kept.get(&id).copied();
        let is_whole = found == Some(generation) || found == Some(generation + 1);
        assert!(is_whole, "told {generation}, kept {found:?}");
        // The client has the token of which it was told, and goes on with it.
        let outcome = records.refresh.redeem(id, rotate(generation), NOW.plus(Duration::from_secs(5))).await.unwrap();
        let next = generation + 1;
        let expect = [Outcome::Rotated { generation: next }, Outcome::Again { generation: next }];
        assert!(expect.contains(&outcome), "{outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_loses_and_forks_nothing_when_its_process_is_killed() {
    for kill_after in [1, 300, 700] {
        let dir = TempDir::new();
        let url = format!("sqlite:{}", dir.path().join("palisade.db").display());
        nothing_is_lost_or_forked(&url, kill_after).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_loses_and_forks_nothing_when_a_process_is_killed() {
    let server = Postgres::start();
    nothing_is_lost_or_forked(&server.url(), 500).await;
}
