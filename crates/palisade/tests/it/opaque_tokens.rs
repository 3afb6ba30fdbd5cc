//! Opaque access tokens under attack: guessed, changed, expired, taken back, of another kind, bound to somebody's key.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::routing::get;
use palisade::Chain;
use palisade::extract::Principal;
use palisade::stage::authenticate::{Bearer, Credential};
use palisade::testing::{TestClient, TestWorld};
use palisade::token::algorithm::Algorithm;
use palisade::token::dpop::Dpop;
use palisade::token::issue::{Access, Issued, Issuer, OneKey};
use palisade::token::jwk;
use palisade::token::jwks::{KeySet, StaticKeys};
use palisade::token::jwt::Rules;
use palisade::token::opaque::{NoKeys, OpaqueTokens};
use palisade::token::revocation::Revocations;
use palisade::token::sign::Signer;
use palisade_core::event::EventKind;
use palisade_core::id::{ClientId, KeyThumbprint, TenantId, UserId};
use palisade_core::port::access_token::{AccessHash, KeptAccess, Which};
use palisade_core::port::refresh::{Binding, Grant};
use palisade_core::port::{AccessTokenStore, StoreError};
use palisade_core::principal::{Level, MethodSet, RoleSet, ScopeSet};
use palisade_core::time::Timestamp;
use palisade_store::memory::{MemoryAccessTokens, MemoryOnce};
use serde_json::json;

const ISSUER: &str = "https://id.example.com";
const AUDIENCE: &str = "https://api.example.com";

/// A store that does not answer while it is cut off.
#[derive(Default)]
struct Store {
    tokens: MemoryAccessTokens,
    is_cut: AtomicBool,
}

#[async_trait]
impl AccessTokenStore for Store {
    async fn keep(&self, token: &KeptAccess, now: Timestamp) -> Result<(), StoreError> {
        self.tokens.keep(token, now).await
    }

    async fn find(&self, hash: &AccessHash) -> Result<Option<KeptAccess>, StoreError> {
        match self.is_cut.load(Ordering::SeqCst) {
            true => Err(StoreError::Unreachable { reason: "connection refused".to_owned() }),
            false => self.tokens.find(hash).await,
        }
    }

    async fn revoke(&self, which: Which<'_>) -> Result<u64, StoreError> {
        self.tokens.revoke(which).await
    }
}

struct Site {
    test: TestWorld,
    store: Arc<Store>,
    tokens: OpaqueTokens,
    revocations: Arc<Revocations>,
    signer: Arc<Signer>,
}

impl Site {
    fn new() -> Self {
        let store = Arc::new(Store::default());
        let tokens = OpaqueTokens::new(Arc::clone(&store) as Arc<dyn AccessTokenStore>, ISSUER);
        let signer = Arc::new(Signer::generate_es256("k").unwrap());
        Self { test: TestWorld::new(), store, tokens, revocations: Arc::default(), signer }
    }

    fn issuer(&self, name: &str) -> Issuer {
        let (clock, entropy) = (Arc::clone(&self.test.world.clock), Arc::clone(&self.test.world.entropy));
        Issuer::new(name, AUDIENCE, Arc::new(OneKey(Arc::clone(&self.signer))), clock, entropy)
    }

    async fn issue(&self, grant: &Grant) -> Issued {
        let access = Access::of(grant).with_roles(RoleSet::from_iter(["auditor"]));
        self.issuer(ISSUER).issue_opaque(&self.tokens, &access, None).await.unwrap()
    }

    /// An application that takes tokens of both kinds, and says who asks.
    fn client(&self) -> TestClient {
        let keys = StaticKeys::new(KeySet::new([self.signer.verify_key().unwrap()]).unwrap());
        let rules = Rules::new(ISSUER, AUDIENCE, [Algorithm::Es256]).unwrap();
        let chain = Chain::api().bearer(rules, keys).opaque_tokens(AUDIENCE, &self.tokens).unwrap();
        self.serve(chain.revocations(Arc::clone(&self.revocations)))
    }

    /// The same that takes opaque tokens with proofs.
    fn with_proofs(&self) -> TestClient {
        let clock = Arc::clone(&self.test.world.clock);
        let verifier = self.tokens.verifier(AUDIENCE, Arc::clone(&clock)).unwrap();
        let dpop = Dpop::new(Arc::new(MemoryOnce::default()), clock).at_origin(AUDIENCE).unwrap();
        let bearer = Bearer::new(verifier).with_proofs(dpop);
        self.serve(Chain::api().credential(Credential::Bearer(Arc::new(bearer))))
    }

    fn serve(&self, chain: palisade::preset::Preset) -> TestClient {
        let me = get(|who: Principal| async move {
            let claims = ["iss", "client_id", "tenant", "sid", "acr", "amr", "auth_time"].map(|name| who.claim(name));
            let (scopes, roles, by) = (who.scopes(), who.roles(), who.assurance());
            format!("{} [{scopes}] [{roles}] {by:?} {claims:?}", who.subject())
        });
        self.test.client(chain.protect(Router::new().route("/me", me), &self.test.world).unwrap())
    }
}

