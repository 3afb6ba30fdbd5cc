//! The credentials of the tests: valid ones of several kinds, and every way of not being valid.

use palisade::credential::api_key::ApiKeyHash;
use palisade::credential::certificate::CertificateName;
use palisade::token::jwk::thumbprint;
use palisade::token::sign::Signer;
use palisade_core::port::Clock;
use palisade_core::secret::Secret;
use palisade_store::clock::SystemClock;
use palisade_testkit::dir::TempDir;
use serde_json::{Value, json};

/// Keys of an issuer, and what it signs with them.
pub(super) struct Tokens {
    issuer: Signer,
    edwards: Signer,
    shared: Signer,
    stranger: Signer,
    now: u64,
}

impl Tokens {
    pub(super) fn new() -> Self {
        Self {
            issuer: Signer::generate_es256("one").unwrap(),
            edwards: Signer::generate_ed25519("two").unwrap(),
            shared: Signer::hmac("three", &Secret::new(SHARED)).unwrap(),
            // The same name, another key.
            stranger: Signer::generate_es256("one").unwrap(),
            now: SystemClock.now().as_millis() / 1000,
        }
    }

    /// Writes the public keys and the shared secret to where policies look for them.
    pub(super) fn write(&self, dir: &TempDir) {
        let keys = json!({"keys": [self.issuer.public_jwk(), self.edwards.public_jwk()]});
        dir.write("jwks.json", keys.to_string());
        dir.write("shared.key", SHARED);
    }

    /// Puts credentials in the place of their names: `${alice}`.
    pub(super) fn fill(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        while let Some((before, rest)) = filled.split_once("${") {
            let (name, after) = rest.split_once('}').unwrap();
            filled = format!("{before}{}{after}", self.named(name));
        }
        filled
    }

    fn named(&self, name: &str) -> String {
        let alice = |change: Value| self.claims(change);
        let issued = |claims: Value| self.issuer.sign("at+jwt", &claims).unwrap();
        match name {
            "key" => KEY.to_owned(),
            "alice" => issued(alice(json!({}))),
            "admin" => issued(alice(json!({"sub": "root", "roles": ["admin"]}))),
            "support" => issued(alice(json!({"sub": "carol", "roles": ["support"]}))),
            "reader" => issued(alice(json!({"scope": "reports:read orders:write"}))),
            "strong" => issued(alice(json!({"acr": "aal2"}))),
            "tenant" => issued(alice(json!({"tenant": "acme", "roles": ["admin", "clerk"], "scope": "reports:read"}))),
            "phone" => issued(alice(json!({"sid": "s-1"}))),
            "edwards" => self.edwards.sign("at+jwt", &alice(json!({}))).unwrap(),
            "shared" => self.shared.sign("at+jwt", &alice(json!({}))).unwrap(),
            "expired" => issued(alice(json!({"exp": self.now - 3600}))),
            "brief" => issued(alice(json!({"exp": self.now + 2}))),
            "early" => issued(alice(json!({"nbf": self.now + 1800}))),
            "other audience" => issued(alice(json!({"aud": "bank"}))),
            "other issuer" => issued(alice(json!({"iss": "https://id.evil.example"}))),
            "identity token" => self.issuer.sign("JWT", &alice(json!({}))).unwrap(),
            "second issuer" => self.shared.sign("at+jwt", &alice(json!({"iss": SECOND_ISSUER}))).unwrap(),
            "second issuer by the first" => issued(alice(json!({"iss": SECOND_ISSUER}))),
            "first issuer by the second" => self.shared.sign("at+jwt", &alice(json!({}))).unwrap(),
            "issuer that is a list" => issued(alice(json!({"iss": ["https://id.example.com"]}))),
            "foreign" => self.stranger.sign("at+jwt", &alice(json!({}))).unwrap(),
            "none" => with_header(&issued(alice(json!({}))), NONE, Some("")),
            "public key as secret" => with_header(&issued(alice(json!({}))), HS256, None),
            "bound" => self.bound("GET", "https://api.example.com/items/1").0,
            "cut" => issued(alice(json!({}))).rsplit_once('.').unwrap().0.to_owned(),
            other => panic!("nobody is called {other}"),
        }
    }

    /// A token that is bound to a key, and a proof for one request with it.
    pub(super) fn bound(&self, method: &str, url: &str) -> (String, String) {
        let key = thumbprint(&self.edwards.public_jwk().unwrap()).unwrap();
        let token = self.issuer.sign("at+jwt", &self.claims(json!({"cnf": {"jkt": key.as_str()}}))).unwrap();
        let hash = CertificateName::sha256(ApiKeyHash::of(&token));
        let CertificateName::Thumbprint(ath) = hash else { panic!("{hash:?}") };
        let proof = json!({"htm": method, "htu": url, "iat": self.now, "jti": "one", "ath": ath});
        (token, self.edwards.sign_proof(&proof).unwrap())
    }

    /// A token that is bound to a certificate.
    pub(super) fn bound_to_certificate(&self, thumbprint: &str) -> String {
        self.issuer.sign("at+jwt", &self.claims(json!({"cnf": {"x5t#S256": thumbprint}}))).unwrap()
    }

    /// The claims of alice, with some changed.
    fn claims(&self, change: Value) -> Value {
        let mut claims = json!({
            "iss": "https://id.example.com", "aud": "shop", "sub": "alice", "iat": self.now, "exp": self.now + 3600,
        });
        let Value::Object(change) = change else { panic!("{change} is not an object") };
        claims.as_object_mut().unwrap().extend(change);
        claims
    }
}

/// The hash of the key that `${key}` stands for.
pub(super) fn key_hash() -> String {
    ApiKeyHash::of(KEY).to_string()
}

/// A token with another header, and perhaps another signature.
fn with_header(token: &str, header: &str, signature: Option<&str>) -> String {
    let mut parts = token.splitn(3, '.').skip(1);
    let (payload, own) = (parts.next().unwrap(), parts.next().unwrap());
    format!("{header}.{payload}.{}", signature.unwrap_or(own))
}

/// Whoever signs with the shared key, where a test trusts two issuers.
pub(super) const SECOND_ISSUER: &str = "https://login.example.net";
const KEY: &str = "k-0123456789abcdef0123456789abcdef";
const SHARED: &[u8] = b"\x01\x9c\x33\xf0\x7a\xb1\x0e\x5d\xc8\x21\x94\xe6\x4f\x70\x8b\xd2\x1d\xa5\x66\xfb\x38\xc7\x02\x9e\x53\xb4\xea\x17\x8c\x60\xdf\x2b";
/// `{"alg":"none","typ":"at+jwt"}`.
const NONE: &str = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0";
/// `{"alg":"HS256","typ":"at+jwt","kid":"one"}`.
const HS256: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6Im9uZSJ9";
