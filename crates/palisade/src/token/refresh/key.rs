//! What a refresh token is made of, and the keys that prove it.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::hmac;
use palisade_core::port::refresh::{Family, FamilyId};
use palisade_core::secret::Secret;

use super::{RefreshError, TokenText};
use crate::token::base64url;
use crate::token::jwk::KeyError;

/// The keys that tokens are proven with, by name. New families get the newest; older ones keep theirs, so that a key can
/// be replaced without anybody noticing, and taken away with everything that was proven with it.
///
/// ```
/// use palisade::core::secret::Secret;
/// use palisade::token::refresh::RefreshKeys;
///
/// let keys = RefreshKeys::new("2026-11", &Secret::new([7; 32]))?.and_older("2026-05", &Secret::new([6; 32]))?;
/// assert!(keys.and_older("2025-11", &Secret::new("short")).is_err());
/// # Ok::<(), palisade::token::jwk::KeyError>(())
/// ```
pub struct RefreshKeys {
    newest: Box<str>,
    keys: BTreeMap<Box<str>, hmac::Key>,
}

impl RefreshKeys {
    /// One key of at least 32 random bytes.
    pub fn new(id: &str, secret: &Secret) -> Result<Self, KeyError> {
        Self { newest: id.into(), keys: BTreeMap::new() }.and_older(id, secret)
    }

    /// The same and a key of earlier families.
    pub fn and_older(mut self, id: &str, secret: &Secret) -> Result<Self, KeyError> {
        if secret.expose().len() < 32 {
            return Err(KeyError::Weak("the secret has fewer than 32 bytes"));
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
        if self.keys.insert(id.into(), key).is_some() {
            return Err(KeyError::DuplicateId(id.to_owned()));
        }
        Ok(self)
    }

    /// The name of the key that new families get.
    pub(super) fn newest(&self) -> &str {
        &self.newest
    }

    /// That the family's own key has made a token, compared in constant time.
    pub(super) fn prove(&self, token: &RefreshToken, family: &Family) -> Result<(), RefreshError> {
        let key = self.keys.get(&family.key).ok_or(RefreshError::KeyUnknown)?;
        let message = message(family, token.generation);
        hmac::verify(key, &message, &token.proof).map_err(|_| RefreshError::Forged)
    }

    /// The token of a family's generation; `None` where its key was taken away.
    pub(super) fn token(&self, family: &Family, generation: u32) -> Option<TokenText> {
        let tag = hmac::sign(self.keys.get(&family.key)?, &message(family, generation));
        let bytes = [family.id.as_bytes().as_slice(), &generation.to_be_bytes(), tag.as_ref()].concat();
        Some(TokenText::new(format!("{PREFIX}{}", base64url::encode(&bytes))))
    }
}

impl fmt::Debug for RefreshKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshKeys").field("newest", &self.newest).finish_non_exhaustive()
    }
}

/// What is proven. Every part has its length, so that none can run into another.
fn message(family: &Family, generation: u32) -> Vec<u8> {
    [PURPOSE, family.id.as_bytes(), &generation.to_be_bytes(), &family.salt].concat()
}

/// A token that was taken apart and not yet believed.
///
/// ```
/// use palisade::token::refresh::RefreshToken;
///
/// assert!(RefreshToken::parse("prt_AAAA").is_none());
/// let zeros = format!("prt_{}", "A".repeat(70));
/// assert_eq!(RefreshToken::parse(&zeros).map(|token| token.generation()), Some(0));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    family: FamilyId,
    generation: u32,
    proof: [u8; 32],
}

impl RefreshToken {
    /// Takes a text apart. Every token has one spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let body = text.strip_prefix(PREFIX).filter(|body| body.len() == 70)?;
        let bytes = base64url::decode(body)?;
        let (family, rest) = bytes.split_first_chunk()?;
        let (generation, proof) = rest.split_first_chunk()?;
        Some(Self {
            family: FamilyId::from_bytes(*family),
            generation: u32::from_be_bytes(*generation),
            proof: proof.try_into().ok()?,
        })
    }

    /// The family that it names.
    pub fn family(&self) -> FamilyId {
        self.family
    }

    /// The generation that it names.
    pub fn generation(&self) -> u32 {
        self.generation
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshToken").field("family", &self.family).finish_non_exhaustive()
    }
}

/// What every token begins with, so that scanners for leaked secrets find it.
const PREFIX: &str = "prt_";

/// What an HMAC with these keys is for, so that none of another purpose can be taken for one.
const PURPOSE: &[u8] = b"palisade refresh token 1\0";
