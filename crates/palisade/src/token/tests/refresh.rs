//! Refresh tokens and the access tokens that come with them, from the first to the one that a thief brings.

use std::sync::Arc;
use std::time::Duration;

use palisade_core::event::EventKind;
use palisade_core::id::{ClientId, KeyThumbprint, UserId};
use palisade_core::port::Entropy;
use palisade_core::port::refresh::{Binding, Family, FamilyId, Grace, Grant, Kept, Outcome, Presented, Whose};
use palisade_core::port::{RefreshStore, StoreError};
use palisade_core::principal::{Level, MethodSet, RoleSet, ScopeSet};
use palisade_core::secret::Secret;
use palisade_core::time::Timestamp;
use palisade_store::memory::{MemoryOnce, MemoryRefresh};
use palisade_testkit::clock::TestClock;
use palisade_testkit::entropy::SeededEntropy;
use proptest::prelude::*;
use serde_json::json;
use tokio::task::JoinSet;

use crate::credential::certificate::ClientCertificate;
use crate::token::algorithm::Algorithm;
use crate::token::dpop::{Dpop, ProvenKey};
use crate::token::error::TokenError;
use crate::token::issue::{Access, Issuer, OneKey};
use crate::token::jwk::thumbprint;
use crate::token::jwks::{KeySet, StaticKeys};
use crate::token::jwt::{Rules, TokenKind, Verifier};
use crate::token::refresh::{
    Redeem, RefreshError, RefreshKeys, RefreshSettings, RefreshToken, RefreshTokens, Rotation,
};
use crate::token::sign::Signer;

/// A certificate, made with OpenSSL.
const CERTIFICATE: &[u8] = include_bytes!("../../../../../fuzz/seeds/dpop/certificate.der");

const URL: &str = "https://id.example.com/token";

struct World {
    clock: TestClock,
    store: Arc<MemoryRefresh>,
    tokens: Arc<RefreshTokens>,
    app: ClientId,
}

fn keys() -> RefreshKeys {
    RefreshKeys::new("k1", &Secret::new([7; 32])).unwrap()
}

fn world_of(keys: RefreshKeys, store: Arc<MemoryRefresh>) -> World {
    let clock = TestClock::default();
    let tokens =
        RefreshTokens::new(Arc::clone(&store) as _, keys, Arc::new(clock.clone()), Arc::new(SeededEntropy::new(1)));
    World { clock, store, tokens: Arc::new(tokens), app: ClientId::new("app") }
}

fn world() -> World {
    world_of(keys(), Arc::default())
}

fn grant() -> Grant {
    Grant {
        session: Some("s-1".into()),
        scopes: ScopeSet::from_iter(["orders:read", "orders:write"]),
        resources: vec!["https://api.example.com".into(), "https://files.example.com".into()],
        ..Grant::new(ClientId::new("app"), UserId::new("u-alice"))
    }
}

