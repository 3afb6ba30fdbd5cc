//! Who gets in, who does not, and what either can do to the other.

use std::num::NonZeroUsize;

use async_trait::async_trait;
use palisade_core::port::account::{FOR_GOOD, NewAccount, NewPassword, Registered, Strength};
use palisade_core::secret::Secret;
use palisade_store::memory::{MemoryAccounts, MemoryCounters};
use palisade_testkit::clock::TestClock;
use palisade_testkit::entropy::SeededEntropy;
use tokio::task::JoinSet;

use super::*;
use crate::credential::password::{Cost, HashError, HashSettings, PasswordPolicy};

pub(super) const PASSWORD_OF_ALICE: &str = "a boat full of green tea";

/// A service whose answers do not wait for the grid.
pub(super) struct Service {
    pub(super) sign_in: Arc<SignIn>,
    pub(super) accounts: Arc<MemoryAccounts>,
    pub(super) hasher: Arc<Hasher>,
    pub(super) clock: TestClock,
}

pub(super) fn service(change: impl FnOnce(&mut SignInSettings, &mut HashSettings)) -> Service {
    let mut settings = SignInSettings { floor: Duration::ZERO, ..SignInSettings::default() };
    let mut hashes = HashSettings { cost: Cost::danger_for_tests(), ..HashSettings::default() };
    change(&mut settings, &mut hashes);
    let (clock, entropy) = (TestClock::default(), Arc::new(SeededEntropy::new(3)));
    let accounts = Arc::new(MemoryAccounts::default());
    let hasher = Arc::new(Hasher::new(hashes, entropy.clone()).unwrap());
    let parts = SignInParts {
        accounts: accounts.clone(),
        counters: Arc::new(MemoryCounters::default()),
        hasher: hasher.clone(),
        devices: DeviceKey::new(&Secret::new([7; 32]), Duration::from_secs(86_400)).unwrap(),
        clock: Arc::new(clock.clone()),
        entropy,
    };
    Service { sign_in: Arc::new(SignIn::new(settings, parts)), accounts, hasher, clock }
}

impl Service {
    pub(super) async fn register(&self, name: &str, password: Option<&str>) -> UserId {
        let id = UserId::new(format!("u-{name}"));
        let hash = match password {
            None => None,
            Some(password) => Some(self.hasher.hash(&Password::new(password).unwrap()).await.unwrap()),
        };
        self.keep(&id, name, hash.map(|hash| NewPassword { hash, strength: Strength::Alone })).await;
        id
    }

    async fn keep(&self, id: &UserId, name: &str, password: Option<NewPassword>) {
        let new = NewAccount { password, ..NewAccount::new(id.clone(), SignInName::parse(name).unwrap()) };
        assert_eq!(self.accounts.register(&new, self.clock.now()).await.unwrap(), Registered::Done);
    }

    async fn attempt(&self, name: &str, password: &str) -> SignInOutcome {
        self.sign_in.attempt(&Attempt::new(name, password)).await.unwrap()
    }

    async fn from(&self, device: &str, name: &str, password: &str) -> SignInOutcome {
        let attempt = Attempt { device: Some(device), ..Attempt::new(name, password) };
        self.sign_in.attempt(&attempt).await.unwrap()
    }

    async fn enable(&self, id: &UserId) {
        assert!(self.accounts.enable(id, &AuthenticatorId::new(PASSWORD)).await.unwrap());
    }
}

/// Budgets that do not end, for tests of something else.
pub(super) fn without_budgets(settings: &mut SignInSettings) {
    for rates in [&mut settings.per_account, &mut settings.per_address, &mut settings.per_device] {
        *rates = vec![rate(1_000_000, 1)];
    }
}

fn reason(outcome: &SignInOutcome) -> Option<RefusedReason> {
    match outcome {
        SignInOutcome::Refused(refused) => Some(refused.reason),
        _ => None,
    }
}

fn device(outcome: SignInOutcome) -> String {
    match outcome {
        SignInOutcome::SignedIn(signed_in) => signed_in.device,
        other => panic!("{other:?}"),
    }
}

fn is_in(outcome: &SignInOutcome) -> bool {
    matches!(outcome, SignInOutcome::SignedIn(_))
}

