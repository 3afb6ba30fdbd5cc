//! Signing in with a password: throttled, uniform, and without a way to keep the owner out.
//!
//! The steps are always the same, in this order:
//!
//! 1. What is too long is refused before anything is done with it.
//! 2. Budgets: of the address, and of the lane. A device that has signed in to the account before has a lane of its own;
//!    everybody else shares one, which a flood may use up without touching the first. Both are counted by what was typed,
//!    whether or not there is such an account, and each has several budgets, so that waits grow.
//! 3. The account is looked up.
//! 4. One hash is run, in the pool: of the account's password, or of nobody's at the same cost, if the account is unknown,
//!    disabled, locked or without a password.
//! 5. A failure is counted, and the last allowed one disables the password for this lane (NIST SP 800-63B-4 section
//!    3.2.2). A success forgets the lane's failures, unless it comes after the last allowed one.
//! 6. The answer waits for the next tick of [`SignInSettings::floor`], so that what is left of differences in time does
//!    not show: another scheme of an imported hash, a row that is written.
//!
//! The caller of a face learns whether somebody has signed in. Why not is for events.

mod change;
mod device;
mod outcome;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

pub use change::{ChangeSettled, PasswordChange, Proof};
pub use device::DeviceKey;
pub use outcome::{Refused, RefusedReason, SignInOutcome, SignedIn};
use palisade_core::id::{AuthenticatorId, TenantId, UserId};
use palisade_core::port::account::{Account, AccountStatus, Failed, FailureLimit, Replaced, SignInName, Succeeded};
use palisade_core::port::counter::{Acquired, Ask, Holder, Ipv6Prefix, LimitKey, Rate};
use palisade_core::port::{AccountStore, Clock, CounterStore, Entropy, StoreError};
use palisade_core::time::Timestamp;
use tokio::time::{Instant, sleep_until};

use self::device::Device;
use crate::credential::password::{Busy, Hasher, Password, Verified};

/// Somebody who wants to sign in.
///
/// ```
/// use palisade::credential::sign_in::Attempt;
///
/// let attempt = Attempt { address: "192.0.2.7".parse().ok(), ..Attempt::new("alice", "a boat full of green tea") };
/// assert!(attempt.device.is_none());
/// ```
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "it holds a password")]
pub struct Attempt<'a> {
    /// The organization in which the name is looked up.
    pub tenant: Option<&'a TenantId>,
    /// What was typed as a name.
    pub name: &'a str,
    /// What was typed as a password.
    pub password: &'a str,
    /// Where the request comes from.
    pub address: Option<IpAddr>,
    /// What the device has kept: [`SignedIn::device`].
    pub device: Option<&'a str>,
}

impl<'a> Attempt<'a> {
    /// An attempt from nowhere, with a device that is not known.
    pub fn new(name: &'a str, password: &'a str) -> Self {
        Self { tenant: None, name, password, address: None, device: None }
    }
}

/// How often one may try, and how long it takes.
///
/// ```
/// use palisade::core::port::account::FailureLimit;
/// use palisade::credential::sign_in::SignInSettings;
///
/// let for_cards = SignInSettings { limit: FailureLimit::PCI_DSS, ..SignInSettings::default() };
/// assert_eq!(for_cards.limit.failures.get(), 10);
/// ```
#[derive(Clone, Debug)]
pub struct SignInSettings {
    /// The grid on which answers leave. It has to be longer than a hash takes under load.
    pub floor: Duration,
    /// How many failures in a row a password bears, in each lane.
    pub limit: FailureLimit,
    /// Budgets of one address.
    pub per_address: Vec<Rate>,
    /// Budgets of an account for everybody whose device is not known.
    pub per_account: Vec<Rate>,
    /// Budgets of an account for each device that is known.
    pub per_device: Vec<Rate>,
}

