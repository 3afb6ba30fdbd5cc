//! The routes of sign-in, ready to mount: password, second factor, refresh, the list of sessions, sign-out.
//!
//! Who writes these by hand tells with the wording or the time of an answer which accounts exist, keeps refresh tokens
//! where scripts read them, or forgets that a changed password has to end the other sessions. Here each route is one
//! rule of this library and nothing else:
//!
//! | route | what it does | the rule |
//! |---|---|---|
//! | `POST /sign-in` | a name and a password | [`crate::credential::sign_in`] |
//! | `POST /sign-in/factor`, `POST /sign-in/passkey` | the second factor | [`crate::credential::factors`] |
//! | `POST /step-up`, `POST /step-up/passkey` | both factors again, for what needs them fresh | |
//! | `GET /factors`, `POST /factors/...`, `DELETE /factors/{id}` | enrollment; the other sessions end | |
//! | `POST /refresh` | the next tokens | [`crate::token::refresh`] |
//! | `GET /sessions`, `DELETE /sessions/{id}` | where somebody is signed in | [`crate::session`], or families of tokens |
//! | `POST /password` | another password; the other sessions end | [`crate::credential::sign_in::PasswordChange`] |
//! | `POST /sign-out` | this session ends | |
//!
//! Somebody who has signed in has a [`Ticket`] from then on: a session in a cookie, or tokens. With tokens the refresh
//! token travels in a cookie that no script can read, unless the client is no browser and asks for it in the body
//! ([`Delivery`]). [`Tokens::revoking`] takes the access tokens of a sign-in back with it, at every gateway.
//!
//! [`Preset::accounts`](crate::preset::Preset::accounts) makes public what must be, and judges requests from other sites
//! there, with or without a credential (login CSRF), unless the tokens travel in bodies only. The example `accounts` puts
//! all of it together.
//!
//! ```
//! use std::sync::Arc;
//! use axum::Router;
//! use palisade::account::{Accounts, Delivery, Ticket, Tokens};
//! use palisade::core::{id::ClientId, port::AccountStore};
//! use palisade::credential::sign_in::SignIn;
//! use palisade::preset::World;
//! use palisade::token::{issue::Issuer, jwks::KeySource, jwt::Rules, refresh::RefreshTokens};
//! use palisade::{Chain, chain::ChainError};
//!
//! struct Parts {
//!     store: Arc<dyn AccountStore>,
//!     sign_in: SignIn,
//!     issuer: Issuer,
//!     refresh: RefreshTokens,
//! }
//!
//! fn mount(parts: Parts, rules: Rules, keys: impl KeySource, world: &World) -> Result<Router, ChainError> {
//!     let tokens = Tokens::new(parts.issuer, parts.refresh, ClientId::new("web"), Delivery::Cookie);
//!     let accounts = Accounts::new(parts.store, parts.sign_in, Ticket::Tokens(tokens)).under("/auth");
//!     Chain::api().bearer(rules, keys).accounts(&accounts).protect(accounts.routes(), world)
//! }
//! ```

mod answer;
mod enroll;
mod factor;
mod password;
mod pending;
mod sessions;
mod sign_in;
mod tokens;
mod withdraw;

use std::fmt;
use std::sync::Arc;

use answer::denied;
use axum::Router;
use axum::routing::{delete, get, post};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::port::AccountStore;
use palisade_core::secret::Secret;
use palisade_core::time::Timestamp;
use pending::PendingKey;
pub use tokens::{Delivery, Tokens};

use crate::credential::factors::SecondFactors;
use crate::credential::passkeys::Passkeys;
use crate::credential::password::PasswordPolicy;
use crate::credential::sign_in::SignIn;
use crate::session::Sessions;
use crate::token::jwk::KeyError;
use crate::token::revocation::Revocations;

/// Sign-in for an application. Clones are the same.
#[derive(Clone)]
pub struct Accounts {
    accounts: Arc<dyn AccountStore>,
    sign_in: Arc<SignIn>,
    policy: Arc<PasswordPolicy>,
    ticket: Ticket,
    second: Option<Arc<Second>>,
    under: Arc<str>,
}

/// What second factors need.
struct Second {
    factors: SecondFactors,
    passkeys: Option<Passkeys>,
    key: PendingKey,
}

/// What somebody who has signed in is known by from then on.
#[derive(Clone, Debug)]
pub enum Ticket {
    /// A session in a cookie: for applications whose pages come from the same site. It ends at once wherever it is ended.
    Session(Sessions),
    /// Access tokens that live for minutes, and a refresh token.
    Tokens(Tokens),
}

impl Accounts {
    /// Routes for the accounts of a store.
    pub fn new(accounts: Arc<dyn AccountStore>, sign_in: SignIn, ticket: Ticket) -> Self {
        let (sign_in, policy, under) = (Arc::new(sign_in), Arc::default(), "".into());
        Self { accounts, sign_in, policy, ticket, second: None, under }
    }

    /// The same with second factors. Whoever has one is asked for it after the password; until then a sealed text, under
    /// a key of at least 32 random bytes, says that the password was right.
    pub fn second_factors(
        self,
        factors: SecondFactors,
        passkeys: Option<Passkeys>,
        key: &Secret,
    ) -> Result<Self, KeyError> {
        let second = Second { factors, passkeys, key: PendingKey::new(key)? };
        Ok(Self { second: Some(Arc::new(second)), ..self })
    }

