//! Sealing of private keys and other secrets before they go into a store (AES-256-GCM, NIST SP 800-38D).
//!
//! The key that seals is not in the store. What is sealed says under which key, and is bound to its purpose and to its
//! record, so that whoever may write to the store cannot put one record's secret in another's place.
//!
//! ```
//! use palisade::core::secret::Secret;
//! use palisade::crypto::envelope::Envelope;
//!
//! let envelope = Envelope::new("2026", &Secret::new([7; 32]))?;
//! let sealed = envelope.seal("signing", "1", b"a private key")?;
//! assert_eq!(envelope.open("signing", "1", &sealed)?.expose(), b"a private key");
//! assert!(envelope.open("signing", "2", &sealed).is_err());
//! # Ok::<(), palisade::crypto::envelope::EnvelopeError>(())
//! ```

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use palisade_core::secret::Secret;

/// Seals with the newest of its keys and opens with any.
pub struct Envelope {
    newest: Box<str>,
    keys: BTreeMap<Box<str>, RandomizedNonceKey>,
}

impl Envelope {
    /// One key of exactly 32 random bytes, with a name of at most 255 bytes.
    pub fn new(id: &str, key: &Secret) -> Result<Self, EnvelopeError> {
        Self { newest: id.into(), keys: BTreeMap::new() }.and_older(id, key)
    }

    /// The same and a key that has sealed earlier.
    pub fn and_older(mut self, id: &str, key: &Secret) -> Result<Self, EnvelopeError> {
        let is_name = !id.is_empty() && u8::try_from(id.len()).is_ok();
        let key = RandomizedNonceKey::new(&AES_256_GCM, key.expose()).ok().filter(|_| is_name);
        if self.keys.insert(id.into(), key.ok_or(EnvelopeError::Key)?).is_some() {
            return Err(EnvelopeError::Key);
        }
        Ok(self)
    }

    /// Reads keys as a file holds them: on each line a name, a space, and 32 bytes in base64, the newest first. Empty
    /// lines and lines that begin with `#` are skipped.
    pub fn parse(text: &str) -> Result<Self, EnvelopeError> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut envelope: Option<Self> = None;
        for line in lines {
            let (id, key) = line.split_once(' ').ok_or(EnvelopeError::Key)?;
            let key = Secret::new(STANDARD.decode(key.trim()).map_err(|_| EnvelopeError::Key)?);
            envelope = Some(match envelope {
                None => Self::new(id, &key)?,
                Some(envelope) => envelope.and_older(id, &key)?,
            });
        }
        envelope.ok_or(EnvelopeError::Key)
    }

    /// Seals a secret for one record of one purpose.
    pub fn seal(&self, purpose: &str, record: &str, secret: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        let key = self.keys.get(&self.newest).ok_or(EnvelopeError::Key)?;
        let mut body = secret.to_vec();
        let context = Aad::from(context(&self.newest, purpose, record));
        let nonce = key.seal_in_place_append_tag(context, &mut body).map_err(|_| EnvelopeError::Sealing)?;
        let length = u8::try_from(self.newest.len()).map_err(|_| EnvelopeError::Key)?;
        Ok([&[VERSION, length], self.newest.as_bytes(), nonce.as_ref().as_slice(), &body].concat())
    }

    /// Opens what was sealed for this record of this purpose.
    pub fn open(&self, purpose: &str, record: &str, sealed: &[u8]) -> Result<Secret, EnvelopeError> {
        let (id, rest) = match sealed {
            [VERSION, length, rest @ ..] => rest.split_at_checked((*length).into()).ok_or(EnvelopeError::Opening)?,
            _ => return Err(EnvelopeError::Opening),
        };
        let id = std::str::from_utf8(id).map_err(|_| EnvelopeError::Opening)?;
        let key = self.keys.get(id).ok_or_else(|| EnvelopeError::Unknown(id.to_owned()))?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or(EnvelopeError::Opening)?;
        let mut body = body.to_vec();
        let context = Aad::from(context(id, purpose, record));
        let plain = key.open_in_place(Nonce::from(nonce), context, &mut body).map_err(|_| EnvelopeError::Opening)?;
        let length = plain.len();
        body.truncate(length);
        // The secret takes over the memory in which it was opened.
        Ok(Secret::new(body))
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope").field("newest", &self.newest).finish_non_exhaustive()
    }
}

