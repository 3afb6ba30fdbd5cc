//! Ends what somebody is known by, with the access tokens that came with it, instead of waiting until those expire.

use palisade_core::denial::DenialCode;
use palisade_core::event::EventKind;
use palisade_core::id::{SessionHandle, UserId};
use palisade_core::port::access_token::Which;
use palisade_core::port::account::{Account, AccountStatus};
use palisade_core::port::refresh::{FamilyId, Whose};
use palisade_core::port::revocation::What;
use palisade_core::principal::Assurance;

use super::answer::denied;
use super::sessions::revoked;
use super::tokens::{Answer, Tokens};
use super::{Accounts, Ticket};
use crate::credential::sign_in::RefusedReason;
use crate::extract::{Noted, Principal, Refusal};
use crate::session::ending::{Announced, EndedAll, KnownBy, Next};

impl Tokens {
    /// Takes back the access tokens that came with one family of refresh tokens.
    pub(super) async fn withdraw_family(&self, family: FamilyId) -> Result<(), Refusal> {
        let (name, now) = (family.to_string(), self.refresh().now());
        if let Some(store) = self.kept_access() {
            store.revoke(Which::Session(&name)).await?;
        }
        let Some(announced) = self.announced() else { return Ok(()) };
        Ok(announced.revoke(What::Session(name.into()), now, now).await?)
    }

    /// Ends the family that the access token of the caller came with (`sid`). This is what a step-up replaces, however
    /// the refresh token travels: a client that keeps it in its own hands does not have to send it along.
    pub(super) async fn end_own(&self, who: &Principal, user: &UserId) -> Result<(), Refusal> {
        for family in who.claim("sid").unwrap_or_default().iter().filter_map(|sid| FamilyId::parse(sid)) {
            let store = self.refresh().store();
            // Who else signs tokens may give the same names.
            if store.find(family).await?.is_some_and(|found| found.grant.subject == *user) {
                self.withdraw_family(family).await?;
                store.revoke(Whose::Family(family), self.refresh().now()).await?;
            }
        }
        Ok(())
    }

    fn announced(&self) -> Option<Announced<'_>> {
        let (issuer, lifetime) = (self.issuer().name(), self.issuer().lifetime());
        self.feed().map(|feed| Announced { feed, issuer, lifetime })
    }
}

impl Accounts {
    /// Ends everything that somebody has.
    pub(super) async fn end_all(&self, user: &UserId, next: Next) -> Result<EndedAll, Refusal> {
        let known = match &self.ticket {
            Ticket::Session(sessions) => KnownBy { sessions: Some(&**sessions.store()), ..KnownBy::default() },
            Ticket::Tokens(tokens) => KnownBy {
                refresh: Some(&**tokens.refresh().store()),
                access: tokens.kept_access().map(|store| &**store),
                announced: tokens.announced(),
                ..KnownBy::default()
            },
        };
        Ok(known.end(user, next, self.now()).await?)
    }

    /// The first tokens of somebody who may still sign in as they have.
    pub(super) async fn begin(
        &self,
        tokens: &Tokens,
        account: &Account,
        by: &Assurance,
    ) -> Result<Answer, (Noted, Refusal)> {
        let answer = tokens.begin(account, by).await.map_err(|refusal| (Noted::default(), refusal))?;
        self.look_again(account, Begun::Family(answer.family())).await?;
        Ok(answer)
    }

    /// That an account is active, and has the password that was shown, now that something new stands in the store.
    /// Otherwise that ends, and the events say so.
    ///
    /// INVARIANT: asked after the session was written, and after its access token was signed. Whoever disables an account
    /// or changes its password writes that first and then ends what he finds: either he finds the session, or this finds
    /// the account changed.
    pub(super) async fn look_again(&self, account: &Account, begun: Begun<'_>) -> Result<(), (Noted, Refusal)> {
        let user = &account.id;
        let found = self.accounts.find(user).await.map_err(|error| (Noted::default(), error.into()))?;
        let why = match found.filter(|found| found.status == AccountStatus::Active) {
            Some(found) if found.password_version == account.password_version => return Ok(()),
            Some(_) => RefusedReason::PasswordChanged,
            None => RefusedReason::AccountDisabled,
        };
        let ended = match why {
            // Whoever has changed the password has a session of their own.
            RefusedReason::PasswordChanged => self.end_begun(user, begun, why.as_str()).await,
            _ => self.end_disabled(user).await,
        };
        let refused = sign_in_refused(user, why.as_str());
        match ended {
            Ok(ended) => Err((ended.and(refused), denied(DenialCode::CredentialInvalid, why.as_str()).into())),
            Err(refusal) => Err((refused, refusal)),
        }
    }

    /// Ends what has just begun, and nothing else.
    async fn end_begun(&self, user: &UserId, begun: Begun<'_>, why: &'static str) -> Result<Noted, Refusal> {
        match (&self.ticket, begun) {
            (Ticket::Session(sessions), Begun::Session(handle)) => {
                sessions.end_one(user, handle).await?;
                Ok(session_ended(Noted::default(), user, handle, why))
            }
            (Ticket::Tokens(tokens), Begun::Family(Some(family))) => {
                tokens.withdraw_family(family).await?;
                tokens.refresh().store().revoke(Whose::Family(family), tokens.refresh().now()).await?;
                Ok(revoked(user, &family.to_string(), why))
            }
            _ => Ok(Noted::default()),
        }
    }

    /// Ends all that somebody has whose account is disabled.
    async fn end_disabled(&self, user: &UserId) -> Result<Noted, Refusal> {
        let ended = self.end_all(user, Next::Never).await?;
        let noted = if ended.families > 0 { account_disabled(user) } else { Noted::default() };
        Ok(ended.sessions.iter().fold(noted, |noted, handle| session_ended(noted, user, handle, "account_disabled")))
    }
}

/// What has begun a moment ago.
#[derive(Clone, Copy)]
pub(super) enum Begun<'a> {
    Family(Option<FamilyId>),
    Session(&'a SessionHandle),
}

/// The event of a sign-in that was refused after its password was right.
pub(super) fn sign_in_refused(user: &UserId, reason: &str) -> Noted {
    Noted::default().with(EventKind::SignInRefused, &[("reason", reason), ("account", user.as_str())])
}

fn session_ended(noted: Noted, user: &UserId, session: &SessionHandle, reason: &str) -> Noted {
    let facts = [("session", session.as_str()), ("user", user.as_str()), ("reason", reason)];
    noted.with(EventKind::SessionEnded, &facts)
}

/// The event of a disabled account whose tokens have ended.
pub(super) fn account_disabled(user: &UserId) -> Noted {
    let facts = [("reason", "account_disabled"), ("account", user.as_str())];
    Noted::default().with(EventKind::TokenRevoked, &facts)
}
