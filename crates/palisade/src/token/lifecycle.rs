//! The life of a signing key as a pure function of time: pending, active, retired, destroyed.
//!
//! A key is *pending* when it is published and does not sign yet, so that every verifier has it before the first token
//! comes; *active* while it signs; *retired* while tokens that it has signed may still be good; then its private half is
//! *destroyed*. No key's state is stored anywhere: it follows from when each key begins, so that no two processes can
//! disagree about it.
//!
//! ```
//! use std::time::Duration;
//! use palisade::token::lifecycle::{KeyPolicy, Plan};
//!
//! let policy = KeyPolicy::default();
//! let now = palisade::core::time::Timestamp::from_secs(1_795_305_600);
//! // Nobody has a key yet: one is made, and signs at once, because nobody can have an older set.
//! assert_eq!(Plan::of(&[], &policy, now).next, Some((1, now)));
//! ```

use std::time::Duration;

use palisade_core::port::key::KeyRecord;
use palisade_core::time::Timestamp;

/// How long keys live.
///
/// ```
/// use palisade::token::lifecycle::KeyPolicy;
///
/// assert_eq!(KeyPolicy::default().period.as_secs(), 30 * 86_400);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPolicy {
    /// How long a key signs.
    pub period: Duration,
    /// How long it is published before it signs: longer than any verifier keeps a set of keys without asking again.
    pub publish_ahead: Duration,
    /// How long the longest token lives that it signs.
    pub token_life: Duration,
    /// How far clocks may be apart.
    pub skew: Duration,
}

impl Default for KeyPolicy {
    /// Thirty days; an hour ahead; tokens of an hour; two minutes.
    fn default() -> Self {
        let hour = Duration::from_secs(3600);
        Self { period: 30 * 24 * hour, publish_ahead: hour, token_life: hour, skew: Duration::from_secs(120) }
    }
}

/// The state of a key at a moment.
///
/// ```
/// use palisade::token::lifecycle::KeyState;
///
/// assert!(KeyState::Pending.is_published() && !KeyState::Revoked.is_published());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It signs.
    Active,
    /// Its time is over.
    Destroyed,
    /// It is published and does not sign yet.
    Pending,
    /// It signs no more and is still published.
    Retired,
    /// It was taken out of use and is not published.
    Revoked,
}

impl KeyState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Destroyed => "destroyed",
            Self::Pending => "pending",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }

    /// Whether verifiers are told of it.
    pub fn is_published(self) -> bool {
        matches!(self, Self::Active | Self::Pending | Self::Retired)
    }
}

/// What is so at a moment, and what is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The number and state of each key.
    pub states: Vec<(u32, KeyState)>,
    /// The number of the key to make now and when it begins, if one is due.
    pub next: Option<(u32, Timestamp)>,
}

impl Plan {
    /// The plan for these keys, which are in the order of their numbers.
    pub fn of(records: &[KeyRecord], policy: &KeyPolicy, now: Timestamp) -> Self {
        let mut states: Vec<_> =
            records.iter().map(|record| (record.number, state(records, record, policy, now))).collect();
        // After an emergency nobody signs: the next key steps in early rather than that nothing is signed.
        if !states.iter().any(|(_, state)| *state == KeyState::Active)
            && let Some((_, state)) = states.iter_mut().find(|(_, state)| *state == KeyState::Pending)
        {
            *state = KeyState::Active;
        }
        let next = match (records.last(), states.last()) {
            (Some(newest), Some((_, KeyState::Active))) => {
                let over = newest.active_from.plus(policy.period);
                let is_due = now.plus(policy.publish_ahead) >= over && newest.active_from <= now;
                is_due.then(|| (newest.number.checked_add(1), over.max(now.plus(policy.publish_ahead))))
            }
            (Some(newest), Some((_, KeyState::Destroyed | KeyState::Retired | KeyState::Revoked))) => {
                Some((newest.number.checked_add(1), now))
            }
            (Some(_), _) => None,
            (None, _) => Some((Some(1), now)),
        };
        let next = next.and_then(|(number, from)| Some((number?, from)));
        Self { states, next }
    }

    /// The number of the key that signs.
    pub fn active(&self) -> Option<u32> {
        self.states.iter().find(|(_, state)| *state == KeyState::Active).map(|(number, _)| *number)
    }