async fn proven(signer: &Signer, clock: &TestClock, id: &str) -> ProvenKey {
    use palisade_core::port::Clock as _;
    let dpop = Dpop::new(Arc::new(MemoryOnce::default()), Arc::new(clock.clone()));
    let claims = json!({ "htm": "POST", "htu": URL, "iat": clock.now().as_secs(), "jti": id });
    dpop.prove(&signer.sign_proof(&claims).unwrap(), "POST", URL).await.unwrap().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_parallel_refreshes_get_one_successor() {
    let World { tokens, app, .. } = world();
    let first = tokens.begin(grant()).await.unwrap();
    let mut calls = JoinSet::new();
    for _ in 0..64 {
        let (tokens, app, first) = (Arc::clone(&tokens), app.clone(), first.clone());
        calls.spawn(async move { tokens.redeem(&Redeem::new(first.expose(), &app)).await.unwrap() });
    }
    let given = calls.join_all().await;
    assert_eq!(given.iter().filter(|redeemed| !redeemed.again).count(), 1);
    let successor = given[0].token.expose();
    assert!(given.iter().all(|redeemed| redeemed.token.expose() == successor && redeemed.generation == 1));
    assert_ne!(successor, first.expose());
}

#[tokio::test]
async fn a_token_used_after_the_grace_ends_its_family_and_no_other() {
    let World { tokens, app, clock, .. } = world();
    let (first, other) = (tokens.begin(grant()).await.unwrap(), tokens.begin(grant()).await.unwrap());
    let second = tokens.redeem(&Redeem::new(first.expose(), &app)).await.unwrap().token;
    clock.advance(Duration::from_secs(10));
    let error = tokens.redeem(&Redeem::new(first.expose(), &app)).await.unwrap_err();
    let RefreshError::Replayed(family) = &error else { panic!("{error}") };
    assert_eq!(family.grant.subject, UserId::new("u-alice"), "the event can name whose token it was");
    assert_eq!((error.event(), error.error()), (EventKind::TokenReuseDetected, "invalid_grant"));
    let error = tokens.redeem(&Redeem::new(second.expose(), &app)).await.unwrap_err();
    assert_eq!((error.reason(), error.event()), ("revoked", EventKind::TokenRefused));
    assert!(tokens.redeem(&Redeem::new(other.expose(), &app)).await.is_ok());
}

#[tokio::test]
async fn families_end_by_time_and_by_revocation() {
    let World { tokens, app, clock, .. } = world();
    let settings =
        RefreshSettings { idle: Duration::from_secs(100), absolute: Duration::from_secs(150), ..Default::default() };
    let tokens = Arc::into_inner(tokens).unwrap().with_settings(settings);
    let mut token = tokens.begin(grant()).await.unwrap();
    let idle = tokens.begin(grant()).await.unwrap();
    for _ in 0..2 {
        clock.advance(Duration::from_secs(60));
        token = tokens.redeem(&Redeem::new(token.expose(), &app)).await.unwrap().token;
    }
    let reason = async |token: &str| tokens.redeem(&Redeem::new(token, &app)).await.unwrap_err().reason();
    assert_eq!(reason(idle.expose()).await, "expired");
    clock.advance(Duration::from_secs(30));
    assert_eq!(reason(token.expose()).await, "expired", "although it was used");

    let token = tokens.begin(grant()).await.unwrap();
    let next = tokens.redeem(&Redeem::new(token.expose(), &app)).await.unwrap().token;
    assert!(tokens.revoke(token.expose(), &ClientId::new("other")).await.is_err());
    assert!(tokens.revoke(token.expose(), &app).await.unwrap().is_some(), "whichever generation");
    assert!(tokens.revoke(next.expose(), &app).await.unwrap().is_none());
    assert_eq!(reason(next.expose()).await, "revoked");
}

#[tokio::test]
async fn no_token_counts_that_our_key_has_not_made() {
    let World { tokens, app, .. } = world();
    let token = tokens.begin(grant()).await.unwrap();
    let text = token.expose();
    let swapped = |at: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    let foreign = world_of(RefreshKeys::new("k1", &Secret::new([8; 32])).unwrap(), Arc::default());
    let made_elsewhere = foreign.tokens.begin(grant()).await.unwrap();
    let cases = [
        (String::new(), "malformed"),
        (text.to_uppercase(), "malformed"),
        (format!("{text}A"), "malformed"),
        (format!("{text}="), "malformed"),
        (text.replace("prt_", "pat_"), "malformed"),
        (format!(" {text}"), "malformed"),
        // The family, the generation, the proof.
        (swapped(4), "unknown"),
        (swapped(28), "forged"),
        (swapped(40), "forged"),
        // The same family and generation by another key: the seeded entropy makes the same names.
        (made_elsewhere.expose().to_owned(), "forged"),
    ];
    for (text, expect) in cases {
        let error = tokens.redeem(&Redeem::new(&text, &app)).await.unwrap_err();
        assert_eq!((error.reason(), error.error()), (expect, "invalid_grant"), "{text}");
    }
    assert!(tokens.redeem(&Redeem::new(text, &app)).await.is_ok(), "nothing of that has used it up");
}

/// Gives the name of a family that somebody else has, and then no salt.
struct Guess(FamilyId, std::sync::atomic::AtomicBool);

impl Entropy for Guess {
    fn fill(&self, buffer: &mut [u8]) {
        let is_name = !self.1.swap(true, std::sync::atomic::Ordering::SeqCst);
        buffer.copy_from_slice(if is_name { self.0.as_bytes() } else { &[0; 16] });
    }
}

#[tokio::test]
async fn whoever_has_the_key_and_not_the_store_makes_nothing_that_counts() {
    let World { tokens, app, store, .. } = world();
    let token = tokens.begin(grant()).await.unwrap();
    let id = RefreshToken::parse(token.expose()).unwrap().family();
    let clock = Arc::new(TestClock::default());
    let thief =
        RefreshTokens::new(Arc::<MemoryRefresh>::default(), keys(), clock, Arc::new(Guess(id, Default::default())));
    let made = thief.begin(grant()).await.unwrap();
    assert_eq!(RefreshToken::parse(made.expose()).unwrap().family(), id);
    assert!(thief.redeem(&Redeem::new(made.expose(), &app)).await.is_ok(), "in his own store it counts");
    let error = tokens.redeem(&Redeem::new(made.expose(), &app)).await.unwrap_err();
    assert_eq!(error.reason(), "forged");
    assert_ne!(store.find(id).await.unwrap().unwrap().salt, [0; 16]);
}

#[tokio::test]
async fn what_is_asked_for_may_be_less_and_never_more() {
    let World { tokens, app, .. } = world();
    let token = tokens.begin(grant()).await.unwrap();
    let (less, more) = (ScopeSet::from_iter(["orders:read"]), ScopeSet::from_iter(["orders:read", "admin"]));
    let redeem = Redeem { scopes: Some(&more), ..Redeem::new(token.expose(), &app) };
    assert_eq!(tokens.redeem(&redeem).await.unwrap_err().error(), "invalid_scope");
    let elsewhere = ["https://evil.example".into()];
    let redeem = Redeem { resources: Some(&elsewhere), ..redeem };
    let redeem = Redeem { scopes: None, ..redeem };
    assert_eq!(tokens.redeem(&redeem).await.unwrap_err().error(), "invalid_target");
    let other = ClientId::new("other");
    assert_eq!(tokens.redeem(&Redeem::new(token.expose(), &other)).await.unwrap_err().reason(), "other_client");

    // None of that has used the token up.
    let one = ["https://files.example.com".into()];
    let narrow = Redeem { scopes: Some(&less), resources: Some(&one), ..Redeem::new(token.expose(), &app) };
    let redeemed = tokens.redeem(&narrow).await.unwrap();
    assert!(!redeemed.again);
    assert_eq!((redeemed.grant.scopes, redeemed.grant.resources), (less, one.to_vec()));
    // What was granted is still granted: the next may ask for all of it, and to name no place asks for no other.
    let next = Redeem { resources: Some(&[]), ..Redeem::new(redeemed.token.expose(), &app) };
    let next = tokens.redeem(&next).await.unwrap();
    assert_eq!((next.grant.scopes, next.grant.resources), (grant().scopes, grant().resources));
}

#[tokio::test]
async fn a_bound_token_is_worth_nothing_without_its_key() {
    let World { tokens, app, clock, .. } = world();
    let (own, stolen) = (Signer::generate_es256("a").unwrap(), Signer::generate_ed25519("b").unwrap());
    let jkt = thumbprint(&own.public_jwk().unwrap()).unwrap();
    let bound = Grant { binding: Some(Binding::Key(jkt)), ..grant() };
    let token = tokens.begin(bound).await.unwrap();
    let (own, stolen) = (proven(&own, &clock, "j-1").await, proven(&stolen, &clock, "j-2").await);
    for key in [None, Some(&stolen)] {
        let redeem = Redeem { key, ..Redeem::new(token.expose(), &app) };
        assert_eq!(tokens.redeem(&redeem).await.unwrap_err().reason(), "other_key");
    }
    // A client that proves each time who it is keeps its token, whenever it comes.
    let kept = Redeem { key: Some(&own), rotation: Rotation::UnlessBound, ..Redeem::new(token.expose(), &app) };
    for _ in 0..3 {
        clock.advance(Duration::from_secs(60));
        let redeemed = tokens.redeem(&kept).await.unwrap();
        assert_eq!((redeemed.token.expose(), redeemed.generation), (token.expose(), 0));
    }
    let rotated = tokens.redeem(&Redeem { rotation: Rotation::Always, ..kept }).await.unwrap();
    assert_ne!(rotated.token.expose(), token.expose());

    // A token that is bound to nothing is replaced, whatever the request shows; the access token is bound to that.
    let token = tokens.begin(grant()).await.unwrap();
    let redeemed = tokens.redeem(&Redeem { token: token.expose(), ..kept }).await.unwrap();
    assert_eq!(redeemed.generation, 1);
    assert_eq!(redeemed.grant.binding, Some(Binding::Key(own.thumbprint().clone())));

    let certificate = ClientCertificate::from_der(CERTIFICATE).unwrap();
    let bound = Grant { binding: Some(Binding::Certificate(certificate.thumbprint().clone())), ..grant() };
    let token = tokens.begin(bound).await.unwrap();
    let redeem = Redeem { key: Some(&own), ..Redeem::new(token.expose(), &app) };
    assert_eq!(tokens.redeem(&redeem).await.unwrap_err().reason(), "other_key", "a key is no certificate");
    let redeemed = tokens.redeem(&Redeem { certificate: Some(&certificate), ..redeem }).await.unwrap();
    assert_eq!(redeemed.grant.binding.as_ref().map(Binding::thumbprint), Some(certificate.thumbprint()));
}

#[tokio::test]
async fn a_key_is_replaced_unnoticed_and_taken_away_with_all_it_has_made() {
    let store = Arc::<MemoryRefresh>::default();
    let before = world_of(keys(), Arc::clone(&store));
    let (token, lost) = (before.tokens.begin(grant()).await.unwrap(), before.tokens.begin(grant()).await.unwrap());
    let newer = || RefreshKeys::new("k2", &Secret::new([9; 32])).unwrap();
    let after = world_of(newer().and_older("k1", &Secret::new([7; 32])).unwrap(), Arc::clone(&store));
    assert!(after.tokens.redeem(&Redeem::new(token.expose(), &after.app)).await.is_ok());
    let without = world_of(newer(), store);
    let error = without.tokens.redeem(&Redeem::new(lost.expose(), &without.app)).await.unwrap_err();
    assert_eq!(error.reason(), "key_unknown");
    assert!(RefreshKeys::new("k", &Secret::new([1; 31])).is_err(), "a short key");
    assert!(newer().and_older("k2", &Secret::new([7; 32])).is_err(), "two keys of one name");
}

/// A store whose line is cut.
struct Cut;

fn cut<T>() -> Result<T, StoreError> {
    Err(StoreError::Unreachable { reason: "connection refused".to_owned() })
}

#[async_trait::async_trait]
impl RefreshStore for Cut {
    async fn begin(&self, _: &Family, _: Timestamp) -> Result<(), StoreError> {
        cut()
    }
    async fn find(&self, _: FamilyId) -> Result<Option<Family>, StoreError> {
        cut()
    }
    async fn redeem(&self, _: FamilyId, _: Presented, _: Timestamp) -> Result<Outcome, StoreError> {
        cut()
    }
    async fn note_used(&self, _: FamilyId, _: u32) -> Result<(), StoreError> {
        cut()
    }
    async fn revoke(&self, _: Whose<'_>, _: Timestamp) -> Result<u64, StoreError> {
        cut()
    }
    async fn list(&self, _: &UserId, _: Timestamp) -> Result<Vec<Kept>, StoreError> {
        cut()
    }
}

#[tokio::test]
async fn without_its_store_nobody_is_given_anything() {
    let good = world();
    let token = good.tokens.begin(grant()).await.unwrap();
    let (clock, entropy) = (Arc::new(TestClock::default()), Arc::new(SeededEntropy::new(1)));
    let tokens = RefreshTokens::new(Arc::new(Cut), keys(), clock, entropy);
    assert!(tokens.begin(grant()).await.is_err());
    let error = tokens.redeem(&Redeem::new(token.expose(), &good.app)).await.unwrap_err();
    assert_eq!((error.error(), error.event()), ("temporarily_unavailable", EventKind::ServiceFailed));
    assert!(tokens.revoke(token.expose(), &good.app).await.is_err());
}

proptest! {
    #[test]
    fn every_token_has_one_spelling(text in "(prt_)?[A-Za-z0-9_=-]{69,71}", last in "[A-Za-z0-9_-]") {
        let Some(parsed) = RefreshToken::parse(&text) else { return Ok(()) };
        prop_assert!(text.starts_with("prt_") && text.len() == 74 && !text.contains('='));
        // A second text with the same parts would be another token to a block list.
        let other = format!("{}{last}", text.chars().take(73).collect::<String>());
        prop_assert!(other == text || RefreshToken::parse(&other).is_none_or(|other| other != parsed));
    }
}

struct Issuing {
    issuer: Issuer,
    keys: Arc<StaticKeys>,
    clock: TestClock,
}

fn issuing(signer: Signer) -> Issuing {
    let clock = TestClock::default();
    let keys = Arc::new(StaticKeys::new(KeySet::new([signer.verify_key().unwrap()]).unwrap()));
    let (signing, entropy) = (Arc::new(OneKey(Arc::new(signer))), Arc::new(SeededEntropy::new(3)));
    let issuer =
        Issuer::new("https://id.example.com", "https://api.example.com", signing, Arc::new(clock.clone()), entropy);
    Issuing { issuer, keys, clock }
}

fn rules(audience: &str) -> Rules {
    Rules::new("https://id.example.com", audience, [Algorithm::Es256, Algorithm::EdDsa]).unwrap()
}

#[tokio::test]
async fn what_we_issue_our_own_rules_accept() {
    for signer in [Signer::generate_es256("k-1").unwrap(), Signer::generate_ed25519("k-1").unwrap()] {
        let Issuing { issuer, keys, clock } = issuing(signer);
        let whole = Grant {
            level: Level::Aal2,
            methods: MethodSet::from_iter(["pwd", "otp"]),
            authenticated: Timestamp::from_secs(1_795_305_000),
            ..grant()
        };
        let access = Access::of(&whole).with_roles(RoleSet::from_iter(["customer"]));
        let issued = issuer.issue(&access, None).unwrap();
        assert_eq!((issued.kind, issued.expires_in), ("Bearer", Duration::from_secs(300)));
        for audience in ["https://api.example.com", "https://files.example.com"] {
            let verifier = Verifier::new(rules(audience), Arc::clone(&keys) as _, Arc::new(clock.clone()));
            let claims = verifier.verify(issued.access.expose()).await.unwrap();
            assert!(claims.scopes().contains("orders:write") && claims.subject() == "u-alice");
            for (name, value) in [
                ("client_id", json!("app")),
                ("roles", json!(["customer"])),
                ("acr", json!("aal2")),
                ("amr", json!(["otp", "pwd"])),
                ("auth_time", json!(1_795_305_000)),
                ("sid", json!("s-1")),
                ("jti", json!(issued.id)),
            ] {
                assert_eq!(claims.get(name), Some(&value), "{name}");
            }
        }
        let other = issuer.issue(&access, None).unwrap();
        assert_ne!(other.id, issued.id, "no two have one name");
        let verifier = Verifier::new(rules("https://api.example.com"), Arc::clone(&keys) as _, Arc::new(clock.clone()));
        clock.advance(Duration::from_secs(331));
        assert_eq!(verifier.verify(issued.access.expose()).await.unwrap_err(), TokenError::Expired);
    }
}

#[tokio::test]
async fn what_we_issue_is_taken_for_nothing_else() {
    let Issuing { issuer, keys, clock } = issuing(Signer::generate_es256("k-1").unwrap());
    let granted = grant();
    let issued = issuer.issue(&Access::of(&granted), None).unwrap();
    let kinds =
        ["logout+jwt", "dpop+jwt", "palisade-identity+jwt", "secevent+jwt"].map(|kind| TokenKind::Other(kind.into()));
    for kind in kinds.into_iter().chain([TokenKind::Jwt]) {
        let rules = rules("https://api.example.com").with_kind(kind.clone());
        let verifier = Verifier::new(rules, Arc::clone(&keys) as _, Arc::new(clock.clone()));
        assert_eq!(verifier.verify(issued.access.expose()).await.unwrap_err(), TokenError::TypeMismatch, "{kind:?}");
    }
    let verifier = Verifier::new(rules("https://elsewhere.example"), Arc::clone(&keys) as _, Arc::new(clock.clone()));
    assert_eq!(verifier.verify(issued.access.expose()).await.unwrap_err(), TokenError::AudienceMismatch);

    let jkt = KeyThumbprint::new("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    let verifier = Verifier::new(rules("https://api.example.com"), keys, Arc::new(clock));
    for (binding, kind) in [(Binding::Key(jkt.clone()), "DPoP"), (Binding::Certificate(jkt), "Bearer")] {
        let bound = Grant { binding: Some(binding), ..grant() };
        let issued = issuer.issue(&Access::of(&bound), None).unwrap();
        assert_eq!(issued.kind, kind);
        assert_eq!(verifier.verify(issued.access.expose()).await.unwrap_err(), TokenError::ProofRequired);
    }
    let (client, scopes) = (ClientId::new("batch"), ScopeSet::from_iter(["reports:read"]));
    let issued = issuer.issue(&Access::of_client(&client, &scopes, &[]), None).unwrap();
    let claims = verifier.verify(issued.access.expose()).await.unwrap();
    assert_eq!((claims.subject(), claims.get("client_id")), ("batch", Some(&json!("batch"))));
    assert_eq!(claims.get("acr"), None, "a program is not asked who it is by factors");
    assert_eq!(Grace::default().span(), Duration::from_secs(10));
}
