//! Hashes passwords and checks them, always in the pool.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use aws_lc_rs::hmac;
use palisade_core::port::Entropy;
use palisade_core::secret::Secret;

use super::hash::{HashError, StoredHash, phc};
use super::pool::Pool;
use super::{Busy, Cost, Password};

/// How passwords are hashed.
///
/// ```
/// # struct Fixed;
/// # impl palisade_core::port::Entropy for Fixed { fn fill(&self, buffer: &mut [u8]) { buffer.fill(7) } }
/// # let entropy = std::sync::Arc::new(Fixed);
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use palisade::core::secret::Secret;
/// use palisade::credential::password::{HashSettings, Hasher, Password, Pepper, Verified};
///
/// let settings = HashSettings {
///     // Kept away from the database: with the one alone nobody can guess passwords.
///     pepper: Some(Pepper::new("2026a", &Secret::new("at least 32 bytes, from a file...")).unwrap()),
///     ..HashSettings::default()
/// };
/// let hasher = Hasher::new(settings, entropy)?;
/// let password = Password::new("a boat full of green tea")?;
/// let kept = hasher.hash(&password).await?;
/// assert_eq!(hasher.verify(&password, Some(&kept)).await?, Verified::Yes { upgrade: false });
/// assert_eq!(hasher.verify(&password, None).await?, Verified::No, "after the same time");
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct HashSettings {
    /// What one hash costs.
    pub cost: Cost,
    /// How many may be hashed at once; each has `cost`'s memory from the start. By default as many as there are cores.
    pub threads: Option<NonZeroUsize>,
    /// How many may wait for their turn. Everybody beyond is told to come again.
    pub queue: usize,
    /// The key that new hashes need beside the password.
    pub pepper: Option<Pepper>,
    /// Keys that older hashes need; those are made anew when somebody signs in.
    pub older_peppers: Vec<Pepper>,
}

impl Default for HashSettings {
    fn default() -> Self {
        Self { cost: Cost::default(), threads: None, queue: 64, pepper: None, older_peppers: Vec::new() }
    }
}

/// A key that is needed beside a password (NIST SP 800-63B-4 section 3.1.1.2), and its name.
#[derive(Clone)]
pub struct Pepper {
    id: Box<str>,
    key: hmac::Key,
}

impl Pepper {
    /// A name of one to eight small letters and digits, and a key of at least 32 bytes.
    pub fn new(id: &str, key: &Secret) -> Option<Self> {
        let named = (1..=8).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let fits = named && key.expose().len() >= 32;
        fits.then(|| Self { id: id.into(), key: hmac::Key::new(hmac::HMAC_SHA256, key.expose()) })
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pepper").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Hashes passwords and checks them. One for a whole program: it holds the memory and the threads.
pub struct Hasher {
    pool: Pool,
    cost: Cost,
    pepper: Option<Pepper>,
    older: Vec<Pepper>,
    /// A hash that no password has.
    nobody: Secret,
    entropy: Arc<dyn Entropy>,
}

/// Whether a password is the one that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// It is not, or there is none.
    No,
    /// The kept hash cannot be run: nobody can sign in with it.
    Unusable(HashError),
    /// It is.
    Yes {
        /// Whether it should be hashed anew: by this scheme, at this cost, with this pepper.
        upgrade: bool,
    },
}

impl Hasher {
    /// Starts the threads.
    pub fn new(settings: HashSettings, entropy: Arc<dyn Entropy>) -> std::io::Result<Self> {
        let HashSettings { cost, threads, queue, pepper, older_peppers: older } = settings;
        let threads = threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let pool = Pool::start(threads, cost.blocks(), queue)?;
        let (mut salt, mut hash) = ([0; SALT], [0; HASH]);
        entropy.fill(&mut salt);
        entropy.fill(&mut hash);
        let id = pepper.as_ref().map(|pepper| &*pepper.id);
        let nobody = Secret::new(phc(cost, id, &salt, &hash));
        Ok(Self { pool, cost, pepper, older, nobody, entropy })
    }

    /// What a new hash costs.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// How many hashes were run since the start, for metrics. One that has just answered may not be among them yet.
    pub fn done(&self) -> u64 {
        self.pool.done()
    }