fn grant() -> Grant {
    Grant {
        tenant: Some(TenantId::new("acme")),
        session: Some("s-1".into()),
        scopes: ScopeSet::from_iter(["orders:read", "orders:write"]),
        level: Level::Aal2,
        methods: MethodSet::from_iter(["pwd", "otp"]),
        authenticated: Timestamp::from_secs(1_795_300_000),
        ..Grant::new(ClientId::new("app"), UserId::new("u-alice"))
    }
}

/// Who asks, or the code of the refusal and its reason.
async fn ask(client: &TestClient, headers: &str) -> String {
    let answer = client.ask(&format!("GET /me\nhost: api.example.com\n{headers}")).await;
    match answer.code() {
        None => answer.text,
        Some(code) => {
            let events = answer.events.iter().filter(|event| event.kind != EventKind::Access);
            let reason = events.flat_map(|event| event.evidence.iter()).find(|(name, _)| *name == "reason");
            format!("{code} {}", reason.map(|(_, reason)| reason.to_owned()).unwrap_or_default())
        }
    }
}

async fn bearer(client: &TestClient, token: &str) -> String {
    ask(client, &format!("authorization: Bearer {token}")).await
}

#[tokio::test]
async fn an_opaque_token_says_of_somebody_what_a_signed_one_does() {
    let (site, grant) = (Site::new(), grant());
    let access = Access::of(&grant).with_roles(RoleSet::from_iter(["auditor"]));
    let signed = site.issuer(ISSUER).issue(&access, None).unwrap();
    let opaque = site.issue(&grant).await;
    let client = site.client();
    let who = bearer(&client, opaque.access.expose()).await;
    assert!(who.starts_with("user:u-alice [orders:read orders:write] [auditor]"), "{who}");
    assert_eq!(bearer(&client, signed.access.expose()).await, who);
    assert_eq!((opaque.kind, opaque.expires_in), (signed.kind, signed.expires_in));
    // Nothing of it is in the token, and not the token but its hash is in the store.
    assert!(opaque.access.expose().starts_with("pat_") && !opaque.access.expose().contains('.'));
    assert_ne!(site.issue(&grant).await.access.expose(), opaque.access.expose());
}

