//! The stores against the contract of their ports, and what only files and servers can get wrong.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access_token;
mod account;
mod added_columns;
mod api_key;
mod changed_schema;
mod faults;
mod file;
mod records;
mod refresh;
mod schema;
mod server;
mod url;

use palisade_store::memory::{MemoryCounters, MemoryFactors, MemoryOnce, MemorySessions};
use palisade_store::sqlite::SqliteStore;
use palisade_testkit::dir::TempDir;
use palisade_testkit::store::{assert_counter_store, assert_factor_store, assert_once_store, assert_session_store};

/// A new, empty file each time; the directory outlives the stores.
async fn sqlite(dir: &TempDir, count: &std::sync::atomic::AtomicU32) -> SqliteStore {
    let name = format!("{}.db", count.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
    SqliteStore::open(&dir.path().join(name).display().to_string()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_counters_keep_the_contract() {
    assert_counter_store(async || MemoryCounters::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_once_keeps_the_contract() {
    assert_once_store(async || MemoryOnce::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_counters_keep_the_contract() {
    let (dir, count) = (TempDir::new(), Default::default());
    assert_counter_store(async || sqlite(&dir, &count).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_once_keeps_the_contract() {
    let (dir, count) = (TempDir::new(), Default::default());
    assert_once_store(async || sqlite(&dir, &count).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_sessions_keep_the_contract() {
    assert_session_store(async || MemorySessions::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_sessions_keep_the_contract() {
    let (dir, count) = (TempDir::new(), Default::default());
    assert_session_store(async || sqlite(&dir, &count).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_factors_keep_the_contract() {
    assert_factor_store(async || MemoryFactors::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_factors_keep_the_contract() {
    let (dir, count) = (TempDir::new(), Default::default());
    assert_factor_store(async || sqlite(&dir, &count).await).await;
}
