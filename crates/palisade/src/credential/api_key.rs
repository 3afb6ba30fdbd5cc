//! API keys: long random texts that a program sends to say who it is, of which only the hash is kept.
//!
//! A key reads `pk_<prefix>_<32 random letters and digits>_<checksum>`. The prefix says what it is for (`live`, `test`)
//! and lets secret scanners find it; the checksum tells a typing error or a guess from a key without asking any store.
//! The random part carries 190 bits, which no one can search, so one SHA-256 protects it: a slow password hash would
//! only help whoever wants to keep this server busy (NIST SP 800-63B-4 section 3.1.2).
//!
//! ```
//! # struct Fixed;
//! # impl palisade_core::port::Entropy for Fixed { fn fill(&self, buffer: &mut [u8]) { buffer.fill(7) } }
//! # let entropy = Fixed;
//! use palisade::credential::api_key::{ApiKey, ApiKeyRecord, ApiKeys};
//! use palisade_core::{id::ClientId, time::Timestamp};
//!
//! let key = ApiKey::generate("live", &entropy)?;
//! let keys = ApiKeys::new([ApiKeyRecord::new(key.hash(), ClientId::new("reports"))])?;
//! let shown_once = key.expose().to_owned();
//! assert_eq!(keys.find(&shown_once, Timestamp::default())?.client, ClientId::new("reports"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest::{SHA256, digest};
use palisade_core::id::ClientId;
use palisade_core::port::Entropy;
use palisade_core::principal::{RoleSet, ScopeSet};
use palisade_core::secret::Secret;
use palisade_core::time::Timestamp;

use super::Known;

/// A key as its owner has it. It cannot be printed by accident.
#[derive(Clone)]
pub struct ApiKey(Secret);

impl ApiKey {
    /// Makes a key. The prefix is one to sixteen small letters and digits.
    pub fn generate(prefix: &str, entropy: &dyn Entropy) -> Result<Self, ApiKeyError> {
        if !is_prefix(prefix) {
            return Err(ApiKeyError::Malformed);
        }
        let body = random_text(entropy, BODY_LENGTH);
        let start = format!("pk_{prefix}_{body}");
        let sum: String = checksum(&start).collect();
        Ok(Self(Secret::new(format!("{start}_{sum}"))))
    }

    /// Reads a key of the shape that [`ApiKey::generate`] makes, and checks its checksum.
    pub fn parse(text: &str) -> Result<Self, ApiKeyError> {
        match Shape::of(text) {
            Shape::Ours => Ok(Self(Secret::new(text))),
            Shape::Foreign | Shape::Mistyped => Err(ApiKeyError::Malformed),
        }
    }

    /// The key itself, for the one place that shows it to its owner.
    pub fn expose(&self) -> &str {
        std::str::from_utf8(self.0.expose()).unwrap_or_default()
    }

    /// What is kept of it.
    pub fn hash(&self) -> ApiKeyHash {
        ApiKeyHash::of(self.expose())
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(..)")
    }
}

/// The SHA-256 of a whole key: enough to know it again, useless to whoever steals it.
///
/// ```
/// use palisade::credential::api_key::ApiKeyHash;
///
/// // What `printf %s abc | sha256sum` prints.
/// let written = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
/// assert_eq!(ApiKeyHash::parse(written), Some(ApiKeyHash::of("abc")));
/// assert_eq!(ApiKeyHash::of("abc").to_string(), written);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ApiKeyHash([u8; 32]);

impl ApiKeyHash {
    /// The hash of a key in any format.
    pub fn of(key: &str) -> Self {
        let mut hash = [0; 32];
        hash.iter_mut().zip(digest(&SHA256, key.as_bytes()).as_ref()).for_each(|(to, from)| *to = *from);
        Self(hash)
    }