#[tokio::test]
async fn a_token_that_is_changed_expired_or_of_another_kind_opens_nothing() {
    let site = Site::new();
    let (client, token) = (site.client(), site.issue(&grant()).await.access.expose().to_owned());
    let changed = |at: usize| {
        let mut text = token.clone().into_bytes();
        text[at] = if text[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(text).unwrap()
    };
    for (text, reason) in [
        (changed(4), "unknown"),
        (changed(46), "unknown"),
        (format!("pat_{}", "A".repeat(43)), "unknown"),
        (format!("{token}A"), "malformed"),
        (token.chars().take(46).collect(), "malformed"),
        ("pat_".to_owned(), "malformed"),
        (format!("pat_{}", "é".repeat(43)), "not_ascii"),
        (format!("pat_{}", "=".repeat(43)), "malformed"),
        (token.replace("pat_", "PAT_"), "malformed"),
        // A refresh token, the id of a session, an API key, the hash itself.
        (format!("prt_{}", "A".repeat(70)), "malformed"),
        (token.replace("pat_", ""), "malformed"),
        ("pk_live_aaaaaaaaaaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbb_cccccc".to_owned(), "malformed"),
    ] {
        assert_eq!(bearer(&client, &text).await, format!("credential-invalid {reason}"), "{text}");
    }
    assert!(bearer(&client, &token).await.starts_with("user:u-alice"));
    site.test.clock.advance(Duration::from_millis(299_999));
    assert!(bearer(&client, &token).await.starts_with("user:u-alice"));
    site.test.clock.advance(Duration::from_millis(1));
    assert_eq!(bearer(&client, &token).await, "credential-invalid expired", "to the moment, whatever is remembered");
}

#[tokio::test]
async fn a_token_that_is_taken_back_ends_within_a_second_and_at_once_where_the_feed_is_read() {
    for how in ["the token", "its session", "its subject", "the feed"] {
        let site = Site::new();
        let (client, issued) = (site.client(), site.issue(&grant()).await);
        let other = site.issue(&Grant { subject: UserId::new("u-bob"), session: None, ..grant() }).await;
        let token = issued.access.expose();
        assert!(bearer(&client, token).await.starts_with("user:u-alice"), "{how}");
        let store = site.tokens.store();
        match how {
            "the token" => assert!(site.tokens.revoke(token).await.unwrap()),
            "its session" => assert_eq!(store.revoke(Which::Session("s-1")).await.unwrap(), 1),
            "its subject" => assert_eq!(store.revoke(Which::Subject("u-alice")).await.unwrap(), 1),
            _ => {
                let now = site.test.world.clock.now();
                site.revocations.revoke_token(ISSUER, &issued.id, now.plus(Duration::from_secs(300)), now).unwrap();
                assert_eq!(bearer(&client, token).await, "credential-invalid revoked");
                continue;
            }
        }
        site.test.clock.advance(OpaqueTokens::BELIEVED);
        assert_eq!(bearer(&client, token).await, "credential-invalid unknown", "{how}");
        assert!(bearer(&client, other.access.expose()).await.starts_with("user:u-bob"), "{how}");
        assert!(!site.tokens.revoke(token).await.unwrap() && !site.tokens.revoke("pat_x").await.unwrap());
    }
}

#[tokio::test]
async fn what_the_store_holds_for_another_audience_or_issuer_opens_nothing() {
    let site = Site::new();
    let client = site.client();
    let elsewhere = Grant { resources: vec!["https://other.example.com".into()], ..grant() };
    let token = site.issue(&elsewhere).await;
    assert_eq!(bearer(&client, token.access.expose()).await, "credential-invalid audience_mismatch");
    let (mine, foreign) = (grant(), site.issuer("https://evil.example"));
    let token = foreign.issue_opaque(&site.tokens, &Access::of(&mine), None).await.unwrap();
    assert_eq!(bearer(&client, token.access.expose()).await, "credential-invalid issuer_mismatch");
}

#[tokio::test]
async fn while_the_store_does_not_answer_nobody_passes_with_an_opaque_token() {
    let site = Site::new();
    let (client, grant) = (site.client(), grant());
    let (opaque, signed) = (site.issue(&grant).await, site.issuer(ISSUER).issue(&Access::of(&grant), None).unwrap());
    site.store.is_cut.store(true, Ordering::SeqCst);
    assert_eq!(bearer(&client, opaque.access.expose()).await, "unavailable store_unavailable");
    assert!(bearer(&client, signed.access.expose()).await.starts_with("user:u-alice"), "signed ones need no store");
    site.store.is_cut.store(false, Ordering::SeqCst);
    assert!(bearer(&client, opaque.access.expose()).await.starts_with("user:u-alice"));
}

#[tokio::test]
async fn a_bound_token_is_worth_nothing_to_whoever_lacks_the_key() {
    let site = Site::new();
    let (owner, thief) = (Signer::generate_es256("o").unwrap(), Signer::generate_es256("t").unwrap());
    let thumbprint = jwk::thumbprint(&owner.public_jwk().unwrap()).unwrap();
    let issued = site.issue(&Grant { binding: Some(Binding::Key(thumbprint)), ..grant() }).await;
    let token = issued.access.expose();
    assert_eq!(issued.kind, "DPoP");
    let client = site.with_proofs();
    let now = site.test.world.clock.now().as_secs();
    let ath = sha256(token);
    let proof = |signer: &Signer, jti: &str| {
        let url = format!("{AUDIENCE}/me");
        signer.sign_proof(&json!({"htm": "GET", "htu": url, "iat": now, "jti": jti, "ath": ath})).unwrap()
    };
    let with = |proof: String| format!("authorization: DPoP {token}\ndpop: {proof}");
    assert_eq!(ask(&client, &format!("authorization: Bearer {token}")).await, "credential-invalid proof_required");
    assert!(ask(&client, &format!("authorization: DPoP {token}")).await.starts_with("proof-invalid"));
    assert!(ask(&client, &with(proof(&thief, "1"))).await.starts_with("proof-invalid"));
    assert!(ask(&client, &with(proof(&owner, "2"))).await.starts_with("user:u-alice"));
    assert!(ask(&client, &with(proof(&owner, "2"))).await.starts_with("proof-invalid"), "a proof counts once");
    // Where nobody checks proofs a bound token is refused, and one of a certificate wherever there is none.
    assert_eq!(bearer(&site.client(), token).await, "credential-invalid proof_required");
    let certificate = KeyThumbprint::new("A".repeat(43));
    let issued = site.issue(&Grant { binding: Some(Binding::Certificate(certificate)), ..grant() }).await;
    assert_eq!(bearer(&client, issued.access.expose()).await, "credential-invalid certificate_missing");
}

fn sha256(text: &str) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let bits: Vec<u8> = hash.as_ref().iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digit = |bits: &[u8]| (0..6).fold(0, |sum, at| sum << 1 | usize::from(*bits.get(at).unwrap_or(&0)));
    bits.chunks(6).map(|bits| char::from(letters[digit(bits)])).collect()
}

#[tokio::test]
async fn an_issuer_that_signs_nothing_gives_opaque_tokens_only() {
    let site = Site::new();
    let (clock, entropy) = (Arc::clone(&site.test.world.clock), Arc::clone(&site.test.world.entropy));
    let issuer = Issuer::new(ISSUER, AUDIENCE, Arc::new(NoKeys), clock, entropy);
    let grant = grant();
    assert!(issuer.issue(&Access::of(&grant), None).is_err());
    let issued = issuer.issue_opaque(&site.tokens, &Access::of(&grant), None).await.unwrap();
    let client = site.serve(Chain::api().opaque_tokens(AUDIENCE, &site.tokens).unwrap());
    assert!(bearer(&client, issued.access.expose()).await.starts_with("user:u-alice"));
    let signed = site.issuer(ISSUER).issue(&Access::of(&grant), None).unwrap();
    assert_eq!(bearer(&client, signed.access.expose()).await, "credential-invalid malformed", "nobody can prove it");
}
