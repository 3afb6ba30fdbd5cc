//! What an operator does with accounts: makes them, looks at them, disables them, gives them passwords.

use std::sync::Arc;

use palisade::credential::password::{Busy, HashSettings, Hasher, PasswordPolicy, PasswordRefusal, StoredHash};
pub use palisade::credential::password::{Cost, Measured, Pepper, calibrate};
use palisade::credential::sign_in::PASSWORD;
use palisade::session::ending::{Announced, KnownBy, Next};
use palisade::token::issue::LONGEST;
use palisade::token::revocation_feed::{FeedError, RevocationFeed};
use palisade_core::id::{AuthenticatorId, TenantId, UserId};
pub use palisade_core::port::account::Strength;
use palisade_core::port::account::{
    Account, AccountStatus, NewAccount, NewPassword, Registered, Replaced, SignInName, StatusSet,
};
use palisade_core::port::{Clock as _, Entropy as _, StoreError};
use palisade_store::clock::SystemClock;
use palisade_store::entropy::SystemEntropy;
use palisade_store::records::Records;
use palisade_store::{OpenError, Place};

/// The accounts of one store.
#[derive(Debug)]
pub struct Users {
    records: Records,
    pepper: Option<Pepper>,
}

/// Whom a command is about.
#[derive(Clone, Debug)]
pub struct Who {
    /// The organization.
    pub tenant: Option<TenantId>,
    /// The name by which they sign in, as it was typed.
    pub name: String,
}

/// A password that an operator gives to somebody.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "it holds a password")]
pub struct Given<'a> {
    /// As it was typed.
    pub text: &'a str,
    /// What it has to suffice for.
    pub needs: Strength,
}

