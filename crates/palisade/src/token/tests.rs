//! The published examples of the RFCs, and what the other tests of this folder share.

mod attack;
mod dpop;
mod keyring;
mod keys;
mod refresh;
mod revocation_feed;
mod verifier;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt as _;
use palisade_core::port::Clock;
use palisade_core::secret::Secret;
use palisade_core::time::Timestamp;
use serde_json::{Value, json};

use super::algorithm::Algorithm;
use super::base64url;
use super::claims::Claims;
use super::error::TokenError;
use super::jwk::VerifyKey;
use super::jwks::{KeySet, StaticKeys};
use super::jws::Unverified;
use super::jwt::{Rules, Verifier};
use super::sign::Signer;

pub(super) const NOW: u64 = 1_795_305_600;
const ISSUER: &str = "https://id.example.com";
const AUDIENCE: &str = "https://api.example.com";

/// A clock that is set by hand.
#[derive(Debug)]
pub(super) struct Still(AtomicU64);

impl Still {
    pub(super) fn at(secs: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(secs)))
    }

    pub(super) fn set(&self, secs: u64) {
        self.0.store(secs, Ordering::SeqCst);
    }
}

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// An issuer with one key, and the API that trusts it.
struct World {
    signer: Signer,
    clock: Arc<Still>,
    verifier: Verifier,
}

impl World {
    fn new() -> Self {
        Self::with(|rules| rules)
    }

    fn with(change: impl FnOnce(Rules) -> Rules) -> Self {
        let signer = Signer::generate_es256("k1").unwrap();
        let other = Signer::generate_ed25519("k2").unwrap();
        let keys = KeySet::new([signer.verify_key().unwrap(), other.verify_key().unwrap()]).unwrap();
        let rules = change(Rules::new(ISSUER, AUDIENCE, [Algorithm::Es256, Algorithm::EdDsa]).unwrap());
        let clock = Still::at(NOW);
        let verifier = Verifier::new(rules, Arc::new(StaticKeys::new(keys)), clock.clone());
        Self { signer, clock, verifier }
    }

    fn token(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = good_claims();
        change(&mut claims);
        self.signer.sign("at+jwt", &claims).unwrap()
    }

    /// A token with any header, correctly signed.
    fn forged(&self, header: &str, claims: &str) -> String {
        self.signer.seal(header.as_bytes(), claims.as_bytes()).unwrap()
    }

    fn verify(&self, token: &str) -> Result<Arc<Claims>, TokenError> {
        verify(&self.verifier, token)
    }
}

/// Keys that are configured are there at once.
fn verify(verifier: &Verifier, token: &str) -> Result<Arc<Claims>, TokenError> {
    verifier.verify(token).now_or_never().unwrap()
}

fn good_claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "u-alice", "iat": NOW - 10, "exp": NOW + 600,
        "scope": "orders:read orders:write",
    })
}

const RFC_PAYLOAD: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const RFC_CLAIMS: &str = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";

const HS256_SECRET: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const HS256_HEADER: &str = "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}";
const HS256_SIGNATURE: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

const RS256_MODULUS: &str = concat!(
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pC",
    "gNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg6",
    "65xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW",
    "yuXpoQ",
);
const RS256_SIGNATURE: &str = concat!(
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t",
    "1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12j",
    "zDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ",
    "Ge77Rw",
);

const ED25519_SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const ED25519_PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const ED25519_TOKEN: &str = concat!(
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.",
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
);

fn rfc_ec_key() -> Value {
    json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

fn rfc_rsa_key() -> Value {
    json!({ "kty": "RSA", "n": RS256_MODULUS, "e": "AQAB" })
}

/// The token verifies with the key, and with no bit of its signature changed.
#[track_caller]
fn check_example(jwk: &Value, token: &str, payload: &[u8]) {
    let key = VerifyKey::from_jwk(jwk).unwrap();
    assert_eq!(Unverified::parse(token).unwrap().verify(&key), Ok(payload));
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = base64url::decode(signature).unwrap();
    for position in 0..signature.len() {
        let mut bent = signature.clone();
        bent[position] ^= 1;
        let token = format!("{message}.{}", base64url::encode(&bent));
        assert_eq!(Unverified::parse(&token).unwrap().verify(&key), Err(TokenError::SignatureInvalid));
    }
}

#[test]
fn rfc_7515_a_1_hs256() {
    let token = format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{RFC_PAYLOAD}.{HS256_SIGNATURE}");
    check_example(&json!({ "kty": "oct", "alg": "HS256", "k": HS256_SECRET }), &token, RFC_CLAIMS.as_bytes());
    let signer = Signer::hmac("k", &Secret::new(base64url::decode(HS256_SECRET).unwrap())).unwrap();
    assert_eq!(signer.seal(HS256_HEADER.as_bytes(), RFC_CLAIMS.as_bytes()), Ok(token));
}

#[test]
fn rfc_7515_a_2_rs256() {
    let token = format!("eyJhbGciOiJSUzI1NiJ9.{RFC_PAYLOAD}.{RS256_SIGNATURE}");
    check_example(&rfc_rsa_key(), &token, RFC_CLAIMS.as_bytes());
}

#[test]
fn rfc_7515_a_3_es256() {
    let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let token = format!("eyJhbGciOiJFUzI1NiJ9.{RFC_PAYLOAD}.{signature}");
    check_example(&rfc_ec_key(), &token, RFC_CLAIMS.as_bytes());
}

#[test]
fn rfc_7515_a_4_and_a_5_are_signed_with_what_is_not_taken() {
    let es512 = format!("eyJhbGciOiJFUzUxMiJ9.{RFC_PAYLOAD}.AAAA");
    let unsigned = format!("eyJhbGciOiJub25lIn0.{RFC_PAYLOAD}.");
    for token in [es512, unsigned] {
        assert_eq!(Unverified::parse(&token).unwrap_err(), TokenError::AlgorithmForbidden);
    }
}

#[test]
fn rfc_8037_a_4_eddsa() {
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": ED25519_PUBLIC });
    check_example(&jwk, ED25519_TOKEN, b"Example of Ed25519 signing");
    let mut der = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
    der.extend(base64url::decode(ED25519_SEED).unwrap());
    let signer = Signer::from_pkcs8(Algorithm::EdDsa, "k", &Secret::new(der)).unwrap();
    assert_eq!(signer.public_jwk().unwrap()["x"], ED25519_PUBLIC);
    let token = signer.seal(br#"{"alg":"EdDSA"}"#, b"Example of Ed25519 signing");
    assert_eq!(token.as_deref(), Ok(ED25519_TOKEN));
}
