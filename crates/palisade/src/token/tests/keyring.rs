//! Keys that renew themselves, under a clock that is walked through months, by processes that do not know each other.

use std::sync::Arc;
use std::time::Duration;

use palisade_core::id::{ClientId, UserId};
use palisade_core::port::key::KeyRecord;
use palisade_core::port::refresh::Grant;
use palisade_core::port::{Clock as _, KeyStore};
use palisade_core::secret::Secret;
use palisade_store::memory::MemoryKeys;
use palisade_testkit::clock::TestClock;
use palisade_testkit::entropy::SeededEntropy;
use tokio::task::JoinSet;

use crate::crypto::envelope::Envelope;
use crate::token::algorithm::Algorithm;
use crate::token::issue::{Access, Issuer, Signing as _};
use crate::token::jwks::{KeySet, StaticKeys};
use crate::token::jwt::{Rules, Verifier};
use crate::token::keyring::{Keyring, KeyringError};
use crate::token::lifecycle::KeyState;

fn keyring(store: &Arc<MemoryKeys>, clock: &TestClock) -> Arc<Keyring> {
    sealed_with([7; 32], store, clock)
}

fn sealed_with(key: [u8; 32], store: &Arc<MemoryKeys>, clock: &TestClock) -> Arc<Keyring> {
    let envelope = Envelope::new("kek", &Secret::new(key)).unwrap();
    Arc::new(Keyring::new("access", Arc::clone(store) as _, envelope, Arc::new(clock.clone())))
}

fn issuer(keyring: &Arc<Keyring>, clock: &TestClock) -> Issuer {
    let (signing, clock, entropy) = (Arc::clone(keyring), Arc::new(clock.clone()), Arc::new(SeededEntropy::new(1)));
    Issuer::new("https://id.example.com", "https://api.example.com", signing, clock, entropy)
        .with_lifetime(Duration::from_secs(3600))
}

async fn accepts(set: &serde_json::Value, token: &str, clock: &TestClock) -> bool {
    let keys = StaticKeys::new(KeySet::parse(set.to_string().as_bytes()).unwrap());
    let algorithms = [Algorithm::Es256, Algorithm::EdDsa];
    let rules = Rules::new("https://id.example.com", "https://api.example.com", algorithms).unwrap();
    Verifier::new(rules, Arc::new(keys), Arc::new(clock.clone())).verify(token).await.is_ok()
}

