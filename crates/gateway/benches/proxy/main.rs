//! What the gateway costs: the CPU time of a request through it and of the same request through a bare hyper proxy.
//!
//! ```text
//! bench/run            about three minutes
//! bench/run --quick    under a minute
//! bench/run --count    instructions instead of time, which a busy machine does not change; needs valgrind
//! ```
//!
//! Proxy, gateway and backend are processes of their own: this program starts itself again in each of those roles and
//! is itself the client. The servers take turns in rounds, so that a machine that slows down slows all of them, and the
//! middle round counts. A number of one machine says little; the ratio on the last line can be compared with the same
//! line of an earlier version. `bench/README.md` says what the rows mean.

mod child;
mod count;
mod load;
mod serve;
mod site;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use http::{HeaderValue, Method};
use tokio::time::{sleep, timeout};

use child::Child;
use load::{CONNECTIONS, Plan};
use site::Site;

/// The allocator of the command `palisade`; the bare proxy has it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Why there is no result.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["upstream"] => serve::upstream(),
        ["bare", backend] => serve::bare(backend),
        ["gateway", policy] => serve::gateway(policy.as_ref()),
        // Only `cargo bench` says `--bench`: what runs every target as a test must not take three minutes for this one.
        options if options.contains(&"--bench") && options.contains(&"--count") => finish(count::compare()),
        options if options.contains(&"--bench") => compare(if options.contains(&"--quick") { &QUICK } else { &WHOLE }),
        _ => tell("this is a benchmark: `bench/run` starts it"),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without standard error there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "proxy: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How much is measured.
struct Extent {
    rounds: usize,
    /// Requests of one round to one server.
    requests: usize,
    /// Requests of one round with tokens that are used once.
    fresh: usize,
}

const WHOLE: Extent = Extent { rounds: 25, requests: 20_000, fresh: 400 };
const QUICK: Extent = Extent { rounds: 5, requests: 8_000, fresh: 400 };

/// One line of the table.
struct Row<'a> {
    target: &'static str,
    server: &'a Child,
    plan: Plan,
    requests: usize,
    /// CPU microseconds of a request, by round.
    rounds: Vec<f64>,
}

impl Row<'_> {
    /// The same, where the answers are long.
    fn long(self) -> Self {
        Self { plan: self.plan.long(), ..self }
    }

    /// Whether it is a bare proxy that is asked for the same.
    fn is_bare(&self, other: &Self) -> bool {
        self.target.starts_with("bare") && self.plan.is_like(&other.plan)
    }
}

fn compare(extent: &Extent) -> Result<(), Failure> {
    finish(measure(extent))
}

/// Runs a comparison to its end, or until it is interrupted.
fn finish(measure: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            compared = measure => compared,
            // Leaving this way drops the servers and the folder.
            _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
        }
    })
}

