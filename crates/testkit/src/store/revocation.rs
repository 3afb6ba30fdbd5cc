//! What every log of revocations must promise.

use std::sync::Arc;
use std::time::Duration;

use palisade_core::port::RevocationLog;
use palisade_core::port::revocation::{Revoked, RevokedAt, What};
use palisade_core::time::Timestamp;
use tokio::task::JoinSet;

use super::TASKS;

/// Runs all promises of [`RevocationLog`] against stores that `make` makes.
pub async fn assert_revocation_log<S: RevocationLog>(make: impl AsyncFn() -> S) {
    is_read_in_order_from_any_place(make().await).await;
    a_reader_misses_nothing_while_others_write(make().await).await;
}

const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);

fn revoked(what: What, secs: u64) -> Revoked {
    Revoked { issuer: "https://id.example.com".into(), what, at: NOW, until: NOW.plus(Duration::from_secs(secs)) }
}

async fn append(log: &dyn RevocationLog, revoked: &Revoked, now: Timestamp) -> u64 {
    log.append(revoked, now).await.unwrap_or_else(|error| panic!("the store failed: {error}"))
}

async fn after(log: &dyn RevocationLog, place: u64, now: Timestamp) -> Vec<RevokedAt> {
    log.after(place, now).await.unwrap_or_else(|error| panic!("the store failed: {error}"))
}

async fn is_read_in_order_from_any_place<S: RevocationLog>(log: S) {
    assert!(after(&log, 0, NOW).await.is_empty());
    let whats = [What::Token("j-1".into()), What::Subject("älice'".into()), What::Session("s-1".into())];
    let mut written: Vec<RevokedAt> = Vec::new();
    for (what, secs) in whats.into_iter().zip([60, 120, 60]) {
        let revoked = revoked(what, secs);
        written.push(RevokedAt { place: append(&log, &revoked, NOW).await, revoked });
    }
    assert_eq!(after(&log, 0, NOW).await, written);
    let [first, second, third] = written.try_into().unwrap_or_else(|written| panic!("three were written: {written:?}"));
    assert_eq!(after(&log, first.place, NOW).await, [second.clone(), third.clone()]);
    assert!(after(&log, third.place, NOW).await.is_empty());
    assert!(after(&log, u64::MAX, NOW).await.is_empty());
    let later = NOW.plus(Duration::from_secs(60));
    assert_eq!(after(&log, 0, later).await, [second], "what has ended by itself does not matter");
    // Those that are over are removed as others come, and no place is given twice.
    let next = append(&log, &revoked(What::Token("j-2".into()), 120), later).await;
    assert!(next > third.place);
}

async fn a_reader_misses_nothing_while_others_write<S: RevocationLog>(log: S) {
    let log = Arc::new(log);
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let log = Arc::clone(&log);
        tasks.spawn(async move {
            append(&*log, &revoked(What::Token(task.to_string().into()), 60), NOW).await;
        });
    }
    let (mut place, mut read) = (0, Vec::new());
    while tasks.try_join_next().is_some() || !tasks.is_empty() {
        for entry in after(&*log, place, NOW).await {
            assert!(entry.place > place, "places grow");
            place = entry.place;
            read.push(entry.revoked.what);
        }
        tokio::task::yield_now().await;
    }
    read.extend(after(&*log, place, NOW).await.into_iter().map(|entry| entry.revoked.what));
    let mut names: Vec<_> = read.iter().map(|what| what.parts().1.parse().unwrap_or(TASKS)).collect();
    names.sort_unstable();
    assert_eq!(names, (0..TASKS).collect::<Vec<_>>(), "each is read exactly once");
}
