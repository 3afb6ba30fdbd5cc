//! The instructions of a request, counted by callgrind: the same number on a busy machine and on an idle one.
//!
//! Each server runs twice, for a few requests and for many; the difference is what the requests between cost, without
//! start, first connections and warm caches. The kernel's work is not in it, and SHA-256 counts about ten times too high,
//! because valgrind knows no SHA instructions.

use std::fmt::Write as _;
use std::fs;

use http::Method;

use crate::child::Child;
use crate::load::{self, CONNECTIONS, Plan};
use crate::site::Site;
use crate::{Failure, count, tell};

/// Counts both servers for both methods.
pub(crate) async fn compare() -> Result<(), Failure> {
    let upstream = Child::start(&["upstream"])?;
    let site = Site::new(upstream.address())?;
    let backend = upstream.address().to_string();
    let policy = site.policy();
    let mut table =
        format!("{:<10} {:<6} {:>20} {:>14}\n", "target", "method", "instructions/request", "ratio to bare");
    for method in [Method::GET, Method::POST] {
        let mut bare = None;
        for (target, role) in [("bare", ["bare", &backend]), ("gateway", ["gateway", &policy])] {
            let few = instructions(&site, &role, &method, FEW).await?;
            let cost = (instructions(&site, &role, &method, MANY).await? - few) / count(MANY - FEW);
            let ratio = cost / *bare.get_or_insert(cost);
            writeln!(table, "{target:<10} {:<6} {cost:>20.0} {ratio:>14.2}", method.as_str())?;
        }
    }
    tell(&table)
}

/// All instructions of a server that answers so many requests.
async fn instructions(site: &Site, role: &[&str], method: &Method, requests: usize) -> Result<f64, Failure> {
    let output = site.file("callgrind.out");
    let server = Child::counted(role, &output)?;
    let plan = Plan::new(method.clone(), vec![site.token(0)?]);
    load::connect(server.address(), &plan).await?.ask(requests - CONNECTIONS).await?;
    server.finish()?;
    if let Ok(kept) = std::env::var("PALISADE_BENCH_PROFILE") {
        fs::copy(&output, format!("{kept}.{}.{method}.{requests}", role.first().unwrap_or(&"")))?;
    }
    let text = fs::read_to_string(&output)?;
    let total = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
    Ok(total.ok_or("valgrind has counted nothing")?.trim().parse()?)
}

/// Requests of the two runs.
const FEW: usize = 200;
const MANY: usize = 1_200;