impl Default for SignInSettings {
    fn default() -> Self {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        Self {
            floor: Duration::from_millis(200),
            limit: FailureLimit::default(),
            per_address: vec![rate(30, MINUTE), rate(200, HOUR)],
            per_account: vec![rate(10, MINUTE), rate(30, HOUR), rate(60, 24 * HOUR)],
            per_device: vec![rate(10, MINUTE), rate(40, HOUR)],
        }
    }
}

/// What signing in needs.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "it holds keys")]
pub struct SignInParts {
    /// Where accounts are kept.
    pub accounts: Arc<dyn AccountStore>,
    /// Where attempts are counted.
    pub counters: Arc<dyn CounterStore>,
    /// What runs the hashes.
    pub hasher: Arc<Hasher>,
    /// The key under which devices are remembered.
    pub devices: DeviceKey,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// Decides who signs in with a password.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # use palisade_testkit::{clock::TestClock, entropy::SeededEntropy};
/// # let (clock, entropy) = (std::sync::Arc::new(TestClock::default()), std::sync::Arc::new(SeededEntropy::new(1)));
/// use std::{sync::Arc, time::Duration};
/// use palisade::core::id::UserId;
/// use palisade::core::port::account::{AccountStore, NewAccount, NewPassword, SignInName, Strength};
/// use palisade::core::secret::Secret;
/// use palisade::credential::password::{HashSettings, Hasher, PasswordPolicy};
/// use palisade::credential::sign_in::{Attempt, DeviceKey, SignIn, SignInOutcome, SignInParts, SignInSettings};
/// use palisade_store::memory::{MemoryAccounts, MemoryCounters};
///
/// let (accounts, hasher) = (Arc::new(MemoryAccounts::default()), Hasher::new(HashSettings::default(), entropy.clone())?);
/// let (password, strength) = PasswordPolicy::default().check("a boat full of green tea", Strength::Alone, &["alice"])?;
/// let password = Some(NewPassword { hash: hasher.hash(&password).await?, strength });
/// let alice = NewAccount::new(UserId::new("u-1"), SignInName::parse("alice").unwrap());
/// accounts.register(&NewAccount { password, ..alice }, Default::default()).await?;
///
/// let sign_in = SignIn::new(SignInSettings::default(), SignInParts {
///     accounts,
///     counters: Arc::new(MemoryCounters::default()),
///     hasher: Arc::new(hasher),
///     devices: DeviceKey::new(&Secret::new([7; 32]), Duration::from_secs(180 * 86_400)).unwrap(),
///     clock,
///     entropy,
/// });
/// let good = sign_in.attempt(&Attempt::new("Alice", "a boat full of green tea")).await?;
/// assert!(matches!(good, SignInOutcome::SignedIn(_)));
/// let bad = sign_in.attempt(&Attempt::new("Alice", "a boat full of black tea")).await?;
/// assert!(matches!(bad, SignInOutcome::Refused(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[expect(missing_debug_implementations, reason = "it holds keys")]
pub struct SignIn {
    settings: SignInSettings,
    parts: SignInParts,
    /// The account that is asked for where there is none.
    nobody: UserId,
}

/// Which attempts are counted together.
enum Lane {
    Device(Device),
    Others,
}

impl Lane {
    /// The authenticator whose failures are counted: the password, as this lane knows it.
    fn authenticator(&self) -> AuthenticatorId {
        match self {
            Self::Device(device) => AuthenticatorId::new(format!("{PASSWORD}@{}", device.id())),
            Self::Others => AuthenticatorId::new(PASSWORD),
        }
    }
}

/// The authenticator that everybody without a known device shares; those of known devices begin with it and an `@`.
pub const PASSWORD: &str = "password";

impl SignIn {
    /// Puts the parts together.
    pub fn new(settings: SignInSettings, parts: SignInParts) -> Self {
        let mut random = [0; 16];
        parts.entropy.fill(&mut random);
        let nobody = UserId::new(format!("nobody {}", crate::token::base64url::encode(&random)));
        Self { settings, parts, nobody }
    }

