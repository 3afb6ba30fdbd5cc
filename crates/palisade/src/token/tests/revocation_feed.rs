//! A token that was revoked in one process, presented to another.

use std::sync::Arc;
use std::time::Duration;

use palisade_core::id::{ClientId, UserId};
use palisade_core::port::Clock as _;
use palisade_core::port::refresh::Grant;
use palisade_core::port::revocation::{Revoked, What};
use palisade_store::memory::MemoryRevocations;
use palisade_testkit::clock::TestClock;
use palisade_testkit::entropy::SeededEntropy;

use crate::token::algorithm::Algorithm;
use crate::token::error::TokenError;
use crate::token::issue::{Access, Issuer, OneKey};
use crate::token::jwks::{KeySet, StaticKeys};
use crate::token::jwt::{Rules, Verifier};
use crate::token::revocation_feed::RevocationFeed;
use crate::token::sign::Signer;

const ISSUER: &str = "https://id.example.com";

#[tokio::test(start_paused = true)]
async fn what_is_revoked_in_one_process_is_refused_in_another_within_a_second() {
    let (log, clock) = (Arc::new(MemoryRevocations::default()), Arc::new(TestClock::default()));
    let signer = Arc::new(Signer::generate_es256("k").unwrap());
    let keys = Arc::new(StaticKeys::new(KeySet::new([signer.verify_key().unwrap()]).unwrap()));
    let entropy = Arc::new(SeededEntropy::new(1));
    let issuer = Issuer::new(ISSUER, "https://api.example.com", Arc::new(OneKey(signer)), clock.clone(), entropy);
    let feed = || Arc::new(RevocationFeed::new(log.clone(), Arc::default(), clock.clone()));
    let (here, there) = (feed(), feed());
    let rules = Rules::new(ISSUER, "https://api.example.com", [Algorithm::Es256]).unwrap();
    let verifier = Verifier::new(rules, keys, clock.clone()).with_revocations(there.revocations().clone());
    let mut running = tokio::task::JoinSet::new();
    let driven = Arc::clone(&there);
    running.spawn(async move { driven.run(|error| panic!("{error}")).await });

    let whole = |user: &str, session: &str| Grant {
        session: Some(session.into()),
        ..Grant::new(ClientId::new("app"), UserId::new(user))
    };
    let issue = |grant: &Grant| issuer.issue(&Access::of(grant), None).unwrap();
    let tokens =
        [issue(&whole("a", "s-1")), issue(&whole("b", "s-2")), issue(&whole("c", "s-3")), issue(&whole("d", "s-4"))];
    let revoked = [
        Some(What::Token(tokens[0].id.clone())),
        Some(What::Subject("b".into())),
        Some(What::Session("s-3".into())),
        None,
    ];
    for token in &tokens {
        verifier.verify(token.access.expose()).await.unwrap();
    }
    for what in revoked.iter().flatten() {
        let (at, until) = (clock.now(), clock.now().plus(Duration::from_secs(300)));
        here.revoke(&Revoked { issuer: ISSUER.into(), what: what.clone(), at, until }).await.unwrap();
    }
    // The clock of tokens stands still; that of the timer runs a second.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for (token, what) in tokens.iter().zip(revoked) {
        let outcome = verifier.verify(token.access.expose()).await.map(drop);
        assert_eq!(outcome, what.clone().map_or(Ok(()), |_| Err(TokenError::Revoked)), "{what:?}");
    }
    // The next sign-in is good; a process that begins later knows everything.
    clock.advance(Duration::from_secs(1));
    verifier.verify(issue(&whole("b", "s-5")).access.expose()).await.unwrap();
    let late = feed();
    assert_eq!(late.catch_up().await.unwrap(), 3);
    assert_eq!(late.catch_up().await.unwrap(), 0);
    clock.advance(Duration::from_secs(7));
    assert_eq!(late.behind(clock.now()), Duration::from_secs(7));
}
