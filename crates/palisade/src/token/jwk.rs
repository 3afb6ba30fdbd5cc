//! A key that checks signatures, bound to exactly one algorithm (RFC 7517; RFC 8725 section 3.1).
//!
//! Whatever could make a key weak or ambiguous is refused here, once, so that nothing needs to be asked when a token
//! comes: short keys, points that are not on their curve, keys for encryption, private keys in a public place.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaParameters,
};
use palisade_core::id::KeyThumbprint;
use palisade_core::secret::Secret;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::error::TokenError;
use super::{base64url, pem, rsa};

/// A key that checks signatures of one algorithm.
///
/// ```
/// use palisade::token::algorithm::Algorithm;
/// use palisade::token::jwk::VerifyKey;
///
/// let jwk = serde_json::json!({
///     "kty": "OKP", "crv": "Ed25519", "kid": "2026-11", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
/// });
/// let key = VerifyKey::from_jwk(&jwk)?;
/// assert_eq!((key.algorithm(), key.id()), (Algorithm::EdDsa, Some("2026-11")));
/// # Ok::<(), palisade::token::jwk::KeyError>(())
/// ```
pub struct VerifyKey {
    algorithm: Algorithm,
    id: Option<Box<str>>,
    material: Material,
}

/// What the signature is computed with.
enum Material {
    Public(ParsedPublicKey),
    Secret(Box<hmac::Key>),
}

impl VerifyKey {
    /// Reads a JSON Web Key (RFC 7517).
    ///
    /// `use` must be `sig` and `key_ops` must contain `verify`, where they stand. `alg` may be missing where the type
    /// leaves one choice (`EC`, `OKP`); an `RSA` key without it is for RS256 only; a secret (`oct`) must say it.
    pub fn from_jwk(jwk: &Value) -> Result<Self, KeyError> {
        let jwk = Members(jwk.as_object().ok_or(KeyError::Malformed("JWK"))?);
        let kind = jwk.text("kty")?.ok_or(KeyError::Malformed("kty"))?;
        jwk.check_use()?;
        let id = jwk.text("kid")?;
        if kind == "oct" {
            let algorithm = jwk.algorithm()?.ok_or(KeyError::Malformed("alg"))?;
            return Self::hmac(algorithm, id, &Secret::new(jwk.bytes("k")?));
        }
        if PRIVATE_MEMBERS.iter().any(|name| jwk.0.contains_key(*name)) {
            return Err(KeyError::Private);
        }
        let algorithm = match (kind, jwk.text("crv")?) {
            ("EC", Some("P-256")) => jwk.only(Algorithm::Es256)?,
            ("EC", Some("P-384")) => jwk.only(Algorithm::Es384)?,
            ("OKP", Some("Ed25519")) => jwk.only(Algorithm::EdDsa)?,
            ("RSA", None) => jwk.algorithm()?.unwrap_or(Algorithm::Rs256),
            (kind, curve) => return Err(KeyError::Unsupported(curve.unwrap_or(kind).to_owned())),
        };
        let key = match algorithm {
            Algorithm::EdDsa => ed25519(&jwk.bytes("x")?)?,
            Algorithm::Es256 | Algorithm::Es384 => {
                let (x, y) = (jwk.bytes("x")?, jwk.bytes("y")?);
                // RFC 7518 section 6.2.1.2: both coordinates have the full length, so that the parts cannot shift.
                if x.len() != y.len() {
                    return Err(KeyError::Malformed("x"));
                }
                elliptic(algorithm, &[&[UNCOMPRESSED], x.as_slice(), &y].concat())?
            }
            Algorithm::Ps256 | Algorithm::Rs256 if kind == "RSA" => {
                rsa::key(&jwk.bytes("n")?, &jwk.bytes("e")?, rsa_rules(algorithm))?
            }
            Algorithm::Hs256 | Algorithm::Ps256 | Algorithm::Rs256 => return Err(KeyError::OtherAlgorithm),
        };
        Ok(Self::new(algorithm, id, Material::Public(key)))
    }

    /// Reads a public key in PEM (`-----BEGIN PUBLIC KEY-----`, RFC 7468 section 13) for one algorithm. Without an `id`
    /// the key is tried for every token of its algorithm, whatever key the token names.
    pub fn from_pem(algorithm: Algorithm, id: Option<&str>, pem: &str) -> Result<Self, KeyError> {
        let bits = pem::key_bits(algorithm, pem)?;
        let key = match algorithm {
            Algorithm::EdDsa => ed25519(&bits)?,
            Algorithm::Es256 | Algorithm::Es384 => elliptic(algorithm, &bits)?,
            Algorithm::Ps256 | Algorithm::Rs256 => {
                let (modulus, exponent) = pem::rsa_numbers(&bits).ok_or(KeyError::Malformed("PEM"))?;
                rsa::key(modulus, exponent, rsa_rules(algorithm))?
            }
            Algorithm::Hs256 => return Err(KeyError::OtherAlgorithm),
        };
        Ok(Self::new(algorithm, id, Material::Public(key)))
    }

