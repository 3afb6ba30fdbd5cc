//! Hashes of passwords as they are kept: read strictly, and never run when they would cost too much.
//!
//! What this library makes is Argon2id as a PHC string. What other systems have left behind is checked too, so that
//! their users can be taken over without being asked for anything:
//!
//! | text | scheme |
//! |---|---|
//! | `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH` | Argon2id (RFC 9106); `keyid=` names a pepper |
//! | `$2b$12$...`, also `2a` and `2y` | bcrypt, of passwords up to 72 bytes |
//! | `$scrypt$ln=16,r=8,p=1$SALT$HASH` | scrypt (RFC 7914) |
//! | `$pbkdf2-sha256$i=600000,l=32$SALT$HASH`, also `sha512` | PBKDF2 (RFC 8018) |
//! | `$pbkdf2-sha256$600000$SALT$HASH` | the same, as Passlib writes it |
//! | `pbkdf2_sha256$600000$SALT$HASH` | the same, as Django writes it |

use std::fmt;
use std::num::NonZeroU32;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::pbkdf2;
use base64::Engine as _;
use base64::alphabet::BCRYPT;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD, STANDARD_NO_PAD};

/// How much one hash costs, by Argon2id.
///
/// ```
/// use palisade::credential::password::Cost;
///
/// assert_eq!(Cost::default(), Cost::new(19 * 1024, 2, 1).unwrap());
/// // Less than this protects nobody, and more than this is a mistake.
/// assert!(Cost::new(1024, 1, 1).is_none() && Cost::new(8 << 20, 2, 1).is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    /// A cost of at least 7 MiB, of at least what OWASP's Password Storage Cheat Sheet gives for that much memory, and
    /// of no more than a second or two.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Option<Self> {
        // Each step of the cheat sheet fills about 35 MiB in all: 46 MiB once, 19 twice, 12 three times, 7 five times.
        let filled = u64::from(memory_kib) * u64::from(passes);
        let enough = memory_kib >= 7 * 1024 && filled >= 35 * 1024;
        (enough && lanes == 1).then(|| Self::checked(memory_kib, passes, lanes)).flatten()
    }

    /// A cost that protects nothing and takes a millisecond. FOR TESTS ONLY.
    #[cfg(any(test, feature = "testing"))]
    pub fn danger_for_tests() -> Self {
        Self { memory_kib: 256, passes: 1, lanes: 1 }
    }

    /// Any cost that may be run.
    pub(crate) fn checked(memory_kib: u32, passes: u32, lanes: u32) -> Option<Self> {
        let filled = u64::from(memory_kib) * u64::from(passes);
        let runs = (1..=MOST_LANES).contains(&lanes) && passes >= 1 && memory_kib >= 8 * lanes;
        (runs && memory_kib <= MOST_MEMORY_KIB && filled <= MOST_FILLED_KIB).then_some(Self {
            memory_kib,
            passes,
            lanes,
        })
    }

    /// How much memory one hash fills, in KiB.
    pub fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// How often.
    pub fn passes(self) -> u32 {
        self.passes
    }

    /// How many blocks of 1 KiB are needed.
    pub(super) fn blocks(self) -> usize {
        usize::try_from(self.memory_kib).unwrap_or(usize::MAX)
    }

    /// The hash of `password`, in `memory` that holds at least [`Self::blocks`].
    pub(super) fn run(self, password: &[u8], salt: &[u8], memory: &mut [Block], out: &mut [u8]) -> bool {
        let Ok(params) = Params::new(self.memory_kib, self.passes, self.lanes, Some(out.len())) else { return false };
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into_with_memory(password, salt, out, memory).is_ok()
    }
}

impl Default for Cost {
    /// 19 MiB, twice: the first choice of OWASP's Password Storage Cheat Sheet that suits machines of all sizes.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 }
    }
}

impl fmt::Display for Cost {
    /// As a PHC string writes it: `m=19456,t=2,p=1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={},t={},p={}", self.memory_kib, self.passes, self.lanes)
    }
}

