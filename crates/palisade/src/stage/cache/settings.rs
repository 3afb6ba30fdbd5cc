//! How much is kept of a route's answers, and under which rules.

use std::time::Duration;

/// How much is kept, and what callers may ask of it.
///
/// ```
/// let settings = palisade::stage::cache::CacheSettings::default();
/// assert_eq!((settings.max_size, settings.max_body), (64 << 20, 1 << 20));
/// assert!(!settings.stale_if_error && !settings.stale_while_revalidate && !settings.status);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// How many bytes are kept in all.
    pub max_size: usize,
    /// The largest body that is kept, in bytes.
    pub max_body: usize,
    /// How long a request waits for the answer to another one.
    pub max_wait: Duration,
    /// Whether a stale answer is used where the backend fails, for as long as it says.
    pub stale_if_error: bool,
    /// Whether a stale answer is used while another request asks, for as long as the backend says.
    pub stale_while_revalidate: bool,
    /// Whether callers may ask for a fresh answer, or for none of the backend's.
    pub wishes: Wishes,
    /// Whether callers are told in `Cache-Status` (RFC 9211) where their answer comes from.
    pub status: bool,
}

/// What callers say in `Cache-Control` of their requests.
///
/// ```
/// use palisade::stage::cache::{CacheSettings, Wishes};
///
/// // Nobody can make the backend answer anew.
/// let settings = CacheSettings { wishes: Wishes::Ignored, ..CacheSettings::default() };
/// assert_ne!(settings.wishes, CacheSettings::default().wishes);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wishes {
    /// `no-store` alone is granted: an answer is used as long as the backend says.
    Ignored,
    /// They are granted.
    #[default]
    Obeyed,
}

/// How a store does.
///
/// ```
/// use palisade::stage::cache::{CacheNumbers, CacheSettings, CacheStore};
///
/// let CacheNumbers { hits, misses, stale, bytes } = CacheStore::new(CacheSettings::default()).numbers();
/// assert_eq!((hits, misses, stale, bytes), (0, 0, 0, 0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheNumbers {
    /// Answers that were used while they were fresh.
    pub hits: u64,
    /// Requests that the backend was asked for.
    pub misses: u64,
    /// Answers that were used although they were stale.
    pub stale: u64,
    /// What is kept now.
    pub bytes: u64,
}

impl Default for CacheSettings {
    /// 64 MiB, of bodies up to 1 MiB; three seconds of waiting; nothing stale.
    fn default() -> Self {
        Self {
            max_size: 64 << 20,
            max_body: 1 << 20,
            max_wait: Duration::from_secs(3),
            stale_if_error: false,
            stale_while_revalidate: false,
            wishes: Wishes::Obeyed,
            status: false,
        }
    }
}
