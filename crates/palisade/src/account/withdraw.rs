//! Ends what somebody is known by, with the access tokens that came with it, instead of waiting until those expire.

use palisade_core::denial::DenialCode;
use palisade_core::event::EventKind;
use palisade_core::id::UserId;
use palisade_core::port::access_token::Which;
use palisade_core::port::account::{Account, AccountStatus};
use palisade_core::port::refresh::{FamilyId, Whose};
use palisade_core::port::revocation::What;
use palisade_core::principal::Assurance;

use super::answer::denied;
use super::tokens::{Answer, Tokens};
use super::{Accounts, Ticket};
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

    /// The first tokens of somebody who may still sign in.
    pub(super) async fn begin(&self, tokens: &Tokens, account: &Account, by: &Assurance) -> Result<Answer, Refusal> {
        let answer = tokens.begin(account, by).await?;
        self.still_active(&account.id).await?;
        Ok(answer)
    }

    /// That an account is active now that its new session stands in the store.
    ///
    /// INVARIANT: asked after the session was written, and after its access token was signed. Whoever disables an account
    /// writes that first and then ends what he finds: either he finds the session, or this finds the account disabled.
    pub(super) async fn still_active(&self, user: &UserId) -> Result<(), Refusal> {
        let found = self.accounts.find(user).await?;
        if found.is_some_and(|account| account.status == AccountStatus::Active) {
            return Ok(());
        }
        self.end_all(user, Next::Never).await?;
        Err(denied(DenialCode::CredentialInvalid, "account_disabled").into())
    }
}

/// The event of a disabled account whose tokens have ended.
pub(super) fn account_disabled(user: &UserId) -> Noted {
    let facts = [("reason", "account_disabled"), ("account", user.as_str())];
    Noted::default().with(EventKind::TokenRevoked, &facts)
}
