//! Sessions: who has signed in stays signed in, for as long as it is safe, and not a moment longer than somebody wants.
//!
//! The browser has one cookie with an id of 256 random bits; everything else stands in a store, under the id's SHA-256.
//! So a session ends at once, wherever it is ended, and nobody can read one out of a stolen store.
//!
//! 1. A sign-in always makes a new id and ends the session that the browser had before ([`Sessions::start`]). An id that
//!    was not made here is never taken over: planting one in somebody's browser (session fixation) leads nowhere.
//! 2. The id changes whenever the rights do: with a second factor, or with other roles ([`Sessions::change`]). For a few
//!    seconds the old one still opens the session, with its old rights, because requests may be under way.
//! 3. A session ends when it is unused for too long, and when it is too old, whichever comes first. Both are judged here:
//!    the cookie says nothing about time.
//! 4. A user has a bounded number of sessions, sees them, and ends them; so does an administrator.
//!
//! The stage [`authenticate`](crate::stage::authenticate) takes sessions as a kind of credential
//! ([`Preset::sessions`](crate::preset::Preset::sessions)); sign-in and sign-out are handlers of the application:
//!
//! ```
//! use axum::{Router, extract::State, http::{HeaderMap, StatusCode}, response::IntoResponse, routing::{get, post}};
//! use palisade::core::{id::UserId, port::session::Holder, principal::{Assurance, Level}};
//! use palisade::extract::{Principal, Refusal};
//! use palisade::session::{SessionSettings, Sessions};
//! use palisade::{Chain, testing::TestWorld};
//! use palisade_store::memory::MemorySessions;
//!
//! /// Where the password has been verified.
//! async fn sign_in(State(sessions): State<Sessions>, headers: HeaderMap) -> Result<impl IntoResponse, Refusal> {
//!     let holder = Holder::new(UserId::new("alice"), Assurance::new(Level::Aal1, sessions.now()));
//!     let started = sessions.start(holder, &headers).await?;
//!     let status = if started.id().is_some() { StatusCode::OK } else { StatusCode::CONFLICT };
//!     Ok((status, sessions.cookie(started.id()), started.noted(), ()))
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let test = TestWorld::new();
//! let sessions = Sessions::new(MemorySessions::default(), &test.world, SessionSettings::default());
//! let routes = Router::new()
//!     .route("/me", get(|who: Principal| async move { who.subject().to_string() }))
//!     .route("/login", post(sign_in))
//!     .with_state(sessions.clone());
//! let app = Chain::browser_app().sessions(&sessions).login("/login").public("POST /login").protect(routes, &test.world)?;
//!
//! let browser = test.client(app);
//! let answer = browser.ask("POST /login\nsec-fetch-site: same-origin").await;
//! let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap();
//! assert_eq!(browser.ask(&format!("GET /me\ncookie: {cookie}")).await.text, "user:alice");
//! # Ok::<(), palisade::chain::ChainError>(())
//! # }).unwrap();
//! ```

mod cookie;
pub mod ending;
mod lifecycle;
mod settings;

use std::fmt;
use std::sync::Arc;

pub use cookie::{CookieSite, Presented, SessionCookie, SessionId};
pub use lifecycle::{Changed, Resolved, Started};
use palisade_core::port::{Clock, Entropy, SessionStore};
use palisade_core::time::Timestamp;
pub use settings::SessionSettings;

use crate::preset::World;

/// The sessions of an application: what its handlers and its chain share. Clones are the same sessions.
#[derive(Clone)]
pub struct Sessions(Arc<Parts>);

struct Parts {
    store: Arc<dyn SessionStore>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    settings: SessionSettings,
}

impl Sessions {
    /// Sessions in this store.
    pub fn new(store: impl SessionStore, world: &World, settings: SessionSettings) -> Self {
        Self::shared(Arc::new(store), world, settings)
    }

    /// Sessions in a store that others use as well.
    pub fn shared(store: Arc<dyn SessionStore>, world: &World, settings: SessionSettings) -> Self {
        let (clock, entropy) = (Arc::clone(&world.clock), Arc::clone(&world.entropy));
        Self(Arc::new(Parts { store, clock, entropy, settings }))
    }

    /// How they are kept.
    pub fn settings(&self) -> &SessionSettings {
        &self.0.settings
    }

    /// Where they are kept.
    pub fn store(&self) -> &Arc<dyn SessionStore> {
        &self.0.store
    }

    /// The present moment, as sessions are judged by it.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}
