//! API keys of service accounts in a store: they are added, changed over and revoked while the service runs.
//!
//! A key reads `<prefix>_<id>_<secret>_<checksum>`, such as `pk_live_4kPq..._....._0aB9xZ`. The prefix lets secret
//! scanners find it; the checksum is a CRC-32 and tells a typing error or a random guess from a key before any store is
//! asked; by the id it is looked up; the secret carries 160 bits, of which only the SHA-256 is kept (NIST SP 800-63B-4
//! section 3.1.2).
//!
//! What the store has said of a key is believed for a few seconds, so that not every request asks: so long a revoked
//! key may still open. What it says of unknown ids is not remembered, so that guesses do not drive out keys. When it
//! does not answer, nobody passes.
//!
//! ```
//! use axum::{Router, routing::get};
//! use palisade::core::{id::ClientId, port::ApiKeyStore, port::api_key::ServiceAccount};
//! use palisade::credential::stored_api_key::{ApiKeyForm, StoredApiKeys};
//! use palisade::{Chain, extract::Principal, testing::TestWorld};
//! use palisade_store::memory::MemoryApiKeys;
//! use std::sync::Arc;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let test = TestWorld::new();
//! let (store, now) = (Arc::new(MemoryApiKeys::default()), test.world.clock.now());
//! let reports = ServiceAccount::new(ClientId::new("reports"), now);
//! store.register(&reports).await?;
//! let key = ApiKeyForm::default().generate(test.world.entropy.as_ref());
//! store.add(&key.record(&reports.id, None), now).await?;
//!
//! let keys = StoredApiKeys::new(store, &test.world, ApiKeyForm::default());
//! let routes = Router::new().route("/me", get(|who: Principal| async move { who.subject().to_string() }));
//! let client = test.client(Chain::api().stored_api_keys(&keys).protect(routes, &test.world)?);
//! let answer = client.ask(&format!("GET /me\nx-api-key: {}", key.expose())).await;
//! assert_eq!(answer.text, "service:reports");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use palisade_core::id::{ApiKeyId, ClientId};
use palisade_core::port::api_key::{Held, NewApiKey, SecretHash, ServiceAccount};
use palisade_core::port::{ApiKeyStore, Clock, Entropy, StoreError};
use palisade_core::principal::Principal;
use palisade_core::secret::Secret;
use palisade_core::time::Timestamp;

use super::Known;
use super::api_key::{ApiKeyHash, base62, is_base62, random_text};
use crate::network::Networks;
use crate::preset::World;

/// How keys begin.
///
/// ```
/// use palisade::credential::stored_api_key::ApiKeyForm;
///
/// assert!(ApiKeyForm::new("acme_test").is_some());
/// assert!(ApiKeyForm::new("Acme-").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyForm(Box<str>);

impl ApiKeyForm {
    /// Keys that begin with `prefix`: one to thirty-two small letters, digits and, between them, underscores.
    pub fn new(prefix: &str) -> Option<Self> {
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        (prefix.len() <= LONGEST_PREFIX && prefix.split('_').all(is_word)).then(|| Self(prefix.into()))
    }

    /// Makes a key.
    pub fn generate(&self, entropy: &dyn Entropy) -> FreshApiKey {
        let (id, secret) = (random_text(entropy, ID_LENGTH), random_text(entropy, SECRET_LENGTH));
        let start = format!("{}_{id}_{secret}", self.0);
        let sum: String = checksum(&start).collect();
        let hash = SecretHash(ApiKeyHash::of(&secret).into_bytes());
        FreshApiKey { id: ApiKeyId::new(id), hash, text: Secret::new(format!("{start}_{sum}")) }
    }

    /// Whether a text begins as keys of this form do.
    pub(crate) fn begins(&self, text: &str) -> bool {
        text.strip_prefix(&*self.0).is_some_and(|rest| rest.starts_with('_'))
    }

    /// The id of a well-formed key, and the hash of its secret.
    fn read<'t>(&self, text: &'t str) -> Option<(&'t str, SecretHash)> {
        let (start, sum) = text.rsplit_once('_')?;
        let (id, secret) = start.strip_prefix(&*self.0)?.strip_prefix('_')?.split_once('_')?;
        let is = |text: &str, length| text.len() == length && is_base62(text);
        let is_key = is(id, ID_LENGTH) && is(secret, SECRET_LENGTH) && checksum(start).eq(sum.chars());
        is_key.then(|| (id, SecretHash(ApiKeyHash::of(secret).into_bytes())))
    }
}