    /// Takes a shared secret of at least 32 bytes (RFC 7518 section 3.2). It must be random: a password of that length
    /// can be guessed from any one token (RFC 8725 section 3.5).
    pub fn hmac(algorithm: Algorithm, id: Option<&str>, secret: &Secret) -> Result<Self, KeyError> {
        if !algorithm.is_symmetric() {
            return Err(KeyError::OtherAlgorithm);
        }
        if secret.expose().len() < 32 {
            return Err(KeyError::Weak("the secret has fewer than 32 bytes"));
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
        Ok(Self::new(algorithm, id, Material::Secret(Box::new(key))))
    }

    /// The one algorithm the key is for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The name a token's header may call the key by (`kid`, RFC 7517 section 4.5).
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether `signature` is the key's for `message`; everything that is not is [`TokenError::SignatureInvalid`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), TokenError> {
        let outcome = match &self.material {
            Material::Public(key) => key.verify_sig(message, signature),
            Material::Secret(key) => hmac::verify(key, message, signature),
        };
        outcome.map_err(|_| TokenError::SignatureInvalid)
    }

    /// The checking side of a key that signs with a shared secret.
    pub(super) fn from_mac(id: Option<&str>, key: hmac::Key) -> Self {
        Self::new(Algorithm::Hs256, id, Material::Secret(Box::new(key)))
    }

    fn new(algorithm: Algorithm, id: Option<&str>, material: Material) -> Self {
        Self { algorithm, id: id.map(Into::into), material }
    }
}

impl fmt::Debug for VerifyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyKey").field("algorithm", &self.algorithm).field("id", &self.id).finish_non_exhaustive()
    }
}

/// Why a key or a set of keys was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Two keys of a set have one name, so that a token could mean either.
    #[error("two keys of the set have the id `{0}`")]
    DuplicateId(String),
    /// No key of a set can be used.
    #[error("the set has no key that checks signatures")]
    Empty,
    /// A member is missing, of the wrong type, or not what its type demands.
    #[error("`{0}` is missing or malformed")]
    Malformed(&'static str),
    /// A set has both secrets and public keys: a public key could be taken for a secret (RFC 8725 section 2.1).
    #[error("the set mixes shared secrets with public keys")]
    Mixed,
    /// The key's type is not that of its algorithm.
    #[error("the key is not one for its algorithm")]
    OtherAlgorithm,
    /// The key's `use` or `key_ops` is for something else.
    #[error("the key is not for checking signatures")]
    OtherUse,
    /// The private half is where only the public one belongs: whoever has read it can sign.
    #[error("the key is private; replace it and hand out its public half only")]
    Private,
    /// A set has more keys than are looked at.
    #[error("the set has more than {0} keys")]
    TooMany(usize),
    /// A type, curve or algorithm that is not known.
    #[error("`{0}` is not supported")]
    Unsupported(String),
    /// The key can be broken.
    #[error("{0}")]
    Weak(&'static str),
}

/// The thumbprint of a public key: the SHA-256 over the members that its type needs, in one spelling (RFC 7638).
///
/// ```
/// let jwk = serde_json::json!({
///     "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "any",
/// });
/// let thumbprint = palisade::token::jwk::thumbprint(&jwk)?;
/// assert_eq!(thumbprint.as_str(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
/// # Ok::<(), palisade::token::jwk::KeyError>(())
/// ```
pub fn thumbprint(jwk: &Value) -> Result<KeyThumbprint, KeyError> {
    let jwk = Members(jwk.as_object().ok_or(KeyError::Malformed("JWK"))?);
    let kind = jwk.text("kty")?.ok_or(KeyError::Malformed("kty"))?;
    // In alphabetical order, as section 3.2 lists them.
    let names: &[&'static str] = match kind {
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        "RSA" => &["e", "kty", "n"],
        kind => return Err(KeyError::Unsupported(kind.to_owned())),
    };
    let member = |name: &&'static str| {
        let text = jwk.text(name)?.ok_or(KeyError::Malformed(name))?;
        Ok(format!("{}:{}", Value::from(*name), Value::from(text)))
    };
    let members = names.iter().map(member).collect::<Result<Vec<_>, KeyError>>()?;
    let hash = digest(&SHA256, format!("{{{}}}", members.join(",")).as_bytes());
    Ok(KeyThumbprint::new(base64url::encode(hash.as_ref())))
}

