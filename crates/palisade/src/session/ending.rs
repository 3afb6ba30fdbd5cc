//! Ends everything that a person is known by, wherever it is kept: sessions, families of refresh tokens, access tokens.
//!
//! Who does this by hand forgets one of the three, and a disabled account goes on until its last token expires. The
//! routes of `palisade::account` and the command `palisade user` take this one function.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use std::sync::Arc;
//! use std::time::Duration;
//! use palisade::core::{id::UserId, port::Clock};
//! use palisade::session::ending::{Announced, EndedAll, KnownBy, Next};
//! use palisade::testing::StillClock;
//! use palisade::token::revocation_feed::RevocationFeed;
//! use palisade_store::{Place, records::Records};
//!
//! let (records, clock) = (Records::open(&Place::new("memory:")).await?, Arc::new(StillClock::default()));
//! let feed = RevocationFeed::new(records.revocations.clone(), Arc::default(), clock.clone());
//! let announced = Announced { feed: &feed, issuer: "https://id.example.com", lifetime: Duration::from_secs(300) };
//! let known = KnownBy {
//!     sessions: Some(&*records.sessions),
//!     refresh: Some(&*records.refresh),
//!     access: Some(&*records.access_tokens),
//!     announced: Some(announced),
//! };
//! let ended = known.end(&UserId::new("u-alice"), Next::Never, clock.now()).await?;
//! assert_eq!(ended, EndedAll::default(), "there was nothing");
//! assert_eq!(feed.revocations().len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```

use std::fmt;
use std::time::Duration;

use palisade_core::id::{SessionHandle, UserId};
use palisade_core::port::access_token::Which;
use palisade_core::port::refresh::{FamilyId, Whose};
use palisade_core::port::revocation::{Revoked, What};
use palisade_core::port::{AccessTokenStore, RefreshStore, SessionStore};
use palisade_core::time::Timestamp;

use crate::token::revocation_feed::{FeedError, RevocationFeed};

/// Where what people are known by is kept. What an application does not have is `None`.
#[derive(Clone, Copy, Default)]
pub struct KnownBy<'a> {
    /// Sessions in a cookie.
    pub sessions: Option<&'a dyn SessionStore>,
    /// Families of refresh tokens.
    pub refresh: Option<&'a dyn RefreshStore>,
    /// Opaque access tokens.
    pub access: Option<&'a dyn AccessTokenStore>,
    /// Who hears of signed access tokens that are taken back; without it they last until they expire.
    pub announced: Option<Announced<'a>>,
}

/// Who hears of signed access tokens that are taken back.
#[derive(Clone, Copy, Debug)]
pub struct Announced<'a> {
    /// Writes it down for every process.
    pub feed: &'a RevocationFeed,
    /// Whose tokens they are (`iss`).
    pub issuer: &'a str,
    /// How long one of them lives at most.
    pub lifetime: Duration,
}

/// What comes after everything has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Its owner may have something new within the same second: another password was set.
    AtOnce,
    /// Nothing: the account is disabled.
    Never,
}

/// What has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndedAll {
    /// Sessions.
    pub sessions: Vec<SessionHandle>,
    /// How many families of refresh tokens.
    pub families: u64,
    /// How many opaque access tokens, of which some may have expired before.
    pub access: u64,
}

impl KnownBy<'_> {
    /// Ends all that `user` has. An error says that something may not have ended, or not everywhere; whatever could be
    /// ended has, and the same call does the rest.
    pub async fn end(&self, user: &UserId, next: Next, now: Timestamp) -> Result<EndedAll, FeedError> {
        let sessions = match self.sessions {
            Some(store) => store.end_all(user, None).await,
            None => Ok(Vec::new()),
        };
        let (mut names, mut families) = (Vec::new(), Ok(0));
        if let Some(store) = self.refresh {
            let kept = store.list(user, now).await;
            families = store.revoke(Whose::Subject(user), now).await;
            match kept {
                Ok(kept) => names.extend(kept.into_iter().map(|kept| kept.family.id)),
                Err(error) => families = Err(error),
            }
        }
        let access = match self.access {
            Some(store) => store.revoke(Which::Subject(user.as_str())).await,
            None => Ok(0),
        };
        let told = match &self.announced {
            Some(announced) => announced.tell(user, &names, next, now).await,
            None => Ok(()),
        };
        told?;
        Ok(EndedAll { sessions: sessions?, families: families?, access: access? })
    }
}

impl Announced<'_> {
    /// By name what came with a family: also a token that somebody signs at this moment, or a second later, for a
    /// request that has found its account before. Everything else by its subject.
    async fn tell(&self, user: &UserId, families: &[FamilyId], next: Next, now: Timestamp) -> Result<(), FeedError> {
        for family in families {
            self.revoke(What::Session(family.to_string().into()), now, now).await?;
        }
        // Tokens say in whole seconds when they were issued. The one that comes next is of this second.
        let up_to = match next {
            Next::AtOnce => Timestamp::from_secs(now.as_secs().saturating_sub(1)),
            Next::Never => now,
        };
        self.revoke(What::Subject(user.as_str().into()), up_to, now).await
    }

    /// Tells everybody who reads the feed. An error says that some may not hear of it.
    pub(crate) async fn revoke(&self, what: What, at: Timestamp, now: Timestamp) -> Result<(), FeedError> {
        let until = now.plus(self.lifetime);
        self.feed.revoke(&Revoked { issuer: self.issuer.into(), what, at, until }).await
    }
}

impl fmt::Debug for KnownBy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownBy").field("announced", &self.announced).finish_non_exhaustive()
    }
}