    /// The hash of a password, as it is kept.
    pub async fn hash(&self, password: &Password) -> Result<Secret, Busy> {
        let mut salt = [0; SALT];
        self.entropy.fill(&mut salt);
        let (cost, peppered) = (self.cost, peppered(password, self.pepper.as_ref()));
        let hash = self.pool.run(move |arena| {
            let mut hash = [0; HASH];
            cost.run(peppered.expose(), &salt, arena, &mut hash).then_some(hash)
        });
        // Argon2 refuses nothing at a cost that could be constructed; if it did, nothing would be kept.
        let hash = hash.await?.ok_or(Busy { retry_after: std::time::Duration::from_secs(1) })?;
        let id = self.pepper.as_ref().map(|pepper| &*pepper.id);
        Ok(Secret::new(phc(self.cost, id, &salt, &hash)))
    }

    /// Whether a password is the one whose hash is kept. Without a hash, and with one that cannot be run, this takes as
    /// long as with one of the present cost.
    pub async fn verify(&self, password: &Password, kept: Option<&Secret>) -> Result<Verified, Busy> {
        let read = self.read(kept.unwrap_or(&self.nobody));
        let unusable = read.as_ref().err().copied();
        let (stored, pepper) = match read.or_else(|_| self.read(&self.nobody)) {
            Ok(read) => read,
            Err(error) => return Ok(Verified::Unusable(error)),
        };
        let current = self.pepper.as_ref().map(|pepper| &*pepper.id);
        let upgrade = !stored.has_cost(self.cost) || stored.pepper() != current;
        let secret = if stored.is_ours() { peppered(password, pepper) } else { password.0.clone() };
        let matches = self.pool.run(move |arena| stored.matches(secret.expose(), arena)).await?;
        Ok(match unusable {
            Some(error) => Verified::Unusable(error),
            // No system of ours has hashed an empty password; another may have.
            None if matches && kept.is_some() && !password.0.expose().is_empty() => Verified::Yes { upgrade },
            None => Verified::No,
        })
    }

    /// A kept hash, and the pepper that it needs.
    fn read(&self, kept: &Secret) -> Result<(StoredHash, Option<&Pepper>), HashError> {
        let text = std::str::from_utf8(kept.expose()).map_err(|_| HashError::Malformed)?;
        let stored = StoredHash::parse(text)?;
        let pepper = match stored.pepper() {
            None => None,
            Some(id) => {
                let known = self.pepper.iter().chain(&self.older).find(|pepper| *pepper.id == *id);
                Some(known.ok_or(HashError::PepperMissing)?)
            }
        };
        Ok((stored, pepper))
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("cost", &self.cost).field("pepper", &self.pepper).finish_non_exhaustive()
    }
}

/// What is hashed: the password, or its HMAC under the pepper.
fn peppered(password: &Password, pepper: Option<&Pepper>) -> Secret {
    match pepper {
        None => password.0.clone(),
        Some(pepper) => Secret::new(hmac::sign(&pepper.key, password.0.expose()).as_ref()),
    }
}

const SALT: usize = 16;
const HASH: usize = 32;

#[cfg(test)]
mod tests {
    use palisade_testkit::entropy::SeededEntropy;

    use super::*;

    fn hasher(change: impl FnOnce(&mut HashSettings)) -> Hasher {
        let mut settings = HashSettings { cost: Cost::danger_for_tests(), ..HashSettings::default() };
        change(&mut settings);
        Hasher::new(settings, Arc::new(SeededEntropy::new(7))).unwrap()
    }

    fn password(text: &str) -> Password {
        Password::new(text).unwrap()
    }

    async fn check(hasher: &Hasher, text: &str, kept: &str, expect: Verified) {
        let found = hasher.verify(&password(text), Some(&Secret::new(kept))).await;
        assert_eq!(found, Ok(expect), "{text:?} against {kept}");
    }

