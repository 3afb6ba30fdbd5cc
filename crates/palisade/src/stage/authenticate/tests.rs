//! Who a request is found to be from, for every way of saying it.

use std::sync::atomic::{AtomicUsize, Ordering};

use palisade_core::id::ClientId;
use palisade_core::principal::RoleSet;
use palisade_store::memory::MemoryOnce;
use serde_json::{Value, json};

use super::*;
use crate::credential::api_key::{ApiKeyHash, ApiKeyRecord};
use crate::stage::Stop;
use crate::testing::{FixedClock, NoKeys, assert_stage, head, refusal_with_body};
use crate::token::algorithm::Algorithm;
use crate::token::dpop::Dpop;
use crate::token::jwks::{KeySet, KeySource, StaticKeys};
use crate::token::jwt::{Rules, Verifier};
use crate::token::revocation::Revocations;
use crate::token::sign::Signer;

const NOW: u64 = 1_795_305_600;

fn clock() -> Arc<dyn Clock> {
    Arc::new(FixedClock(NOW * 1000))
}

fn bearer(keys: impl KeySource) -> Bearer {
    bearer_of("https://id.example", keys)
}

fn bearer_of(issuer: &str, keys: impl KeySource) -> Bearer {
    let rules = Rules::new(issuer, "https://api.example", [Algorithm::Es256]).unwrap();
    Bearer::new(Verifier::new(rules, Arc::new(keys), clock()))
}

fn issued_by(signer: &Signer) -> StaticKeys {
    StaticKeys::new(KeySet::new([signer.verify_key().unwrap()]).unwrap())
}

fn token(signer: &Signer, more: &Value) -> String {
    let mut claims = json!({"iss": "https://id.example", "aud": "https://api.example", "sub": "u-1", "exp": NOW + 60});
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    signer.sign("at+jwt", &claims).unwrap()
}

fn keys() -> Credential {
    let record = |key: &str, expires: Option<u64>| ApiKeyRecord {
        expires: expires.map(Timestamp::from_secs),
        roles: RoleSet::from_iter(["reader"]),
        scopes: ScopeSet::from_iter(["read"]),
        ..ApiKeyRecord::new(ApiKeyHash::of(key), ClientId::new("reports"))
    };
    let keys = ApiKeys::new([record("good", Some(NOW + 1)), record("old", Some(NOW))]).unwrap();
    Credential::Key { header: HeaderName::from_static("x-api-key"), keys: Arc::new(keys) }
}

fn backend() -> Credential {
    let headers = vec![header::COOKIE, HeaderName::from_static("x-token")];
    Credential::Backend { headers, query: vec!["api_key".to_owned()] }
}

/// Who a request is found to be from, or the code of its refusal.
async fn who(kinds: Vec<Credential>, request: &str) -> String {
    let stage = Authenticate::new(PerRoute::same(kinds), clock());
    let mut head = head(request);
    match refusal_with_body(&stage, &mut head, "").await {
        None => head.facts.principal.subject().to_string(),
        Some(code) => {
            assert!(head.facts.principal.is_anonymous() && head.facts.credential.is_none(), "{request}");
            code.to_string()
        }
    }
}

