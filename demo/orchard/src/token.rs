//! The shop signs its own access tokens with ES256, and (when it is meant to) verifies them.

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::clock;

/// The key of this run. It is made at start and never leaves the process.
pub(crate) struct Signer {
    pair: EcdsaKeyPair,
    kid: String,
}

/// Who the claims say the caller is.
#[derive(Clone, Debug)]
pub(crate) struct Claims {
    pub(crate) subject: String,
    pub(crate) roles: Vec<String>,
}

impl Signer {
    pub(crate) fn generate() -> Result<Self, Unspecified> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        let print = digest::digest(&digest::SHA256, pair.public_key().as_ref());
        let kid = URL_SAFE_NO_PAD.encode(print.as_ref().get(..9).unwrap_or_default());
        Ok(Self { pair, kid })
    }

    /// A token for the user, valid for [`LIFETIME_SECONDS`] from now (RFC 9068).
    pub(crate) fn issue(&self, subject: &str, role: &str) -> Result<String, Unspecified> {
        let mut id = [0; 16];
        rand::fill(&mut id)?;
        let now = clock::now();
        let scope =
            if role == "admin" { "orders:read orders:write profile admin" } else { "orders:read orders:write profile" };
        let header = json!({ "typ": "at+jwt", "alg": "ES256", "kid": self.kid });
        let claims = json!({
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "roles": [role],
            "scope": scope,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
            "jti": URL_SAFE_NO_PAD.encode(id),
        });
        let message =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes())?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The claims of a token of ours that is in force.
    pub(crate) fn verify(&self, token: &str) -> Option<Claims> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let (header, claims) = (decode(header)?, decode(claims)?);
        if header.get("alg")? != "ES256" || header.get("typ")? != "at+jwt" || header.get("kid")? != self.kid.as_str() {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.pair.public_key().as_ref())
            .verify(message.as_bytes(), &signature)
            .ok()?;
        let in_force = claims.get("exp")?.as_i64()? > clock::now();
        let ours = claims.get("iss")? == ISSUER && claims.get("aud")? == AUDIENCE;
        if in_force && ours { claims_of(&claims) } else { None }
    }

    /// The public key as a point (SEC 1, 2.3.3).
    pub(crate) fn point(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// The public key, as RFC 7517 says.
    pub(crate) fn key_set(&self) -> Value {
        // An uncompressed P-256 point is one byte of form and two coordinates of 32 bytes (SEC 1, 2.3.3).
        let point = self.pair.public_key().as_ref();
        let x = URL_SAFE_NO_PAD.encode(point.get(1..33).unwrap_or_default());
        let y = URL_SAFE_NO_PAD.encode(point.get(33..).unwrap_or_default());
        json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": self.kid, "alg": "ES256", "use": "sig",
        }] })
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// One part of a token.
pub(crate) fn decode(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// Who the claims name.
pub(crate) fn claims_of(claims: &Value) -> Option<Claims> {
    let subject = claims.get("sub")?.as_str()?.to_owned();
    let roles = claims.get("roles").and_then(Value::as_array).into_iter().flatten();
    Some(Claims { subject, roles: roles.filter_map(Value::as_str).map(str::to_owned).collect() })
}

/// How long a token is valid.
pub(crate) const LIFETIME_SECONDS: i64 = 3_600;

/// The `iss` claim.
pub(crate) const ISSUER: &str = "https://orchard.example";

const AUDIENCE: &str = "orchard";
