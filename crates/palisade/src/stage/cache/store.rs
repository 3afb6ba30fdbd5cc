//! The answers of a route in memory: bounded by their bytes, found by who asks for what, and of no use once something
//! has changed what they show.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use quick_cache::sync::{Cache as Table, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use tokio::sync::watch;
use tokio::time::Instant;

use super::fresh::Life;
use super::{CacheNumbers, CacheSettings};

/// The answers of one route. Clones are the same ones.
///
/// ```
/// use palisade::stage::cache::{CacheSettings, CacheStore};
///
/// let store = CacheStore::new(CacheSettings::default());
/// assert_eq!((store.numbers().hits, store.numbers().bytes), (0, 0));
/// ```
#[derive(Clone)]
pub struct CacheStore(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) settings: CacheSettings,
    table: Table<Key, Slot, Weight>,
    flights: Mutex<HashMap<Key, watch::Receiver<()>>>,
    changes: Mutex<Changes>,
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) stale: AtomicU64,
}

/// Who asks for what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Everything that the backend is told of the caller; nothing where it is nobody.
    pub(super) who: Box<str>,
    /// Host and path.
    pub(super) place: Arc<str>,
    /// The rest of the target.
    pub(super) query: Box<str>,
}

/// What is known of a key.
#[derive(Clone)]
enum Slot {
    /// Its answers, the latest last; they differ in the headers that they vary by.
    Kept(Arc<[Arc<Kept>]>),
    /// Its answers cannot be kept, as far as was seen then: nobody has to wait for one.
    Passing(Instant),
}

/// An answer.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) life: Life,
    /// The headers that it varies by, with what the request had there.
    pub(super) varied: Vec<(HeaderName, Vec<HeaderValue>)>,
    /// When it was asked for.
    pub(super) asked: Instant,
    /// When it came.
    pub(super) came: Instant,
}

impl Kept {
    pub(super) fn age(&self, now: Instant) -> Duration {
        self.life.age.saturating_add(now.saturating_duration_since(self.came))
    }

    fn is_for(&self, headers: &HeaderMap) -> bool {
        self.varied.iter().all(|(name, values)| {
            let mut own = headers.get_all(name).iter();
            values.iter().all(|value| own.next().is_some_and(|own| own == value)) && own.next().is_none()
        })
    }

    fn bytes(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 64).sum();
        let varied: usize = self.varied.iter().flat_map(|(_, values)| values).map(HeaderValue::len).sum();
        self.body.len() + headers + varied + OVERHEAD
    }
}

/// What a request has before it in the queue for a key.
pub(super) enum Turn {
    /// Nobody: it asks for all. Those who wait go on when this is dropped.
    First(Flight),
    /// Somebody who asks.
    Behind(watch::Receiver<()>),
    /// Nobody, and nobody waits for it.
    Alone,
}

/// A request that others wait for.
pub(super) struct Flight {
    store: Arc<Inner>,
    key: Key,
    signal: watch::Sender<()>,
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut flights = lock(&self.store.flights);
        if flights.get(&self.key).is_some_and(|waiting| waiting.same_channel(&self.signal.subscribe())) {
            flights.remove(&self.key);
        }
    }
}

impl CacheStore {
    /// A store without answers.
    pub fn new(settings: CacheSettings) -> Self {
        // Several parts have a lock each, and every one must have room for the largest answers.
        let shards = (settings.max_size / settings.max_body.max(1) / 8).clamp(1, 16);
        let weight = u64::try_from(settings.max_size).unwrap_or(u64::MAX);
        let mut options = OptionsBuilder::new();
        let options = options.estimated_items_capacity(settings.max_size / 4096).weight_capacity(weight).shards(shards);
        let made = options.build().map(|options| {
            Table::with_options(options, Weight, DefaultHashBuilder::default(), DefaultLifecycle::default())
        });
        let table = made.unwrap_or_else(|_| Table::with_weighter(1024, weight, Weight));
        Self(Arc::new(Inner {
            settings,
            table,
            flights: Mutex::default(),
            changes: Mutex::new(Changes { floor: None, places: HashMap::new() }),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            stale: AtomicU64::new(0),
        }))
    }