/// The key that a proof of possession brings, for the algorithm that its header names, and the key's thumbprint.
pub(super) fn of_proof(jwk: Value, algorithm: Algorithm) -> Result<(VerifyKey, KeyThumbprint), KeyError> {
    let Value::Object(mut members) = jwk else { return Err(KeyError::Malformed("jwk")) };
    if algorithm.is_symmetric() || PRIVATE_MEMBERS.iter().any(|name| members.contains_key(*name)) {
        return Err(KeyError::Private);
    }
    members.entry("alg").or_insert_with(|| algorithm.as_str().into());
    let jwk = Value::Object(members);
    let key = VerifyKey::from_jwk(&jwk)?;
    if key.algorithm() != algorithm {
        return Err(KeyError::OtherAlgorithm);
    }
    Ok((key, thumbprint(&jwk)?))
}

/// The members of a JWK.
struct Members<'a>(&'a Map<String, Value>);

impl<'a> Members<'a> {
    fn text(&self, name: &'static str) -> Result<Option<&'a str>, KeyError> {
        self.0.get(name).map(|value| value.as_str().ok_or(KeyError::Malformed(name))).transpose()
    }

    fn bytes(&self, name: &'static str) -> Result<Vec<u8>, KeyError> {
        self.text(name)?.and_then(base64url::decode).ok_or(KeyError::Malformed(name))
    }

    fn algorithm(&self) -> Result<Option<Algorithm>, KeyError> {
        let parse = |name: &str| Algorithm::parse(name).ok_or_else(|| KeyError::Unsupported(name.to_owned()));
        self.text("alg")?.map(parse).transpose()
    }

    /// The algorithm of a key type that has only one; `alg` may repeat it but not contradict it.
    fn only(&self, algorithm: Algorithm) -> Result<Algorithm, KeyError> {
        let stated = self.algorithm()?.unwrap_or(algorithm);
        if stated == algorithm { Ok(algorithm) } else { Err(KeyError::OtherAlgorithm) }
    }

    /// RFC 7517 sections 4.2 and 4.3.
    fn check_use(&self) -> Result<(), KeyError> {
        if self.text("use")?.is_some_and(|purpose| purpose != "sig") {
            return Err(KeyError::OtherUse);
        }
        let Some(operations) = self.0.get("key_ops") else { return Ok(()) };
        let operations = operations.as_array().ok_or(KeyError::Malformed("key_ops"))?;
        if operations.iter().any(|operation| operation == "verify") { Ok(()) } else { Err(KeyError::OtherUse) }
    }
}

fn elliptic(algorithm: Algorithm, point: &[u8]) -> Result<ParsedPublicKey, KeyError> {
    let (rules, length) = match algorithm {
        Algorithm::Es384 => (&ECDSA_P384_SHA384_FIXED, 97),
        _ => (&ECDSA_P256_SHA256_FIXED, 65),
    };
    if point.len() != length || point.first() != Some(&UNCOMPRESSED) {
        return Err(KeyError::Malformed("x"));
    }
    // The point is proven to lie on the curve here: a signature check over another curve can be steered.
    ParsedPublicKey::new(rules, point).map_err(|_| KeyError::Weak("the point is not on the curve"))
}

fn ed25519(point: &[u8]) -> Result<ParsedPublicKey, KeyError> {
    let Ok(mut magnitude) = <[u8; 32]>::try_from(point) else { return Err(KeyError::Malformed("x")) };
    let [.., last] = &mut magnitude;
    *last &= 0x7f;
    if SMALL_ORDER.contains(&magnitude) {
        return Err(KeyError::Weak("the point has a small order, so that one signature fits many messages"));
    }
    ParsedPublicKey::new(&ED25519, point).map_err(|_| KeyError::Malformed("x"))
}

fn rsa_rules(algorithm: Algorithm) -> &'static RsaParameters {
    if algorithm == Algorithm::Ps256 { &RSA_PSS_2048_8192_SHA256 } else { &RSA_PKCS1_2048_8192_SHA256 }
}

/// Members that only a private or a secret key has (RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1).
const PRIVATE_MEMBERS: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The first byte of a point that is given by both coordinates (SEC 1 section 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// The points of Edwards25519 whose order divides eight, in every encoding, without the sign bit (RFC 8032 section 5.1).
const SMALL_ORDER: &[[u8; 32]] = &[
    edge(0x00, 0x00, 0x00),
    edge(0x01, 0x00, 0x00),
    edge(0xec, 0xff, 0x7f),
    edge(0xed, 0xff, 0x7f),
    edge(0xee, 0xff, 0x7f),
    *b"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05",
    *b"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a",
];

/// A number near the ends of the field: its lowest byte, those between, its highest.
const fn edge(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let m = middle;
    [first, m, m, m, m, m, m, m, m, m, m, m, m, m, m, m, m, m, m, m, m, m, m, m, m, m, m, m, m, m, m, last]
}
