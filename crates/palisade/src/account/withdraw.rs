//! Takes back access tokens when the sign-in that they come from ends, instead of waiting until they expire.

use palisade_core::id::UserId;
use palisade_core::port::refresh::{FamilyId, Whose};
use palisade_core::port::revocation::{Revoked, What};
use palisade_core::time::Timestamp;

use super::tokens::Tokens;
use crate::extract::Refusal;

impl Tokens {
    /// Takes back the access tokens that came with one family of refresh tokens.
    pub(super) async fn withdraw_family(&self, family: FamilyId) -> Result<(), Refusal> {
        self.withdraw(What::Session(family.to_string().into()), self.refresh().now()).await
    }

    /// Takes back every access token of a subject; nobody gets one within the same second.
    pub(super) async fn withdraw_all(&self, subject: &UserId) -> Result<(), Refusal> {
        self.withdraw(What::Subject(subject.as_str().into()), self.refresh().now()).await
    }

    /// Ends everything that a subject has, and lets it have something new at once.
    pub(super) async fn end_all_before(&self, subject: &UserId) -> Result<(), Refusal> {
        let (store, now) = (self.refresh().store(), self.refresh().now());
        let families = store.list(subject, now).await?;
        store.revoke(Whose::Subject(subject), now).await?;
        // Tokens say in whole seconds when they were issued. The one that comes next is of this second, and so are those
        // of families that began in it: these go by name, and everything older by the second before.
        for kept in families {
            self.withdraw_family(kept.family.id).await?;
        }
        let before = Timestamp::from_secs(now.as_secs().saturating_sub(1));
        self.withdraw(What::Subject(subject.as_str().into()), before).await
    }

    /// Tells everybody who reads the feed. An error says that some may not hear of it.
    async fn withdraw(&self, what: What, at: Timestamp) -> Result<(), Refusal> {
        let Some(feed) = self.feed() else { return Ok(()) };
        let until = self.refresh().now().plus(self.issuer().lifetime());
        let revoked = Revoked { issuer: self.issuer().name().into(), what, at, until };
        Ok(feed.revoke(&revoked).await?)
    }
}
