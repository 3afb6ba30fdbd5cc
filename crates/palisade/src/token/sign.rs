//! Making tokens, for the places where this library itself vouches for something.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use palisade_core::secret::Secret;
use serde_json::{Value, json};

use super::algorithm::Algorithm;
use super::base64url;
use super::jwk::{self, KeyError, VerifyKey};

/// A key that signs tokens.
///
/// ```
/// use palisade::token::sign::Signer;
///
/// let signer = Signer::generate_es256("2026-11")?;
/// let token = signer.sign("at+jwt", &serde_json::json!({ "iss": "https://id.example.com", "sub": "u-alice" }))?;
/// assert_eq!(token.split('.').count(), 3);
/// # Ok::<(), palisade::token::sign::SignError>(())
/// ```
pub struct Signer {
    algorithm: Algorithm,
    id: Box<str>,
    material: Material,
}

/// What the signature is computed with.
enum Material {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Secret(Box<hmac::Key>),
}

impl Signer {
    /// A new key on P-256, which every library can check.
    pub fn generate_es256(id: &str) -> Result<Self, SignError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| SignError::Failed)?;
        Ok(Self::new(Algorithm::Es256, id, Material::Ecdsa(pair)))
    }

    /// A new Ed25519 key.
    pub fn generate_ed25519(id: &str) -> Result<Self, SignError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| SignError::Failed)?;
        Ok(Self::new(Algorithm::EdDsa, id, Material::Ed25519(pair)))
    }

    /// A new key for ES256 or EdDSA, and its private half in PKCS #8 DER, to be kept.
    pub fn generate(algorithm: Algorithm, id: &str) -> Result<(Self, Secret), SignError> {
        let random = SystemRandom::new();
        let der = match algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random),
            Algorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random),
            Algorithm::Es384 | Algorithm::Hs256 | Algorithm::Ps256 | Algorithm::Rs256 => {
                return Err(SignError::Unsupported(algorithm));
            }
        };
        let private = Secret::new(der.map_err(|_| SignError::Failed)?.as_ref());
        Ok((Self::from_pkcs8(algorithm, id, &private)?, private))
    }

    /// A private key in PKCS #8 DER (RFC 5958), for ES256 or EdDSA.
    pub fn from_pkcs8(algorithm: Algorithm, id: &str, der: &Secret) -> Result<Self, SignError> {
        let material = match algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.expose()).map(Material::Ed25519),
            Algorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.expose()).map(Material::Ecdsa)
            }
            Algorithm::Es384 | Algorithm::Hs256 | Algorithm::Ps256 | Algorithm::Rs256 => {
                return Err(SignError::Unsupported(algorithm));
            }
        };
        Ok(Self::new(algorithm, id, material.map_err(|_| SignError::KeyRejected)?))
    }

    /// A private key in PEM (`-----BEGIN PRIVATE KEY-----`), for ES256 or EdDSA, whichever it is. Its name is the
    /// thumbprint of its public half (RFC 7638).
    pub fn from_pem(pem: &str) -> Result<Self, SignError> {
        let body = pem.trim().strip_prefix("-----BEGIN PRIVATE KEY-----");
        let body =
            body.and_then(|rest| rest.strip_suffix("-----END PRIVATE KEY-----")).ok_or(SignError::KeyRejected)?;
        let base64: String = body.split_ascii_whitespace().collect();
        let der = Secret::new(STANDARD.decode(base64).map_err(|_| SignError::KeyRejected)?);
        let key =
            Self::from_pkcs8(Algorithm::Es256, "", &der).or_else(|_| Self::from_pkcs8(Algorithm::EdDsa, "", &der));
        let mut key = key?;
        let jwk = key.public_jwk().ok_or(SignError::KeyRejected)?;
        key.id = jwk::thumbprint(&jwk).map_err(|_| SignError::KeyRejected)?.as_str().into();
        Ok(key)
    }

    /// A shared secret of at least 32 random bytes, for HS256.
    pub fn hmac(id: &str, secret: &Secret) -> Result<Self, SignError> {
        // The checking side knows what a good secret is.
        VerifyKey::hmac(Algorithm::Hs256, None, secret).map_err(|_| SignError::KeyRejected)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
        Ok(Self::new(Algorithm::Hs256, id, Material::Secret(Box::new(key))))
    }

    /// A token of the kind `typ` that says `claims`, which must be an object.
    pub fn sign(&self, typ: &str, claims: &Value) -> Result<String, SignError> {
        if !claims.is_object() {
            return Err(SignError::NoObject);
        }
        let header = json!({ "alg": self.algorithm.as_str(), "typ": typ, "kid": &*self.id });
        self.seal(header.to_string().as_bytes(), claims.to_string().as_bytes())
    }

    /// A proof that the caller has this key, for one request (RFC 9449 section 4.2): the header brings the public key.
    /// A shared secret proves nothing and is refused.
    pub fn sign_proof(&self, claims: &Value) -> Result<String, SignError> {
        let Some(Value::Object(mut jwk)) = self.public_jwk() else {
            return Err(SignError::Unsupported(self.algorithm));
        };
        jwk.retain(|name, _| ["kty", "crv", "x", "y"].contains(&name.as_str()));
        let header = json!({ "typ": "dpop+jwt", "alg": self.algorithm.as_str(), "jwk": jwk });
        self.seal(header.to_string().as_bytes(), claims.to_string().as_bytes())
    }

    /// The algorithm it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public half as a JWK with `kid`, `alg` and `use`; `None` for a shared secret, which has none.
    pub fn public_jwk(&self) -> Option<Value> {
        let (id, algorithm) = (&*self.id, self.algorithm.as_str());
        match &self.material {
            Material::Ecdsa(pair) => {
                let (x, y) = pair.public_key().as_ref().split_first()?.1.split_at_checked(32)?;
                let (x, y) = (base64url::encode(x), base64url::encode(y));
                Some(json!({ "kty": "EC", "crv": "P-256", "kid": id, "alg": algorithm, "use": "sig", "x": x, "y": y }))
            }
            Material::Ed25519(pair) => {
                let x = base64url::encode(pair.public_key().as_ref());
                Some(json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "alg": algorithm, "use": "sig", "x": x }))
            }
            Material::Secret(_) => None,
        }
    }

    /// The key that checks what this one signs.
    pub fn verify_key(&self) -> Result<VerifyKey, KeyError> {
        match &self.material {
            Material::Secret(key) => Ok(VerifyKey::from_mac(Some(&self.id), hmac::Key::clone(key))),
            Material::Ecdsa(_) | Material::Ed25519(_) => VerifyKey::from_jwk(&self.public_jwk().unwrap_or_default()),
        }
    }

    /// Any header and payload, signed and put together (RFC 7515 section 7.1).
    pub(super) fn seal(&self, header: &[u8], payload: &[u8]) -> Result<String, SignError> {
        let message = format!("{}.{}", base64url::encode(header), base64url::encode(payload));
        let signature = match &self.material {
            Material::Ecdsa(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message.as_bytes()).map_err(|_| SignError::Failed)?;
                base64url::encode(signature.as_ref())
            }
            Material::Ed25519(pair) => base64url::encode(pair.sign(message.as_bytes()).as_ref()),
            Material::Secret(key) => base64url::encode(hmac::sign(key, message.as_bytes()).as_ref()),
        };
        Ok(format!("{message}.{signature}"))
    }

    fn new(algorithm: Algorithm, id: &str, material: Material) -> Self {
        Self { algorithm, id: id.into(), material }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("algorithm", &self.algorithm).field("id", &self.id).finish_non_exhaustive()
    }
}

/// Why nothing was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The cryptographic library could not do it.
    #[error("signing failed")]
    Failed,
    /// The key is not one for its algorithm, or too short.
    #[error("the key was refused")]
    KeyRejected,
    /// There is no key that may sign now.
    #[error("there is no key that may sign now")]
    NoKey,
    /// Claims are an object (RFC 7519 section 4).
    #[error("the claims are not an object")]
    NoObject,
    /// Nothing here signs with this algorithm.
    #[error("signing with `{0}` is not supported")]
    Unsupported(Algorithm),
}
