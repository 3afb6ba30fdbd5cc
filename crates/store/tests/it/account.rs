//! Accounts: the contract of their port, what a restart keeps, and files and databases of earlier versions.

use std::sync::atomic::AtomicU32;

use palisade_core::id::UserId;
use palisade_core::port::account::{NewAccount, SignInName};
use palisade_core::time::Timestamp;
use palisade_store::memory::MemoryAccounts;
use palisade_store::records::Records;
use palisade_store::{OpenError, Place};
use palisade_testkit::dir::TempDir;
use palisade_testkit::server::Postgres;
use palisade_testkit::store::assert_account_store;

const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_keeps_the_contract_of_accounts() {
    assert_account_store(async || MemoryAccounts::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_keeps_the_contract_of_accounts() {
    let (dir, count) = (TempDir::new(), Default::default());
    assert_account_store(async || super::sqlite(&dir, &count).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_keeps_the_contract_of_accounts() {
    let (server, count) = (Postgres::start(), AtomicU32::new(0));
    assert_account_store(async || super::server::postgres(&server, &count).await).await;
}

/// Registers somebody through one opening of the store, and looks for them through the next.
async fn is_kept(url: &str) {
    let name = SignInName::parse("alice").unwrap();
    let records = Records::open(&Place::new(url)).await.unwrap();
    records.accounts.register(&NewAccount::new(UserId::new("u-1"), name.clone()), NOW).await.unwrap();
    drop(records);
    let records = Records::open(&Place::new(url)).await.unwrap();
    assert_eq!(records.accounts.find_by_name(None, &name).await.unwrap().unwrap().id, UserId::new("u-1"));
}

#[tokio::test]
async fn records_are_kept_in_files_and_databases() {
    let (dir, server) = (TempDir::new(), Postgres::start());
    is_kept(&format!("sqlite:{}", dir.path().join("records.db").display())).await;
    is_kept(&server.url()).await;
    for url in ["sqlite:", "sqlite://a", "redis://127.0.0.1:1/0", "memory", "mysql://a"] {
        let error = Records::open(&Place::new(url)).await.unwrap_err();
        assert!(matches!(error, OpenError::Unknown { .. }), "{url}: {error:?}");
    }
}

/// A file and a database of every earlier version get what they lack.
#[tokio::test]
async fn earlier_versions_are_brought_forward() {
    let steps = [
        include_str!("../../src/sqlite/migrations/0001_counters_and_once.sql"),
        include_str!("../../src/sqlite/migrations/0002_tallies.sql"),
    ];
    let versions = "CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY) STRICT";
    for version in 1..=steps.len() {
        let dir = TempDir::new();
        let path = dir.path().join("old.db").display().to_string();
        super::file::execute(&path, versions).await;
        for (step, at) in steps.iter().zip(1..=version) {
            super::file::execute(&path, step).await;
            let insert = ["", "INSERT INTO schema_version VALUES (1)", "INSERT INTO schema_version VALUES (2)"];
            super::file::execute(&path, insert[at]).await;
        }
        is_kept(&format!("sqlite:{path}")).await;
    }
    let server = Postgres::start();
    let first = include_str!("../../src/postgres/migrations/0001_tallies_and_once.sql");
    super::server::execute(&server, "CREATE TABLE palisade_schema_version (version bigint PRIMARY KEY)").await;
    super::server::execute(&server, first).await;
    super::server::execute(&server, "INSERT INTO palisade_schema_version VALUES (1)").await;
    is_kept(&server.url()).await;
}
