//! One step of a family of refresh tokens, as a pure function that every store takes.

use std::time::Duration;

use crate::time::Timestamp;

/// How far a family has come.
///
/// ```
/// use std::time::Duration;
/// use palisade_core::port::refresh::{Grace, Outcome, Presented, Progress, Turn};
/// use palisade_core::time::Timestamp;
///
/// let (now, hour) = (Timestamp::from_secs(1_795_305_600), Duration::from_secs(3600));
/// let mut family = Progress::begin(hour, now.plus(24 * hour), now);
/// let newest = Presented { generation: 0, turn: Turn::Rotate, grace: Grace::default() };
/// assert_eq!(family.redeem(newest, hour, now), Outcome::Rotated { generation: 1 });
/// // The answer was lost, or two tabs asked at once: the same successor again, and nothing forks.
/// assert_eq!(family.redeem(newest, hour, now), Outcome::Again { generation: 1 });
/// // Much later only a thief, or the owner after a thief, comes with the old one.
/// assert_eq!(family.redeem(newest, hour, now.plus(hour / 2)), Outcome::Replayed);
/// let newest = Presented { generation: 1, ..newest };
/// assert_eq!(family.redeem(newest, hour, now.plus(hour / 2)), Outcome::Revoked);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The generation of the newest token.
    pub generation: u32,
    /// When it was made.
    pub rotated_at: Timestamp,
    /// Whether what was given out with it has been used.
    pub used: bool,
    /// When the family ends unless it is used.
    pub idle_until: Timestamp,
    /// When it ends, used or not.
    pub until: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Progress {
    /// A family that begins.
    pub fn begin(idle: Duration, until: Timestamp, now: Timestamp) -> Self {
        let idle_until = now.plus(idle);
        Self { generation: 0, rotated_at: now, used: false, idle_until, until, revoked_at: None }
    }

    /// Whether tokens of the family are still worth something.
    pub fn counts(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.idle_until && now < self.until
    }

    /// Uses a token of the family. That it is one was proven before.
    pub fn redeem(&mut self, presented: super::refresh::Presented, idle: Duration, now: Timestamp) -> Outcome {
        if self.revoked_at.is_some() {
            return Outcome::Revoked;
        }
        if !self.counts(now) {
            return Outcome::Expired;
        }
        if presented.generation == self.generation {
            return match presented.turn {
                Turn::Keep => {
                    self.idle_until = now.plus(idle);
                    Outcome::Kept
                }
                Turn::Rotate => match self.generation.checked_add(1) {
                    Some(generation) => {
                        let next = Self::begin(idle, self.until, now);
                        *self = Self { generation, ..next };
                        Outcome::Rotated { generation }
                    }
                    None => Outcome::Expired,
                },
            };
        }
        if presented.generation.checked_add(1) == Some(self.generation) && self.forgives(presented.grace, now) {
            return Outcome::Again { generation: self.generation };
        }
        // Either older than the one before, or newer than the newest: of a store that was put back to an earlier state.
        self.revoked_at = Some(now);
        Outcome::Replayed
    }

    /// Whether the one before the newest may still come. A clock that was set back by more than the grace forgives
    /// nothing, because nobody can tell how long ago the newest was made.
    fn forgives(&self, grace: Grace, now: Timestamp) -> bool {
        let apart = now.since(self.rotated_at).max(self.rotated_at.since(now));
        apart < grace.span() || (grace.until_used && !self.used)
    }
}

/// Whether a token is replaced when it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It stays the newest: for clients that prove each time that the token is theirs.
    Keep,
    /// The next generation takes its place.
    Rotate,
}

/// How the token before the newest is forgiven: its successor may have been lost on the way, or two requests of one
/// client may have come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grace {
    span: Duration,
    until_used: bool,
}

impl Grace {
    /// For this long after its successor was made, at most a minute.
    pub fn new(span: Duration) -> Option<Self> {
        (span <= MAX_GRACE).then_some(Self { span, until_used: false })
    }

    /// The same, and as long as nothing that came with the successor was used. Only where every use is noted by
    /// `note_used`: else a stolen token is forgiven for ever.
    #[must_use]
    pub fn danger_until_used(mut self) -> Self {
        self.until_used = true;
        self
    }

    /// Whether it lasts as long as nothing was used.
    pub fn is_until_used(self) -> bool {
        self.until_used
    }

    /// For how long.
    pub fn span(self) -> Duration {
        self.span
    }
}

impl Default for Grace {
    /// Ten seconds.
    fn default() -> Self {
        Self { span: Duration::from_secs(10), until_used: false }
    }
}

/// The longest grace.
const MAX_GRACE: Duration = Duration::from_secs(60);

