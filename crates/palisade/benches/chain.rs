//! What the chain costs: the CPU time of a request through `Chain::api()` and of the same request to the bare router.
//!
//! ```text
//! cargo bench -p palisade --bench chain            20,000 requests to each
//! cargo bench -p palisade --bench chain -- --quick  4,000 requests to each
//! ```
//!
//! Both answer `GET /users/{id}` from memory, on one thread and without a socket. The chain verifies a bearer token,
//! whose signature it has seen before, asks the throttle, checks the owner and hands its event to nobody. The two
//! take turns in rounds, so that a machine that slows down slows both; the middle round counts. Where the system does
//! not tell the CPU time of a thread (`/proc/self/schedstat`), the time on the wall stands in for it.
//!
//! A number of one machine says little; the ratio, on the last line, can be compared with the same line of an earlier
//! version.

use std::io::Write as _;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use http::{Request, StatusCode, header};
use palisade::Chain;
use palisade::observe::Sink;
use palisade::preset::World;
use palisade::stage::throttle::ThrottleSettings;
use palisade::token::{algorithm::Algorithm, jwks::KeySet, jwks::StaticKeys, jwt::Rules, sign::Signer};
use palisade_core::event::SecurityEvent;
use palisade_core::port::Clock as _;
use palisade_store::{clock::SystemClock, entropy::SystemEntropy, memory::MemoryCounters};
use tower::ServiceExt as _;

type Failure = Box<dyn std::error::Error>;

/// Requests in one round.
const ROUND: u32 = 500;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--count") {
        let scene = arguments.get(at + 1).map_or("api", String::as_str);
        return count(scene, arguments.get(at + 2).map_or(Ok(1), |count| count.parse())?);
    }
    let requests = if std::env::args().any(|argument| argument == "--quick") { 4_000 } else { 20_000 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (bare, signer) = (router(), Signer::generate_es256("bench")?);
    let (chain, token) = (chain(&signer)?, token(&signer)?);
    let mut rounds = (Vec::new(), Vec::new());
    runtime.block_on(async {
        // The first round of each fills caches and is not counted.
        for round in 0..=requests / ROUND {
            let times = (measure(&bare, &token).await?, measure(&chain, &token).await?);
            if round > 0 {
                rounds.0.push(times.0);
                rounds.1.push(times.1);
            }
        }
        Ok::<(), Failure>(())
    })?;
    let (bare, chain) = (median(rounds.0), median(rounds.1));
    let mut out = std::io::stdout().lock();
    writeln!(out, "requests to each: {requests}, in rounds of {ROUND}")?;
    writeln!(out, "bare axum:    {:>8.2} us of CPU time a request", bare * 1e6)?;
    writeln!(out, "Chain::api(): {:>8.2} us of CPU time a request", chain * 1e6)?;
    writeln!(out, "ratio to bare axum: {:.2}", chain / bare)?;
    Ok(())
}

/// Only asks, for a program that counts instructions.
fn count(scene: &str, requests: u32) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signer = Signer::generate_es256("bench")?;
    let token = token(&signer)?;
    let app = if scene == "bare" { router() } else { chain(&signer)? };
    runtime.block_on(async {
        for _ in 0..requests {
            ask(&app, &token).await?;
        }
        Ok(())
    })
}

fn router() -> Router {
    Router::new().route("/users/{id}", get(|Path(id): Path<String>| async move { format!("{{\"id\":\"{id}\"}}") }))
}

fn chain(signer: &Signer) -> Result<Router, Failure> {
    let rules = Rules::new("https://id.example.com", "https://api.example.com", [Algorithm::Es256])?;
    let keys = StaticKeys::new(KeySet::new([signer.verify_key()?])?);
    let world = World::new(SystemClock, SystemEntropy, MemoryCounters::default(), Nothing);
    let preset = Chain::api().bearer(rules, keys).owner("GET /users/{id}", "id", "sub");
    Ok(preset.throttle(ThrottleSettings::clients(u32::MAX, Duration::from_secs(1))).protect(router(), &world)?)
}

fn token(signer: &Signer) -> Result<String, Failure> {
    let expires = SystemClock.now().as_secs() + 3600;
    let claims = serde_json::json!({
        "iss": "https://id.example.com", "aud": "https://api.example.com", "sub": "u-alice", "exp": expires,
    });
    Ok(format!("Bearer {}", signer.sign("at+jwt", &claims)?))
}

/// The seconds of CPU time that one request of a round takes.
async fn measure(app: &Router, token: &str) -> Result<f64, Failure> {
    let start = Stopwatch::start();
    for _ in 0..ROUND {
        ask(app, token).await?;
    }
    Ok(start.elapsed().as_secs_f64() / f64::from(ROUND))
}

async fn ask(app: &Router, token: &str) -> Result<(), Failure> {
    let request = Request::get("/users/u-alice").header(header::HOST, "api.example.com");
    let request = request.header(header::AUTHORIZATION, token).body(Body::empty())?;
    let response = app.clone().oneshot(request).await?;
    if response.status() != StatusCode::OK {
        return Err(format!("the answer was {}", response.status()).into());
    }
    http_body_util::BodyExt::collect(response.into_body()).await?;
    Ok(())
}

fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds.get(rounds.len() / 2).copied().unwrap_or(f64::NAN)
}

/// CPU time of this thread where the system tells it, else time on the wall.
struct Stopwatch {
    wall: Instant,
    cpu: Option<Duration>,
}

impl Stopwatch {
    fn start() -> Self {
        Self { wall: Instant::now(), cpu: cpu_time() }
    }

    fn elapsed(&self) -> Duration {
        match (self.cpu, cpu_time()) {
            (Some(start), Some(end)) => end.saturating_sub(start),
            _ => self.wall.elapsed(),
        }
    }
}

/// The first field of `schedstat`: nanoseconds on a CPU, of the main thread, which is the one that works here. The system
/// counts them when it schedules, so it is asked to do that first.
fn cpu_time() -> Option<Duration> {
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// Takes events and does nothing with them: writing is the cost of whoever reads.
struct Nothing;

impl Sink for Nothing {
    fn emit(&self, _: SecurityEvent) {}
}