#[tokio::test]
async fn the_event_knows_why_and_the_caller_does_not() {
    let service = service(|settings, _| without_budgets(settings));
    service.register("alice", Some(PASSWORD_OF_ALICE)).await;
    service.register("passkey", None).await;
    let gone = service.register("gone", Some(PASSWORD_OF_ALICE)).await;
    service.accounts.set_status(&gone, AccountStatus::Disabled, service.clock.now()).await.unwrap();
    let damaged = NewPassword { hash: Secret::new("hunter2"), strength: Strength::Alone };
    service.keep(&UserId::new("u-damaged"), "damaged", Some(damaged)).await;
    let long = "x".repeat(1 << 20);
    for (name, password, expect) in [
        ("alice", PASSWORD_OF_ALICE, None),
        (" ALICE ", PASSWORD_OF_ALICE, None),
        ("alice", "a boat full of black tea", Some(RefusedReason::Wrong { in_a_row: 1 })),
        ("alice", "", Some(RefusedReason::Wrong { in_a_row: 2 })),
        ("alice", &long, Some(RefusedReason::TooLong)),
        (&long, PASSWORD_OF_ALICE, Some(RefusedReason::TooLong)),
        ("nobody", PASSWORD_OF_ALICE, Some(RefusedReason::Unknown)),
        ("", PASSWORD_OF_ALICE, Some(RefusedReason::NoName)),
        ("a b", PASSWORD_OF_ALICE, Some(RefusedReason::NoName)),
        ("passkey", "", Some(RefusedReason::NoPassword)),
        ("gone", PASSWORD_OF_ALICE, Some(RefusedReason::AccountDisabled)),
        ("damaged", "hunter2", Some(RefusedReason::Unusable(HashError::Malformed))),
    ] {
        let outcome = service.attempt(name, password).await;
        assert_eq!(reason(&outcome), expect, "{outcome:?}");
        assert_eq!(is_in(&outcome), expect.is_none(), "{outcome:?}");
    }
}

