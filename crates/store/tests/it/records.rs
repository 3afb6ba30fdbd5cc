//! The durable records behind one URL: which stores keep them, and that a restart does not sign anybody out.

use std::time::Duration;

use palisade_core::id::{SessionHandle, UserId};
use palisade_core::port::session::{Holder, NewSession, SessionHash, Touched};
use palisade_core::principal::{Assurance, Level};
use palisade_core::time::Timestamp;
use palisade_store::records::Records;
use palisade_store::{OpenError, Place};
use palisade_testkit::dir::TempDir;
use palisade_testkit::server::Postgres;

const ID: SessionHash = SessionHash([7; 32]);

async fn is_live(records: &Records, now: Timestamp) -> bool {
    matches!(records.sessions.touch(&ID, now).await.unwrap(), Touched::Live { .. })
}

/// Opens the records of this URL, and again.
async fn a_restart_signs_nobody_out(url: &str, now: Timestamp) {
    let records = Records::open(&crate::server::patient(url)).await.unwrap();
    let new = NewSession {
        id: ID,
        handle: SessionHandle::new("s-1"),
        holder: Holder::new(UserId::new("u-1"), Assurance::new(Level::Aal1, now)),
        idle: Duration::from_secs(1800),
        absolute: Duration::from_secs(12 * 3600),
        limit: None,
        replaces: None,
    };
    records.sessions.open(&new, now).await.unwrap();
    assert!(is_live(&records, now).await);
    drop(records);
    let again = Records::open(&crate::server::patient(url)).await.unwrap();
    assert!(is_live(&again, now).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn durable_records_survive_a_restart() {
    let dir = TempDir::new();
    let now = palisade_core::port::Clock::now(&palisade_store::clock::SystemClock);
    a_restart_signs_nobody_out(&format!("sqlite:{}", dir.path().join("p.db").display()), now).await;
    let server = Postgres::start();
    a_restart_signs_nobody_out(&server.url(), now).await;
}

#[tokio::test]
async fn a_store_that_may_forget_keeps_no_records() {
    for url in ["redis://127.0.0.1:1/0", "sqlite::memory:", "sqlite:", "mysql://db", "memory:x"] {
        assert!(matches!(Records::open(&Place::new(url)).await, Err(OpenError::Unknown { .. })), "{url}");
    }
}