#[tokio::test]
async fn a_credential_is_valid_or_refused_and_never_overlooked() {
    let (signer, other) = (Signer::generate_es256("a").unwrap(), Signer::generate_es256("a").unwrap());
    let (good, forged) = (token(&signer, &json!({})), token(&other, &json!({})));
    let late = token(&signer, &json!({"exp": NOW - 31}));
    let all = || vec![Credential::Bearer(Arc::new(bearer(issued_by(&signer)))), keys()];
    for (headers, expect) in [
        (String::new(), "anonymous"),
        ("cookie: session=1".to_owned(), "anonymous"),
        (format!("authorization: Bearer {good}"), "user:u-1"),
        (format!("authorization: bEaReR {good}"), "user:u-1"),
        (format!("authorization: Bearer {forged}"), "credential-invalid"),
        (format!("authorization: Bearer {late}"), "credential-invalid"),
        (format!("authorization: Bearer  {good}"), "credential-invalid"),
        (format!("authorization: Bearer\t{good}"), "credential-invalid"),
        (format!("authorization: Bearer {good} "), "user:u-1"),
        (format!("authorization: DPoP {good}"), "credential-invalid"),
        (format!("authorization: {good}"), "credential-invalid"),
        ("authorization: Basic dTpw".to_owned(), "credential-invalid"),
        ("authorization:".to_owned(), "credential-invalid"),
        ("x-api-key: good".to_owned(), "service:reports"),
        ("x-api-key: old".to_owned(), "credential-invalid"),
        ("x-api-key: unknown".to_owned(), "credential-invalid"),
        ("x-api-key:".to_owned(), "credential-invalid"),
        (format!("authorization: Bearer {good}\nx-api-key: good"), "credential-ambiguous"),
        (format!("authorization: Bearer {good}\nx-api-key: unknown"), "credential-ambiguous"),
        (format!("authorization: Bearer {good}\nauthorization: Bearer {good}"), "credential-ambiguous"),
        ("x-api-key: good\nx-api-key: good".to_owned(), "credential-ambiguous"),
    ] {
        assert_eq!(who(all(), &format!("GET /\n{headers}")).await, expect, "{headers}");
    }
}

#[tokio::test]
async fn a_token_chooses_its_issuer_and_is_believed_by_the_keys_of_that_one_only() {
    let (one, two) = (Signer::generate_es256("a").unwrap(), Signer::generate_es256("a").unwrap());
    let other = json!({"iss": "https://other.example"});
    let of = |issuer: &str, signer: &Signer| Credential::Bearer(Arc::new(bearer_of(issuer, issued_by(signer))));
    let both = || vec![of("https://id.example", &one), of("https://other.example", &two)];
    for (token, expect) in [
        (token(&one, &json!({})), "user:u-1"),
        (token(&two, &other), "user:u-1"),
        (token(&one, &other), "credential-invalid"),
        (token(&two, &json!({})), "credential-invalid"),
        (token(&one, &json!({"iss": "https://third.example"})), "credential-invalid"),
        (token(&one, &json!({"iss": null})), "credential-invalid"),
        ("x".to_owned(), "credential-invalid"),
    ] {
        assert_eq!(who(both(), &format!("GET /\nauthorization: Bearer {token}")).await, expect, "{token}");
    }
    // Nobody could tell which of the two is meant.
    let same = || vec![of("https://id.example", &one), of("https://id.example", &two)];
    let request = format!("GET /\nauthorization: Bearer {}", token(&one, &json!({})));
    assert_eq!(who(same(), &request).await, "credential-ambiguous");
    // The keys of the other issuer do not matter.
    let half =
        || vec![of("https://id.example", &one), Credential::Bearer(Arc::new(bearer_of("https://x.example", NoKeys)))];
    assert_eq!(who(half(), &request).await, "user:u-1");
}

#[tokio::test]
async fn a_kind_that_nobody_here_checks_does_not_pass_beside_one_that_is() {
    for (kinds, headers, expect) in [
        (vec![keys()], "authorization: Bearer x", "credential-invalid"),
        (vec![keys()], "authorization: Bearer x\nx-api-key: good", "credential-invalid"),
        (vec![], "authorization: Bearer x", "anonymous"),
        (vec![backend()], "cookie: a=1", "delegated"),
        (vec![backend()], "x-token: 1", "delegated"),
        (vec![backend()], "accept: a/b", "anonymous"),
        (vec![backend()], "authorization: Bearer x", "credential-invalid"),
        (vec![backend(), keys()], "cookie: a=1\nx-api-key: good", "credential-ambiguous"),
    ] {
        assert_eq!(who(kinds, &format!("GET /\n{headers}")).await, expect, "{headers}");
    }
}