/// A megabyte is refused before it is normalized, hashed, counted or looked up.
#[tokio::test]
async fn a_password_of_a_megabyte_costs_nothing() {
    let service = service(|settings, _| settings.per_address = vec![rate(1, 3600)]);
    service.register("alice", Some(PASSWORD_OF_ALICE)).await;
    let long = "a".repeat(1 << 20);
    let begun = std::time::Instant::now();
    for _ in 0..1_000 {
        assert_eq!(reason(&service.attempt("alice", &long).await), Some(RefusedReason::TooLong));
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(is_in(&service.attempt("alice", PASSWORD_OF_ALICE).await), "the one budget is untouched");
}

#[tokio::test]
async fn the_last_allowed_failure_disables_the_password_and_nothing_else() {
    let limit = FailureLimit { failures: NonZeroU32::new(3).unwrap(), lasts: None };
    let service = service(|settings, _| {
        without_budgets(settings);
        settings.limit = limit;
    });
    let alice = service.register("alice", Some(PASSWORD_OF_ALICE)).await;
    let known = device(service.attempt("alice", PASSWORD_OF_ALICE).await);
    for in_a_row in [1, 2] {
        let outcome = service.attempt("alice", "guess").await;
        assert_eq!(reason(&outcome), Some(RefusedReason::Wrong { in_a_row }));
        assert_eq!(outcome.event().as_str(), "sign_in_refused");
    }
    let last = service.attempt("alice", "guess").await;
    assert_eq!(reason(&last), Some(RefusedReason::LockedNow { until: FOR_GOOD }));
    assert_eq!(last.event().as_str(), "authenticator_disabled");
    // From now on the right password is as wrong as any, and says so to the event only.
    let right = service.attempt("alice", PASSWORD_OF_ALICE).await;
    assert_eq!(reason(&right), Some(RefusedReason::Locked { until: FOR_GOOD }));
    // The owner's device has a lane of its own, with failures of its own.
    assert!(is_in(&service.from(&known, "alice", PASSWORD_OF_ALICE).await));
    assert_eq!(reason(&service.from(&known, "alice", "typo").await), Some(RefusedReason::Wrong { in_a_row: 1 }));
    assert_eq!(reason(&service.attempt("alice", "guess").await), Some(RefusedReason::Locked { until: FOR_GOOD }));
    service.enable(&alice).await;
    assert!(is_in(&service.attempt("alice", PASSWORD_OF_ALICE).await));
}

#[tokio::test]
async fn the_preset_for_cards_locks_for_half_an_hour() {
    let service = service(|settings, _| {
        without_budgets(settings);
        settings.limit = FailureLimit::PCI_DSS;
    });
    service.register("alice", Some(PASSWORD_OF_ALICE)).await;
    for _ in 0..10 {
        assert!(reason(&service.attempt("alice", "guess").await).is_some());
    }
    service.clock.advance(Duration::from_secs(30 * 60 - 1));
    assert!(!is_in(&service.attempt("alice", PASSWORD_OF_ALICE).await));
    service.clock.advance(Duration::from_secs(1));
    assert!(is_in(&service.attempt("alice", PASSWORD_OF_ALICE).await));
}

/// Everybody without a known device uses up the account's budgets, from as many addresses as they like.
#[tokio::test]
async fn a_flood_cannot_keep_the_owner_out() {
    let service = service(|_, _| ());
    service.register("alice", Some(PASSWORD_OF_ALICE)).await;
    service.register("bob", Some(PASSWORD_OF_ALICE)).await;
    let known = device(service.attempt("alice", PASSWORD_OF_ALICE).await);
    let of_bob = device(service.attempt("bob", PASSWORD_OF_ALICE).await);
    let mut throttled = 0;
    for n in 0..300_u32 {
        let address = Some(IpAddr::from(n.to_be_bytes()));
        let attempt = Attempt { address, device: Some(&of_bob), ..Attempt::new("alice", "guess") };
        let outcome = service.sign_in.attempt(&attempt).await.unwrap();
        throttled += usize::from(matches!(outcome, SignInOutcome::Throttled { .. }));
    }
    assert_eq!(throttled, 291, "another account's device is nobody's here");
    let elsewhere = service.attempt("alice", PASSWORD_OF_ALICE).await;
    assert!(matches!(elsewhere, SignInOutcome::Throttled { .. }), "{elsewhere:?}");
    let outcome = service.from(&known, "alice", PASSWORD_OF_ALICE).await;
    assert!(is_in(&outcome), "{outcome:?}");
    assert!(is_in(&service.attempt("bob", PASSWORD_OF_ALICE).await), "other accounts have budgets of their own");
}

#[tokio::test]
async fn waits_grow_and_say_nothing_about_the_account() {
    let service = service(|settings, _| settings.per_address = vec![rate(1_000_000, 1)]);
    service.register("alice", Some(PASSWORD_OF_ALICE)).await;
    let mut told = Vec::new();
    for _ in 0..3_000 {
        let [alice, nobody] = [service.attempt("alice", "guess").await, service.attempt("nobody", "guess").await];
        let wait = |outcome: &SignInOutcome| match outcome {
            SignInOutcome::Throttled { retry_after } => Some(*retry_after),
            _ => None,
        };
        assert_eq!(wait(&alice), wait(&nobody), "the same for whoever is there and whoever is not");
        told.extend(wait(&alice));
        service.clock.advance(wait(&alice).unwrap_or_default());
    }
    let longest = told.iter().max().unwrap();
    assert!(told[0] <= Duration::from_secs(6) && *longest >= Duration::from_secs(20 * 60), "{:?} {longest:?}", told[0]);
}

#[tokio::test]
async fn an_address_that_tries_many_names_is_throttled() {
    let service = service(|_, _| ());
    let mut outcomes = Vec::new();
    for n in 0..40 {
        let attempt = Attempt { address: "2001:db8::1".parse().ok(), ..Attempt::new("x", "guess") };
        let name = format!("user-{n}");
        outcomes.push(service.sign_in.attempt(&Attempt { name: &name, ..attempt }).await.unwrap());
    }
    let throttled = outcomes.iter().filter(|outcome| matches!(outcome, SignInOutcome::Throttled { .. })).count();
    assert_eq!(throttled, 10);
}

#[tokio::test]
async fn an_imported_password_is_hashed_anew_when_it_is_used() {
    let service = service(|_, _| ());
    let bcrypt = Secret::new("$2b$04$abcdefghijklmnopqrstuumXvyWaL7cldsohRmMKChpAd5ns9hrB6");
    let imported = NewPassword { hash: bcrypt, strength: Strength::WithSecondFactor };
    let alice = UserId::new("u-alice");
    service.keep(&alice, "alice", Some(imported)).await;
    assert!(!is_in(&service.attempt("alice", "an otter under the sun").await));
    for expect in [true, false] {
        let SignInOutcome::SignedIn(signed_in) = service.attempt("alice", "an otter under the moon").await else {
            panic!("the password is right");
        };
        assert_eq!(signed_in.upgraded, expect);
        assert!(signed_in.must_second_factor, "what it suffices for does not change");
    }
    let account = service.accounts.find(&alice).await.unwrap().unwrap();
    assert!(account.password.unwrap().hash.expose().starts_with(b"$argon2id$"));
    assert_eq!(account.password_version, 1, "it is the same password");
}

/// Parallel guesses at the limit: none of those that come after it gets in, even with the right password.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_guesses_at_once_are_no_way_around_the_limit() {
    let limit = FailureLimit { failures: NonZeroU32::new(5).unwrap(), lasts: None };
    let service = service(|settings, hashes| {
        without_budgets(settings);
        (settings.limit, hashes.queue) = (limit, 200);
    });
    service.register("alice", Some(PASSWORD_OF_ALICE)).await;
    let mut guesses = JoinSet::new();
    for _ in 0..64 {
        let sign_in = Arc::clone(&service.sign_in);
        guesses.spawn(async move { sign_in.attempt(&Attempt::new("alice", "guess")).await.unwrap() });
    }
    let outcomes = guesses.join_all().await;
    let wrong = outcomes.iter().filter(|outcome| matches!(reason(outcome), Some(RefusedReason::Wrong { .. })));
    assert_eq!(wrong.count(), 4);
    assert!(!is_in(&service.attempt("alice", PASSWORD_OF_ALICE).await));
}

