//! What a SQLite file keeps: over a restart, between processes, after a call that was given up, for a newer program.

use std::sync::Arc;
use std::time::Duration;

use palisade_core::port::counter::{Acquired, LimitKey, Rate};
use palisade_core::port::once::{OnceKey, Taken};
use palisade_core::port::{CounterStore, OnceStore};
use palisade_core::time::Timestamp;
use palisade_store::OpenError;
use palisade_store::sqlite::SqliteStore;
use palisade_testkit::dir::TempDir;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::task::JoinSet;

const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);
const MINUTE: Duration = Duration::from_secs(60);

fn rate(burst: u32) -> Rate {
    Rate { burst: burst.try_into().unwrap(), per: MINUTE }
}

fn path(dir: &TempDir) -> String {
    dir.path().join("palisade.db").display().to_string()
}

async fn is_granted(store: &SqliteStore, holder: &str, rate: Rate, now: Timestamp) -> bool {
    let outcome = store.try_acquire(&LimitKey::new("r", holder), rate, now).await.unwrap();
    matches!(outcome, Acquired::Granted { .. })
}

async fn take(store: &SqliteStore, value: &str, now: Timestamp) -> Taken {
    store.take(&OnceKey::new("p", value), MINUTE, now).await.unwrap()
}

/// Asks the file itself, beside the store.
pub(super) async fn scalar(path: &str, sql: &'static str) -> i64 {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = options.connect().await.unwrap();
    let value = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    value
}

/// Changes the file itself.
pub(super) async fn execute(path: &str, sql: &str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn survives_a_restart() {
    let dir = TempDir::new();
    let store = SqliteStore::open(&path(&dir)).await.unwrap();
    assert!(is_granted(&store, "a", rate(1), NOW).await);
    assert_eq!(take(&store, "k", NOW).await, Taken::First);
    store.close().await;
    let store = SqliteStore::open(&path(&dir)).await.unwrap();
    assert!(!is_granted(&store, "a", rate(1), NOW).await);
    assert_eq!(take(&store, "k", NOW).await, Taken::Again);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_processes_open_and_share_one_file() {
    let dir = TempDir::new();
    let mut opening = JoinSet::new();
    for _ in 0..4 {
        let path = path(&dir);
        opening.spawn(async move { SqliteStore::open(&path).await.unwrap() });
    }
    let mut calls = JoinSet::new();
    for store in opening.join_all().await {
        let store = Arc::new(store);
        for _ in 0..16 {
            let store = Arc::clone(&store);
            calls.spawn(async move {
                (is_granted(&store, "a", rate(10), NOW).await, take(&store, "k", NOW).await == Taken::First)
            });
        }
    }
    let outcomes = calls.join_all().await;
    assert_eq!(outcomes.iter().filter(|(granted, _)| *granted).count(), 10);
    assert_eq!(outcomes.iter().filter(|(_, first)| *first).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_that_is_given_up_takes_whole_or_not_at_all() {
    let dir = TempDir::new();
    let store = Arc::new(SqliteStore::open(&path(&dir)).await.unwrap());
    let mut calls = JoinSet::new();
    for _ in 0..200 {
        let store = Arc::clone(&store);
        calls.spawn(async move { is_granted(&store, "a", rate(1_000), NOW).await });
    }
    // Some calls are done, one is somewhere inside its transaction, the rest have not begun.
    for _ in 0..20 {
        calls.join_next().await.unwrap().unwrap();
    }
    calls.shutdown().await;
    let later = store.try_acquire(&LimitKey::new("r", "a"), rate(1_000), NOW).await.unwrap();
    let Acquired::Granted { remaining, .. } = later else { panic!("{later:?}") };
    assert!((1_000 - 201..=1_000 - 21).contains(&remaining), "{remaining}");
    assert_eq!(take(&store, "k", NOW).await, Taken::First);
}

#[tokio::test]
async fn rows_that_are_over_are_removed_as_new_ones_come() {
    let dir = TempDir::new();
    let store = SqliteStore::open(&path(&dir)).await.unwrap();
    for n in 0..100 {
        is_granted(&store, &n.to_string(), rate(1), NOW).await;
        take(&store, &n.to_string(), NOW).await;
    }
    // A minute later they are over, and another minute later they are not needed if the clock is set back.
    let later = NOW.plus(2 * MINUTE);
    for n in 100..200 {
        is_granted(&store, &n.to_string(), rate(1), later).await;
        take(&store, &n.to_string(), later).await;
    }
    assert_eq!(scalar(&path(&dir), "SELECT count(*) FROM tally").await, 100);
    assert_eq!(scalar(&path(&dir), "SELECT count(*) FROM once").await, 100);
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_and_left_alone() {
    let dir = TempDir::new();
    SqliteStore::open(&path(&dir)).await.unwrap().close().await;
    assert_eq!(scalar(&path(&dir), "SELECT max(version) FROM schema_version").await, 10);
    scalar(&path(&dir), "INSERT INTO schema_version (version) VALUES (99) RETURNING version").await;
    let error = SqliteStore::open(&path(&dir)).await.unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 99, known: 10, .. }), "{error:?}");
    assert_eq!(scalar(&path(&dir), "SELECT max(version) FROM schema_version").await, 99);
}

/// What version 1 has written: its counters start anew, and what was used up stays used up.
#[tokio::test]
async fn a_file_of_the_first_version_is_brought_forward() {
    let dir = TempDir::new();
    let versions = "CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY) STRICT";
    let first = include_str!("../../src/sqlite/migrations/0001_counters_and_once.sql");
    let counted = "INSERT INTO counter VALUES ('1:r:a', 9999999999999)";
    for sql in [versions, first, "INSERT INTO schema_version VALUES (1)", counted] {
        execute(&path(&dir), sql).await;
    }
    execute(&path(&dir), "INSERT INTO once VALUES ('1:p:k', 9999999999999)").await;
    let store = SqliteStore::open(&path(&dir)).await.unwrap();
    assert!(is_granted(&store, "a", rate(1), NOW).await);
    assert_eq!(take(&store, "k", NOW).await, Taken::Again);
    assert_eq!(scalar(&path(&dir), "SELECT count(*) FROM sqlite_schema WHERE name = 'counter'").await, 0);
}

#[tokio::test]
async fn a_damaged_record_is_an_error_and_not_a_full_budget() {
    let dir = TempDir::new();
    let store = SqliteStore::open(&path(&dir)).await.unwrap();
    assert!(is_granted(&store, "a", rate(1), NOW).await);
    scalar(&path(&dir), "UPDATE tally SET at = -5 RETURNING at").await;
    assert!(store.try_acquire(&LimitKey::new("r", "a"), rate(1), NOW).await.is_err());
    assert!(is_granted(&store, "b", rate(1), NOW).await, "the store goes on with other keys");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_file() {
    let dir = TempDir::new();
    let store = SqliteStore::open(&path(&dir)).await.unwrap();
    assert_eq!(take(&store, "k", NOW).await, Taken::First);
    for suffix in ["", "-wal", "-shm"] {
        let file = std::fs::metadata(format!("{}{suffix}", path(&dir))).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&file.permissions());
        assert_eq!(mode & 0o077, 0, "{suffix} has {mode:o}");
    }
}
