//! API keys of service accounts under attack: mistyped, guessed, stolen, kept too long, and a store that is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use palisade::credential::stored_api_key::{ApiKeyForm, FreshApiKey, StoredApiKeys};
use palisade_core::denial::DenialCode;
use palisade_core::id::{ApiKeyId, ClientId};
use palisade_core::port::account::{AccountStatus, StatusSet};
use palisade_core::port::api_key::{Added, Held, KeptApiKey, NewApiKey, ServiceAccount};
use palisade_core::port::{ApiKeyStore, StoreError};
use palisade_core::time::Timestamp;
use palisade_store::memory::MemoryApiKeys;

use crate::world::{API_KEY, Answer, Stand, ask, assert_refused, from, parse};

/// A store that counts its look-ups and can be cut off.
#[derive(Default)]
struct Counting {
    inner: MemoryApiKeys,
    asked: AtomicU32,
    cut: AtomicBool,
    read_only: AtomicBool,
}

fn cut<T>() -> Result<T, StoreError> {
    Err(StoreError::Unreachable { reason: "no route to 10.0.0.7".to_owned() })
}

#[async_trait]
impl ApiKeyStore for Counting {
    async fn register(&self, account: &ServiceAccount) -> Result<bool, StoreError> {
        self.inner.register(account).await
    }
    async fn set_status(&self, id: &ClientId, status: AccountStatus) -> Result<StatusSet, StoreError> {
        self.inner.set_status(id, status).await
    }
    async fn accounts(&self) -> Result<Vec<ServiceAccount>, StoreError> {
        self.inner.accounts().await
    }
    async fn add(&self, key: &NewApiKey, now: Timestamp) -> Result<Added, StoreError> {
        self.inner.add(key, now).await
    }
    async fn find(&self, id: &ApiKeyId) -> Result<Option<Held>, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.cut.load(Ordering::SeqCst) { cut() } else { self.inner.find(id).await }
    }
    async fn list(&self, account: &ClientId) -> Result<Vec<KeptApiKey>, StoreError> {
        self.inner.list(account).await
    }
    async fn revoke(&self, id: &ApiKeyId, now: Timestamp) -> Result<bool, StoreError> {
        self.inner.revoke(id, now).await
    }
    async fn note_used(&self, id: &ApiKeyId, now: Timestamp) -> Result<bool, StoreError> {
        if self.read_only.load(Ordering::SeqCst) { cut() } else { self.inner.note_used(id, now).await }
    }
}

struct Site {
    stand: Stand,
    store: Arc<Counting>,
    app: Router,
}

impl Site {
    /// With the account `billing` for which the office's network is the only one, beside a key given at the start.
    async fn new() -> Self {
        let (stand, store) = (Stand::new(), Arc::new(Counting::default()));
        let now = stand.world.clock.now();
        let networks = vec!["192.0.2.0/24".parse().unwrap()];
        let billing = ServiceAccount { networks, ..ServiceAccount::new(ClientId::new("billing"), now) };
        assert!(store.register(&billing).await.unwrap());
        let keys = StoredApiKeys::new(Arc::clone(&store) as Arc<dyn ApiKeyStore>, &stand.world, ApiKeyForm::default());
        let app = stand.app(|preset| preset.stored_api_keys(&keys));
        Self { stand, store, app }
    }

    fn now(&self) -> Timestamp {
        self.stand.world.clock.now()
    }

    async fn add(&self, expires: Option<Timestamp>) -> FreshApiKey {
        let key = ApiKeyForm::default().generate(self.stand.world.entropy.as_ref());
        let added = self.store.add(&key.record(&ClientId::new("billing"), expires), self.now()).await;
        assert_eq!(added.unwrap(), Added::Added);
        key
    }

    async fn ask_from(&self, peer: Option<&str>, key: &str) -> Answer {
        self.stand.kept.take();
        let request = parse(&format!("GET /me\nhost: a\nx-api-key: {key}"));
        ask(
            &self.app,
            match peer {
                Some(peer) => from(request, peer),
                None => request,
            },
        )
        .await
    }

    async fn passes(&self, key: &str) {
        let answer = self.ask_from(Some(OFFICE), key).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "service:billing"), "{answer:?}");
    }

    /// That a key is refused like every other bad one, whatever the log knows.
    async fn refused_from(&self, peer: Option<&str>, key: &str, reason: &str) {
        let answer = self.ask_from(peer, key).await;
        let event = assert_refused(&answer, self.stand.kept.take(), DenialCode::CredentialInvalid);
        let reasons: Vec<_> = event.evidence.iter().filter(|(fact, _)| *fact == "reason").collect();
        assert_eq!(reasons.len(), 1, "{event:?}");
        assert_eq!(reasons[0].1, reason, "{event:?}");
        for part in key.split('_').filter(|part| part.len() > 20) {
            assert!(!format!("{event:?}").contains(part), "the event has the secret: {event:?}");
        }
    }

    async fn refused(&self, key: &str, reason: &str) {
        self.refused_from(Some(OFFICE), key, reason).await;
    }

    fn asked(&self) -> u32 {
        self.store.asked.swap(0, Ordering::SeqCst)
    }
}

const OFFICE: &str = "192.0.2.7:50000";