/// What became of a token that was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was used a moment ago; its successor is still the newest.
    Again {
        /// The successor's generation.
        generation: u32,
    },
    /// The family's time is over.
    Expired,
    /// It is the newest and stays so.
    Kept,
    /// It was used before. The family is revoked now.
    Replayed,
    /// The family was revoked before.
    Revoked,
    /// It was the newest and has a successor now.
    Rotated {
        /// The successor's generation.
        generation: u32,
    },
    /// There is no such family.
    Unknown,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::refresh::Presented;
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);
    const HOUR: Duration = Duration::from_secs(3600);

    fn rotate(generation: u32) -> Presented {
        Presented { generation, turn: Turn::Rotate, grace: Grace::default() }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(NOW.as_millis().saturating_add_signed(millis))
    }

    #[test]
    fn the_one_before_the_newest_is_forgiven_for_a_moment() {
        // When it comes, by the clock of a moment that may lie before the rotation; what becomes of it.
        let cases = [
            (0, Outcome::Again { generation: 1 }),
            (9_999, Outcome::Again { generation: 1 }),
            (10_000, Outcome::Replayed),
            (-9_999, Outcome::Again { generation: 1 }),
            (-10_000, Outcome::Replayed),
            (-3_600_000, Outcome::Replayed),
        ];
        for (millis, expect) in cases {
            let mut family = Progress::begin(HOUR, NOW.plus(24 * HOUR), NOW);
            assert_eq!(family.redeem(rotate(0), HOUR, NOW), Outcome::Rotated { generation: 1 });
            assert_eq!(family.redeem(rotate(0), HOUR, at(millis)), expect, "{millis} ms later");
            let winner = family.redeem(rotate(1), HOUR, at(millis));
            let is_left_alone = winner == Outcome::Rotated { generation: 2 };
            assert_eq!(is_left_alone, expect != Outcome::Replayed, "{millis} ms later");
        }
    }

    #[test]
    fn no_grace_forgives_nothing() {
        let mut family = Progress::begin(HOUR, NOW.plus(HOUR), NOW);
        let strict = Presented { grace: Grace::new(Duration::ZERO).unwrap(), ..rotate(0) };
        assert_eq!(family.redeem(strict, HOUR, NOW), Outcome::Rotated { generation: 1 });
        assert_eq!(family.redeem(strict, HOUR, NOW), Outcome::Replayed);
        assert_eq!(Grace::new(Duration::from_millis(60_001)), None);
    }

    #[test]
    fn what_was_never_used_is_given_again_where_that_is_asked_for() {
        let lost = Presented { grace: Grace::default().danger_until_used(), ..rotate(0) };
        for (used, expect) in [(false, Outcome::Again { generation: 1 }), (true, Outcome::Replayed)] {
            let mut family = Progress::begin(HOUR, NOW.plus(HOUR), NOW);
            assert_eq!(family.redeem(lost, HOUR, NOW), Outcome::Rotated { generation: 1 });
            family.used = used;
            assert_eq!(family.redeem(lost, HOUR, NOW.plus(HOUR / 2)), expect);
        }
    }

    #[test]
    fn time_ends_a_family_idle_or_not() {
        let mut family = Progress::begin(HOUR, NOW.plus(2 * HOUR), NOW);
        assert_eq!(family.redeem(rotate(0), HOUR, NOW.plus(HOUR)), Outcome::Expired);
        let mut now = NOW;
        for generation in 0..3 {
            assert_eq!(family.redeem(rotate(generation), HOUR, now), Outcome::Rotated { generation: generation + 1 });
            now = now.plus(HOUR - Duration::from_secs(1200));
        }
        assert_eq!(family.redeem(rotate(3), HOUR, now), Outcome::Expired, "after two hours, although it was used");
        let last = Progress { generation: u32::MAX, ..Progress::begin(HOUR, NOW.plus(HOUR), NOW) };
        assert_eq!({ last }.redeem(rotate(u32::MAX), HOUR, NOW), Outcome::Expired);
    }

    proptest! {
        /// Whatever comes in whatever order: generations only grow by one, a successor is given for the newest and for
        /// the one before it, and once revoked nothing counts any more.
        #[test]
        fn no_family_forks(
            calls in proptest::collection::vec((0_u32..6, any::<bool>(), -20_000_i64..40_000), 1..40),
        ) {
            let mut family = Progress::begin(HOUR, NOW.plus(2 * HOUR), NOW);
            let mut millis = 0;
            for (presented, keeps, step) in calls {
                millis += step;
                let (before, turn) = (family, if keeps { Turn::Keep } else { Turn::Rotate });
                let outcome = family.redeem(Presented { turn, ..rotate(presented) }, HOUR, at(millis));
                let newest = before.generation;
                match outcome {
                    Outcome::Rotated { generation } => {
                        prop_assert!(presented == newest && generation == newest + 1 && family.generation == generation);
                    }
                    Outcome::Kept => prop_assert!(presented == newest && family.generation == newest),
                    Outcome::Again { generation } => {
                        prop_assert!(presented + 1 == newest && generation == newest && family == before);
                    }
                    Outcome::Replayed => prop_assert!(presented != newest && family.revoked_at.is_some()),
                    Outcome::Revoked => prop_assert!(before.revoked_at.is_some() && family == before),
                    Outcome::Expired => prop_assert!(before.revoked_at.is_none() && family == before),
                    Outcome::Unknown => prop_assert!(false, "a family knows itself"),
                }
                prop_assert!(before.revoked_at.is_none() || outcome == Outcome::Revoked);
            }
        }
    }
}