    /// How long a device that has signed in is known again.
    pub fn remembers_devices_for(&self) -> Duration {
        self.parts.devices.lasts()
    }

    /// Decides about one attempt. On an error of a store nobody is signed in.
    pub async fn attempt(&self, attempt: &Attempt<'_>) -> Result<SignInOutcome, StoreError> {
        let begun = Instant::now();
        let Ok(password) = Password::new(attempt.password) else {
            return Ok(refused(RefusedReason::TooLong, None));
        };
        if attempt.name.len() > MOST_NAME {
            return Ok(refused(RefusedReason::TooLong, None));
        }
        let now = self.parts.clock.now();
        let name = SignInName::parse(attempt.name);
        let lane = self.lane(attempt, name.as_ref(), now);
        if let Some(retry_after) = self.budgets(attempt, name.as_ref(), &lane, now).await? {
            return Ok(SignInOutcome::Throttled { retry_after });
        }
        let outcome = self.decide(attempt, name, &password, &lane, now).await;
        self.tick(begun).await;
        outcome
    }

    fn lane(&self, attempt: &Attempt<'_>, name: Option<&SignInName>, now: Timestamp) -> Lane {
        let device = attempt.device.zip(name);
        let device = device.and_then(|(value, name)| self.parts.devices.read(value, attempt.tenant, name, now));
        device.map_or(Lane::Others, Lane::Device)
    }

    /// Takes one out of each budget; how long to wait if one of them is used up.
    async fn budgets(
        &self,
        attempt: &Attempt<'_>,
        name: Option<&SignInName>,
        lane: &Lane,
        now: Timestamp,
    ) -> Result<Option<Duration>, StoreError> {
        let device = match lane {
            Lane::Device(device) => device.id(),
            Lane::Others => String::new(),
        };
        // All that cannot be names have one lane.
        let name = name.map(SignInName::as_str).unwrap_or_default();
        let tenant = attempt.tenant.map(|tenant| format!("={tenant}")).unwrap_or_default();
        let rates = if device.is_empty() { &self.settings.per_account } else { &self.settings.per_device };
        let address = Holder::client(attempt.address, Ipv6Prefix::default());
        let of_address = self.settings.per_address.iter().enumerate().map(|(index, rate)| {
            Ask::new(LimitKey { rule: ["sign-in", "address", ""], index, holder: address }, *rate)
        });
        let of_lane = rates.iter().enumerate().map(|(index, rate)| {
            Ask::new(LimitKey { rule: ["sign-in", &tenant, &device], index, holder: Holder::Name(name) }, *rate)
        });
        let mut asks: Vec<Ask<'_>> = of_address.chain(of_lane).collect();
        self.take(&mut asks, now).await
    }

