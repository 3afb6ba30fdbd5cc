//! Nobody can tell by the time which accounts exist.
//!
//! A rank-sum test over 200 answers of each kind cannot separate them. Because [`SignInSettings::floor`] would hide from
//! it that a hash was forgotten, the work before that is compared too, with the grid switched off.

use std::num::NonZeroUsize;

use palisade_testkit::entropy::SeededEntropy;

use super::tests::{PASSWORD_OF_ALICE, Service, service, without_budgets};
use super::*;
use crate::credential::password::Cost;

const SAMPLES: usize = 200;

/// A difference that is this many standard errors wide happens once in a thousand times by chance.
const SEPARATED: f64 = 3.29;

const CLASSES: [(&str, &str); 6] = [
    ("nobody", "guess"),
    ("alice", "guess"),
    ("locked", PASSWORD_OF_ALICE),
    ("passkey", "guess"),
    ("gone", PASSWORD_OF_ALICE),
    ("alice", ""),
];

async fn world(floor: Duration) -> Service {
    let service = service(|settings, hashes| {
        without_budgets(settings);
        settings.floor = floor;
        settings.limit.failures = NonZeroU32::MAX;
        hashes.cost = Cost::checked(1024, 1, 1).unwrap();
        hashes.threads = NonZeroUsize::new(1);
    });
    service.register("alice", Some(PASSWORD_OF_ALICE)).await;
    service.register("passkey", None).await;
    let locked = service.register("locked", Some(PASSWORD_OF_ALICE)).await;
    let one = FailureLimit { failures: NonZeroU32::MIN, lasts: None };
    let now = service.clock.now();
    service.accounts.record_failure(&locked, &AuthenticatorId::new(PASSWORD), one, now).await.unwrap();
    let gone = service.register("gone", Some(PASSWORD_OF_ALICE)).await;
    service.accounts.set_status(&gone, AccountStatus::Disabled, now).await.unwrap();
    service
}

/// Answers of all kinds in an order drawn by lot, so that whatever else the machine does falls on all of them alike.
async fn measure(service: &Service, seed: u64, answer: impl AsyncFn(&Service, &str, &str)) -> Vec<Vec<f64>> {
    let mut order: Vec<(u64, usize)> = Vec::new();
    let entropy = SeededEntropy::new(seed);
    for _ in 0..SAMPLES {
        for class in 0..CLASSES.len() {
            let mut lot = [0; 8];
            entropy.fill(&mut lot);
            order.push((u64::from_be_bytes(lot), class));
        }
    }
    order.sort_unstable();
    let mut times = vec![Vec::new(); CLASSES.len()];
    for (_, class) in order {
        let (name, password) = CLASSES[class];
        let begun = std::time::Instant::now();
        answer(service, name, password).await;
        times[class].push(begun.elapsed().as_secs_f64());
    }
    times
}

/// Mann and Whitney's test: how many standard errors two samples are apart by the sum of their ranks.
fn rank_sum(one: &[f64], other: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> =
        one.iter().map(|time| (*time, true)).chain(other.iter().map(|time| (*time, false))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut sum, mut at) = (0.0, 0);
    while at < all.len() {
        let ties = all[at..].iter().take_while(|(time, _)| *time == all[at].0).count();
        let rank = at as f64 + (ties as f64 + 1.0) / 2.0;
        sum += rank * all[at..at + ties].iter().filter(|(_, is_one)| *is_one).count() as f64;
        at += ties;
    }
    let (n, m) = (one.len() as f64, other.len() as f64);
    let u = sum - n * (n + 1.0) / 2.0;
    (u - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt()
}

/// The pair of kinds that is the furthest apart.
fn furthest(times: &[Vec<f64>]) -> (f64, usize, usize) {
    let pairs = (0..times.len()).flat_map(|one| (0..one).map(move |other| (one, other)));
    pairs
        .map(|(one, other)| (rank_sum(&times[one], &times[other]).abs(), one, other))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .unwrap()
}

async fn uniform(service: &Service, name: &str, password: &str) {
    let outcome = service.sign_in.attempt(&Attempt::new(name, password)).await.unwrap();
    assert!(matches!(outcome, SignInOutcome::Refused(_)), "{outcome:?}");
}

/// What a naive service does: it hashes nothing for those who are not there.
async fn leaky(service: &Service, name: &str, password: &str) {
    let name = SignInName::parse(name).unwrap();
    if let Some(account) = service.accounts.find_by_name(None, &name).await.unwrap() {
        let kept = account.password.map(|kept| kept.hash);
        let _ = service.hasher.verify(&Password::new(password).unwrap(), kept.as_ref()).await;
    }
}

fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// There are fifteen pairs, so chance alone separates one in every sixty runs; what is really apart is apart every
/// time. So one of three runs has to be clean.
#[tokio::test]
async fn kinds_of_refusal_take_the_same_time() {
    let service = world(Duration::from_millis(3)).await;
    let mut seen = Vec::new();
    for seed in 1..=3 {
        let (apart, one, other) = furthest(&measure(&service, seed, uniform).await);
        if apart < SEPARATED {
            return;
        }
        seen.push((apart, CLASSES[one], CLASSES[other]));
    }
    panic!("the time tells them apart: {seen:?}");
}

/// The work itself, which is what would show where a floor is too low: one hash each, and hardly anything else. A
/// machine that is busy with something else may need a second look.
#[tokio::test]
async fn kinds_of_refusal_are_the_same_work() {
    let service = world(Duration::ZERO).await;
    // Three people have passwords.
    let mut expect = 3;
    for (name, password) in CLASSES {
        uniform(&service, name, password).await;
        expect += 1;
        // The thread counts after it has answered.
        let begun = std::time::Instant::now();
        while service.hasher.done() < expect && begun.elapsed() < Duration::from_secs(5) {
            std::thread::yield_now();
        }
        assert_eq!(service.hasher.done(), expect, "{name}");
    }
    let mut seen = Vec::new();
    for seed in 1..=3 {
        let medians: Vec<f64> = measure(&service, seed, uniform).await.iter().map(|times| median(times)).collect();
        let most = medians.iter().copied().fold(0.0, f64::max);
        let least = medians.iter().copied().fold(f64::MAX, f64::min);
        if most < 1.2 * least {
            return;
        }
        seen.push(medians);
    }
    panic!("the work differs: {seen:?}");
}

/// Both tests against a service that gives it away.
#[tokio::test]
async fn both_tests_find_a_service_that_skips_the_hash() {
    let service = world(Duration::ZERO).await;
    for seed in 1..=3 {
        let times = measure(&service, seed, leaky).await;
        let apart = rank_sum(&times[0], &times[1]);
        assert!(apart < -10.0, "{apart}");
        assert!(2.0 * median(&times[0]) < median(&times[1]));
    }
}

#[test]
fn the_rank_sum_is_that_of_the_textbook() {
    // No overlap at all: U is 0, and its standard error is the root of 5 * 5 * 11 / 12.
    let apart = rank_sum(&[1.0, 2.0, 3.0, 4.0, 5.0], &[6.0, 7.0, 8.0, 9.0, 10.0]);
    assert!((apart + 2.611).abs() < 0.001, "{apart}");
    assert!(rank_sum(&[1.0, 4.0], &[2.0, 3.0]).abs() < 1e-9);
    assert!(rank_sum(&[5.0; 9], &[5.0; 7]).abs() < 1e-9, "all alike");
}