impl Default for ApiKeyForm {
    /// Keys that begin with `pk_live`.
    fn default() -> Self {
        Self("pk_live".into())
    }
}

/// A key that was just made: the one time that its text is there.
///
/// ```
/// use palisade::credential::stored_api_key::FreshApiKey;
///
/// /// What is printed once, and then gone.
/// fn shown(fresh: &FreshApiKey) -> String {
///     format!("key {}: {}", fresh.id(), fresh.expose())
/// }
/// # let _ = shown;
/// ```
#[derive(Clone)]
pub struct FreshApiKey {
    id: ApiKeyId,
    hash: SecretHash,
    text: Secret,
}

impl FreshApiKey {
    /// Its id.
    pub fn id(&self) -> &ApiKeyId {
        &self.id
    }

    /// What is kept of it, for [`ApiKeyStore::add`].
    pub fn record(&self, account: &ClientId, expires: Option<Timestamp>) -> NewApiKey {
        NewApiKey { id: self.id.clone(), account: account.clone(), hash: self.hash, expires }
    }

    /// The key itself, for the one place that shows it to its owner.
    pub fn expose(&self) -> &str {
        std::str::from_utf8(self.text.expose()).unwrap_or_default()
    }
}

impl fmt::Debug for FreshApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FreshApiKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The keys in a store. Clones share what they remember.
#[derive(Clone)]
pub struct StoredApiKeys(Arc<Parts>);

struct Parts {
    store: Arc<dyn ApiKeyStore>,
    clock: Arc<dyn Clock>,
    form: ApiKeyForm,
    remembered: quick_cache::sync::Cache<Box<str>, Arc<Remembered>>,
}

/// What the store has said of a key.
struct Remembered {
    held: Held,
    networks: Networks,
    known: Arc<Known>,
    at: Timestamp,
    /// Whether the next use has to be written down.
    is_use_due: bool,
}

/// Why a key was not accepted; for events, never for the caller.
pub(crate) enum Rejection {
    /// Whoever has sent it has no valid key.
    Refused(&'static str),
    /// The store did not answer.
    Unavailable(StoreError),
}

/// A key that was accepted, and what the store said when its use was to be written down.
pub(crate) struct Accepted {
    pub(crate) known: Arc<Known>,
    pub(crate) unwritten: Option<StoreError>,
}

impl StoredApiKeys {
    /// For how long the store is believed.
    pub const BELIEVED: Duration = Duration::from_secs(5);

    /// Keys of one form in this store.
    pub fn new(store: Arc<dyn ApiKeyStore>, world: &World, form: ApiKeyForm) -> Self {
        let remembered = quick_cache::sync::Cache::new(MOST_REMEMBERED);
        Self(Arc::new(Parts { store, clock: Arc::clone(&world.clock), form, remembered }))
    }

    /// How its keys begin.
    pub(crate) fn form(&self) -> &ApiKeyForm {
        &self.0.form
    }

    /// The verdict about a key of which the store has just spoken; `None` where it has to be asked.
    pub(crate) fn recall(&self, text: &str, from: Option<IpAddr>) -> Option<Result<Arc<Known>, &'static str>> {
        let Some((id, hash)) = self.0.form.read(text) else { return Some(Err("malformed")) };
        let remembered = self.0.remembered.get(id)?;
        let now = self.0.clock.now();
        // With a clock that was set back nothing is known.
        let is_fresh = remembered.at <= now && now < remembered.at.plus(Self::BELIEVED);
        let verdict = is_fresh.then(|| remembered.judge(hash, from, now))?;
        // Others who ask with the same id must not keep its owner's use from being written.
        (verdict.is_err() || !remembered.is_use_due).then_some(verdict)
    }

    /// The verdict of the store about a key.
    pub(crate) async fn look_up(
        &self,
        text: &str,
        from: Option<IpAddr>,
        principal: impl Fn(&ServiceAccount) -> Principal + Send,
    ) -> Result<Accepted, Rejection> {
        let (id, hash) = self.0.form.read(text).ok_or(Rejection::Refused("malformed"))?;
        let (id, now) = (ApiKeyId::new(id), self.0.clock.now());
        let held = self.0.store.find(&id).await.map_err(Rejection::Unavailable)?;
        let held = held.ok_or(Rejection::Refused("unknown"))?;
        let principal = principal(&held.account);
        let mut remembered = Remembered::new(held, principal, now);
        let verdict = remembered.judge(hash, from, now).map_err(Rejection::Refused);
        let mut unwritten = None;
        // Only a use that was allowed is one. That it cannot be written is no reason to refuse it, nor to try at once.
        if verdict.is_ok() && std::mem::take(&mut remembered.is_use_due) {
            unwritten = self.0.store.note_used(&id, now).await.err();
        }
        self.0.remembered.insert(id.as_str().into(), Arc::new(remembered));
        verdict.map(|known| Accepted { known, unwritten })
    }
}