/// What has ended with what somebody had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedOut {
    /// Whether the account or the password is another one now.
    pub changed: bool,
    /// How many sessions have ended.
    pub sessions: usize,
    /// How many families of refresh tokens have.
    pub families: u64,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UserError {
    /// The password cannot be hashed.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// Somebody else has changed the same at the same time.
    #[error("somebody else has just changed this password: look, and try again")]
    Changed,
    /// The account or the password was changed, and something that began before may not have ended.
    #[error("done, but what began before may not have ended: {0}: say the same again")]
    NotEnded(#[from] FeedError),
    /// The store keeps nothing beyond this command.
    #[error("`memory:` keeps nothing: name a file with `sqlite:PATH` or a database with `postgres://...`")]
    Forgets,
    /// The name cannot be one.
    #[error("`{0}` cannot be a name to sign in with: it needs 1 to 254 bytes without white space")]
    Name(String),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The policy refuses the password.
    #[error("{rule} ({})", .rule.slug())]
    Password {
        /// The rule.
        rule: PasswordRefusal,
    },
    /// The store has failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody has the name.
    #[error("`{0}` is taken")]
    Taken(String),
    /// The threads that hash cannot be started.
    #[error("the hashing of passwords cannot start: {0}")]
    Threads(#[from] std::io::Error),
    /// Nobody has the name.
    #[error("nobody is called `{0}`: look with `palisade user list`")]
    Unknown(String),
}

/// One account, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// The name by which it signs in.
    pub name: String,
    /// The organization, or nothing.
    pub tenant: String,
    /// `active`, `disabled`, or `locked` where an active account's password was disabled by failures.
    pub status: &'static str,
    /// How its password is kept, or `none`.
    pub password: &'static str,
    /// Its roles, with commas between.
    pub roles: String,
}

impl Users {
    /// Opens the store at a URL. New passwords are hashed with `pepper`, if the service that uses them has one.
    pub async fn open(url: &str, pepper: Option<Pepper>) -> Result<Self, UserError> {
        if url == "memory:" {
            return Err(UserError::Forgets);
        }
        Ok(Self { records: Records::open(&Place::new(url)).await?, pepper })
    }

    /// Makes an account and returns its id.
    pub async fn add(
        &self,
        who: &Who,
        password: Option<Given<'_>>,
        roles: Vec<String>,
        scopes: Vec<String>,
    ) -> Result<UserId, UserError> {
        let name = Self::name(who)?;
        let password = match password {
            None => None,
            Some(given) => Some(self.hash(given, &name).await?),
        };
        let mut random = [0; 16];
        SystemEntropy.fill(&mut random);
        let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let id = UserId::new(format!("u-{id}"));
        let account =
            NewAccount { tenant: who.tenant.clone(), password, roles, scopes, ..NewAccount::new(id.clone(), name) };
        match self.records.accounts.register(&account, SystemClock.now()).await? {
            Registered::Done => Ok(id),
            Registered::Taken => Err(UserError::Taken(who.name.clone())),
        }
    }

    /// All accounts in the order of their ids, page by page.
    pub async fn list(&self) -> Result<Vec<Row>, UserError> {
        let (mut rows, mut after) = (Vec::new(), None);
        loop {
            let page = self.records.accounts.list(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(rows) };
            after = Some(last.id.clone());
            for account in &page {
                rows.push(self.row(account).await?);
            }
        }
    }

    async fn row(&self, account: &Account) -> Result<Row, UserError> {
        let password = AuthenticatorId::new(PASSWORD);
        let locked = self.records.accounts.disabled_until(&account.id, &password, SystemClock.now()).await?;
        let kept = account.password.as_ref().map(|kept| String::from_utf8_lossy(kept.hash.expose()).into_owned());
        Ok(Row {
            id: account.id.to_string(),
            name: account.name.to_string(),
            tenant: account.tenant.as_ref().map(ToString::to_string).unwrap_or_default(),
            status: match (account.status, locked) {
                (AccountStatus::Active, Some(_)) => "locked",
                (status, _) => status.as_str(),
            },
            password: kept.map_or("none", |kept| StoredHash::parse(&kept).map_or("unusable", |hash| hash.scheme())),
            roles: account.roles.join(","),
        })
    }

    /// Keeps somebody from signing in, and ends everything that they have: sessions, refresh tokens and, where their
    /// `issuer` is named, access tokens, at every process that reads the store. Also if the account was disabled before.
    pub async fn disable(&self, who: &Who, issuer: Option<&str>) -> Result<SignedOut, UserError> {
        let changed = self.set(who, AccountStatus::Disabled).await?;
        let account = self.find(who).await?;
        self.end(&account.id, Next::Never, changed, issuer).await
    }

    async fn end(
        &self,
        user: &UserId,
        next: Next,
        changed: bool,
        issuer: Option<&str>,
    ) -> Result<SignedOut, UserError> {
        let feed = RevocationFeed::new(Arc::clone(&self.records.revocations), Arc::default(), Arc::new(SystemClock));
        let announced = issuer.map(|issuer| Announced { feed: &feed, issuer, lifetime: LONGEST });
        let (sessions, refresh) = (Some(&*self.records.sessions), Some(&*self.records.refresh));
        let access = Some(&*self.records.access_tokens);
        let ended = KnownBy { sessions, refresh, access, announced }.end(user, next, SystemClock.now()).await?;
        Ok(SignedOut { changed, sessions: ended.sessions.len(), families: ended.families })
    }

    /// Lets somebody sign in again: the account, and the password if failures have disabled it. Says whether one was.
    pub async fn enable(&self, who: &Who) -> Result<bool, UserError> {
        let changed = self.set(who, AccountStatus::Active).await?;
        let account = self.find(who).await?;
        let unlocked = self.records.accounts.enable(&account.id, &AuthenticatorId::new(PASSWORD)).await?;
        Ok(changed || unlocked)
    }

    /// Gives somebody another password, and ends what began with the one before, as [`Users::disable`] does.
    pub async fn give(&self, who: &Who, given: Given<'_>, issuer: Option<&str>) -> Result<SignedOut, UserError> {
        let account = self.find(who).await?;
        let new = self.hash(given, &account.name).await?;
        let (version, now) = (account.password_version, SystemClock.now());
        match self.records.accounts.replace_password(&account.id, version, &new, now).await? {
            Replaced::Done { .. } => self.end(&account.id, Next::AtOnce, true, issuer).await,
            Replaced::Stale => Err(UserError::Changed),
            Replaced::Unknown => Err(UserError::Unknown(who.name.clone())),
        }
    }

    async fn set(&self, who: &Who, status: AccountStatus) -> Result<bool, UserError> {
        let account = self.find(who).await?;
        match self.records.accounts.set_status(&account.id, status, SystemClock.now()).await? {
            StatusSet::Changed => Ok(true),
            StatusSet::Unchanged => Ok(false),
            StatusSet::Unknown => Err(UserError::Unknown(who.name.clone())),
        }
    }

    fn name(who: &Who) -> Result<SignInName, UserError> {
        SignInName::parse(&who.name).ok_or_else(|| UserError::Name(who.name.clone()))
    }

    async fn find(&self, who: &Who) -> Result<Account, UserError> {
        let found = self.records.accounts.find_by_name(who.tenant.as_ref(), &Self::name(who)?).await?;
        found.ok_or_else(|| UserError::Unknown(who.name.clone()))
    }

    async fn hash(&self, given: Given<'_>, name: &SignInName) -> Result<NewPassword, UserError> {
        let checked = PasswordPolicy::default().check(given.text, given.needs, &[name.as_str()]);
        let (password, strength) = checked.map_err(|rule| UserError::Password { rule })?;
        let threads = Some(std::num::NonZeroUsize::MIN);
        let settings = HashSettings { threads, pepper: self.pepper.clone(), ..HashSettings::default() };
        let hash = Hasher::new(settings, Arc::new(SystemEntropy))?.hash(&password).await?;
        Ok(NewPassword { hash, strength })
    }
}

/// How many accounts are asked for at once.
const PAGE: u32 = 200;