    async fn take(&self, asks: &mut [Ask<'_>], now: Timestamp) -> Result<Option<Duration>, StoreError> {
        self.parts.counters.acquire_all(asks, now).await?;
        let waits = asks.iter().filter_map(|ask| match ask.outcome {
            Acquired::Refused { retry_after } => Some(retry_after),
            Acquired::Granted { .. } => None,
        });
        Ok(waits.max().map(|wait| wait.max(Duration::from_secs(1))))
    }

    async fn decide(
        &self,
        attempt: &Attempt<'_>,
        name: Option<SignInName>,
        password: &Password,
        lane: &Lane,
        now: Timestamp,
    ) -> Result<SignInOutcome, StoreError> {
        let accounts = &self.parts.accounts;
        let account = match &name {
            None => None,
            Some(name) => accounts.find_by_name(attempt.tenant, name).await?,
        };
        let authenticator = lane.authenticator();
        let id = account.as_ref().map_or(&self.nobody, |account| &account.id);
        let locked = accounts.disabled_until(id, &authenticator, now).await?;
        let reason = hindrance(name.as_ref(), account.as_ref(), locked);
        let kept = account.as_ref().and_then(|account| account.password.as_ref()).filter(|_| reason.is_none());
        let verified = match self.parts.hasher.verify(password, kept.map(|kept| &kept.hash)).await {
            Err(Busy { retry_after }) => return Ok(SignInOutcome::Busy { retry_after }),
            Ok(verified) => verified,
        };
        if let (Verified::Yes { upgrade }, None, Some(account), Some(name)) = (verified, reason, &account, &name) {
            return match accounts.record_success(&account.id, &authenticator, now).await? {
                Succeeded::Disabled { until } => Ok(refused(RefusedReason::Locked { until }, Some(account))),
                Succeeded::Done => {
                    let upgraded = upgrade && self.upgrade(account, password).await;
                    let device = match lane {
                        Lane::Device(device) => device,
                        Lane::Others => &DeviceKey::fresh(&*self.parts.entropy),
                    };
                    let device = self.parts.devices.value(device, attempt.tenant, name, now);
                    Ok(SignInOutcome::SignedIn(Box::new(SignedIn::new(account.clone(), device, upgraded))))
                }
            };
        }
        // Where nothing is to be counted the store is asked all the same.
        let counted = if reason.is_none() { id } else { &self.nobody };
        let failed = accounts.record_failure(counted, &authenticator, self.settings.limit, now).await?;
        let reason = match (reason, verified, failed) {
            (Some(reason), ..) => reason,
            (None, Verified::Unusable(error), _) => RefusedReason::Unusable(error),
            (None, _, Failed::Counted { in_a_row }) => RefusedReason::Wrong { in_a_row },
            (None, _, Failed::Disabled { until }) => RefusedReason::LockedNow { until },
            (None, _, Failed::Unknown) => RefusedReason::Unknown,
        };
        Ok(refused(reason, account.as_ref()))
    }

    /// Hashes a password anew, by what is used now. If that fails the next sign-in does it.
    async fn upgrade(&self, account: &Account, password: &Password) -> bool {
        let Ok(hash) = self.parts.hasher.hash(password).await else { return false };
        let replaced = self.parts.accounts.rehash_password(&account.id, account.password_version, &hash).await;
        matches!(replaced, Ok(Replaced::Done { .. }))
    }

    /// Waits for the next tick of the grid.
    async fn tick(&self, begun: Instant) {
        let floor = self.settings.floor.as_nanos();
        if let Some(ticks) = begun.elapsed().as_nanos().checked_div(floor) {
            let ticks = u32::try_from(ticks + 1).unwrap_or(u32::MAX);
            sleep_until(begun + self.settings.floor.saturating_mul(ticks)).await;
        }
    }
}

/// Why an account cannot be signed in to, whatever the password is.
fn hindrance(name: Option<&SignInName>, account: Option<&Account>, locked: Option<Timestamp>) -> Option<RefusedReason> {
    match account {
        None if name.is_none() => Some(RefusedReason::NoName),
        None => Some(RefusedReason::Unknown),
        Some(account) if account.status == AccountStatus::Disabled => Some(RefusedReason::AccountDisabled),
        Some(account) if account.password.is_none() => Some(RefusedReason::NoPassword),
        Some(_) => locked.map(|until| RefusedReason::Locked { until }),
    }
}

fn refused(reason: RefusedReason, account: Option<&Account>) -> SignInOutcome {
    SignInOutcome::Refused(Refused { reason, account: account.map(|account| account.id.clone()) })
}

const fn rate(burst: u32, secs: u64) -> Rate {
    let burst = match NonZeroU32::new(burst) {
        Some(burst) => burst,
        None => NonZeroU32::MIN,
    };
    Rate { burst, per: Duration::from_secs(secs) }
}

/// What is looked at as a name at all, in bytes.
const MOST_NAME: usize = 1024;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod timing;
