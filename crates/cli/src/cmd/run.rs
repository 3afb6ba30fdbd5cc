//! `palisade run`: serves until it is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use palisade_core::diagnostic::Severity;
use palisade_gateway::config::load;
use palisade_gateway::listen::Inherited;
use palisade_gateway::run::Gateway;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::LevelFilter;

use crate::output;

/// What to serve.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The configuration.
    #[arg(long, default_value = "palisade.toml")]
    config: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    // What the gateway has to say about itself goes where people look; what it says about requests are its events.
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(LevelFilter::WARN).compact().init();
    // For what is done in the background; requests are served by the gateway's workers, which have runtimes of their own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start the asynchronous runtime")?;
    runtime.block_on(serve(arguments))
}

async fn serve(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let prepared = match load(&arguments.config) {
        Err(diagnostics) => Err(diagnostics),
        Ok(loaded) => {
            let findings: Vec<_> = loaded.diagnostics.clone();
            match Inherited::from_environment() {
                Err(diagnostic) => Err(vec![diagnostic]),
                Ok(sockets) => Gateway::prepare_with(&loaded, sockets).await.map(|gateway| (gateway, findings)),
            }
        }
    };
    let (gateway, mut findings) = match prepared {
        Ok(prepared) => prepared,
        Err(diagnostics) => {
            output::tell(&diagnostics);
            output::talk("not started");
            return Ok(ExitCode::from(output::FAILURE));
        }
    };
    findings.extend(gateway.diagnostics().iter().cloned());
    findings.retain(|finding| finding.severity() >= Severity::Warning);
    output::tell(&findings);
    for (name, address) in gateway.addresses() {
        output::talk(&format!("listening on {address} ({name}); stop with Ctrl-C"));
    }
    let drained = gateway.run(told_to_stop()?).await;
    output::talk(&format!("stopped; {} requests were cut off", drained.cut_off));
    Ok(ExitCode::SUCCESS)
}

/// Ready on SIGINT or SIGTERM.
pub(super) fn told_to_stop() -> anyhow::Result<impl Future<Output = ()> + Send> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