    /// The hash whose bytes are known.
    pub fn from_bytes(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// Its bytes.
    pub(super) fn into_bytes(self) -> [u8; 32] {
        self.0
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The hash that 64 hexadecimal digits spell, as `sha256sum` prints them.
    pub fn parse(hex: &str) -> Option<Self> {
        let mut hash = [0; 32];
        let mut digits = hex.chars();
        for byte in &mut hash {
            let (high, low) = (digits.next()?.to_digit(16)?, digits.next()?.to_digit(16)?);
            *byte = u8::try_from(high * 16 + low).ok()?;
        }
        digits.next().is_none().then_some(Self(hash))
    }
}

impl fmt::Display for ApiKeyHash {
    /// 64 small hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Whose key it is and what it may be used for.
///
/// ```
/// use palisade::core::{id::ClientId, principal::ScopeSet, time::Timestamp};
/// use palisade::credential::api_key::{ApiKeyHash, ApiKeyRecord};
///
/// let record = ApiKeyRecord {
///     scopes: ["reports:read".to_owned()].into_iter().collect::<ScopeSet>(),
///     expires: Some(Timestamp::from_secs(1_800_000_000)),
///     ..ApiKeyRecord::new(ApiKeyHash::of("of-another-system"), ClientId::new("reports"))
/// };
/// assert!(record.roles.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ApiKeyRecord {
    /// The hash of the key.
    pub hash: ApiKeyHash,
    /// The program that has it.
    pub client: ClientId,
    /// What it may be used for.
    pub scopes: ScopeSet,
    /// The roles of its owner.
    pub roles: RoleSet,
    /// From when on it is refused.
    pub expires: Option<Timestamp>,
}

impl ApiKeyRecord {
    /// A record of a key that may nothing yet and does not end.
    pub fn new(hash: ApiKeyHash, client: ClientId) -> Self {
        Self { hash, client, scopes: ScopeSet::default(), roles: RoleSet::default(), expires: None }
    }
}

/// The keys that are known. A client may have several, so that it can change over from one to the next.
///
/// ```
/// use palisade::core::{id::ClientId, time::Timestamp};
/// use palisade::credential::api_key::{ApiKeyError, ApiKeyHash, ApiKeyRecord, ApiKeys};
///
/// let record = |client| ApiKeyRecord::new(ApiKeyHash::of("of-another-system"), ClientId::new(client));
/// let keys = ApiKeys::new([record("reports")])?;
/// let now = Timestamp::default();
/// assert_eq!(keys.find("of-another-system", now).unwrap().client, ClientId::new("reports"));
/// assert_eq!(keys.find("a-guess", now).unwrap_err(), ApiKeyError::Unknown);
/// // One key cannot act for two.
/// assert!(ApiKeys::new([record("reports"), record("billing")]).is_err());
/// # Ok::<(), palisade::credential::api_key::DuplicateKey>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ApiKeys {
    records: HashMap<ApiKeyHash, Kept>,
}

/// A record, and what the stage `authenticate` has made of it.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) record: ApiKeyRecord,
    pub(crate) known: OnceLock<Arc<Known>>,
}

impl ApiKeys {
    /// Keeps `records`; two of them for one key are refused, because it could only act for one.
    pub fn new(records: impl IntoIterator<Item = ApiKeyRecord>) -> Result<Self, DuplicateKey> {
        let mut keys = Self::default();
        for record in records {
            let kept = Kept { record, known: OnceLock::new() };
            if let Some(previous) = keys.records.insert(kept.record.hash, kept) {
                return Err(DuplicateKey { hash: previous.record.hash });
            }
        }
        Ok(keys)
    }

    /// The record of a presented key in our format or any other.
    ///
    /// The key is looked up by its hash, so that the time this takes says nothing about the keys that exist: nobody can
    /// choose the hash of a guess.
    pub fn find(&self, presented: &str, now: Timestamp) -> Result<&ApiKeyRecord, ApiKeyError> {
        self.kept(presented, now).map(|kept| &kept.record)
    }