    /// The next key although none is due, published as long as any before it signs; `None` where one waits already.
    pub fn early(records: &[KeyRecord], policy: &KeyPolicy, now: Timestamp) -> Option<(u32, Timestamp)> {
        let plan = Self::of(records, policy, now);
        if plan.next.is_some() {
            return plan.next;
        }
        let newest = records.last().filter(|newest| newest.active_from <= now)?;
        Some((newest.number.checked_add(1)?, now.plus(policy.publish_ahead)))
    }
}

fn state(records: &[KeyRecord], record: &KeyRecord, policy: &KeyPolicy, now: Timestamp) -> KeyState {
    if record.revoked_at.is_some() {
        return KeyState::Revoked;
    }
    if record.sealed.is_none() {
        return KeyState::Destroyed;
    }
    // A key is followed by the next that begins, although that may have been revoked since: none signs a second time.
    let later = records.iter().filter(|later| later.number > record.number);
    let followed_at = later.map(|later| later.active_from).min().filter(|at| *at <= now);
    match followed_at {
        Some(at) if now >= at.plus(policy.token_life).plus(policy.skew) => KeyState::Destroyed,
        Some(_) => KeyState::Retired,
        None if record.active_from <= now => KeyState::Active,
        None => KeyState::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);
    const HOUR: Duration = Duration::from_secs(3600);

    fn key(number: u32, active_from: Timestamp) -> KeyRecord {
        let (purpose, algorithm, public) = ("p".into(), "ES256".into(), "{}".into());
        let (sealed, created) = (Some(vec![0]), NOW);
        KeyRecord { purpose, number, algorithm, public, sealed, created, active_from, revoked_at: None }
    }

    fn states(records: &[KeyRecord], now: Timestamp) -> String {
        let plan = Plan::of(records, &KeyPolicy::default(), now);
        let words: Vec<_> = plan.states.iter().map(|(_, state)| state.as_str()).collect();
        let next = plan.next.map(|(number, from)| format!(", {number} in {} s", from.since(now).as_secs()));
        format!("{}{}", words.join(" "), next.unwrap_or_default())
    }

    #[test]
    fn every_state_follows_from_time() {
        let two = [key(1, NOW), key(2, NOW.plus(720 * HOUR))];
        let revoked = |number: usize| {
            let mut keys = two.clone();
            keys[number - 1].revoked_at = Some(NOW);
            keys
        };
        let at = |hours: u32, secs: u64| NOW.plus(hours * HOUR).plus(Duration::from_secs(secs));
        let cases: [(&[KeyRecord], Timestamp, &str); 14] = [
            (&two[..1], at(0, 0), "active"),
            (&two[..1], at(718, 3599), "active"),
            (&two[..1], at(719, 0), "active, 2 in 3600 s"),
            // Nobody has asked for a long time: the next is published first all the same.
            (&two[..1], at(5000, 0), "active, 2 in 3600 s"),
            (&two, at(719, 0), "active pending"),
            (&two, at(719, 3599), "active pending"),
            (&two, at(720, 0), "retired active"),
            (&two, at(721, 119), "retired active"),
            (&two, at(721, 120), "destroyed active"),
            (&two, at(1439, 0), "destroyed active, 3 in 3600 s"),
            // Emergencies: what waits steps in; what has signed before does not come back; nobody is left.
            (&revoked(1), at(719, 1), "revoked active"),
            (&revoked(2), at(720, 1), "retired revoked, 3 in 0 s"),
            (&revoked(2), at(719, 1), "active revoked, 3 in 0 s"),
            (&[KeyRecord { revoked_at: Some(NOW), ..key(1, NOW) }], at(0, 1), "revoked, 2 in 0 s"),
        ];
        for (records, now, expect) in cases {
            assert_eq!(states(records, now), expect, "after {} s", now.since(NOW).as_secs());
        }
    }

    #[test]
    fn a_key_can_be_had_early_and_only_once() {
        let policy = KeyPolicy::default();
        let one = [key(1, NOW)];
        assert_eq!(Plan::early(&one, &policy, NOW.plus(HOUR)), Some((2, NOW.plus(2 * HOUR))));
        let two = [key(1, NOW), key(2, NOW.plus(2 * HOUR))];
        assert_eq!(Plan::early(&two, &policy, NOW.plus(HOUR)), None);
        assert_eq!(Plan::early(&[], &policy, NOW), Some((1, NOW)));
    }
}