#[tokio::test]
async fn a_backend_may_take_its_key_in_the_query() {
    for (request, expect) in
        [("GET /?a=1&api_key=k", "delegated"), ("GET /?api_key=", "anonymous"), ("GET /?key=k", "anonymous")]
    {
        assert_eq!(who(vec![backend()], request).await, expect, "{request}");
    }
}

#[tokio::test]
async fn without_keys_there_is_no_verdict() {
    let unavailable = vec![Credential::Bearer(Arc::new(bearer(NoKeys)))];
    let token = token(&Signer::generate_es256("a").unwrap(), &json!({}));
    assert_eq!(who(unavailable, &format!("GET /\nauthorization: Bearer {token}")).await, "unavailable");
}

#[tokio::test]
async fn claims_say_what_they_are_configured_to_say() {
    let signer = Signer::generate_es256("a").unwrap();
    let names = |path: &str| path.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let nested = json!({"realm_access": {"roles": ["admin"]}, "org": {"id": "t-1"}, "acr": "aal2", "amr": ["otp"]});
    for (roles, tenant, claims, expect) in [
        ("roles", "", json!({"roles": ["b", "a"], "scope": "x y"}), "[a b] [x y] None Aal1"),
        ("roles", "", json!({"roles": "a b"}), "[a b] [] None Aal1"),
        ("realm_access/roles", "org/id", nested.clone(), "[admin] [] Some(TenantId(t-1)) Aal2"),
        ("realm_access", "org", nested, "[] [] None Aal2"),
        ("roles", "tenant", json!({"roles": {"admin": true}, "tenant": 7, "acr": "root"}), "[] [] None Aal1"),
        ("roles", "tenant", json!({"roles": ["a", 1, null], "tenant": "t"}), "[a] [] Some(TenantId(t)) Aal1"),
    ] {
        let mut bearer = bearer(issued_by(&signer));
        (bearer.roles_claim, bearer.tenant_claim) = (names(roles), names(tenant));
        let kinds = PerRoute::same(vec![Credential::Bearer(Arc::new(bearer))]);
        let mut head = head(&format!("GET /\nauthorization: Bearer {}", token(&signer, &claims)));
        assert_eq!(refusal_with_body(&Authenticate::new(kinds, clock()), &mut head, "").await, None);
        let who = &head.facts.principal;
        let level = who.assurance().level;
        let found = format!("[{}] [{}] {:?} {level:?}", who.roles(), who.scopes(), who.tenant());
        assert_eq!(found, expect, "{claims}");
        assert_eq!(head.facts.credential, Some(Carrier::Header(header::AUTHORIZATION)));
    }
}

#[tokio::test]
async fn a_key_brings_its_scopes_and_roles() {
    let mut head = head("GET /\nx-api-key: good");
    let stage = Authenticate::new(PerRoute::same(vec![keys()]), clock());
    assert_eq!(refusal_with_body(&stage, &mut head, "").await, None);
    let who = &head.facts.principal;
    assert!(who.scopes().contains("read") && who.roles().contains("reader"));
    assert_eq!(who.claim("sub"), Some(vec!["reports".to_owned()]));
}

#[test]
fn behaves_as_a_stage() {
    let bearer = Credential::Bearer(Arc::new(bearer(NoKeys)));
    for kinds in [vec![], vec![keys()], vec![backend()], vec![bearer, keys()]] {
        assert_stage(&Authenticate::new(PerRoute::same(kinds), clock()));
    }
}

/// A proof for a request to `https://api.example/orders` with this token, with some claims changed.
fn proof(signer: &Signer, token: &str, change: &Value) -> String {
    let ath = crate::token::base64url::encode(
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes()).as_ref(),
    );
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let jti = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
    let mut claims = json!({"htm": "GET", "htu": "https://api.example/orders", "iat": NOW, "jti": jti, "ath": ath});
    claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    signer.sign_proof(&claims).unwrap()
}

fn dpop() -> Dpop {
    Dpop::new(Arc::new(MemoryOnce::default()), clock()).at_origin("https://api.example").unwrap()
}