    /// How it does.
    pub fn numbers(&self) -> CacheNumbers {
        let Inner { hits, misses, stale, table, .. } = &*self.0;
        let of = |number: &AtomicU64| number.load(Ordering::Relaxed);
        CacheNumbers { hits: of(hits), misses: of(misses), stale: of(stale), bytes: table.weight() }
    }

    /// The latest answer for a request with these headers that nothing has changed since.
    pub(super) fn find(&self, key: &Key, headers: &HeaderMap) -> Option<Arc<Kept>> {
        let Slot::Kept(answers) = self.0.table.get(key)? else { return None };
        let found = answers.iter().rev().find(|kept| kept.is_for(headers))?;
        (!lock(&self.0.changes).is_before(key, found.asked)).then(|| Arc::clone(found))
    }

    /// Keeps an answer, in place of one for the same headers.
    pub(super) fn keep(&self, key: &Key, kept: Arc<Kept>) {
        let others = self.others(key, |other| other.varied != kept.varied);
        let skip = others.len().saturating_sub(MOST_VARIANTS - 1);
        let answers: Arc<[Arc<Kept>]> = others.into_iter().skip(skip).chain([kept]).collect();
        self.0.table.insert(key.clone(), Slot::Kept(answers));
    }

    /// Forgets an answer.
    pub(super) fn forget(&self, key: &Key, kept: &Arc<Kept>) {
        let others = self.others(key, |other| !std::ptr::eq(other, &**kept));
        match others.is_empty() {
            true => drop(self.0.table.remove(key)),
            false => self.0.table.insert(key.clone(), Slot::Kept(others.into())),
        }
    }

    /// Remembers for a moment that answers for this key cannot be kept.
    pub(super) fn pass(&self, key: &Key) {
        if self.0.table.get(key).is_none_or(|slot| matches!(slot, Slot::Passing(_))) {
            self.0.table.insert(key.clone(), Slot::Passing(Instant::now() + PASSING));
        }
    }

    fn others(&self, key: &Key, stays: impl Fn(&Kept) -> bool) -> Vec<Arc<Kept>> {
        match self.0.table.get(key) {
            Some(Slot::Kept(answers)) => answers.iter().filter(|kept| stays(kept)).cloned().collect(),
            Some(Slot::Passing(_)) | None => Vec::new(),
        }
    }

    /// Nothing that was asked for until now shows how this place is.
    pub(super) fn change(&self, place: &str) {
        lock(&self.0.changes).add(place, Instant::now());
    }

    /// Whose turn it is to ask.
    pub(super) fn turn(&self, key: &Key) -> Turn {
        if let Some(Slot::Passing(until)) = self.0.table.get(key)
            && Instant::now() < until
        {
            return Turn::Alone;
        }
        let mut flights = lock(&self.0.flights);
        if let Some(waiting) = flights.get(key) {
            return Turn::Behind(waiting.clone());
        }
        let (signal, waiting) = watch::channel(());
        flights.insert(key.clone(), waiting);
        Turn::First(Flight { store: Arc::clone(&self.0), key: key.clone(), signal })
    }

    /// Lets nobody else wait for whoever takes too long.
    pub(super) fn overtake(&self, key: &Key, waiting: &watch::Receiver<()>) {
        let mut flights = lock(&self.0.flights);
        if flights.get(key).is_some_and(|other| other.same_channel(waiting)) {
            flights.remove(key);
        }
    }
}

impl fmt::Debug for CacheStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheStore").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

/// When places have been changed. An answer that was asked for before does not count, even if it comes in later: whoever
/// read and whoever wrote may have overlapped.
struct Changes {
    /// Whatever was asked for before does not count.
    floor: Option<Instant>,
    places: HashMap<Box<str>, Instant>,
}

impl Changes {
    fn add(&mut self, place: &str, now: Instant) {
        if self.places.len() >= MOST_CHANGES && !self.places.contains_key(place) {
            // To forget one would make its answers count again; to forget all answers is the safe way.
            self.places.clear();
            self.floor = Some(now);
        }
        self.places.insert(place.into(), now);
    }

