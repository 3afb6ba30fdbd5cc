//! What has been asked for: operations, callers of deprecated ones, what nobody has declared, and the last refusals.
//!
//! It is counted from the events that every request makes anyway, so that a request knows nothing of it. The cost is one
//! look into a table and a few additions; what is kept is bounded, because strangers choose what they ask for.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use palisade::observe::Sink;
use palisade_core::denial::DenialCode;
use palisade_core::event::{EventKind, Outcome, SecurityEvent};
use palisade_core::id::{OperationId, RouteName};
use palisade_core::principal::Subject;
use palisade_core::stage::StageId;
use palisade_core::time::Timestamp;

/// Passes events on and counts them.
pub(crate) struct Observed {
    pub(crate) next: Arc<dyn Sink>,
    pub(crate) seen: Arc<Seen>,
}

impl Sink for Observed {
    fn emit(&self, event: SecurityEvent) {
        self.seen.note(&event);
        self.next.emit(event);
    }

    fn lost(&self) -> u64 {
        self.next.lost()
    }
}

/// A route and an operation; neither where none was found.
pub(crate) type Place = (Option<RouteName>, Option<OperationId>);

/// Everything that was seen since the start.
#[derive(Default)]
pub(crate) struct Seen {
    operations: RwLock<HashMap<Place, Arc<Counts>>>,
    rare: Mutex<Rare>,
}

/// What does not happen with every request.
#[derive(Default)]
struct Rare {
    refused: BTreeMap<(DenialCode, Option<StageId>), u64>,
    noted: BTreeMap<EventKind, u64>,
    undeclared: BTreeMap<String, Undeclared>,
    undeclared_lost: u64,
    refusals: VecDeque<SecurityEvent>,
}

/// Requests for one operation.
#[derive(Default)]
pub(crate) struct Counts {
    /// How many were answered with a status of each hundred, from 1xx on.
    pub(crate) classes: [AtomicU64; 5],
    /// How many took up to each of [`BOUNDS`], and how many longer.
    pub(crate) spans: [AtomicU64; BOUNDS.len() + 1],
    /// How long all of them took together, in milliseconds.
    pub(crate) millis: AtomicU64,
    first: AtomicU64,
    last: AtomicU64,
    /// One bit for each kind of subject, in the order of [`KINDS`].
    kinds: AtomicU8,
    /// Who called it although it is deprecated, and when last.
    callers: Mutex<BTreeMap<String, Timestamp>>,
}

/// Something that nobody has declared.
#[derive(Clone, Debug)]
pub(crate) struct Undeclared {
    pub(crate) count: u64,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

impl Counts {
    /// How many requests there were.
    pub(crate) fn total(&self) -> u64 {
        self.classes.iter().map(|class| class.load(Ordering::Relaxed)).sum()
    }

    /// When the first one and the last one came; `None` before there is one.
    pub(crate) fn times(&self) -> Option<(Timestamp, Timestamp)> {
        let time = |of: &AtomicU64| Timestamp::from_millis(of.load(Ordering::Relaxed));
        (self.total() > 0).then(|| (time(&self.first), time(&self.last)))
    }

    /// As what kinds of subjects its callers came.
    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        let bits = self.kinds.load(Ordering::Relaxed);
        KINDS.iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0).map(|(_, kind)| *kind).collect()
    }

    /// Who called it although it is deprecated, and when last.
    pub(crate) fn callers(&self) -> BTreeMap<String, Timestamp> {
        lock(&self.callers).clone()
    }

    fn count(&self, event: &SecurityEvent, status: u16, took: Duration) {
        let add = |to: Option<&AtomicU64>, number: u64| to.map(|to| to.fetch_add(number, Ordering::Relaxed));
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let span = BOUNDS.iter().position(|bound| millis <= *bound).unwrap_or(BOUNDS.len());
        add(self.classes.get(usize::from(status / 100).saturating_sub(1)).or(self.classes.last()), 1);
        add(self.spans.get(span), 1);
        add(Some(&self.millis), millis);
        let _ = self.first.compare_exchange(0, event.at.as_millis(), Ordering::Relaxed, Ordering::Relaxed);
        self.last.store(event.at.as_millis(), Ordering::Relaxed);
        let kind = match event.who {
            Subject::Anonymous => 1,
            Subject::Delegated => 2,
            Subject::Service(_) => 4,
            Subject::User(_) => 8,
        };
        // Reading first keeps the line of memory shared among processors: the bit is set already, as a rule.
        if self.kinds.load(Ordering::Relaxed) & kind == 0 {
            self.kinds.fetch_or(kind, Ordering::Relaxed);
        }
    }
}