/// Two processes turn at different times; a verifier asks for the keys as seldom as it may. Whatever either process has
/// signed is accepted by the set that the verifier has when it comes, from its first second to its last.
#[tokio::test]
async fn no_verifier_ever_sees_a_token_of_a_key_that_it_cannot_have() {
    let (store, clock) = (Arc::<MemoryKeys>::default(), TestClock::default());
    let processes = [keyring(&store, &clock), keyring(&store, &clock)];
    for process in &processes {
        process.turn().await.unwrap();
    }
    let issuers = [issuer(&processes[0], &clock), issuer(&processes[1], &clock)];
    let grant = Grant::new(ClientId::new("app"), UserId::new("u"));
    let (mut set, mut asked) = (processes[0].jwks(clock.now()), clock.now());
    let mut tokens: Vec<(palisade_core::time::Timestamp, String)> = Vec::new();
    let mut active = std::collections::BTreeSet::new();
    // Steps of four minutes near a change of keys, of a day in between.
    for step in 0_u32..400 {
        let is_near = step % 100 < 90;
        clock.advance(Duration::from_secs(if is_near { 240 } else { 72 * 3600 - 2160 }));
        if !is_near {
            tokens.clear();
        }
        let now = clock.now();
        // Each process turns when it must and no more often; after a long step both do.
        for (process, offset) in processes.iter().zip([0, 1]) {
            if !is_near || step % 2 == offset {
                process.turn().await.unwrap();
            }
        }
        if now.since(asked) >= processes[0].max_age() {
            (set, asked) = (processes[1].jwks(now), now);
        }
        for (issuer, process) in issuers.iter().zip(&processes) {
            let issued = issuer.issue(&Access::of(&grant), None).unwrap();
            tokens.push((now, issued.access.expose().to_owned()));
            active
                .extend(process.states(now).into_iter().filter(|(_, s)| *s == KeyState::Active).map(|(r, _)| r.number));
        }
        tokens.retain(|(at, _)| now.since(*at) < Duration::from_secs(3600));
        for (at, token) in &tokens {
            assert!(accepts(&set, token, &clock).await, "step {step}, a token of {} s ago", now.since(*at).as_secs());
        }
    }
    assert!(active.len() >= 3, "keys have changed: {active:?}");
    let published = set["keys"].as_array().unwrap().len();
    assert!(published <= 2, "what is over is not published: {published}");
    let records = store.list("access").await.unwrap();
    assert!(records[0].sealed.is_none(), "and its private half is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_rotate_at_once_make_one_key() {
    let (store, clock) = (Arc::<MemoryKeys>::default(), TestClock::default());
    let mut calls = JoinSet::new();
    for _ in 0..16 {
        let keyring = keyring(&store, &clock);
        calls.spawn(async move { keyring.turn().await.map(|()| keyring) });
    }
    let keyrings: Vec<_> = calls.join_all().await.into_iter().map(Result::unwrap).collect();
    assert_eq!(store.list("access").await.unwrap().len(), 1);
    clock.advance(Duration::from_secs(3600));
    let mut calls = JoinSet::new();
    for keyring in &keyrings {
        let keyring = Arc::clone(keyring);
        calls.spawn(async move { keyring.rotate().await.unwrap() });
    }
    let made: Vec<_> = calls.join_all().await.into_iter().flatten().collect();
    assert_eq!(made, [2], "one says that it has made it");
    let numbers: Vec<_> = store.list("access").await.unwrap().iter().map(|record| record.number).collect();
    assert_eq!(numbers, [1, 2]);
}

#[tokio::test]
async fn a_revoked_key_neither_signs_nor_is_published() {
    let (store, clock) = (Arc::<MemoryKeys>::default(), TestClock::default());
    let (one, other) = (keyring(&store, &clock), keyring(&store, &clock));
    one.turn().await.unwrap();
    other.turn().await.unwrap();
    let grant = Grant::new(ClientId::new("app"), UserId::new("u"));
    let stolen = issuer(&one, &clock).issue(&Access::of(&grant), None).unwrap();
    assert!(one.revoke(1).await.unwrap());
    assert!(!one.revoke(1).await.unwrap());
    other.turn().await.unwrap();
    for keyring in [&one, &other] {
        let set = keyring.jwks(clock.now());
        assert!(!accepts(&set, stolen.access.expose(), &clock).await);
        let issued = issuer(keyring, &clock).issue(&Access::of(&grant), None).unwrap();
        assert!(accepts(&set, issued.access.expose(), &clock).await, "the next has stepped in");
    }
}

#[tokio::test]
async fn a_process_that_has_not_seen_the_store_for_long_signs_nothing() {
    let (store, clock) = (Arc::<MemoryKeys>::default(), TestClock::default());
    let keyring = keyring(&store, &clock);
    assert!(keyring.signer(clock.now()).is_err(), "not before the first look");
    keyring.turn().await.unwrap();
    clock.advance(Duration::from_secs(1799));
    assert!(keyring.signer(clock.now()).is_ok());
    clock.advance(Duration::from_secs(1));
    assert!(keyring.signer(clock.now()).is_err());
    keyring.turn().await.unwrap();
    assert!(keyring.signer(clock.now()).is_ok());
}

#[tokio::test]
async fn a_key_that_was_put_into_the_store_by_another_is_not_used() {
    let clock = TestClock::default();
    let (ours, theirs) = (Arc::<MemoryKeys>::default(), Arc::<MemoryKeys>::default());
    keyring(&ours, &clock).turn().await.unwrap();
    sealed_with([8; 32], &theirs, &clock).turn().await.unwrap();
    let (good, evil) = (ours.list("access").await.unwrap().remove(0), theirs.list("access").await.unwrap().remove(0));
    let swapped = [
        // A private half that was sealed with another key.
        evil.clone(),
        // Our private half beside another public one.
        KeyRecord { public: evil.public.clone(), ..good.clone() },
        // Our private half as another record.
        KeyRecord { number: 2, ..good.clone() },
        KeyRecord { algorithm: "EdDSA".into(), ..good.clone() },
        KeyRecord { public: "{".into(), ..good.clone() },
    ];
    for record in swapped {
        let store = Arc::<MemoryKeys>::default();
        store.add(&record).await.unwrap();
        let keyring = keyring(&store, &clock);
        let error = keyring.turn().await.unwrap_err();
        assert!(!matches!(error, KeyringError::Store(_)), "{error}");
        assert!(keyring.signer(clock.now()).is_err());
    }
}

#[tokio::test]
async fn no_key_is_published_that_was_not_sealed_by_us() {
    let (store, clock) = (Arc::<MemoryKeys>::default(), TestClock::default());
    let ours = keyring(&store, &clock);
    ours.turn().await.unwrap();
    ours.rotate().await.unwrap();
    clock.advance(Duration::from_secs(3660));
    ours.turn().await.unwrap();
    let states: Vec<_> = ours.states(clock.now()).into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, [KeyState::Retired, KeyState::Active]);
    let theirs = Arc::<MemoryKeys>::default();
    sealed_with([8; 32], &theirs, &clock).turn().await.unwrap();
    let evil = theirs.list("access").await.unwrap().remove(0);
    let records = store.list("access").await.unwrap();
    let copy = Arc::<MemoryKeys>::default();
    copy.add(&KeyRecord { public: evil.public, ..records[0].clone() }).await.unwrap();
    copy.add(&records[1]).await.unwrap();
    let keyring = keyring(&copy, &clock);
    assert!(matches!(keyring.turn().await, Err(KeyringError::Damaged(1))), "a retired key is still believed");
    assert_eq!(keyring.jwks(clock.now())["keys"].as_array().map(Vec::len), Some(0));
}