    fn is_before(&self, key: &Key, asked: Instant) -> bool {
        self.floor.is_some_and(|floor| asked <= floor)
            || self.places.get(&*key.place).is_some_and(|changed| asked <= *changed)
    }
}

#[derive(Clone)]
struct Weight;

impl Weighter<Key, Slot> for Weight {
    fn weight(&self, key: &Key, slot: &Slot) -> u64 {
        let answers = match slot {
            Slot::Kept(answers) => answers.iter().map(|kept| kept.bytes()).sum(),
            Slot::Passing(_) => 0,
        };
        let all = key.who.len() + key.place.len() + key.query.len() + OVERHEAD + answers;
        u64::try_from(all).unwrap_or(u64::MAX)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const MOST_CHANGES: usize = 10_000;
const MOST_VARIANTS: usize = 16;
/// What a row of the table costs besides its texts, generously.
const OVERHEAD: usize = 512;
const PASSING: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::cache::control::Directives;

    fn key(number: usize) -> Key {
        Key { who: "".into(), place: format!("/{number}").into(), query: "".into() }
    }

    fn kept(length: usize, asked: Instant) -> Kept {
        let life = Life { fresh: Duration::MAX, age: Duration::ZERO, control: Directives::default() };
        let (headers, body) = (HeaderMap::new(), vec![0; length].into());
        Kept { status: StatusCode::OK, headers, body, life, varied: Vec::new(), asked, came: asked }
    }

    #[test]
    fn the_memory_is_bounded_and_the_largest_answer_has_room() {
        for (max_size, max_body) in [(64 << 10, 16 << 10), (1 << 20, 64 << 10), (4 << 20, 4 << 10)] {
            let settings = CacheSettings { max_size, max_body, ..CacheSettings::default() };
            let store = CacheStore::new(settings);
            for number in 0..2_000 {
                store.keep(&key(number), Arc::new(kept(max_body - 600, Instant::now())));
                assert!(store.find(&key(number), &HeaderMap::new()).is_some(), "{max_size} {max_body} {number}");
            }
            let bytes = usize::try_from(store.numbers().bytes).unwrap();
            assert!(bytes <= max_size && bytes > max_size / 4, "{bytes} of {max_size}");
        }
    }

    #[test]
    fn what_was_asked_for_before_a_change_does_not_count_even_if_it_comes_later() {
        let (store, before) = (CacheStore::new(CacheSettings::default()), Instant::now());
        store.keep(&key(1), Arc::new(kept(1, before)));
        store.change("/1");
        assert!(store.find(&key(1), &HeaderMap::new()).is_none());
        store.keep(&key(1), Arc::new(kept(1, before)));
        assert!(store.find(&key(1), &HeaderMap::new()).is_none(), "it was on its way while the change was made");
        std::thread::sleep(Duration::from_millis(1));
        store.keep(&key(1), Arc::new(kept(1, Instant::now())));
        assert!(store.find(&key(1), &HeaderMap::new()).is_some());
        // However many places change, none is forgotten.
        store.keep(&key(2), Arc::new(kept(1, before)));
        store.change("/2");
        for other in 0..MOST_CHANGES + 5 {
            store.change(&format!("/other/{other}"));
        }
        assert!(store.find(&key(2), &HeaderMap::new()).is_none());
        assert!(lock(&store.0.changes).places.len() <= MOST_CHANGES);
    }

    #[test]
    fn variants_are_bounded() {
        let store = CacheStore::new(CacheSettings::default());
        for number in 0..100_u32 {
            let language = vec![(http::header::ACCEPT_LANGUAGE, vec![number.into()])];
            store.keep(&key(1), Arc::new(Kept { varied: language, ..kept(1, Instant::now()) }));
        }
        let found = (0..100_u32).filter(|number| {
            let mut headers = HeaderMap::new();
            headers.insert(http::header::ACCEPT_LANGUAGE, (*number).into());
            store.find(&key(1), &headers).is_some()
        });
        assert_eq!(found.collect::<Vec<_>>(), (84..100).collect::<Vec<_>>());
    }
}