    /// The same under a path, such as `/auth`.
    #[must_use]
    pub fn under(self, path: &str) -> Self {
        Self { under: path.trim_end_matches('/').into(), ..self }
    }

    /// The same with another policy for new passwords.
    #[must_use]
    pub fn policy(self, policy: PasswordPolicy) -> Self {
        Self { policy: Arc::new(policy), ..self }
    }

    /// The routes. They belong behind a chain whose preset knows them: `preset.accounts(&accounts)`.
    pub fn routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let at = |path: &str| format!("{}{path}", self.under);
        let routes = Router::new()
            .route(&at(SIGN_IN), post(sign_in::sign_in))
            .route(&at(PASSWORD), post(password::change))
            .route(&at(SESSIONS), get(sessions::list))
            .route(&at(SESSION), delete(sessions::end));
        let routes = match &self.ticket {
            Ticket::Session(_) => routes.route(&at(SIGN_OUT), post(sessions::sign_out)),
            Ticket::Tokens(_) => {
                routes.route(&at(SIGN_OUT), post(tokens::sign_out)).route(&at(REFRESH), post(tokens::refresh))
            }
        };
        let routes = match &self.second {
            None => routes,
            Some(_) => routes
                .route(&at(SIGN_IN_FACTOR), post(factor::sign_in))
                .route(&at(SIGN_IN_PASSKEY), post(factor::ask_at_sign_in))
                .route(&at(STEP_UP), post(factor::step_up))
                .route(&at(STEP_UP_PASSKEY), post(factor::ask))
                .route(&at(FACTORS), get(enroll::list))
                .route(&at(FACTOR), delete(enroll::remove))
                .route(&at(TOTP), post(enroll::begin_totp))
                .route(&at(TOTP_CONFIRM), post(enroll::confirm_totp))
                .route(&at(PASSKEY), post(enroll::begin_passkey))
                .route(&at(PASSKEY_CONFIRM), post(enroll::confirm_passkey))
                .route(&at(CODES), post(enroll::renew_codes)),
        };
        routes.with_state(self.clone())
    }

    /// What is weaker than by default, as [`Chain::dangers`](crate::Chain::dangers) of a chain that knows them says too.
    pub fn dangers(&self) -> Vec<String> {
        match &self.ticket {
            Ticket::Session(_) => Vec::new(),
            Ticket::Tokens(tokens) => tokens.refresh().settings().dangers(),
        }
    }

    /// The paths at which somebody without a credential is expected.
    pub(crate) fn public(&self) -> Vec<String> {
        let refresh = matches!(self.ticket, Ticket::Tokens(_)).then_some(REFRESH);
        let second = self.second.as_ref().map(|_| [SIGN_IN_FACTOR, SIGN_IN_PASSKEY]);
        let paths = [SIGN_IN, SIGN_OUT].into_iter().chain(refresh).chain(second.into_iter().flatten());
        paths.map(|path| format!("{}{path}", self.under)).collect()
    }

    /// Whether what somebody is known by is in a cookie, so that a foreign page could have a browser send it.
    pub(crate) fn sets_cookies(&self) -> bool {
        match &self.ticket {
            Ticket::Session(_) => true,
            Ticket::Tokens(tokens) => tokens.delivery() == Delivery::Cookie,
        }
    }

    /// The present moment, as what sign-in gives is judged by it.
    fn now(&self) -> Timestamp {
        match &self.ticket {
            Ticket::Session(sessions) => sessions.now(),
            Ticket::Tokens(tokens) => tokens.refresh().now(),
        }
    }

    /// What second factors need.
    fn second(&self) -> Result<&Second, Denial> {
        self.second.as_deref().ok_or_else(|| denied(DenialCode::Internal, "no_second_factors_here"))
    }

    /// What was taken back of the tokens that sign-in gives, where they are told of it.
    pub(crate) fn revocations(&self) -> Option<&Arc<Revocations>> {
        match &self.ticket {
            Ticket::Session(_) => None,
            Ticket::Tokens(tokens) => tokens.revocations(),
        }
    }

    /// The sessions that sign-in starts, if it does.
    pub(crate) fn sessions(&self) -> Option<&Sessions> {
        match &self.ticket {
            Ticket::Session(sessions) => Some(sessions),
            Ticket::Tokens(_) => None,
        }
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("under", &self.under).field("ticket", &self.ticket).finish_non_exhaustive()
    }
}

const SIGN_IN: &str = "/sign-in";
const SIGN_OUT: &str = "/sign-out";
const REFRESH: &str = "/refresh";
const PASSWORD: &str = "/password";
const SESSIONS: &str = "/sessions";
const SESSION: &str = "/sessions/{id}";
const SIGN_IN_FACTOR: &str = "/sign-in/factor";
const SIGN_IN_PASSKEY: &str = "/sign-in/passkey";
const STEP_UP: &str = "/step-up";
const STEP_UP_PASSKEY: &str = "/step-up/passkey";
const FACTORS: &str = "/factors";
const FACTOR: &str = "/factors/{id}";
const TOTP: &str = "/factors/totp";
const TOTP_CONFIRM: &str = "/factors/totp/confirm";
const PASSKEY: &str = "/factors/passkey";
const PASSKEY_CONFIRM: &str = "/factors/passkey/confirm";
const CODES: &str = "/factors/codes";
