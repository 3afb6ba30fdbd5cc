//! The verifier over time: what it remembers, when it forgets, when it asks for newer keys.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::token::jwks::{KeySource, KeySourceError};
use crate::token::jwt::RulesError;

/// Serves the first set until it is refreshed, then the next; counts how often it was refreshed.
struct Turning {
    sets: Mutex<Vec<Result<Arc<KeySet>, KeySourceError>>>,
    refreshes: AtomicU64,
}

impl Turning {
    fn new(sets: impl IntoIterator<Item = Result<Arc<KeySet>, KeySourceError>>) -> Arc<Self> {
        Arc::new(Self { sets: Mutex::new(sets.into_iter().collect()), refreshes: AtomicU64::new(0) })
    }

    fn refreshes(&self) -> u64 {
        self.refreshes.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl KeySource for Turning {
    fn current(&self) -> Option<Arc<KeySet>> {
        self.sets.lock().unwrap()[0].clone().ok()
    }

    async fn keys(&self) -> Result<Arc<KeySet>, KeySourceError> {
        self.sets.lock().unwrap()[0].clone()
    }

    async fn refresh(&self) -> Result<Arc<KeySet>, KeySourceError> {
        self.refreshes.fetch_add(1, Ordering::SeqCst);
        let mut sets = self.sets.lock().unwrap();
        if sets.len() > 1 {
            let _withdrawn = sets.remove(0);
        }
        sets[0].clone()
    }
}

fn set_of<const N: usize>(signers: [&Signer; N]) -> Result<Arc<KeySet>, KeySourceError> {
    Ok(Arc::new(KeySet::new(signers.map(|signer| signer.verify_key().unwrap())).unwrap()))
}

fn verifier(keys: &Arc<Turning>, clock: &Arc<Still>) -> Verifier {
    Verifier::new(Rules::new(ISSUER, AUDIENCE, [Algorithm::Es256]).unwrap(), keys.clone(), clock.clone())
}

#[test]
fn reads_the_claims() {
    let world = World::new();
    let claims = world.verify(&world.token(|claims| claims["tenant"] = json!("acme"))).unwrap();
    assert_eq!((claims.subject(), claims.issuer(), claims.audience()), ("u-alice", ISSUER, &[AUDIENCE.to_owned()][..]));
    assert_eq!((claims.expires().as_secs(), claims.issued().map(Timestamp::as_secs)), (NOW + 600, Some(NOW - 10)));
    assert_eq!(claims.scopes().to_string(), "orders:read orders:write");
    assert_eq!((claims.get("tenant"), claims.all().len()), (Some(&json!("acme")), 7));
}

#[test]
fn reads_scopes_as_issuers_write_them() {
    let world = World::new();
    for (scope, scp, expect) in [
        (json!("b a"), json!(null), "a b"),
        (json!(""), json!(null), ""),
        (json!("a"), json!(["b"]), "a"),
        (json!(null), json!(["b", "a"]), "a b"),
        (json!(null), json!("b a"), "a b"),
    ] {
        let token = world.token(|claims| {
            let claims = claims.as_object_mut().unwrap();
            claims.remove("scope");
            for (name, value) in [("scope", scope), ("scp", scp)].into_iter().filter(|(_, value)| !value.is_null()) {
                claims.insert(name.to_owned(), value);
            }
        });
        assert_eq!(world.verify(&token).unwrap().scopes().to_string(), expect);
    }
}

#[test]
fn a_verified_token_is_remembered_for_five_minutes() {
    let world = World::new();
    let token = world.token(|_| ());
    let first = world.verify(&token).unwrap();
    for (now, same) in [(NOW, true), (NOW + 299, true), (NOW + 300, false)] {
        world.clock.set(now);
        assert_eq!(Arc::ptr_eq(&first, &world.verify(&token).unwrap()), same, "at {now}");
    }
}

#[test]
fn a_remembered_token_still_expires() {
    let world = World::new();
    let token = world.token(|claims| claims["exp"] = json!(NOW + 60));
    world.verify(&token).unwrap();
    for (now, expect) in [(NOW + 59, Ok(())), (NOW + 89, Ok(())), (NOW + 90, Err(TokenError::Expired))] {
        world.clock.set(now);
        assert_eq!(world.verify(&token).map(|_| ()), expect, "at {now}");
    }
}

#[test]
fn a_remembered_token_is_not_older_than_the_rules_allow() {
    let world = World::with(|rules| rules.with_max_age(Duration::from_secs(60)));
    let token = world.token(|_| ());
    world.verify(&token).unwrap();
    for (now, expect) in [(NOW + 80, Ok(())), (NOW + 81, Err(TokenError::TooOld))] {
        world.clock.set(now);
        assert_eq!(world.verify(&token).map(|_| ()), expect, "at {now}");
    }
    let undated = world.token(|claims| drop(claims.as_object_mut().unwrap().remove("iat")));
    assert_eq!(world.verify(&undated), Err(TokenError::ClaimMissing("iat")));
}

#[test]
fn a_clock_set_back_makes_a_remembered_token_early_again() {
    let world = World::new();
    let token = world.token(|claims| claims["nbf"] = json!(NOW));
    world.verify(&token).unwrap();
    world.clock.set(NOW - 100);
    assert_eq!(world.verify(&token), Err(TokenError::NotYetValid));
}

#[test]
fn revoking_makes_every_token_be_checked_anew() {
    let world = World::new();
    let token = world.token(|_| ());
    let first = world.verify(&token).unwrap();
    world.verifier.revoke_all();
    let second = world.verify(&token).unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    assert!(Arc::ptr_eq(&second, &world.verify(&token).unwrap()));
}

#[test]
fn a_withdrawn_key_takes_its_remembered_tokens_along() {
    let (old, new, clock) =
        (Signer::generate_es256("old").unwrap(), Signer::generate_es256("new").unwrap(), Still::at(NOW));
    let keys = Turning::new([set_of([&old]), set_of([&new])]);
    let verifier = verifier(&keys, &clock);
    let sign = |signer: &Signer| signer.sign("at+jwt", &good_claims()).unwrap();
    let (old_token, new_token) = (sign(&old), sign(&new));
    assert!(verify(&verifier, &old_token).is_ok());
    assert!(verify(&verifier, &new_token).is_ok());
    assert_eq!(keys.refreshes(), 1);
    assert_eq!(verify(&verifier, &old_token), Err(TokenError::KeyUnknown));
}

#[test]
fn only_an_unknown_key_makes_the_source_be_asked() {
    let (signer, clock) = (Signer::generate_es256("k1").unwrap(), Still::at(NOW));
    let stranger = Signer::generate_es256("k1").unwrap();
    let unknown = Signer::generate_es256("k9").unwrap();
    let keys = Turning::new([set_of([&signer])]);
    let verifier = verifier(&keys, &clock);
    let sign = |signer: &Signer, typ: &str| signer.sign(typ, &good_claims()).unwrap();
    for (token, expect, refreshes) in [
        (sign(&signer, "at+jwt"), None, 0),
        ("garbage".to_owned(), Some(TokenError::Malformed), 0),
        (sign(&stranger, "at+jwt"), Some(TokenError::SignatureInvalid), 0),
        (sign(&unknown, "JWT"), Some(TokenError::TypeMismatch), 0),
        (sign(&unknown, "at+jwt"), Some(TokenError::KeyUnknown), 1),
    ] {
        assert_eq!(verify(&verifier, &token).err(), expect);
        assert_eq!(keys.refreshes(), refreshes);
    }
}

#[test]
fn without_keys_nothing_is_believed_and_garbage_is_still_garbage() {
    let error = KeySourceError::new("down");
    let (signer, clock) = (Signer::generate_es256("k1").unwrap(), Still::at(NOW));
    let verifier = verifier(&Turning::new([Err(error.clone())]), &clock);
    let token = signer.sign("at+jwt", &good_claims()).unwrap();
    let outcome = verify(&verifier, &token);
    assert_eq!(outcome, Err(TokenError::KeysUnavailable(error)));
    assert!(outcome.is_err_and(|error| error.is_unavailable()));
    assert_eq!(verify(&verifier, "a.b.c"), Err(TokenError::Malformed));
}

#[test]
fn bound_tokens_are_left_to_a_caller_who_says_so() {
    let world = World::with(Rules::danger_leave_proof_to_caller);
    let token = world.token(|claims| claims["cnf"] = json!({ "jkt": "x" }));
    assert_eq!(world.verify(&token).unwrap().get("cnf"), Some(&json!({ "jkt": "x" })));
}

#[test]
fn rules_that_would_check_nothing_are_refused() {
    use Algorithm::{EdDsa, Es256, Hs256};

    for (issuer, audience, algorithms, expect) in [
        ("i", "a", vec![Es256, EdDsa], None),
        ("i", "a", vec![Hs256], None),
        ("", "a", vec![Es256], Some(RulesError::NoIssuer)),
        ("i", "", vec![Es256], Some(RulesError::NoAudience)),
        ("i", "a", vec![], Some(RulesError::NoAlgorithm)),
        ("i", "a", vec![Es256, Hs256], Some(RulesError::MixedAlgorithms)),
    ] {
        assert_eq!(
            Rules::new(issuer, audience, algorithms.clone()).err(),
            expect,
            "{issuer} {audience} {algorithms:?}"
        );
    }
    let rules = Rules::new("i", "a", [Es256]).unwrap();
    assert!(rules.clone().with_leeway(Duration::from_secs(120)).is_ok());
    assert_eq!(rules.with_leeway(Duration::from_secs(121)).err(), Some(RulesError::LongLeeway));
}

#[test]
fn tokens_with_a_shared_secret_work_where_the_rules_want_them() {
    let signer = Signer::hmac("k1", &Secret::new([7; 32])).unwrap();
    let keys = KeySet::new([signer.verify_key().unwrap()]).unwrap();
    let rules = Rules::new(ISSUER, AUDIENCE, [Algorithm::Hs256]).unwrap();
    let verifier = Verifier::new(rules, Arc::new(StaticKeys::new(keys)), Still::at(NOW));
    assert!(verify(&verifier, &signer.sign("at+jwt", &good_claims()).unwrap()).is_ok());
    let other = Signer::hmac("k1", &Secret::new([8; 32])).unwrap();
    let token = other.sign("at+jwt", &good_claims()).unwrap();
    assert_eq!(verify(&verifier, &token), Err(TokenError::SignatureInvalid));
}

#[test]
fn every_reason_is_its_own_word() {
    use TokenError as E;

    let all = [
        E::AlgorithmForbidden,
        E::AlgorithmMismatch,
        E::AudienceMismatch,
        E::ClaimInvalid("x"),
        E::ClaimMissing("x"),
        E::CriticalHeader,
        E::Expired,
        E::HeaderKeyForbidden,
        E::IssuerMismatch,
        E::KeyUnknown,
        E::KeysUnavailable(KeySourceError::new("x")),
        E::Malformed,
        E::NotYetValid,
        E::ProofRequired,
        E::Revoked,
        E::SignatureInvalid,
        E::StoreUnavailable("x".into()),
        E::TooLong,
        E::TooOld,
        E::TypeMismatch,
        E::Unknown,
    ];
    let words: std::collections::BTreeSet<_> = all.iter().map(TokenError::reason).collect();
    assert_eq!(words.len(), all.len());
    assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
}
