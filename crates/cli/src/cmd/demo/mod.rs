//! `palisade demo`: attacks a vulnerable shop, puts it behind the gateway, attacks it again, and shows the difference.

mod matrix;
mod shop;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, anyhow};
use http::Uri;
use palisade_core::diagnostic::{Diagnostic, Source};
use palisade_gateway::config::load;
use palisade_gateway::run::Gateway;
use palisade_review::{
    HostilePartner, Identity, Login, Mode, OperationReach, Plan, Progress, ProgressEvent, Report, Row, RowResult,
    Target, Verdict, legitimate, run as review,
};
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::output;
use shop::Folder;

/// How long to go on.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Stop after the matrix; exit 0 only if every risk was proved without the gateway and none with it.
    #[arg(long)]
    once: bool,
    /// Where the configuration, the contract and the events are put; a new folder among the temporary files by default.
    #[arg(long)]
    folder: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the asynchronous runtime")?;
    runtime.block_on(show(arguments))
}

async fn show(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let folder = Folder::make(arguments.folder.as_deref())?;
    // The third party that the shop asks is played by the reviewer, so that it can be hostile.
    let partner = HostilePartner::start(json!({"carrier": "Green Wheels", "cost_cents": 490, "days": 3})).await?;
    let shop = shop::open(&partner.url()).await?;
    let plan = Plan::new(&Source::new("openapi.yaml", orchard::CONTRACT), identities())
        .map_err(|error| anyhow!("{error}"))?
        .with_partner(partner)
        .with_mode(Mode::Full);

    let bare = url(shop.address())?;
    output::talk(&format!("orchard, a shop with every risk of the OWASP API Top 10, is at {bare}"));
    let unprotected = attack(&plan, &bare, "without Palisade").await?;
    shop.reset().await;

    folder.write(shop.address())?;
    let gateway = Guarding::start(folder.config()).await?;
    output::talk(&format!("the gateway is in front of it at {}", gateway.url));
    let protected = attack(&plan, &gateway.url, "behind Palisade").await?;
    gateway.stop().await;
    shop.reset().await;

    // A new gateway, because the attack has used up the budgets of the old one.
    let gateway = Guarding::start(folder.config()).await?;
    let reached = legitimate(&plan, target(&gateway.url)?).await.map_err(|error| anyhow!("{error}"))?;
    shop.reset().await;

    output::say("");
    matrix::print(&unprotected, &protected, &reached);
    let good = verdict(&unprotected, &protected, &reached);
    output::talk(&format!("{} seconds", begun.elapsed().as_secs()));
    if arguments.once {
        gateway.stop().await;
        shop.stop().await;
        return Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(output::FINDINGS) });
    }
    next_steps(&bare, &gateway.url, &folder);
    super::run::told_to_stop()?.await;
    output::talk("stopping");
    gateway.stop().await;
    shop.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Whether the demonstration shows what it claims: every risk proved without the gateway, none with it, every attack
/// on the gateway really made, and every operation still there for those who may.
fn verdict(unprotected: &Report, protected: &Report, reached: &[OperationReach]) -> bool {
    let withstood = |row: Row| {
        let results = || protected.rows.iter().filter(|result| result.row == row);
        // What an attack got through without the gateway must have been tried with it; other probes may find nothing to do.
        let was_proved = |probe: &str| {
            unprotected.rows.iter().any(|result| result.probe == probe && result.verdict == Verdict::Proved)
        };
        let is_tried =
            |result: &RowResult| matches!(result.verdict, Verdict::NotProved { .. }) || !was_proved(result.probe);
        results().any(|result| was_proved(result.probe))
            && results().all(|result| result.verdict != Verdict::Proved && is_tried(result))
    };
    Row::ALL.into_iter().all(|row| unprotected.proves(row) && withstood(row))
        && !reached.is_empty()
        && reached.iter().all(|operation| operation.reached_2xx)
}