/// More at once than the pool takes: the rest is told to come again, and then it is everybody's turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_hashes_is_answered_busy_and_passes() {
    let service = service(|settings, hashes| {
        without_budgets(settings);
        (hashes.threads, hashes.queue) = (NonZeroUsize::new(1), 2);
    });
    service.register("alice", Some(PASSWORD_OF_ALICE)).await;
    let mut flood = JoinSet::new();
    for n in 0..200 {
        let sign_in = Arc::clone(&service.sign_in);
        flood.spawn(async move { sign_in.attempt(&Attempt::new(&format!("user-{n}"), "guess")).await.unwrap() });
    }
    let outcomes = flood.join_all().await;
    let busy =
        |outcome: &&SignInOutcome| matches!(outcome, SignInOutcome::Busy { retry_after } if !retry_after.is_zero());
    assert!(outcomes.iter().filter(busy).count() > 100);
    assert!(is_in(&service.attempt("alice", PASSWORD_OF_ALICE).await));
}

#[tokio::test(start_paused = true)]
async fn answers_leave_on_the_grid() {
    let floor = Duration::from_millis(200);
    let service = service(|settings, _| settings.floor = floor);
    service.register("alice", Some(PASSWORD_OF_ALICE)).await;
    for (name, password) in [("alice", PASSWORD_OF_ALICE), ("alice", "guess"), ("nobody", ""), ("a b", "")] {
        let begun = Instant::now();
        service.attempt(name, password).await;
        let took = begun.elapsed();
        assert!(took >= floor && took < floor + Duration::from_millis(3), "{name}: {took:?}");
    }
}

struct Cut;