/// A hash that was read and may be run.
///
/// ```
/// use palisade::credential::password::{HashError, StoredHash};
///
/// assert!(StoredHash::parse("$2b$10$7EqJtq98hPqEX7fNZaFWoOa5n0r1zJx0C4a3sM1Y8kT5q2pG0cQbe").is_ok());
/// // What would take an hour or all memory is refused before it is run.
/// let huge = "$argon2id$v=19$m=4194304,t=10,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA";
/// assert_eq!(StoredHash::parse(huge).unwrap_err(), HashError::TooCostly);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct StoredHash {
    scheme: Scheme,
    salt: Vec<u8>,
    hash: Vec<u8>,
    key: Option<Box<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Argon2id(Cost),
    Bcrypt { cost: u32 },
    Pbkdf2Sha256 { rounds: NonZeroU32 },
    Pbkdf2Sha512 { rounds: NonZeroU32 },
    Scrypt { log_n: u8, r: u32, p: u32 },
}

/// Why a hash is not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// It is no hash of a password in a form that is known.
    #[error("the hash is malformed")]
    Malformed,
    /// It needs a pepper that is not among the settings.
    #[error("the hash needs a pepper that is not configured")]
    PepperMissing,
    /// It would take too much time or memory.
    #[error("the hash costs more than is allowed")]
    TooCostly,
    /// It is in a form that is known and not supported, such as MD5.
    #[error("the scheme of the hash is not supported")]
    Unsupported,
}

impl StoredHash {
    /// Reads a hash in one of the forms above.
    pub fn parse(text: &str) -> Result<Self, HashError> {
        if text.len() > LONGEST {
            return Err(HashError::Malformed);
        }
        let mut parts = text.split('$');
        let parts = [(); 7].map(|()| parts.next());
        match parts {
            [Some(""), Some("argon2id"), Some("v=19"), Some(cost), Some(salt), Some(hash), None] => {
                argon2id(cost, salt, hash)
            }
            [Some(""), Some("2a" | "2b" | "2y"), Some(cost), Some(rest), None, ..] => bcrypt(cost, rest),
            [Some(""), Some("scrypt"), Some(cost), Some(salt), Some(hash), None, ..] => scrypt(cost, salt, hash),
            [Some(""), Some("pbkdf2-sha256"), Some(rounds), Some(salt), Some(hash), None, ..] => {
                let rounds = rounds_of(rounds, hash)?;
                Self::new(Scheme::Pbkdf2Sha256 { rounds }, adapted(salt)?, adapted(hash)?)
            }
            [Some(""), Some("pbkdf2-sha512"), Some(rounds), Some(salt), Some(hash), None, ..] => {
                let rounds = rounds_of(rounds, hash)?;
                Self::new(Scheme::Pbkdf2Sha512 { rounds }, adapted(salt)?, adapted(hash)?)
            }
            [Some("pbkdf2_sha256"), Some(rounds), Some(salt), Some(hash), None, ..] => {
                let hash = STANDARD.decode(hash).map_err(|_| HashError::Malformed)?;
                Self::new(Scheme::Pbkdf2Sha256 { rounds: rounds_in(rounds)? }, salt.as_bytes().to_vec(), hash)
            }
            // Version 16, which may also go without saying.
            [Some(""), Some("argon2id"), Some(version), ..] if version != "v=19" => Err(HashError::Unsupported),
            [Some(""), Some("argon2i" | "argon2d" | "1" | "5" | "6" | "7" | "y" | "2" | "2x"), ..] => {
                Err(HashError::Unsupported)
            }
            _ => Err(HashError::Malformed),
        }
    }

    fn new(scheme: Scheme, salt: Vec<u8>, hash: Vec<u8>) -> Result<Self, HashError> {
        let fits = (MIN_SALT..=64).contains(&salt.len()) && (16..=64).contains(&hash.len());
        fits.then_some(Self { scheme, salt, hash, key: None }).ok_or(HashError::Malformed)
    }

