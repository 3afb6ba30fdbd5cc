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
    let records = Records::open(&crate::server::patient(url)).await.unwrap();
    records.accounts.register(&NewAccount::new(UserId::new("u-1"), name.clone()), NOW).await.unwrap();
    drop(records);
    let records = Records::open(&crate::server::patient(url)).await.unwrap();
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