    /// The record with what was made of it. Nothing is allocated.
    pub(crate) fn kept(&self, presented: &str, now: Timestamp) -> Result<&Kept, ApiKeyError> {
        let printable = presented.bytes().all(|byte| byte.is_ascii_graphic());
        if presented.is_empty() || presented.len() > MAX_LENGTH || !printable || Shape::of(presented) == Shape::Mistyped
        {
            return Err(ApiKeyError::Malformed);
        }
        let kept = self.records.get(&ApiKeyHash::of(presented)).ok_or(ApiKeyError::Unknown)?;
        if kept.record.expires.is_some_and(|expires| now >= expires) {
            return Err(ApiKeyError::Expired);
        }
        Ok(kept)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

/// Why a key was not accepted; for events, never for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiKeyError {
    /// The key was known and its time is over.
    #[error("the key is expired")]
    Expired,
    /// The text cannot be a key, or its checksum is wrong.
    #[error("the key is malformed")]
    Malformed,
    /// Nobody has this key.
    #[error("the key is unknown")]
    Unknown,
}

impl ApiKeyError {
    /// The reason as one word for events.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
        }
    }
}

/// Two records are for one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two API keys have the hash `{hash}`")]
pub struct DuplicateKey {
    hash: ApiKeyHash,
}

/// What a presented text looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Foreign,
    Mistyped,
    Ours,
}

impl Shape {
    fn of(text: &str) -> Self {
        let Some((start, sum)) = text.rsplit_once('_') else { return Self::Foreign };
        let parts = start.strip_prefix("pk_").and_then(|rest| rest.split_once('_'));
        let ours = parts.is_some_and(|(prefix, body)| {
            is_prefix(prefix)
                && body.len() >= BODY_LENGTH
                && is_base62(body)
                && sum.len() == SUM_LENGTH
                && is_base62(sum)
        });
        match (ours, checksum(start).eq(sum.chars())) {
            (false, _) => Self::Foreign,
            (true, false) => Self::Mistyped,
            (true, true) => Self::Ours,
        }
    }
}