#[async_trait]
impl CounterStore for Cut {
    async fn acquire_all(&self, _: &mut [Ask<'_>], _: Timestamp) -> Result<(), StoreError> {
        Err(StoreError::Unreachable { reason: "a test".to_owned() })
    }
}

#[tokio::test]
async fn without_a_store_nobody_signs_in() {
    let service = service(|_, _| ());
    service.register("alice", Some(PASSWORD_OF_ALICE)).await;
    let parts = SignInParts { counters: Arc::new(Cut), ..service.sign_in.parts.clone() };
    let cut = SignIn::new(service.sign_in.settings.clone(), parts);
    assert!(cut.attempt(&Attempt::new("alice", PASSWORD_OF_ALICE)).await.is_err());
}

#[tokio::test]
async fn a_password_is_changed_by_whoever_knows_it() {
    let service = service(|settings, _| settings.limit.failures = NonZeroU32::new(3).unwrap());
    let alice = service.register("alice", Some(PASSWORD_OF_ALICE)).await;
    let gone = service.register("gone", Some(PASSWORD_OF_ALICE)).await;
    service.accounts.set_status(&gone, AccountStatus::Disabled, service.clock.now()).await.unwrap();
    let policy = PasswordPolicy::default();
    let change = async |account: &UserId, proof: Proof<'_>, new: &str| {
        let change = PasswordChange { account, proof, new, needs: Strength::Alone };
        service.sign_in.change_password(&change, &policy).await.unwrap()
    };
    let (right, new) = (Proof::Current(PASSWORD_OF_ALICE), "a boat full of black tea");
    assert_eq!(change(&alice, Proof::Current("guess"), new).await, ChangeSettled::WrongCurrent);
    assert_eq!(change(&alice, Proof::Current(""), new).await, ChangeSettled::WrongCurrent);
    for (text, rule) in [("short", "too-short"), ("passwordpassword", "common"), ("alice alice alice", "context")] {
        let settled = change(&alice, right, text).await;
        assert!(matches!(settled, ChangeSettled::Refused(refusal) if refusal.slug() == rule), "{settled:?}");
    }
    assert!(matches!(change(&alice, right, &"x".repeat(1 << 20)).await, ChangeSettled::Refused(_)));
    assert_eq!(change(&gone, right, new).await, ChangeSettled::Unknown);
    assert_eq!(change(&UserId::new("nobody"), right, new).await, ChangeSettled::Unknown);
    let settled = change(&alice, right, new).await;
    assert_eq!(settled, ChangeSettled::Changed { version: 2 });
    assert_eq!(settled.event().map(|kind| kind.as_str()), Some("password_changed"));
    assert!(!is_in(&service.attempt("alice", PASSWORD_OF_ALICE).await));
    assert!(is_in(&service.attempt("alice", new).await));
    let stepped_up = change(&alice, Proof::SteppedUp, PASSWORD_OF_ALICE).await;
    assert_eq!(stepped_up, ChangeSettled::Changed { version: 3 });
    // Whoever sits at a session that is not theirs has as many guesses as anybody, and takes nothing from the owner.
    for _ in 0..3 {
        assert_eq!(change(&alice, Proof::Current("guess"), new).await, ChangeSettled::WrongCurrent);
    }
    assert_eq!(change(&alice, right, new).await, ChangeSettled::WrongCurrent);
    assert!(is_in(&service.attempt("alice", PASSWORD_OF_ALICE).await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_changes_at_once_one_is_stale() {
    let service = service(|_, hashes| hashes.threads = NonZeroUsize::new(2));
    let alice = service.register("alice", Some(PASSWORD_OF_ALICE)).await;
    let mut changes = JoinSet::new();
    for n in 0..8 {
        let (sign_in, alice) = (Arc::clone(&service.sign_in), alice.clone());
        changes.spawn(async move {
            let new = format!("a boat full of tea no. {n}");
            let change = PasswordChange { account: &alice, proof: Proof::SteppedUp, new: &new, needs: Strength::Alone };
            sign_in.change_password(&change, &PasswordPolicy::default()).await.unwrap()
        });
    }
    let settled = changes.join_all().await;
    let versions: Vec<u64> = settled
        .iter()
        .filter_map(|settled| match settled {
            ChangeSettled::Changed { version } => Some(*version),
            other => {
                assert_eq!(*other, ChangeSettled::Stale);
                None
            }
        })
        .collect();
    let last = service.accounts.find(&alice).await.unwrap().unwrap().password_version;
    assert_eq!(u64::try_from(versions.len()).unwrap() + 1, last, "each change that was told of is one version");
}