#[tokio::test]
async fn a_mistyped_key_is_refused_before_any_look_up() {
    let site = Site::new().await;
    let key = site.add(None).await;
    let good = key.expose();
    let last = good.chars().last().unwrap();
    let start = good.strip_suffix(last).unwrap();
    let swapped = if last == '0' { '1' } else { '0' };
    for typo in [format!("{start}{swapped}"), format!("{good}0"), start.to_owned()] {
        site.refused(&typo, "malformed").await;
    }
    assert_eq!(site.asked(), 0);
    site.passes(good).await;
}

#[tokio::test]
async fn a_guess_is_refused_with_and_without_a_known_id() {
    let site = Site::new().await;
    let (key, other) = (site.add(None).await, site.add(None).await);
    let unknown = ApiKeyForm::default().generate(site.stand.world.entropy.as_ref());
    site.refused(unknown.expose(), "unknown").await;
    // The id of the one with the secret of the other, and a checksum that is right.
    let parts: Vec<&str> = other.expose().split('_').collect();
    let start = format!("pk_live_{}_{}", key.id(), parts[3]);
    site.refused(&with_checksum(&start), "wrong_secret").await;
    site.passes(key.expose()).await;
    site.refused(&with_checksum(&start), "wrong_secret").await;
}

/// As anybody can compute it.
fn with_checksum(start: &str) -> String {
    let mut crc = u32::MAX;
    for byte in start.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rest = !crc as usize;
    let mut key = format!("{start}_");
    for _ in 0..6 {
        key.push(char::from(digits[rest % 62]));
        rest /= 62;
    }
    key
}

#[tokio::test]
async fn a_key_ends_with_its_time_also_while_it_is_remembered() {
    let site = Site::new().await;
    let key = site.add(Some(site.now().plus(Duration::from_secs(3)))).await;
    site.passes(key.expose()).await;
    site.stand.clock.advance(Duration::from_secs(3));
    site.refused(key.expose(), "expired").await;
    assert_eq!(site.asked(), 1);
}

#[tokio::test]
async fn a_revoked_key_opens_nothing_when_the_store_is_believed_no_longer() {
    let site = Site::new().await;
    let (key, account) = (site.add(None).await, ClientId::new("billing"));
    site.passes(key.expose()).await;
    assert!(site.store.revoke(key.id(), site.now()).await.unwrap());
    site.stand.clock.advance(StoredApiKeys::BELIEVED);
    site.refused(key.expose(), "revoked").await;
    // It stays so without asking again.
    site.refused(key.expose(), "revoked").await;
    assert_eq!(site.asked(), 2);

    let key = site.add(None).await;
    site.passes(key.expose()).await;
    site.store.set_status(&account, AccountStatus::Disabled).await.unwrap();
    site.stand.clock.advance(StoredApiKeys::BELIEVED);
    site.refused(key.expose(), "disabled").await;
}

#[tokio::test]
async fn a_stolen_key_is_of_no_use_elsewhere() {
    let site = Site::new().await;
    let key = site.add(None).await;
    for _ in 0..2 {
        site.refused_from(Some("203.0.113.9:50000"), key.expose(), "not_allowed_network").await;
        site.refused_from(None, key.expose(), "address_unknown").await;
    }
    let used = |key: &Held| key.key.last_used;
    assert_eq!(site.store.find(key.id()).await.unwrap().as_ref().and_then(used), None, "a refusal is no use");
    site.passes(key.expose()).await;
    assert_eq!(site.store.find(key.id()).await.unwrap().as_ref().and_then(used), Some(site.now()));
}

#[tokio::test]
async fn both_keys_work_while_one_takes_the_place_of_the_other() {
    let site = Site::new().await;
    let (old, new) = (site.add(None).await, site.add(None).await);
    site.passes(old.expose()).await;
    site.passes(new.expose()).await;
    site.store.revoke(old.id(), site.now()).await.unwrap();
    site.stand.clock.advance(StoredApiKeys::BELIEVED);
    site.refused(old.expose(), "revoked").await;
    site.passes(new.expose()).await;
    // The key that was given at the start is in the same header.
    let answer = site.ask_from(Some(OFFICE), API_KEY).await;
    assert_eq!(answer.text, "service:reports", "{answer:?}");
}

#[tokio::test]
async fn the_store_is_asked_once_in_a_few_seconds_and_nobody_passes_without_it() {
    let site = Site::new().await;
    let key = site.add(None).await;
    for _ in 0..10 {
        site.passes(key.expose()).await;
    }
    assert_eq!(site.asked(), 1);
    site.store.cut.store(true, Ordering::SeqCst);
    site.passes(key.expose()).await;
    site.stand.clock.advance(StoredApiKeys::BELIEVED);
    let answer = site.ask_from(Some(OFFICE), key.expose()).await;
    assert_refused(&answer, site.stand.kept.take(), DenialCode::Unavailable);
    assert_eq!(answer.status, 503);
}

#[tokio::test]
async fn a_use_that_cannot_be_written_down_is_told_of() {
    let site = Site::new().await;
    let key = site.add(None).await;
    site.store.read_only.store(true, Ordering::SeqCst);
    site.passes(key.expose()).await;
    let events = site.stand.kept.take();
    let mut facts = events.iter().flat_map(|event| event.evidence.iter());
    assert!(facts.any(|fact| fact == ("effect", "use_not_written")), "{events:?}");
}