fn is_prefix(text: &str) -> bool {
    (1..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

pub(super) fn is_base62(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Letters and digits, all equally likely: bytes beyond the last whole multiple of 62 are thrown away.
pub(super) fn random_text(entropy: &dyn Entropy, length: usize) -> String {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes = [0; 64];
        entropy.fill(&mut bytes);
        let fair = bytes.into_iter().filter(|byte| *byte < 248);
        text.extend(fair.map(|byte| base62(u64::from(byte))).take(length - text.len()));
    }
    text
}

/// The last six digits, in base 62, of the first eight bytes of the SHA-256 of everything before it. It finds mistakes
/// and proves nothing.
fn checksum(start: &str) -> impl Iterator<Item = char> {
    let ApiKeyHash([a, b, c, d, e, f, g, h, ..]) = ApiKeyHash::of(start);
    let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    let digits = std::iter::successors(Some(number), |rest| Some(rest / 62));
    digits.take(SUM_LENGTH).map(base62)
}

/// The last digit of a number in base 62.
pub(super) fn base62(number: u64) -> char {
    let digit = u8::try_from(number % 62).unwrap_or(0);
    char::from(match digit {
        0..=9 => b'0' + digit,
        10..=35 => b'A' + (digit - 10),
        _ => b'a' + (digit - 36),
    })
}

const BODY_LENGTH: usize = 32;

const SUM_LENGTH: usize = 6;

/// The longest text that is looked at.
const MAX_LENGTH: usize = 512;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use proptest::prelude::*;

    use super::*;

    /// Counts, so that all byte values come up.
    #[derive(Default)]
    struct Counting(AtomicU8);

    impl Entropy for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    fn keys(records: impl IntoIterator<Item = (&'static str, Option<u64>)>) -> ApiKeys {
        let record = |(key, expires): (&str, Option<u64>)| ApiKeyRecord {
            expires: expires.map(Timestamp::from_secs),
            ..ApiKeyRecord::new(ApiKeyHash::of(key), ClientId::new(key))
        };
        ApiKeys::new(records.into_iter().map(record)).unwrap()
    }

    #[test]
    fn makes_keys_that_are_read_back() {
        let entropy = Counting::default();
        for _ in 0..50 {
            let key = ApiKey::generate("live", &entropy).unwrap();
            assert_eq!(key.expose().len(), "pk_live_".len() + 32 + 1 + 6);
            assert_eq!(ApiKey::parse(key.expose()).unwrap().hash(), key.hash());
            assert_eq!(ApiKeyHash::parse(&key.hash().to_string()), Some(key.hash()));
            assert_eq!(format!("{key:?}"), "ApiKey(..)");
        }
        for prefix in ["", "Live", "li_ve", "li-ve", "seventeenletters0"] {
            assert!(ApiKey::generate(prefix, &entropy).is_err(), "{prefix}");
        }
    }

    #[test]
    fn a_typing_error_is_told_from_an_unknown_key() {
        let key = ApiKey::generate("live", &Counting::default()).unwrap();
        let known = ApiKeys::new([ApiKeyRecord::new(key.hash(), ClientId::new("c"))]).unwrap();
        let now = Timestamp::default();
        assert!(known.find(key.expose(), now).is_ok());
        for position in 8..key.expose().len() {
            let mut typo = key.expose().to_owned().into_bytes();
            if typo[position] == b'_' {
                continue;
            }
            typo[position] = if typo[position] == b'x' { b'y' } else { b'x' };
            let outcome = known.find(std::str::from_utf8(&typo).unwrap(), now);
            assert_eq!(outcome, Err(ApiKeyError::Malformed), "at {position}");
        }
        let other = ApiKey::generate("test", &Counting::default()).unwrap();
        assert_eq!(known.find(other.expose(), now), Err(ApiKeyError::Unknown));
    }

    #[test]
    fn finds_keys_of_any_format_until_they_expire() {
        let known = keys([("sk-foreign-1", None), ("pk_live_abc", Some(100)), ("dGVzdA==", Some(50))]);
        for (presented, now, expect) in [
            ("sk-foreign-1", 0, Ok("sk-foreign-1")),
            ("pk_live_abc", 99, Ok("pk_live_abc")),
            ("pk_live_abc", 100, Err(ApiKeyError::Expired)),
            ("dGVzdA==", 49, Ok("dGVzdA==")),
            ("sk-foreign-2", 0, Err(ApiKeyError::Unknown)),
            ("SK-FOREIGN-1", 0, Err(ApiKeyError::Unknown)),
            ("sk-foreign-1 ", 0, Err(ApiKeyError::Malformed)),
            ("", 0, Err(ApiKeyError::Malformed)),
            ("\u{e9}", 0, Err(ApiKeyError::Malformed)),
            (&"a".repeat(513), 0, Err(ApiKeyError::Malformed)),
        ] {
            let found = known.find(presented, Timestamp::from_secs(now)).map(|record| record.client.as_str());
            assert_eq!(found, expect, "{presented}");
        }
    }

    #[test]
    fn two_records_for_one_key_are_refused() {
        let record = |client: &'static str| ApiKeyRecord::new(ApiKeyHash::of("k"), ClientId::new(client));
        assert!(ApiKeys::new([record("a"), record("b")]).is_err());
    }

    #[test]
    fn reads_hashes_exactly() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(ApiKeyHash::parse(empty), Some(ApiKeyHash::of("")));
        assert_eq!(ApiKeyHash::parse(&empty.to_uppercase()), Some(ApiKeyHash::of("")));
        let short = empty.trim_start_matches('e');
        for hex in ["", "e3", short, &format!("{empty}0"), &empty.replace('e', "g"), &format!("+{short}")] {
            assert_eq!(ApiKeyHash::parse(hex), None, "{hex}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_finds_nothing_unknown(presented in ".{0,80}", shaped in "pk_[a-z]{1,4}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}") {
            let known = keys([("k", None)]);
            for text in [presented, shaped] {
                prop_assert_eq!(known.find(&text, Timestamp::default()).is_ok(), text == "k");
                let _ = ApiKey::parse(&text);
            }
        }
    }
}
