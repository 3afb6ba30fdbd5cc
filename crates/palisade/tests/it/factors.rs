//! Second factors under attack: replayed codes, guesses, somebody else's enrollment, a lost device.

use std::sync::Arc;
use std::time::Duration;

use palisade::credential::factors::{
    FactorError, FactorRemoved, FactorSettings, SecondFactors, TotpConfirmed, TotpVerified,
};
use palisade::credential::recovery::RecoveryCodes;
use palisade::credential::totp::Totp;
use palisade::crypto::envelope::Envelope;
use palisade_core::id::{FactorId, UserId};
use palisade_core::port::factor::{Consumed, FactorKind, NewFactor};
use palisade_core::port::{Clock as _, FactorStore};
use palisade_core::principal::{Assurance, Level};
use palisade_core::secret::Secret;
use palisade_store::memory::MemoryFactors;

use crate::world::{Stand, Unreachable};

const STEP: Duration = Duration::from_secs(30);

struct Desk {
    stand: Stand,
    store: Arc<MemoryFactors>,
    factors: SecondFactors,
}

impl Desk {
    fn new() -> Self {
        Self::with(Stand::new())
    }

    fn with(stand: Stand) -> Self {
        let seal = Envelope::new("k", &Secret::new([7; 32])).unwrap();
        let store = Arc::new(MemoryFactors::default());
        let settings = FactorSettings::new("Acme");
        let factors = SecondFactors::new(Arc::clone(&store) as Arc<dyn FactorStore>, &stand.world, seal, settings);
        Self { stand, store, factors }
    }

    /// What an app that has this secret shows now.
    fn code(&self, secret: &Secret) -> String {
        Totp::default().code(secret, self.stand.clock.now().as_secs() / 30)
    }

    /// Enrolls an app: its name, its secret, and the recovery codes that came with it.
    async fn enroll(&self, user: &UserId) -> (FactorId, Secret, Option<RecoveryCodes>) {
        let enrollment = self.factors.begin_totp(user, "alice@example.com", "my phone").await.unwrap();
        let secret = base32_decoded(&enrollment.secret);
        assert!(enrollment.uri.contains(&format!("secret={}&issuer=Acme", enrollment.secret)));
        let confirmed = self.factors.confirm_totp(user, &enrollment.id, &self.code(&secret)).await.unwrap();
        let TotpConfirmed::Confirmed(codes) = confirmed else { panic!("{confirmed:?}") };
        (enrollment.id, secret, codes)
    }

    async fn verify(&self, user: &UserId, code: &str) -> TotpVerified {
        self.factors.verify_totp(user, code).await.unwrap()
    }
}

/// As an app reads what its owner types.
fn base32_decoded(text: &str) -> Secret {
    let value = |c: char| u64::try_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(c).unwrap()).unwrap();
    let chunk = |chars: &[char]| chars.iter().fold(0, |bits, c| (bits << 5) | value(*c)).to_be_bytes()[3..].to_vec();
    Secret::new(text.chars().collect::<Vec<_>>().chunks(8).flat_map(chunk).collect::<Vec<u8>>())
}

fn alice() -> UserId {
    UserId::new("alice")
}

#[tokio::test]
async fn a_code_counts_once_and_that_of_the_enrollment_not_again() {
    let desk = Desk::new();
    let (id, secret, codes) = desk.enroll(&alice()).await;
    assert_eq!(codes.unwrap().expose().count(), 10);
    let first = desk.code(&secret);
    assert_eq!(desk.verify(&alice(), &first).await, TotpVerified::Replayed, "it proved the enrollment");
    desk.stand.clock.advance(STEP);
    let second = desk.code(&secret);
    assert_eq!(desk.verify(&alice(), &second).await, TotpVerified::Verified(id.clone()));
    assert_eq!(desk.verify(&alice(), &second).await, TotpVerified::Replayed, "somebody looked over a shoulder");
    assert_eq!(desk.verify(&alice(), &first).await, TotpVerified::Replayed, "and so is what came before it");
    desk.stand.clock.advance(Duration::from_secs(3600));
    assert_eq!(desk.verify(&alice(), &second).await, TotpVerified::Wrong, "it is too old");
    assert_eq!(desk.verify(&UserId::new("bob"), &desk.code(&secret)).await, TotpVerified::NoFactor);
    assert_eq!(desk.verify(&alice(), &desk.code(&secret)).await, TotpVerified::Verified(id));
}

#[tokio::test]
async fn guesses_are_counted() {
    let desk = Desk::new();
    let (_, secret, _) = desk.enroll(&alice()).await;
    desk.stand.clock.advance(Duration::from_secs(3600));
    for _ in 0..5 {
        assert_eq!(desk.verify(&alice(), "12345").await, TotpVerified::Wrong);
    }
    let right = desk.code(&secret);
    let TotpVerified::Throttled { wait } = desk.verify(&alice(), &right).await else { panic!("the sixth") };
    assert_eq!(wait, Duration::from_secs(180));
    desk.stand.clock.advance(wait);
    assert!(
        matches!(desk.verify(&alice(), &desk.code(&secret)).await, TotpVerified::Verified(_)),
        "who waits, gets in"
    );
    // Enrollments are no way around it.
    let enrollment = desk.factors.begin_totp(&alice(), "a", "another").await.unwrap();
    let confirmed = desk.factors.confirm_totp(&alice(), &enrollment.id, "123456").await.unwrap();
    assert!(matches!(confirmed, TotpConfirmed::Throttled { .. }), "{confirmed:?}");
}

