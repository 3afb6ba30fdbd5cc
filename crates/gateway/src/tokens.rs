//! What an operator does with tokens: takes them back before their time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use palisade::token::revocation_feed::{FeedError, RevocationFeed};
use palisade_core::port::Clock as _;
use palisade_core::port::revocation::Revoked;
pub use palisade_core::port::revocation::What;
use palisade_core::time::Timestamp;
use palisade_store::clock::SystemClock;
use palisade_store::records::Records;
use palisade_store::{OpenError, Place};

/// Takes tokens of one issuer back at every gateway that reads the store.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::time::Duration;
/// use palisade_gateway::tokens::{RevokeError, Revoker, Until, What};
///
/// let error = Revoker::open("sqlite:no-such-file.db", "https://id.example.com").await.unwrap_err();
/// assert!(matches!(error, RevokeError::Missing(_)));
/// # async fn lost_phone(revoker: Revoker) -> Result<(), RevokeError> {
/// // Nothing that alice was given up to now is taken any more.
/// revoker.revoke(What::Subject("u-alice".into()), Until::Lifetime(Duration::from_secs(3600))).await
/// # }
/// # });
/// ```
pub struct Revoker {
    feed: RevocationFeed,
    issuer: Box<str>,
}

/// Until when a revocation matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The moment at which the one token expires (`exp`).
    Expiry(Timestamp),
    /// For as long as a token of the issuer lives at most.
    Lifetime(Duration),
}

impl Revoker {
    /// Opens the store at a URL, for tokens with this `iss`.
    pub async fn open(url: &str, issuer: &str) -> Result<Self, RevokeError> {
        if url == "memory:" {
            return Err(RevokeError::Forgets);
        }
        // A new file would be made, and nobody would read it.
        if let Some(path) = url.strip_prefix("sqlite:").filter(|path| !Path::new(path).exists()) {
            return Err(RevokeError::Missing(path.to_owned()));
        }
        let log = Records::open(&Place::new(url)).await?.revocations;
        Ok(Self { feed: RevocationFeed::new(log, Arc::default(), Arc::new(SystemClock)), issuer: issuer.into() })
    }

    /// Takes back what was issued up to now.
    pub async fn revoke(&self, what: What, until: Until) -> Result<(), RevokeError> {
        let now = SystemClock.now();
        let until = match until {
            Until::Expiry(at) if at <= now => return Err(RevokeError::Over),
            Until::Expiry(at) => at,
            Until::Lifetime(longest) => now.plus(longest),
        };
        Ok(self.feed.revoke(&Revoked { issuer: self.issuer.clone(), what, at: now, until }).await?)
    }
}

impl std::fmt::Debug for Revoker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Revoker").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Why nothing was taken back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevokeError {
    /// It could not be written down.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The store keeps nothing beyond this command.
    #[error("`memory:` is read by nobody else: name the store that the gateways read, under `[store.revocations]`")]
    Forgets,
    /// Nobody reads a file that is not there.
    #[error("there is no file `{0}`: name the store that the gateways read, under `[store.revocations]`")]
    Missing(String),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The token has expired.
    #[error("the token has expired: give its `exp`, in seconds since 1970")]
    Over,
}