    async fn kept(hasher: &Hasher, text: &str) -> String {
        String::from_utf8(hasher.hash(&password(text)).await.unwrap().expose().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn only_the_password_itself_fits() {
        let hasher = hasher(|_| ());
        let kept_once = kept(&hasher, "Ångström & tea").await;
        check(&hasher, "Ångström & tea", &kept_once, Verified::Yes { upgrade: false }).await;
        check(&hasher, "A\u{30a}ngstro\u{308}m & tea", &kept_once, Verified::Yes { upgrade: false }).await;
        for other in ["", "Ångström & te", "Ångström & tea ", "ångström & tea", "Angstrom & tea"] {
            check(&hasher, other, &kept_once, Verified::No).await;
        }
        assert_eq!(hasher.verify(&password("Ångström & tea"), None).await, Ok(Verified::No));
        assert_ne!(kept_once, kept(&hasher, "Ångström & tea").await, "each has a salt of its own");
    }

    #[tokio::test]
    async fn what_was_made_otherwise_is_to_be_made_anew() {
        let now = hasher(|_| ());
        let bcrypt = "$2b$04$abcdefghijklmnopqrstuumXvyWaL7cldsohRmMKChpAd5ns9hrB6";
        check(&now, "an otter under the moon", bcrypt, Verified::Yes { upgrade: true }).await;
        check(&now, "an otter under the sun", bcrypt, Verified::No).await;
        let stronger =
            "$argon2id$v=19$m=512,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$k0Ir6KLSmhO56QAmhkeiklKLpAVKUnYDZm5sgoGGGkc";
        check(&now, "otter under 3 blue moons ✓", stronger, Verified::Yes { upgrade: true }).await;
        check(&now, "x", "hunter2", Verified::Unusable(HashError::Malformed)).await;
        let huge = "$argon2id$v=19$m=4194304,t=9,p=1$AAECAwQFBgcICQoLDA0ODw$AAECAwQFBgcICQoLDA0ODw";
        check(&now, "x", huge, Verified::Unusable(HashError::TooCostly)).await;
    }

    /// PBKDF2 of nothing, as a careless system may have kept it.
    #[tokio::test]
    async fn an_empty_password_is_nobodys() {
        let hasher = hasher(|_| ());
        let of_nothing = "pbkdf2_sha256$1000$seasalt8seasalt$rxaRBz1aZCT4sezDfJBllH8PoplsrRbu842ozIQFj94=";
        assert!(StoredHash::parse(of_nothing).unwrap().matches(b"", &mut []));
        check(&hasher, "", of_nothing, Verified::No).await;
    }

    #[tokio::test]
    async fn peppers_are_changed_without_asking_anybody() {
        let pepper = |id: &str, key: &str| Pepper::new(id, &Secret::new(key.repeat(32))).unwrap();
        let bare = hasher(|_| ());
        let old = hasher(|settings| settings.pepper = Some(pepper("old", "o")));
        let new = hasher(|settings| {
            settings.pepper = Some(pepper("new", "n"));
            settings.older_peppers = vec![pepper("old", "o")];
        });
        let wrong = hasher(|settings| settings.pepper = Some(pepper("old", "x")));
        let (by_none, by_old, by_new) = (kept(&bare, "tea").await, kept(&old, "tea").await, kept(&new, "tea").await);
        check(&old, "tea", &by_old, Verified::Yes { upgrade: false }).await;
        check(&new, "tea", &by_new, Verified::Yes { upgrade: false }).await;
        check(&new, "tea", &by_old, Verified::Yes { upgrade: true }).await;
        check(&new, "tea", &by_none, Verified::Yes { upgrade: true }).await;
        check(&bare, "tea", &by_new, Verified::Unusable(HashError::PepperMissing)).await;
        check(&old, "tea", &by_new, Verified::Unusable(HashError::PepperMissing)).await;
        check(&wrong, "tea", &by_old, Verified::No).await;
        // A hash without the name of its pepper is not one with it.
        check(&old, "tea", &by_old.replace(",keyid=b2xk", ""), Verified::No).await;
        for (id, key) in [("", 32), ("ninechars", 32), ("a b", 32), ("UP", 32), ("a", 31)] {
            assert!(Pepper::new(id, &Secret::new(vec![1; key])).is_none(), "{id} {key}");
        }
    }
}