async fn measure(extent: &Extent) -> Result<(), Failure> {
    let upstream = Child::start(&["upstream"])?;
    let site = Site::new(upstream.address())?;
    let once = Site::new(upstream.address())?;
    let bare = Child::start(&["bare", &upstream.address().to_string()])?;
    let gateway = Child::start(&["gateway", &site.policy()])?;
    let gateway_once = Child::start(&["gateway", &once.policy()])?;
    let seen = || Ok::<_, Failure>(vec![site.token(0)?]);
    let row = |target, server, method, tokens| Row {
        target,
        server,
        plan: Plan::new(method, tokens),
        requests: extent.requests,
        rounds: Vec::new(),
    };
    let mut rows = [
        row("bare", &bare, Method::GET, seen()?),
        row("gateway", &gateway, Method::GET, seen()?),
        row("gateway, token never seen", &gateway_once, Method::GET, Vec::new()),
        row("bare, answer of 1 KB", &bare, Method::GET, seen()?).long(),
        row("gateway, answer of 1 KB", &gateway, Method::GET, seen()?).long(),
        row("bare", &bare, Method::POST, seen()?),
        row("gateway", &gateway, Method::POST, seen()?),
    ];
    let (mut asked, mut written) = (0, 0);
    // The first round fills caches and pools and is not counted.
    for number in 0..=extent.rounds {
        for row in &mut rows {
            let is_fresh = std::ptr::eq(row.server, &gateway_once);
            if is_fresh {
                row.requests = extent.fresh;
                row.plan = Plan::new(Method::GET, fresh(&once, number, extent.fresh)?);
            }
            let spent = round(row).await?;
            if number > 0 {
                row.rounds.push(spent.as_secs_f64() * 1e6 / count(row.requests));
            }
            if !std::ptr::eq(row.server, &bare) {
                asked += row.requests + CONNECTIONS;
            }
        }
        written += site.take_events()? + once.take_events()?;
    }
    let mut table = format!("{} rounds of {} requests", extent.rounds, extent.requests);
    writeln!(table, ", {} where no token was seen before; {CONNECTIONS} connections", extent.fresh)?;
    writeln!(table, "events written: {written} of {asked}")?;
    report(&mut table, &rows)?;
    tell(&table)
}

/// As many tokens as one round and the requests before it use, others than in any other round.
fn fresh(site: &Site, round: usize, requests: usize) -> Result<Vec<HeaderValue>, Failure> {
    let needed = requests + CONNECTIONS;
    (1..=needed).map(|index| site.token(round * needed + index)).collect()
}

/// The CPU time of a server for one round.
async fn round(row: &Row<'_>) -> Result<Duration, Failure> {
    let exchange = async {
        let callers = load::connect(row.server.address(), &row.plan).await?;
        let before = row.server.cpu()?;
        callers.ask(row.requests).await?;
        // The events of the last requests are still being written.
        sleep(SETTLE).await;
        Ok::<_, Failure>(row.server.cpu()?.saturating_sub(before))
    };
    let spent = timeout(PATIENCE, exchange).await;
    let spent = spent.unwrap_or_else(|_| Err("it took too long".into()));
    spent.map_err(|error| format!("{}, {}: {error}", row.target, row.plan.method()).into())
}

fn report(table: &mut String, rows: &[Row<'_>]) -> Result<(), Failure> {
    let bare = |row: &Row<'_>| {
        let bare = rows.iter().find(|other| other.is_bare(row));
        bare.map_or(f64::NAN, |bare| median(&bare.rounds))
    };
    writeln!(table, "\n{:<26} {:<6} {:>14} {:>14}", "target", "method", "CPU us/request", "ratio to bare")?;
    let mut ratios = Vec::new();
    for row in rows {
        let (spent, method) = (median(&row.rounds), row.plan.method());
        let ratio = spent / bare(row);
        writeln!(table, "{:<26} {:<6} {spent:>14.2} {ratio:>14.2}", row.target, method.as_str())?;
        if row.target == "gateway" {
            ratios.push(ratio);
        }
    }
    let mean = ratios.iter().sum::<f64>() / count(ratios.len());
    writeln!(table, "\nratio to bare hyper proxy: {mean:.2}")?;
    Ok(())
}

fn median(rounds: &[f64]) -> f64 {
    let mut rounds = rounds.to_vec();
    rounds.sort_by(f64::total_cmp);
    rounds.get(rounds.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A number of things as a divisor; all numbers here are far below what a float holds exactly.
fn count(things: usize) -> f64 {
    u32::try_from(things).map_or(f64::NAN, f64::from)
}

fn tell(text: &str) -> Result<(), Failure> {
    Ok(writeln!(std::io::stdout(), "{}", text.trim_end())?)
}

/// How long a server may go on working after its last answer.
const SETTLE: Duration = Duration::from_millis(50);

/// How long a round may take before the run fails.
const PATIENCE: Duration = Duration::from_secs(120);