#[tokio::test]
async fn a_bound_token_needs_its_proof_and_nothing_else_will_do() {
    let (issuer, caller, thief) = (
        Signer::generate_es256("a").unwrap(),
        Signer::generate_ed25519("c").unwrap(),
        Signer::generate_es256("t").unwrap(),
    );
    let thumbprint = crate::token::jwk::thumbprint(&caller.public_jwk().unwrap()).unwrap();
    let bound = token(&issuer, &json!({"cnf": {"jkt": thumbprint.as_str()}}));
    let other = token(&issuer, &json!({"cnf": {"jkt": thumbprint.as_str()}, "jti": "other"}));
    let (free, twice) = (token(&issuer, &json!({})), proof(&caller, &bound, &json!({})));
    let optional = Credential::Bearer(Arc::new(bearer(issued_by(&issuer)).with_proofs(dpop())));
    let required = Credential::Bearer(Arc::new(bearer(issued_by(&issuer)).with_required_proofs(dpop())));
    let off = Credential::Bearer(Arc::new(bearer(issued_by(&issuer))));
    let good = |token: &str| format!("authorization: DPoP {token}\ndpop: {}", proof(&caller, token, &json!({})));
    let with = |change: Value| format!("authorization: DPoP {bound}\ndpop: {}", proof(&caller, &bound, &change));
    for (kind, headers, expect) in [
        (&optional, good(&bound), "user:u-1"),
        (&optional, good(&bound), "user:u-1"),
        (&optional, format!("authorization: Bearer {free}"), "user:u-1"),
        (&required, good(&bound), "user:u-1"),
        (&required, format!("authorization: Bearer {free}"), "credential-invalid"),
        (&optional, format!("authorization: Bearer {bound}"), "credential-invalid"),
        (
            &optional,
            format!("authorization: Bearer {bound}\ndpop: {}", proof(&caller, &bound, &json!({}))),
            "credential-invalid",
        ),
        (&optional, good(&free), "credential-invalid"),
        (&off, good(&bound), "credential-invalid"),
        (&off, format!("authorization: Bearer {bound}"), "credential-invalid"),
        (&optional, format!("authorization: DPoP {bound}"), "proof-invalid"),
        (&optional, format!("{}\ndpop: {}", good(&bound), proof(&caller, &bound, &json!({}))), "proof-invalid"),
        (
            &optional,
            format!("authorization: DPoP {bound}\ndpop: {}", proof(&thief, &bound, &json!({}))),
            "proof-invalid",
        ),
        (
            &optional,
            format!("authorization: DPoP {other}\ndpop: {}", proof(&caller, &bound, &json!({}))),
            "proof-invalid",
        ),
        (&optional, format!("authorization: DPoP {bound}\ndpop: {twice}"), "user:u-1"),
        (&optional, format!("authorization: DPoP {bound}\ndpop: {twice}"), "proof-invalid"),
        (&optional, with(json!({"htm": "POST"})), "proof-invalid"),
        (&optional, with(json!({"htu": "https://api.example/other"})), "proof-invalid"),
        (&optional, with(json!({"htu": "https://evil.example/orders"})), "proof-invalid"),
        (&optional, with(json!({"htu": "HTTPS://API.example:443/%6Frders?a=b#c"})), "user:u-1"),
        (&optional, with(json!({"iat": NOW - 60})), "proof-invalid"),
        (&optional, with(json!({"iat": NOW + 11})), "proof-invalid"),
    ] {
        let request = format!("GET /orders?x=1\nhost: inside\n{headers}");
        assert_eq!(who(vec![kind.clone()], &request).await, expect, "{headers}");
    }
}

