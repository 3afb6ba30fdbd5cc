//! The outside of a token: three parts, a header that may ask for nothing special, a signature (RFC 7515).

use palisade_core::id::KeyThumbprint;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::error::TokenError;
use super::jwk::{self, VerifyKey};
use super::{base64url, json};

/// A compact JWS that was taken apart and not yet believed. The payload comes out of [`Unverified::verify`] only.
///
/// ```
/// use palisade::token::error::TokenError;
/// use palisade::token::jws::Unverified;
///
/// let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.AA";
/// assert_eq!(Unverified::parse(unsigned).unwrap_err(), TokenError::AlgorithmForbidden);
/// ```
#[derive(Clone, Debug)]
pub struct Unverified<'a> {
    header: Header,
    message: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// What a header may say; everything in it is the sender's claim.
///
/// ```
/// use palisade::testing::TestWorld;
/// use palisade::token::jws::{Header, Unverified};
///
/// let token = TestWorld::new().issuer.token(&serde_json::json!({}));
/// let unverified = Unverified::parse(&token)?;
/// let Header { algorithm, kind, .. } = unverified.header();
/// assert_eq!((algorithm.as_str(), kind.as_deref()), ("ES256", Some("at+jwt")));
/// # Ok::<(), palisade::token::error::TokenError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The algorithm the sender says it used.
    pub algorithm: Algorithm,
    /// The name of the key it says it used. It is compared with the names of known keys and used for nothing else.
    pub key_id: Option<String>,
    /// The kind of token (`typ`).
    pub kind: Option<String>,
}

impl<'a> Unverified<'a> {
    /// Takes the text apart. Sizes, shapes, spelling and the header are checked here, before any key is looked for.
    pub fn parse(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > MAX_LENGTH {
            return Err(TokenError::TooLong);
        }
        // Five parts (an encrypted token) leave a dot in the payload, which is not in the alphabet.
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::Malformed)?;
        let header = Header::parse(&json::object(&part(header)?).ok_or(TokenError::Malformed)?)?;
        // A signature may be one over nothing; what asks for claims finds none in it.
        let payload = base64url::decode(payload).ok_or(TokenError::Malformed)?;
        Ok(Self { header, message, payload, signature: part(signature)? })
    }

    /// Takes a proof apart that brings its own key (RFC 9449 section 4.2). It proves that somebody has that key, and
    /// nothing about who: the key must then be the one that a token names.
    pub(super) fn parse_proof(proof: &'a str) -> Result<(Self, VerifyKey, KeyThumbprint), TokenError> {
        if proof.len() > MAX_LENGTH {
            return Err(TokenError::TooLong);
        }
        let (message, signature) = proof.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::Malformed)?;
        let mut members = json::object(&part(header)?).ok_or(TokenError::Malformed)?;
        let jwk = members.remove("jwk").ok_or(TokenError::Malformed)?;
        let header = Header::parse(&members)?;
        let (key, thumbprint) = jwk::of_proof(jwk, header.algorithm).map_err(|_| TokenError::HeaderKeyForbidden)?;
        Ok((Self { header, message, payload: part(payload)?, signature: part(signature)? }, key, thumbprint))
    }

    /// The header, by which a key is found.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The payload, if `key` signed it with the algorithm that both name.
    pub fn verify(&self, key: &VerifyKey) -> Result<&[u8], TokenError> {
        if key.algorithm() != self.header.algorithm {
            return Err(TokenError::AlgorithmMismatch);
        }
        key.verify(self.message.as_bytes(), &self.signature)?;
        Ok(&self.payload)
    }
}

impl Header {
    fn parse(members: &Map<String, Value>) -> Result<Self, TokenError> {
        // RFC 7515 section 4.1.11: what must be understood and is not makes the token invalid; RFC 7797 changes what is
        // signed and is refused with or without `crit`.
        if members.contains_key("crit") || members.contains_key("b64") {
            return Err(TokenError::CriticalHeader);
        }
        if KEY_MEMBERS.iter().any(|name| members.contains_key(*name)) {
            return Err(TokenError::HeaderKeyForbidden);
        }
        let algorithm = text(members, "alg")?.ok_or(TokenError::Malformed)?;
        Ok(Self {
            algorithm: Algorithm::parse(&algorithm).ok_or(TokenError::AlgorithmForbidden)?,
            key_id: text(members, "kid")?,
            kind: text(members, "typ")?,
        })
    }
}

fn part(text: &str) -> Result<Vec<u8>, TokenError> {
    base64url::decode(text).filter(|bytes| !bytes.is_empty()).ok_or(TokenError::Malformed)
}

fn text(members: &Map<String, Value>, name: &str) -> Result<Option<String>, TokenError> {
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or(TokenError::Malformed);
    members.get(name).map(text).transpose()
}

/// The longest token that is read. Headers of a request are seldom longer in sum.
pub(super) const MAX_LENGTH: usize = 8 * 1024;

/// Header members that bring a key or its address (RFC 7515 sections 4.1.2, 4.1.3, 4.1.5 and 4.1.6).
const KEY_MEMBERS: &[&str] = &["jwk", "jku", "x5c", "x5u"];
