//! `palisade run`: serves until it is told to stop, and reads its files again when it is told to.

use std::convert::Infallible;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use palisade_core::diagnostic::{Diagnostic, Severity};
use palisade_gateway::config::load;
use palisade_gateway::listen::Inherited;
use palisade_gateway::reload::Reloader;
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
        Ok(loaded) => match Inherited::from_environment() {
            Err(diagnostic) => Err(vec![diagnostic]),
            Ok(sockets) => Gateway::prepare_with(&loaded, sockets).await,
        },
    };
    let gateway = match prepared {
        Ok(prepared) => prepared,
        Err(diagnostics) => {
            output::tell(&diagnostics);
            output::talk("not started");
            return Ok(ExitCode::from(output::FAILURE));
        }
    };
    warn(gateway.diagnostics());
    gateway.on_reload(|outcome| match outcome {
        Ok(reloaded) => {
            warn(&reloaded.diagnostics);
            output::talk(&format!("reloaded; the policy in force is {}", reloaded.version));
        }
        Err(diagnostics) => {
            output::tell(diagnostics);
            output::talk("not reloaded; the policy before stays in force");
        }
    });
    // All wait before anybody is told that the gateway is there. The second order to stop, whenever it comes, ends what the first one has begun.
    let (first, second) = (told_to_stop()?, told_to_stop_times(2)?);
    let reloading = reload_when_told(gateway.reloader())?;
    for (name, address) in gateway.addresses() {
        output::talk(&format!("listening on {address} ({name}); stop with Ctrl-C"));
    }
    if let Some(admin) = gateway.admin() {
        output::talk(&format!("operators look at {admin}"));
    }
    tokio::select! {
        drained = gateway.run(first) => {
            output::talk(&format!("stopped; {} requests were cut off", drained.cut_off));
            Ok(ExitCode::SUCCESS)
        }
        () = second => {
            output::talk("stopped at once");
            Ok(ExitCode::from(output::FAILURE))
        }
        never = reloading => match never {},
    }
}

/// Tells the warnings of a configuration.
fn warn(findings: &[Diagnostic]) {
    let weighty = findings.iter().filter(|finding| finding.severity() >= Severity::Warning);
    output::tell(&weighty.cloned().collect::<Vec<_>>());
}

/// Reloads on every SIGHUP.
fn reload_when_told(reloader: Reloader) -> anyhow::Result<impl Future<Output = Infallible> + Send> {
    let mut hangup = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
    Ok(async move {
        loop {
            hangup.recv().await;
            // What came of it has been told by then.
            let _ = reloader.reload().await;
        }
    })
}

/// Ready on SIGINT or SIGTERM.
pub(super) fn told_to_stop() -> anyhow::Result<impl Future<Output = ()> + Send> {
    told_to_stop_times(1)
}

/// Ready on the last of so many signals.
pub(super) fn told_to_stop_times(times: usize) -> anyhow::Result<impl Future<Output = ()> + Send> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    Ok(async move {
        for _ in 0..times {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
    })
}