#[tokio::test]
async fn an_enrollment_that_was_not_proven_locks_nobody_out() {
    let desk = Desk::new();
    let enrollment = desk.factors.begin_totp(&alice(), "a", "a typing error").await.unwrap();
    let wrong = desk.factors.confirm_totp(&alice(), &enrollment.id, "000000").await.unwrap();
    assert!(matches!(wrong, TotpConfirmed::Wrong), "{wrong:?}");
    let listed = desk.factors.list(&alice()).await.unwrap();
    assert_eq!((listed.factors.len(), listed.codes), (0, 0), "a password is still enough");
    let secret = base32_decoded(&enrollment.secret);
    let code = desk.code(&secret);
    let others = desk.factors.confirm_totp(&UserId::new("mallory"), &enrollment.id, &code).await.unwrap();
    assert!(matches!(others, TotpConfirmed::Unknown), "{others:?}");
    desk.stand.clock.advance(Duration::from_secs(600));
    let late = desk.factors.confirm_totp(&alice(), &enrollment.id, &desk.code(&secret)).await.unwrap();
    assert!(matches!(late, TotpConfirmed::Unknown), "{late:?}");
    assert!(desk.factors.renew_codes(&alice()).await.unwrap().is_none(), "no codes without a factor");
}

#[tokio::test]
async fn a_recovery_code_is_good_once_and_for_its_owner() {
    let desk = Desk::new();
    let (_, _, codes) = desk.enroll(&alice()).await;
    let codes = codes.unwrap();
    let all: Vec<&str> = codes.expose().collect();
    let recover = async |user: &UserId, code: &str| desk.factors.recover(user, code).await.unwrap();
    assert_eq!(recover(&UserId::new("bob"), all[0]).await, Consumed::Unknown);
    assert_eq!(recover(&alice(), &all[0].to_lowercase()).await, Consumed::Consumed { left: 9 });
    assert_eq!(recover(&alice(), all[0]).await, Consumed::Unknown);
    assert_eq!(recover(&alice(), "").await, Consumed::Unknown);
    let renewed = desk.factors.renew_codes(&alice()).await.unwrap().unwrap();
    assert_eq!(recover(&alice(), all[1]).await, Consumed::Unknown, "the old paper is worth nothing");
    assert_eq!(recover(&alice(), renewed.expose().next().unwrap()).await, Consumed::Consumed { left: 9 });
    let (_, _, more) = desk.enroll(&alice()).await;
    assert!(more.is_none(), "another app leaves the paper as it is");
}

#[tokio::test]
async fn the_last_factor_goes_only_after_step_up() {
    let desk = Desk::new();
    let now = || desk.stand.clock.now();
    let (first, _, _) = desk.enroll(&alice()).await;
    desk.stand.clock.advance(Duration::from_secs(3600));
    let (second, _, _) = desk.enroll(&alice()).await;
    let by = |level, ago: u64| Assurance::new(level, palisade_core::time::Timestamp::from_secs(now().as_secs() - ago));
    let remove = async |id: &FactorId, by: Assurance| desk.factors.remove(&alice(), id, &by).await.unwrap();
    assert_eq!(remove(&first, by(Level::Aal1, 0)).await, FactorRemoved::Removed { left: 1 });
    assert_eq!(remove(&first, by(Level::Aal2, 0)).await, FactorRemoved::Unknown);
    for (level, ago) in [(Level::Aal1, 0), (Level::Aal2, 301), (Level::None, 0)] {
        assert_eq!(remove(&second, by(level, ago)).await, FactorRemoved::NeedsStepUp, "{level:?} {ago}");
    }
    assert_eq!(remove(&second, by(Level::Aal2, 300)).await, FactorRemoved::Removed { left: 0 });
    assert_eq!(desk.factors.list(&alice()).await.unwrap().codes, 0);
}

#[tokio::test]
async fn secrets_rest_sealed_for_one_factor_of_one_user() {
    let desk = Desk::new();
    let (id, secret, _) = desk.enroll(&alice()).await;
    let stored = desk.factors.list(&alice()).await.unwrap().factors[0].data.clone();
    assert!(!stored.windows(20).any(|window| secret.matches(window)));
    // Who can write into the store puts Alice's secret, which they cannot read, or their own, into Bob's factor.
    let (user, kind, lasts) = (UserId::new("bob"), FactorKind::Totp, Duration::from_secs(600));
    let planted = NewFactor { id: FactorId::new("planted"), user, kind, label: "".into(), data: stored, lasts };
    desk.store.enroll(&planted, desk.stand.clock.now()).await.unwrap();
    desk.store.confirm(&planted.user, &planted.id, 0, &[], desk.stand.clock.now()).await.unwrap();
    let answer = desk.factors.verify_totp(&planted.user, &desk.code(&secret)).await;
    assert!(matches!(answer, Err(FactorError::Seal(_))), "{answer:?}");
    assert_ne!(id, planted.id);
}

#[tokio::test]
async fn without_counters_no_code_is_tried() {
    let desk = Desk::with(Stand::counting_in(Unreachable));
    let enrollment = desk.factors.begin_totp(&alice(), "a", "b").await.unwrap();
    let code = desk.code(&base32_decoded(&enrollment.secret));
    let answer = desk.factors.confirm_totp(&alice(), &enrollment.id, &code).await;
    assert!(matches!(answer, Err(FactorError::Store(_))), "{answer:?}");
}
