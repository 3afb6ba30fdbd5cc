//! Who a request is found to be from, for every way of saying it.

use palisade_core::id::ClientId;
use palisade_core::time::Timestamp;
use serde_json::json;

use super::*;
use crate::credential::api_key::{ApiKeyHash, ApiKeyRecord};
use crate::testing::{FixedClock, NoKeys, assert_stage, head, refusal_with_body};
use crate::token::algorithm::Algorithm;
use crate::token::jwks::{KeySet, KeySource, StaticKeys};
use crate::token::jwt::Rules;
use crate::token::sign::Signer;

const NOW: u64 = 1_795_305_600;

fn clock() -> Arc<dyn Clock> {
    Arc::new(FixedClock(NOW * 1000))
}

fn bearer(keys: impl KeySource) -> Bearer {
    let rules = Rules::new("https://id.example", "https://api.example", [Algorithm::Es256]).unwrap();
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
        assert_eq!(head.facts.credential, Some(header::AUTHORIZATION));
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
