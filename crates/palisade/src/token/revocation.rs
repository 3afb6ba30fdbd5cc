//! Takes tokens back before they expire: one token, everything a subject has, or what was verified with a key.
//!
//! A signed token is good wherever its signature is, until it expires; the only other way to end it is to remember that
//! it was ended. What is remembered here ends at once: a bump of the epoch makes everything that was verified before be
//! verified anew, and then the list is asked. A request whose token is remembered costs one atomic read more.
//!
//! The list is as long as the revoked tokens live and is gone with the process; an issuer that can tell of revocations
//! tells each process.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use palisade_core::time::Timestamp;
use serde_json::Value;

use super::claims::Claims;

/// What is revoked. One may be shared by the verifiers of several issuers.
///
/// ```
/// use std::time::Duration;
/// use palisade::token::revocation::Revocations;
/// use palisade_core::time::Timestamp;
///
/// let revocations = Revocations::default();
/// let now = Timestamp::from_secs(1_795_305_600);
/// // Nobody who has a token of alice's from before this moment gets in with it; her next sign-in does.
/// revocations.revoke_subject("https://id.example.com", "u-alice", now, Duration::from_secs(3600))?;
/// # Ok::<(), palisade::token::revocation::Full>(())
/// ```
#[derive(Debug, Default)]
pub struct Revocations {
    epoch: AtomicU64,
    list: RwLock<List>,
}

#[derive(Debug, Default)]
struct List {
    /// Until when a token is remembered, by issuer and `jti`.
    tokens: BTreeMap<Name, Timestamp>,
    /// What was issued up to a moment is revoked, and until when that is remembered, by issuer and `sub`.
    subjects: BTreeMap<Name, (Timestamp, Timestamp)>,
    /// Until when a session is remembered, by issuer and `sid`.
    sessions: BTreeMap<Name, Timestamp>,
}

type Name = (Box<str>, Box<str>);

/// More is revoked than is remembered. Whoever gets this should withdraw the key that signed the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {MAX_REVOKED} revocations are in force")]
pub struct Full;

impl Revocations {
    /// Ends one token, named by its `jti`, which would otherwise end at `expires`.
    pub fn revoke_token(&self, issuer: &str, id: &str, expires: Timestamp, now: Timestamp) -> Result<(), Full> {
        self.amend(now, |list| {
            remember(&mut list.tokens, (issuer, id), expires.plus(SLACK));
        })
    }

    /// Ends every token of a subject that was issued up to `now`; none of them may live longer than `longest`. A token
    /// without `iat` counts as old.
    pub fn revoke_subject(&self, issuer: &str, subject: &str, now: Timestamp, longest: Duration) -> Result<(), Full> {
        let until = now.plus(longest).plus(SLACK);
        self.amend(now, |list| {
            // Two processes whose clocks differ may tell of an earlier moment later.
            let kept = list.subjects.entry((issuer.into(), subject.into())).or_insert((now, until));
            *kept = (kept.0.max(now), kept.1.max(until));
        })
    }

    /// Ends every token that came out of a session (`sid`); none of them lives longer than `until`.
    pub fn revoke_session(&self, issuer: &str, session: &str, until: Timestamp, now: Timestamp) -> Result<(), Full> {
        self.amend(now, |list| {
            remember(&mut list.sessions, (issuer, session), until.plus(SLACK));
        })
    }

    /// Makes every token be verified anew, and revokes none.
    pub fn forget(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// How many revocations are in force.
    pub fn len(&self) -> usize {
        self.list.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether nothing is revoked.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Whether a token that is otherwise good was revoked.
    pub(super) fn refuses(&self, claims: &Claims, now: Timestamp) -> bool {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        if list.len() == 0 {
            return false;
        }
        let name = |text: &str| (Box::from(claims.issuer()), Box::from(text));
        let token = claims.get("jti").and_then(Value::as_str).and_then(|id| list.tokens.get(&name(id)));
        let session = claims.get("sid").and_then(Value::as_str).and_then(|id| list.sessions.get(&name(id)));
        let subject = list.subjects.get(&name(claims.subject()));
        token.into_iter().chain(session).any(|until| now < *until)
            || subject.is_some_and(|(at, until)| now < *until && claims.issued().is_none_or(|issued| issued <= *at))
    }

    fn amend(&self, now: Timestamp, change: impl FnOnce(&mut List)) -> Result<(), Full> {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        if list.len() >= MAX_REVOKED {
            list.tokens.retain(|_, until| now < *until);
            list.subjects.retain(|_, (_, until)| now < *until);
            list.sessions.retain(|_, until| now < *until);
        }
        if list.len() >= MAX_REVOKED {
            return Err(Full);
        }
        change(&mut list);
        drop(list);
        // INVARIANT: after the list has changed, so that whoever verifies under the new epoch sees the change.
        self.forget();
        Ok(())
    }
}

impl List {
    fn len(&self) -> usize {
        self.tokens.len() + self.subjects.len() + self.sessions.len()
    }
}

/// Remembers a name until a moment, and never for a shorter time than before.
fn remember(names: &mut BTreeMap<Name, Timestamp>, (issuer, name): (&str, &str), until: Timestamp) {
    let kept = names.entry((issuer.into(), name.into())).or_insert(until);
    *kept = (*kept).max(until);
}

/// The most revocations that are remembered.
const MAX_REVOKED: usize = 100_000;

/// How much longer than its life a token may be accepted: the most leeway that rules give.
pub(super) const SLACK: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_makes_room() {
        let revocations = Revocations::default();
        for number in 0..MAX_REVOKED {
            let (id, expires) = (number.to_string(), Timestamp::from_secs(1000));
            revocations.revoke_token("i", &id, expires, Timestamp::default()).unwrap();
        }
        let revoke = |now| revocations.revoke_subject("i", "s", Timestamp::from_secs(now), Duration::from_secs(60));
        assert_eq!(revoke(1119), Err(Full));
        assert_eq!(revoke(1120), Ok(()));
        assert_eq!(revocations.len(), 1);
    }

    #[test]
    fn a_later_word_of_an_earlier_moment_takes_nothing_back() {
        let revocations = Revocations::default();
        for at in [200, 100] {
            revocations.revoke_subject("i", "s", Timestamp::from_secs(at), Duration::from_secs(60)).unwrap();
            revocations.revoke_token("i", "j", Timestamp::from_secs(at), Timestamp::default()).unwrap();
        }
        let list = revocations.list.read().unwrap();
        let name = |text: &str| (Box::from("i"), Box::from(text));
        assert_eq!(list.subjects[&name("s")], (Timestamp::from_secs(200), Timestamp::from_secs(380)));
        assert_eq!(list.tokens[&name("j")], Timestamp::from_secs(320));
    }
}