    /// The name of its scheme, for events.
    pub fn scheme(&self) -> &'static str {
        match self.scheme {
            Scheme::Argon2id(_) => "argon2id",
            Scheme::Bcrypt { .. } => "bcrypt",
            Scheme::Pbkdf2Sha256 { .. } => "pbkdf2-sha256",
            Scheme::Pbkdf2Sha512 { .. } => "pbkdf2-sha512",
            Scheme::Scrypt { .. } => "scrypt",
        }
    }

    /// The name of the pepper that it was made with.
    pub fn pepper(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Whether it was made by Argon2id at exactly this cost.
    pub(super) fn has_cost(&self, cost: Cost) -> bool {
        self.scheme == Scheme::Argon2id(cost)
    }

    /// Whether passwords go through the pepper before they are hashed by its scheme.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self.scheme, Scheme::Argon2id(_))
    }

    /// Whether it is the hash of this password. `memory` is used if it is large enough, and other memory if it is not.
    pub(super) fn matches(&self, password: &[u8], memory: &mut [Block]) -> bool {
        let mut found = [0; 64];
        let Some(found) = found.get_mut(..self.hash.len()) else { return false };
        let ran = match self.scheme {
            Scheme::Argon2id(cost) if cost.blocks() <= memory.len() => cost.run(password, &self.salt, memory, found),
            Scheme::Argon2id(cost) => cost.run(password, &self.salt, &mut vec![Block::new(); cost.blocks()], found),
            Scheme::Bcrypt { cost } => run_bcrypt(cost, &self.salt, password, found),
            Scheme::Pbkdf2Sha256 { rounds } => {
                pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &self.salt, password, found);
                true
            }
            Scheme::Pbkdf2Sha512 { rounds } => {
                pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA512, rounds, &self.salt, password, found);
                true
            }
            Scheme::Scrypt { log_n, r, p } => scrypt::Params::new(log_n, r, p)
                .is_ok_and(|params| scrypt::scrypt(password, &self.salt, &params, found).is_ok()),
        };
        ran && verify_slices_are_equal(found, &self.hash).is_ok()
    }
}

impl fmt::Debug for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredHash").field("scheme", &self.scheme).field("key", &self.key).finish_non_exhaustive()
    }
}

/// The PHC string of a new hash.
pub(super) fn phc(cost: Cost, key: Option<&str>, salt: &[u8], hash: &[u8]) -> String {
    let key = key.map(|key| format!(",keyid={}", STANDARD_NO_PAD.encode(key))).unwrap_or_default();
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    format!("$argon2id$v=19${cost}{key}${salt}${hash}")
}

fn argon2id(cost: &str, salt: &str, hash: &str) -> Result<StoredHash, HashError> {
    let [m, t, p, key, end] = fields(cost);
    let key = key.map(|key| key.strip_prefix("keyid=").and_then(|key| STANDARD_NO_PAD.decode(key).ok()));
    let key = match key {
        None => None,
        Some(key) => Some(key.and_then(|key| String::from_utf8(key).ok()).ok_or(HashError::Malformed)?),
    };
    let (Some(m), Some(t), Some(p), None) = (number(m, "m="), number(t, "t="), number(p, "p="), end) else {
        return Err(HashError::Malformed);
    };
    let cost = Cost::checked(m, t, p).ok_or(HashError::TooCostly)?;
    let stored = StoredHash::new(Scheme::Argon2id(cost), plain(salt)?, plain(hash)?)?;
    Ok(StoredHash { key: key.map(String::into_boxed_str), ..stored })
}

fn bcrypt(cost: &str, rest: &str) -> Result<StoredHash, HashError> {
    let cost = cost.parse().ok().filter(|_| cost.len() == 2).ok_or(HashError::Malformed)?;
    let (salt, hash) = rest.split_at_checked(22).filter(|_| rest.len() == 53).ok_or(HashError::Malformed)?;
    let decode = |text| BCRYPT_BASE64.decode(text).map_err(|_| HashError::Malformed);
    match cost {
        4..=MOST_BCRYPT => StoredHash::new(Scheme::Bcrypt { cost }, decode(salt)?, decode(hash)?),
        0..4 => Err(HashError::Malformed),
        _ => Err(HashError::TooCostly),
    }
}

