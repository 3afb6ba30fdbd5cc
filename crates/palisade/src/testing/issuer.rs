//! Somebody who signs tokens for anybody, as a test asks.

use std::sync::Arc;

use palisade_core::port::Clock as _;
use serde_json::{Value, json};

use super::StillClock;
use crate::token::algorithm::Algorithm;
use crate::token::jwks::{KeySet, StaticKeys};
use crate::token::jwt::Rules;
use crate::token::sign::Signer;

/// An issuer of access tokens with a key of its own.
///
/// ```
/// use palisade::testing::TestWorld;
/// use serde_json::json;
///
/// let issuer = TestWorld::new().issuer;
/// let (expired, forged) = (issuer.token(&json!({"exp": 1})), issuer.token(&json!({"iss": "https://evil.example"})));
/// assert_ne!(expired, forged);
/// assert_eq!(issuer.rules().audience(), "https://api.example.com");
/// ```
#[derive(Clone, Debug)]
pub struct TestIssuer {
    signer: Arc<Signer>,
    clock: StillClock,
}

impl TestIssuer {
    /// An issuer with a new key, who looks at this clock.
    pub fn new(clock: StillClock) -> Self {
        let signer = Signer::generate_es256("test").expect("a key can be made");
        Self { signer: Arc::new(signer), clock }
    }

    /// The rules that its tokens follow: issued by `https://id.example.com` for `https://api.example.com`.
    pub fn rules(&self) -> Rules {
        Rules::new(ISSUER, AUDIENCE, [Algorithm::Es256]).expect("the rules are sound")
    }

    /// Where its keys are.
    pub fn keys(&self) -> StaticKeys {
        StaticKeys::new(self.key_set())
    }

    /// Its keys.
    pub fn key_set(&self) -> KeySet {
        let key = self.signer.verify_key().expect("the key has a public part");
        KeySet::new([key]).expect("one key is a set")
    }

    /// A token with these claims. Those that every token needs are added where they are missing: it is about `u-1` and
    /// expires in ten minutes.
    pub fn token(&self, claims: &Value) -> String {
        let mut all = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "u-1", "exp": self.clock.now().as_secs() + 600});
        let given = claims.as_object().expect("claims are an object");
        all.as_object_mut().expect("an object was written").extend(given.clone());
        self.signer.sign("at+jwt", &all).expect("an object can be signed")
    }
}

const AUDIENCE: &str = "https://api.example.com";
const ISSUER: &str = "https://id.example.com";