impl Seen {
    fn note(&self, event: &SecurityEvent) {
        match (event.kind, &event.took) {
            (EventKind::Access, Some(took)) => {
                self.counts(event).count(event, took.status.as_u16(), took.all);
            }
            (EventKind::Access, None) => {}
            (EventKind::DeprecatedUsed, _) => {
                self.rarely(event);
                let counts = self.counts(event);
                let mut callers = lock(&counts.callers);
                let who = event.who.to_string();
                if callers.len() < MOST_CALLERS || callers.contains_key(&who) {
                    callers.insert(who, event.at);
                }
            }
            _ => self.rarely(event),
        }
    }

    fn counts(&self, event: &SecurityEvent) -> Arc<Counts> {
        let place = (event.route.clone(), event.operation.clone());
        if let Some(counts) = self.operations.read().unwrap_or_else(PoisonError::into_inner).get(&place) {
            return Arc::clone(counts);
        }
        let mut operations = self.operations.write().unwrap_or_else(PoisonError::into_inner);
        // Routes and operations come from files, but there may be many files over the years: then the route must do.
        let place = if operations.len() < MOST_OPERATIONS { place } else { (None, None) };
        Arc::clone(operations.entry(place).or_default())
    }

    fn rarely(&self, event: &SecurityEvent) {
        let mut rare = lock(&self.rare);
        *rare.noted.entry(event.kind).or_default() += 1;
        if event.kind == EventKind::UndeclaredRequested {
            let asked = format!("{} {}", event.method, general(&event.path));
            let is_full = rare.undeclared.len() >= MOST_UNDECLARED;
            match rare.undeclared.get_mut(&asked) {
                Some(known) => (known.count, known.last) = (known.count + 1, event.at),
                None if is_full => rare.undeclared_lost += 1,
                None => {
                    rare.undeclared.insert(asked, Undeclared { count: 1, first: event.at, last: event.at });
                }
            }
        }
        let Outcome::Denied(code) = event.outcome else { return };
        if event.kind != code.event() {
            return;
        }
        let stage = event.evidence.iter().find(|(fact, _)| *fact == "stage").map(|(_, stage)| stage);
        let stage = StageId::ALL.iter().copied().find(|id| Some(id.as_str()) == stage);
        *rare.refused.entry((code, stage)).or_default() += 1;
        if rare.refusals.len() >= MOST_REFUSALS {
            rare.refusals.pop_front();
        }
        rare.refusals.push_back(event.clone());
    }

    /// The counts of every operation that was asked for, in the order of their names.
    pub(crate) fn operations(&self) -> BTreeMap<Place, Arc<Counts>> {
        let operations = self.operations.read().unwrap_or_else(PoisonError::into_inner);
        operations.iter().map(|(place, counts)| (place.clone(), Arc::clone(counts))).collect()
    }

    /// How often each refusal was made by each stage.
    pub(crate) fn refused(&self) -> BTreeMap<(DenialCode, Option<StageId>), u64> {
        lock(&self.rare).refused.clone()
    }

    /// How many events there were of each kind but `access`.
    pub(crate) fn noted(&self) -> BTreeMap<EventKind, u64> {
        lock(&self.rare).noted.clone()
    }

    /// What was asked for that nobody has declared, and how often there was no room to remember what it was.
    pub(crate) fn undeclared(&self) -> (BTreeMap<String, Undeclared>, u64) {
        let rare = lock(&self.rare);
        (rare.undeclared.clone(), rare.undeclared_lost)
    }

    /// The last refusals, the latest first.
    pub(crate) fn refusals(&self) -> Vec<SecurityEvent> {
        lock(&self.rare).refusals.iter().rev().cloned().collect()
    }
}

/// A path with `*` for what looks like an id, so that a thousand of them are one row.
pub(crate) fn general(path: &str) -> String {
    let is_id = |segment: &str| {
        segment.len() > 32
            || segment.bytes().any(|b| b.is_ascii_digit()) && !matches!(segment.as_bytes(), [b'v', b'0'..=b'9'])
    };
    path.split('/').map(|segment| if is_id(segment) { "*" } else { segment }).collect::<Vec<_>>().join("/")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The bounds of the histogram of durations, in milliseconds, which is how fine the clock of the gateway is.
pub(crate) const BOUNDS: [u64; 11] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];