fn scrypt(cost: &str, salt: &str, hash: &str) -> Result<StoredHash, HashError> {
    let [log_n, r, p, end, _] = fields(cost);
    let (Some(log_n), Some(r), Some(p), None) = (number(log_n, "ln="), number(r, "r="), number(p, "p="), end) else {
        return Err(HashError::Malformed);
    };
    // N blocks of 128 r bytes each, gone through p times.
    let memory = 128_u64.checked_shl(log_n).and_then(|blocks| blocks.checked_mul(u64::from(r)));
    let most = u64::from(MOST_MEMORY_KIB) * 1024;
    let (1..=24, 1..=64, 1..=16, Some(memory)) = (log_n, r, p, memory) else { return Err(HashError::TooCostly) };
    if memory > most || memory.saturating_mul(u64::from(p)) > 4 * most {
        return Err(HashError::TooCostly);
    }
    let log_n = u8::try_from(log_n).map_err(|_| HashError::TooCostly)?;
    StoredHash::new(Scheme::Scrypt { log_n, r, p }, plain(salt)?, plain(hash)?)
}

/// `i=600000` or `i=600000,l=32` of a PHC string, or the bare number of Passlib.
fn rounds_of(text: &str, hash: &str) -> Result<NonZeroU32, HashError> {
    if !text.starts_with("i=") {
        return rounds_in(text);
    }
    let [rounds, length, end, ..] = fields(text);
    let length = length.map(|length| length.strip_prefix("l=").and_then(|length| length.parse::<usize>().ok()));
    let fits = match length {
        None => true,
        Some(length) => length == adapted(hash).ok().map(|hash| hash.len()),
    };
    let rounds = rounds.and_then(|rounds| rounds.strip_prefix("i=")).filter(|_| fits && end.is_none());
    rounds_in(rounds.ok_or(HashError::Malformed)?)
}

fn rounds_in(text: &str) -> Result<NonZeroU32, HashError> {
    let rounds: NonZeroU32 = digits(text).ok_or(HashError::Malformed)?;
    if rounds.get() > MOST_ROUNDS { Err(HashError::TooCostly) } else { Ok(rounds) }
}

/// bcrypt reads up to 72 bytes. A longer password is not this one's: whoever cut it off would let in who knows its
/// beginning. A NUL ends the password in some implementations and not in others.
fn run_bcrypt(cost: u32, salt: &[u8], password: &[u8], found: &mut [u8]) -> bool {
    let Ok(salt) = <[u8; 16]>::try_from(salt) else { return false };
    let fits = password.len() <= 72 && !password.contains(&0);
    let mut key: Vec<u8> = if fits { password.to_vec() } else { Vec::new() };
    key.push(0);
    key.truncate(72);
    // What does not fit is hashed all the same, as the empty password, so that it takes as long.
    let hash = bcrypt::bcrypt(cost, salt, &key);
    found.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    fits
}

/// The parts between commas: four at most, and the fifth says that there are more.
fn fields(text: &str) -> [Option<&str>; 5] {
    let mut fields = text.splitn(5, ',');
    [(); 5].map(|()| fields.next())
}

fn number(field: Option<&str>, name: &str) -> Option<u32> {
    digits(field?.strip_prefix(name)?)
}

/// A number as PHC strings write it: digits, and no zero in front.
fn digits<N: std::str::FromStr>(text: &str) -> Option<N> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

fn plain(text: &str) -> Result<Vec<u8>, HashError> {
    STANDARD_NO_PAD.decode(text).map_err(|_| HashError::Malformed)
}

/// Passlib writes `.` for `+`.
fn adapted(text: &str) -> Result<Vec<u8>, HashError> {
    plain(&text.replace('.', "+"))
}

const BCRYPT_BASE64: GeneralPurpose = GeneralPurpose::new(&BCRYPT, NO_PAD.with_decode_allow_trailing_bits(true));

/// The longest text that can be a hash.
const LONGEST: usize = 512;

/// Some old systems salted with less; Argon2 takes no less.
const MIN_SALT: usize = 8;

/// What one hash may fill: 256 MiB, and 2 GiB in all its passes.
const MOST_MEMORY_KIB: u32 = 256 * 1024;
const MOST_FILLED_KIB: u64 = 2 * 1024 * 1024;
const MOST_LANES: u32 = 16;

/// About four seconds.
const MOST_BCRYPT: u32 = 16;

/// About two seconds.
const MOST_ROUNDS: u32 = 5_000_000;

#[cfg(test)]
mod tests;
