//! How many people sign in in a second at three costs, beside the formula: cores divided by what one hash takes, as
//! `palisade user calibrate` measures it.
//!
//! `cargo bench -p palisade --bench sign_in --features passwords`. Beside other work the figure by the clock is lower;
//! what a sign-in takes of a processor is then the one to compare.
#![expect(clippy::expect_used, reason = "a bench that cannot begin has nothing to say")]

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade::core::id::UserId;
use palisade::core::port::account::{AccountStore as _, NewAccount, NewPassword, SignInName, Strength};
use palisade::core::port::counter::Rate;
use palisade::core::secret::Secret;
use palisade::core::time::Timestamp;
use palisade::credential::password::{Cost, HashSettings, Hasher, Password, calibrate};
use palisade::credential::sign_in::{Attempt, DeviceKey, SignIn, SignInOutcome, SignInParts, SignInSettings};
use palisade_store::clock::SystemClock;
use palisade_store::entropy::SystemEntropy;
use palisade_store::memory::{MemoryAccounts, MemoryCounters};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const PASSWORD: &str = "a boat full of green tea";

/// How long each cost is measured.
const LASTS: Duration = Duration::from_secs(4);

fn main() {
    let runtime = Runtime::new().expect("the runtime starts");
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    println!("{cores} cores");
    println!("{:<18} {:>12} {:>10} {:>10} {:>18}", "cost", "sign-ins/s", "formula", "ms/hash", "cpu ms/sign-in");
    let costs = [(7 * 1024, 5), (19 * 1024, 2), (64 * 1024, 3)].map(|(memory, passes)| Cost::new(memory, passes, 1));
    for measured in calibrate(LASTS).into_iter().filter(|measured| costs.contains(&Some(measured.cost))) {
        let (per_second, cpu) = runtime.block_on(measure(measured.cost, cores));
        let (formula, alone) = (measured.per_second(cores), measured.takes.as_secs_f64() * 1e3);
        let cost = measured.cost.to_string();
        println!("{cost:<18} {per_second:>12.1} {formula:>10.1} {alone:>10.2} {cpu:>18.2}");
    }
}

/// How many sign-ins are done in a second by twice as many callers as there are cores, and the milliseconds of a processor
/// that each takes.
async fn measure(cost: Cost, cores: NonZeroUsize) -> (f64, f64) {
    let sign_in = service(cost).await;
    attempt(&sign_in).await;
    let (begun, cpu) = (Instant::now(), processor_time());
    let mut callers = JoinSet::new();
    for _ in 0..2 * cores.get() {
        let sign_in = Arc::clone(&sign_in);
        callers.spawn(async move {
            let mut done = 0_u32;
            while begun.elapsed() < LASTS {
                attempt(&sign_in).await;
                done += 1;
            }
            done
        });
    }
    let done: u32 = callers.join_all().await.into_iter().sum();
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), processor_time() - cpu);
    (f64::from(done) / wall, cpu * 1e3 / f64::from(done))
}

/// Seconds of processor time that this process has used (proc_pid_stat(5): fields 14 and 15, in hundredths).
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("this is Linux");
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields.split_whitespace().skip(11).take(2));
    let ticks: u32 = fields.into_iter().flatten().filter_map(|field| field.parse::<u32>().ok()).sum();
    f64::from(ticks) / 100.0
}

async fn attempt(sign_in: &SignIn) {
    let outcome = sign_in.attempt(&Attempt::new("alice", PASSWORD)).await;
    assert!(matches!(outcome, Ok(SignInOutcome::SignedIn(_))), "{outcome:?}");
}

async fn service(cost: Cost) -> Arc<SignIn> {
    let entropy = Arc::new(SystemEntropy);
    let settings = HashSettings { cost, ..HashSettings::default() };
    let hasher = Hasher::new(settings, entropy.clone()).expect("the threads start");
    let password = Password::new(PASSWORD).expect("it is short enough");
    let hash = hasher.hash(&password).await.expect("nobody else asks");
    let accounts = MemoryAccounts::default();
    let alice = NewAccount {
        password: Some(NewPassword { hash, strength: Strength::Alone }),
        ..NewAccount::new(UserId::new("u-1"), SignInName::parse("alice").expect("it is a name"))
    };
    accounts.register(&alice, Timestamp::default()).await.expect("memory answers");
    let endless = vec![Rate { burst: NonZeroU32::MAX, per: Duration::from_secs(1) }];
    let settings = SignInSettings {
        floor: Duration::ZERO,
        per_address: endless.clone(),
        per_account: endless.clone(),
        per_device: endless,
        ..SignInSettings::default()
    };
    let parts = SignInParts {
        accounts: Arc::new(accounts),
        counters: Arc::new(MemoryCounters::default()),
        hasher: Arc::new(hasher),
        devices: DeviceKey::new(&Secret::new([7; 32]), Duration::from_secs(60)).expect("it is long enough"),
        clock: Arc::new(SystemClock),
        entropy,
    };
    Arc::new(SignIn::new(settings, parts))
}
