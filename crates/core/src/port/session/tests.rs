//! Sessions under any order of steps, seen from all ids that they have ever had.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::principal::{Level, MethodSet};

const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);
const IDLE: Duration = Duration::from_secs(30 * 60);
const ABSOLUTE: Duration = Duration::from_secs(3 * 3600);
const GRACE: Duration = Duration::from_secs(10);

/// A step with one of the ids that were given out.
#[derive(Clone, Debug)]
enum Step {
    End(Index),
    Renew(Index, Rights),
    Touch(Index),
}

fn rights() -> impl Strategy<Value = Rights> {
    let names = || prop::sample::subsequence(vec!["a", "b", "c"], 0..=3);
    let level = prop::sample::select(vec![Level::Aal1, Level::Aal2, Level::Aal3]);
    (level, 0_u64..1000, names(), names(), names()).prop_map(|(level, ago, methods, roles, scopes)| Rights {
        assurance: Assurance {
            methods: methods.into_iter().collect(),
            ..Assurance::new(level, Timestamp::from_secs(NOW.as_secs() - ago))
        },
        roles: roles.into_iter().collect(),
        scopes: scopes.into_iter().collect(),
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => any::<Index>().prop_map(Step::End),
        9 => (any::<Index>(), rights()).prop_map(|(id, rights)| Step::Renew(id, rights)),
        20 => any::<Index>().prop_map(Step::Touch),
    ]
}

/// Pauses in seconds: mostly about the grace of a former id, sometimes about the idleness that is allowed.
fn pause() -> impl Strategy<Value = u64> {
    prop_oneof![6 => 0_u64..15, 1 => 0_u64..2000]
}

/// Whether nothing may be done by `part` that may not be done by `whole`.
fn is_within(part: &Rights, whole: &Rights) -> bool {
    let (mine, theirs): (&MethodSet, &MethodSet) = (&part.assurance.methods, &whole.assurance.methods);
    part.assurance.level <= whole.assurance.level
        && part.assurance.at <= whole.assurance.at
        && theirs.first_missing(mine).is_none()
        && whole.roles.first_missing(&part.roles).is_none()
        && whole.scopes.first_missing(&part.scopes).is_none()
}

/// A session with its history.
struct History {
    /// As a store keeps it: nothing of a session that was ended.
    kept: Option<Record>,
    /// Its ids and what each was given with, the first one first.
    given: Vec<(SessionHash, Rights)>,
    /// When it was last used, and when it last got another id.
    used: Timestamp,
    renewed: Timestamp,
    is_over: bool,
}

impl History {
    fn new(rights: Rights) -> Self {
        let (id, handle) = (SessionHash([0; 32]), SessionHandle::new("s"));
        let holder = Holder { rights: rights.clone(), ..Holder::new(UserId::new("u"), rights.assurance.clone()) };
        let new = NewSession { id, handle, holder, idle: IDLE, absolute: ABSOLUTE, limit: None, replaces: None };
        let kept = Some(Record::opened(&new, NOW));
        Self { kept, given: vec![(id, rights)], used: NOW, renewed: NOW, is_over: false }
    }

    fn touched(&mut self, id: &SessionHash, now: Timestamp) -> Touched {
        self.kept.as_mut().map_or(Touched::Unknown, |record| record.touch(id, now))
    }

    fn take(&mut self, step: &Step, now: Timestamp) -> Result<(), TestCaseError> {
        let newest = self.given.len() - 1;
        match step {
            Step::End(index) => {
                let (id, _) = self.given[index.index(self.given.len())].clone();
                // A store finds a session by these two ids.
                let is_known = |record: &Record| record.by(&id, now).is_some();
                if self.kept.take_if(|record| is_known(record)).is_some() {
                    self.is_over = true;
                }
            }
            Step::Renew(index, rights) => {
                let place = index.index(self.given.len());
                let (id, next) = (self.given[place].0, SessionHash([u8::try_from(newest + 1).unwrap(); 32]));
                let Rights { assurance, roles, scopes } = rights.clone();
                let change = Change { assurance: Some(assurance), roles: Some(roles), scopes: Some(scopes) };
                let renewal = Renewal { id: next, change, grace: GRACE };
                let renewed = self.kept.as_mut().map_or(Renewed::Unknown, |record| record.renew(&id, &renewal, now));
                if matches!(renewed, Renewed::Renewed(_)) {
                    prop_assert!(place == newest && !self.is_over, "{} of {}", place, newest);
                    self.given.push((next, rights.clone()));
                    (self.used, self.renewed) = (now, now);
                }
            }
            Step::Touch(index) => {
                let (id, _) = self.given[index.index(self.given.len())].clone();
                if matches!(self.touched(&id, now), Touched::Live { .. }) {
                    self.used = now;
                }
            }
        }
        Ok(())
    }

    /// What must hold at any moment, whoever asks with whatever id.
    fn check(&mut self, now: Timestamp) -> Result<(), TestCaseError> {
        let (kept, newest) = (self.kept.clone(), self.given.len() - 1);
        self.is_over |= now >= NOW.plus(ABSOLUTE) || now >= self.used.plus(IDLE);
        let mut is_over = self.is_over;
        for (place, (id, rights)) in self.given.clone().iter().enumerate() {
            let touched = self.touched(id, now);
            self.kept.clone_from(&kept);
            let Touched::Live { session, by } = touched else {
                // Use is written down once a minute.
                let may_be_over = self.is_over || now >= self.used.plus(IDLE - MINUTE);
                prop_assert!(may_be_over || place < newest, "the newest id opens a session that is not over");
                is_over |= matches!(touched, Touched::Over { .. });
                continue;
            };
            prop_assert!(!self.is_over, "what is over lives again");
            prop_assert_eq!(session.ends, NOW.plus(ABSOLUTE));
            match by {
                By::Current => prop_assert!(place == newest && session.holder.rights == *rights),
                By::Former => {
                    prop_assert_eq!(place + 1, newest, "one former id");
                    prop_assert!(now < self.renewed.plus(GRACE));
                    prop_assert!(is_within(&session.holder.rights, rights), "more than the id had");
                    prop_assert!(is_within(&session.holder.rights, &self.given[newest].1), "more than is left");
                }
            }
        }
        self.is_over = is_over;
        Ok(())
    }
}

/// Found by the property below: the methods stand as `amr` in what services behind the gateway are told.
#[test]
fn a_former_id_keeps_no_method_that_the_session_has_lost() {
    let shown_by = |methods: &[&str]| {
        let methods = methods.iter().copied().collect();
        Rights::new(Assurance { methods, ..Assurance::new(Level::Aal1, NOW) })
    };
    let lesser = shown_by(&["otp", "pwd"]).lesser(&shown_by(&["hwk", "pwd"]));
    assert_eq!(lesser.assurance.methods.to_string(), "pwd");
}

proptest! {
    #[test]
    fn a_session_never_forks_and_never_lives_again(
        first in rights(),
        steps in prop::collection::vec((pause(), step()), 1..60),
    ) {
        let (mut history, mut now) = (History::new(first), NOW);
        for (pause, step) in steps {
            now = now.plus(Duration::from_secs(pause));
            history.check(now)?;
            history.take(&step, now)?;
            history.check(now)?;
        }
    }
}