/// Everybody whom the shop knows.
fn identities() -> Vec<Identity> {
    let of = |user: &orchard::SeededUser| {
        let body = json!({"username": user.username, "password": user.password});
        Identity::new(user.username, Login::json("/v1/login", body, "/access_token"))
    };
    orchard::USERS.iter().map(of).collect()
}

fn url(address: std::net::SocketAddr) -> anyhow::Result<Uri> {
    format!("http://{address}").parse().context("the address makes no URL")
}

fn target(url: &Uri) -> anyhow::Result<Target> {
    Target::new(url.clone()).map_err(|error| anyhow!("{error}"))
}

async fn attack(plan: &Plan, url: &Uri, how: &'static str) -> anyhow::Result<Report> {
    let report = review(plan, target(url)?, &Shown(how)).await.map_err(|error| anyhow!("{error}"))?;
    output::progress("");
    output::talk(&format!("attacked {how}: {} requests, {} findings", report.requests, report.findings().count()));
    Ok(report)
}

/// Progress on the terminal.
struct Shown(&'static str);

impl Progress for Shown {
    fn event(&self, event: ProgressEvent<'_>) {
        let how = self.0;
        match event {
            ProgressEvent::PreflightDone { identities, operations } => {
                output::progress(&format!("{how}: {identities} identities, {operations} operations"));
            }
            ProgressEvent::ProbeStarted { probe, row } => output::progress(&format!("{how}: {row} {probe}")),
            ProgressEvent::ProbeFinished { probe, row, requests, .. } => {
                output::progress(&format!("{how}: {row} {probe} done, {requests} requests so far"));
            }
            _ => {}
        }
    }
}

/// A gateway that serves while the demonstration goes on.
struct Guarding {
    url: Uri,
    stop: oneshot::Sender<()>,
    serving: JoinSet<()>,
}

impl Guarding {
    async fn start(config: &Path) -> anyhow::Result<Self> {
        let loaded = load(config).map_err(|problems| told(&problems))?;
        let gateway = Gateway::prepare(&loaded).await.map_err(|problems| told(&problems))?;
        let (_, address) = gateway.addresses().into_iter().next().context("the gateway listens nowhere")?;
        let (stop, stopped) = oneshot::channel::<()>();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            // A sender that is gone means stop as well.
            gateway.run(async { stopped.await.unwrap_or_default() }).await;
        });
        Ok(Self { url: url(address)?, stop, serving })
    }

    async fn stop(mut self) {
        drop(self.stop);
        while self.serving.join_next().await.is_some() {}
    }
}

fn told(problems: &[Diagnostic]) -> anyhow::Error {
    output::tell(problems);
    anyhow!("the demonstration's own configuration cannot be used")
}

fn next_steps(bare: &Uri, guarded: &Uri, folder: &Folder) {
    let (bare, guarded) = (bare.to_string(), guarded.to_string());
    let (bare, guarded) = (bare.trim_end_matches('/'), guarded.trim_end_matches('/'));
    let login = r#"-H 'content-type: application/json' -d '{"username":"alice","password":"apple-crate-17"}'"#;
    output::say(&format!(
        "\nTry it yourself: bob's order, as alice, without and with Palisade.\n\
         \n  TOKEN=$(curl -s {guarded}/v1/login {login} | sed 's/.*\"access_token\":\"\\([^\"]*\\).*/\\1/')\n\
         \n  curl -i {bare}/v1/orders/o-2001 -H \"authorization: Bearer $TOKEN\"\
         \n  curl -i {guarded}/v1/orders/o-2001 -H \"authorization: Bearer $TOKEN\"\
         \n  curl -i {guarded}/v1/orders/o-1001 -H \"authorization: Bearer $TOKEN\"\n\
         \nThe events, one line each, with the request_id of every answer:  {events}\
         \nThe policy:    {config}\
         \nThe contract:  {contract}\
         \nWhat they allow:  palisade check --config {config} --explain\n\
         \nBoth keep running; stop with Ctrl-C.",
        events = folder.events().display(),
        config = folder.config().display(),
        contract = folder.contract().display(),
    ));
}