impl Remembered {
    fn new(held: Held, principal: Principal, at: Timestamp) -> Self {
        let account = &held.account;
        let (signed, told) = Default::default();
        let known = Known { principal, confirmation: None, expires: held.key.expires, signed, told };
        let networks = Networks { allow: account.networks.clone(), deny: Vec::new() };
        Self { networks, known: Arc::new(known), is_use_due: held.key.is_use_due(at), held, at }
    }

    /// The secret first: whoever does not have it learns nothing else, not even by the events that it causes.
    fn judge(&self, hash: SecretHash, from: Option<IpAddr>, now: Timestamp) -> Result<Arc<Known>, &'static str> {
        if verify_slices_are_equal(&hash.0, &self.held.key.hash.0).is_err() {
            return Err("wrong_secret");
        }
        if let Some(refused) = self.held.refused(now) {
            return Err(refused.as_str());
        }
        self.networks.refuse(from).map_or_else(|| Ok(Arc::clone(&self.known)), Err)
    }
}

impl fmt::Debug for StoredApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredApiKeys").field("form", &self.0.form).finish_non_exhaustive()
    }
}

/// The CRC-32 of everything before it, in base 62, with the last digit first.
fn checksum(start: &str) -> impl Iterator<Item = char> {
    let mut crc = flate2::Crc::new();
    crc.update(start.as_bytes());
    std::iter::successors(Some(u64::from(crc.sum())), |rest| Some(rest / 62)).take(SUM_LENGTH).map(base62)
}

/// 95 bits: nobody meets another's id by chance.
const ID_LENGTH: usize = 16;

/// 160 bits.
const SECRET_LENGTH: usize = 27;

/// 35 bits hold the 32 of the checksum.
const SUM_LENGTH: usize = 6;

const LONGEST_PREFIX: usize = 32;

/// Some megabytes.
const MOST_REMEMBERED: usize = 10_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::SeededEntropy;

    fn fresh() -> FreshApiKey {
        ApiKeyForm::default().generate(&SeededEntropy::new(1))
    }

    #[test]
    fn a_key_is_read_back_and_never_shown_by_accident() {
        let key = fresh();
        assert_eq!(key.expose().len(), "pk_live_".len() + 16 + 1 + 27 + 1 + 6);
        let (id, hash) = ApiKeyForm::default().read(key.expose()).unwrap();
        assert_eq!((id, hash), (key.id().as_str(), key.hash));
        assert!(!format!("{key:?}").contains(key.expose()));
        assert!(ApiKeyForm::new("pk").unwrap().read(key.expose()).is_none());
        assert!(ApiKeyForm::new("pk_live_x").unwrap().read(key.expose()).is_none());
        for prefix in ["", "_", "pk_", "_pk", "pk__live", "Pk", "pk-live", &"p".repeat(33)] {
            assert!(ApiKeyForm::new(prefix).is_none(), "{prefix}");
        }
    }

    #[test]
    fn one_wrong_character_anywhere_is_a_typing_error() {
        let key = fresh().expose().to_owned();
        for position in 0..key.len() {
            for other in [b'x', b'0', b'_', b' '] {
                let mut typo = key.clone().into_bytes();
                if std::mem::replace(&mut typo[position], other) != other {
                    let typo = String::from_utf8(typo).unwrap();
                    assert!(ApiKeyForm::default().read(&typo).is_none(), "{typo}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn reads_what_it_has_made_and_nothing_else(
            text in ".{0,80}",
            shaped in "pk_live_[0-9A-Za-z]{16}_[0-9A-Za-z]{27}_[0-9A-Za-z]{6}",
            cut in 0_usize..58,
        ) {
            let form = ApiKeyForm::default();
            prop_assert!(form.read(&text).is_none());
            let (start, sum) = shaped.rsplit_once('_').unwrap();
            let is_key = checksum(start).collect::<String>() == sum;
            prop_assert_eq!(form.read(&shaped).is_some(), is_key);
            let whole = format!("{start}_{}", checksum(start).collect::<String>());
            prop_assert!(form.read(&whole).is_some());
            prop_assert!(form.read(&whole.chars().take(cut).collect::<String>()).is_none());
        }
    }
}