#[tokio::test]
async fn a_nonce_is_asked_for_and_then_accepted() {
    let (issuer, caller) = (Signer::generate_es256("a").unwrap(), Signer::generate_es256("c").unwrap());
    let thumbprint = crate::token::jwk::thumbprint(&caller.public_jwk().unwrap()).unwrap();
    let bound = token(&issuer, &json!({"cnf": {"jkt": thumbprint.as_str()}}));
    let dpop = dpop().with_nonces(&palisade_core::secret::Secret::new([7; 32]));
    let kinds = vec![Credential::Bearer(Arc::new(bearer(issued_by(&issuer)).with_proofs(dpop)))];
    let stage = Authenticate::new(PerRoute::same(kinds), clock());
    let ask = async |change: Value| {
        let proof = proof(&caller, &bound, &change);
        let mut head = head(&format!("GET /orders\nauthorization: DPoP {bound}\ndpop: {proof}"));
        let outcome = match stage.check(&mut head) {
            Verdict::Now(outcome) => outcome,
            Verdict::Later(waiting) => waiting.await,
        };
        let mut headers = http::HeaderMap::new();
        head.plan.apply(&mut headers);
        let nonce = headers.get("dpop-nonce").map(|nonce| nonce.to_str().unwrap().to_owned());
        let error = outcome.err().map(|stop| match stop {
            Stop::Deny(denial) => denial.challenge().cloned(),
            Stop::Answer(answer) => panic!("{answer:?}"),
        });
        (error, nonce)
    };
    let needed = Some(Some(Challenge::Dpop { error: "use_dpop_nonce" }));
    let (error, nonce) = ask(json!({})).await;
    assert_eq!(error, needed);
    assert_eq!(ask(json!({"nonce": nonce.unwrap()})).await, (None, None));
    for forged in ["", "AAAA", "AAAAAGsCAAAAAAAAAAAAAAAAAAAAAAAA"] {
        assert_eq!(ask(json!({"nonce": forged})).await.0, needed);
    }
}

#[tokio::test]
async fn a_remembered_credential_is_found_without_waiting_until_it_is_revoked() {
    let signer = Signer::generate_es256("a").unwrap();
    let revocations = Arc::new(Revocations::default());
    let rules = Rules::new("https://id.example", "https://api.example", [Algorithm::Es256]).unwrap();
    let verifier =
        Verifier::new(rules, Arc::new(issued_by(&signer)), clock()).with_revocations(Arc::clone(&revocations));
    let stage =
        Authenticate::new(PerRoute::same(vec![Credential::Bearer(Arc::new(Bearer::new(verifier))), keys()]), clock());
    let (one, two) =
        (token(&signer, &json!({"jti": "1", "iat": NOW})), token(&signer, &json!({"jti": "2", "iat": NOW + 1})));
    let ask = |request: &str| {
        let mut head = head(request);
        match stage.check(&mut head) {
            Verdict::Now(outcome) => ("now", outcome.is_ok()),
            Verdict::Later(waiting) => ("later", futures_util::FutureExt::now_or_never(waiting).unwrap().is_ok()),
        }
    };
    let with = |token: &str| format!("GET /\nauthorization: Bearer {token}");
    assert_eq!((ask(&with(&one)), ask(&with(&one))), (("later", true), ("now", true)));
    assert_eq!(ask("GET /\nx-api-key: good"), ("now", true));
    assert_eq!(ask("GET /"), ("now", true));
    let (now, hour) = (Timestamp::from_secs(NOW), std::time::Duration::from_secs(3600));
    revocations.revoke_token("https://id.example", "1", now.plus(hour), now).unwrap();
    assert_eq!((ask(&with(&one)), ask(&with(&two))), (("later", false), ("later", true)));
    revocations.revoke_subject("https://id.example", "u-2", now, hour).unwrap();
    assert_eq!((ask(&with(&two)), ask(&with(&two))), (("later", true), ("now", true)));
    revocations.revoke_subject("https://id.example", "u-1", now, hour).unwrap();
    // It was issued a second after that moment.
    assert_eq!(ask(&with(&two)), ("later", true));
    revocations.revoke_subject("https://id.example", "u-1", Timestamp::from_secs(NOW + 1), hour).unwrap();
    assert_eq!(ask(&with(&two)), ("later", false));
}