const KINDS: [&str; 4] = ["anonymous", "delegated", "service", "user"];
const MOST_CALLERS: usize = 100;
const MOST_OPERATIONS: usize = 5_000;
const MOST_REFUSALS: usize = 200;
const MOST_UNDECLARED: usize = 1_000;

#[cfg(test)]
mod tests {
    use http::{Method, StatusCode};
    use palisade::observe::Kept;
    use palisade_core::denial::Evidence;
    use palisade_core::event::Took;
    use palisade_core::id::{PolicyVersion, RequestId, UserId};

    use super::*;

    fn event(kind: EventKind, path: &str, at: u64) -> SecurityEvent {
        let took = Took { status: StatusCode::OK, all: Duration::from_millis(7), backend: None };
        SecurityEvent {
            index: 0,
            kind,
            at: Timestamp::from_millis(at),
            request: RequestId::new("r"),
            who: Subject::User(UserId::new("u")),
            client: None,
            method: Method::GET,
            host: None,
            path: path.into(),
            route: Some(RouteName::new("shop")),
            operation: Some(OperationId::new("listItems")),
            outcome: Outcome::Answered(StatusCode::OK),
            evidence: Evidence::default(),
            took: (kind == EventKind::Access).then_some(took),
            policy: PolicyVersion::new("p"),
        }
    }

    fn refusal(path: &str) -> SecurityEvent {
        let code = DenialCode::OperationUndeclared;
        SecurityEvent { outcome: Outcome::Denied(code), ..event(code.event(), path, 5) }
    }

    #[test]
    fn counts_requests_and_passes_every_event_on() {
        let (kept, seen) = (Kept::default(), Arc::new(Seen::default()));
        let sink = Observed { next: Arc::new(kept.clone()), seen: Arc::clone(&seen) };
        for at in [20, 10, 30] {
            sink.emit(event(EventKind::Access, "/items", at));
        }
        sink.emit(event(EventKind::DeprecatedUsed, "/items", 40));
        assert_eq!(kept.take().len(), 4);
        let operations = seen.operations();
        let (place, counts) = operations.first_key_value().unwrap();
        assert_eq!((operations.len(), place.1.as_ref().unwrap().as_str()), (1, "listItems"));
        assert_eq!((counts.total(), counts.millis.load(Ordering::Relaxed)), (3, 21));
        assert_eq!(counts.spans[1].load(Ordering::Relaxed), 3, "7 ms are more than 5 and at most 10");
        let millis = counts.times().map(|(first, last)| (first.as_millis(), last.as_millis()));
        assert_eq!((millis, counts.kinds()), (Some((20, 30)), vec!["user"]));
        assert_eq!(counts.callers().keys().collect::<Vec<_>>(), ["user:u"]);
    }

    #[test]
    fn strangers_cannot_fill_the_memory() {
        let seen = Seen::default();
        for number in 0..MOST_UNDECLARED + 50 {
            // Letters, because a number would be one id among others.
            let name: String = number.to_string().bytes().map(|b| char::from(b + 49)).collect();
            seen.note(&refusal(&format!("/{name}")));
        }
        let (undeclared, lost) = seen.undeclared();
        assert_eq!((undeclared.len(), lost), (MOST_UNDECLARED, 50));
        assert_eq!(seen.refusals().len(), MOST_REFUSALS);
        assert_eq!(seen.refused().values().sum::<u64>(), 1_050, "what is counted is counted all the same");
        for number in 0..MOST_CALLERS + 10 {
            let who = Subject::User(UserId::new(number.to_string()));
            seen.note(&SecurityEvent { who, ..event(EventKind::DeprecatedUsed, "/", 1) });
        }
        assert_eq!(seen.operations().values().next().unwrap().callers().len(), MOST_CALLERS);
        for number in 0..MOST_OPERATIONS + 10 {
            let operation = Some(OperationId::new(number.to_string()));
            seen.note(&SecurityEvent { operation, ..event(EventKind::Access, "/", 1) });
        }
        assert_eq!(seen.operations().len(), MOST_OPERATIONS + 1, "the last row is for all that have none");
    }

    #[test]
    fn ids_in_paths_are_one_row() {
        for (path, expect) in [
            ("/users/17/orders", "/users/*/orders"),
            ("/v1/users", "/v1/users"),
            ("/files/0f3a", "/files/*"),
            ("/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "/*"),
            ("/.env", "/.env"),
        ] {
            assert_eq!(general(path), expect);
        }
    }
}
