//! Opaque access tokens: the contract of the port in every store that keeps records.

use std::sync::atomic::AtomicU32;

use palisade_store::memory::MemoryAccessTokens;
use palisade_testkit::dir::TempDir;
use palisade_testkit::server::Postgres;
use palisade_testkit::store::assert_access_token_store;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_keeps_the_contract() {
    assert_access_token_store(async || MemoryAccessTokens::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_keeps_the_contract() {
    let (dir, count) = (TempDir::new(), AtomicU32::new(0));
    assert_access_token_store(async || crate::sqlite(&dir, &count).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_the_contract() {
    let (server, count) = (Postgres::start(), AtomicU32::new(0));
    assert_access_token_store(async || crate::server::postgres(&server, &count).await).await;
}