/// Why nothing was sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// A sealing key is not 32 bytes, has no name or one that another has, or a file of keys is not one.
    #[error(
        "a sealing key has a name and 32 bytes: write a line such as `2026-11 BASE64`, made by `openssl rand -base64 32`"
    )]
    Key,
    /// The record was damaged, or put in the place of another.
    #[error("the sealed record cannot be opened")]
    Opening,
    /// The cryptographic library could not do it.
    #[error("sealing failed")]
    Sealing,
    /// The key that has sealed the record is not here.
    #[error("the record was sealed with the key `{0}`, which is not here")]
    Unknown(String),
}

/// What a sealed secret is bound to. Each part stands behind its length.
fn context(id: &str, purpose: &str, record: &str) -> Vec<u8> {
    let parts = [id, purpose, record].map(|part| [&part.len().to_be_bytes(), part.as_bytes()].concat());
    [&[VERSION], parts.concat().as_slice()].concat()
}

/// The form of what is sealed.
const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        Envelope::new("k1", &Secret::new([7; 32])).unwrap()
    }

    #[test]
    fn opens_what_it_has_sealed_and_nothing_else() {
        let sealed = envelope().seal("signing", "1", b"secret").unwrap();
        let plain = |envelope: &Envelope, purpose, record, sealed: &[u8]| {
            envelope.open(purpose, record, sealed).map(|secret| secret.expose().to_vec())
        };
        assert_eq!(plain(&envelope(), "signing", "1", &sealed), Ok(b"secret".to_vec()));
        assert_ne!(envelope().seal("signing", "1", b"secret").unwrap(), sealed, "the nonce is never the same");
        let mut swapped = sealed.clone();
        for at in 0..sealed.len() {
            swapped[at] ^= 1;
            assert!(plain(&envelope(), "signing", "1", &swapped).is_err(), "byte {at}");
            assert!(plain(&envelope(), "signing", "1", &sealed[..at]).is_err(), "cut at {at}");
            swapped[at] ^= 1;
        }
        for (purpose, record) in [("signing", "2"), ("signin", "g1"), ("other", "1"), ("signing1", "")] {
            assert_eq!(plain(&envelope(), purpose, record, &sealed), Err(EnvelopeError::Opening), "{purpose} {record}");
        }
        let other = Envelope::new("k1", &Secret::new([8; 32])).unwrap();
        assert_eq!(plain(&other, "signing", "1", &sealed), Err(EnvelopeError::Opening));
        let newer = Envelope::new("k2", &Secret::new([8; 32])).unwrap();
        assert_eq!(plain(&newer, "signing", "1", &sealed), Err(EnvelopeError::Unknown("k1".to_owned())));
        let both = newer.and_older("k1", &Secret::new([7; 32])).unwrap();
        assert_eq!(plain(&both, "signing", "1", &sealed), Ok(b"secret".to_vec()));
    }

    #[test]
    fn keys_are_read_from_lines() {
        let (seven, eight) = (STANDARD.encode([7; 32]), STANDARD.encode([8; 32]));
        let read = Envelope::parse(&format!("# newest first\n\nk2 {eight}\nk1  {seven}\n")).unwrap();
        assert_eq!(&*read.newest, "k2");
        let sealed = envelope().seal("p", "r", b"x").unwrap();
        assert!(read.open("p", "r", &sealed).is_ok());
        for text in ["", "#", "k1", "k1 AAAA", &format!("k {seven}\nk {eight}"), &format!(" {seven}")] {
            assert_eq!(Envelope::parse(text).map(drop), Err(EnvelopeError::Key), "{text}");
        }
    }
}
