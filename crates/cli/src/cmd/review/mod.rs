//! `palisade review`: attacks a running API by its contract, as several identities, and reports what it can prove.

mod connection;
mod outcome;
mod prepare;
mod replay;
mod reset;
mod show;

use std::future::Future;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use palisade_core::diagnostic::Diagnostic;
use palisade_review::{Format, Mode, Report, RunError, Stop, Target, run_with_reset};

use crate::output;
use connection::Connection;
use prepare::Prepared;

/// What to attack, as whom, and how far to go.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    attack: Option<Attack>,
    // Beside the attack and not in it: with a group within, clap takes the optional one for missing.
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Sends the requests of one finding again: exit 1 if it is still there, 0 if it is gone, 2 if nobody can say.
    Replay(replay::Arguments),
}

/// What to attack, as whom, and how far to go.
#[derive(Debug, clap::Args)]
pub(crate) struct Attack {
    /// The API's contract, a file or an `http(s)` URL. It says what to attack, never where.
    #[arg(long, value_name = "FILE|URL")]
    contract: String,
    /// Where the API is. Nothing is sent to any other host.
    #[arg(long, value_name = "URL")]
    base_url: String,
    /// Who to be: a file in the format of Web Fuzzing Commons, with at least two users of one role.
    #[arg(long, value_name = "FILE")]
    identities: PathBuf,
    /// The gateway's configuration for this API, which says what is public and who may do what.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// How far to go.
    #[arg(long, value_enum, default_value = "safe")]
    mode: Depth,
    /// Attack a second time through a gateway at this URL, and compare.
    #[arg(long, value_name = "URL")]
    through: Option<String>,
    /// How many requests may be made.
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    budget: u32,
    /// How many requests may be made in a second.
    #[arg(long, value_name = "N")]
    rate: Option<NonZeroU32>,
    /// How many seconds one answer may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// How many seconds the run may take.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    time_limit: Option<u64>,
    /// Tell what would be done, and send nothing.
    #[arg(long)]
    dry_run: bool,
    /// Use the markers of an earlier run, whose report names its seed; only for a target that is made anew.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Where to listen for look-ups of names, over UDP, when the target's resolver asks here or a zone is delegated here.
    #[arg(long, value_name = "ADDRESS", requires = "name_zone")]
    name_server: Option<std::net::SocketAddr>,
    /// The zone whose names are then given to the target.
    #[arg(long, value_name = "NAME", requires = "name_server")]
    name_zone: Option<String>,
    /// Findings that were accepted: they do not count for the exit code.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write what is proved as a baseline, to be given its reasons by hand.
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
    /// The form of the result: text, json, sarif, junit, har or html; may be repeated with `--output`.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Vec<Format>,
    /// Where the result is written: this file, or with several forms this name with the ending of each. The text is
    /// printed all the same.
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// End the run, and put back what was changed, when this file appears.
    #[arg(long, value_name = "FILE")]
    stop_file: Option<PathBuf>,
    /// A command that resets the target, run before and after what destroys.
    #[arg(long, value_name = "COMMAND", conflicts_with = "reset_url")]
    reset_command: Option<String>,
    /// A URL to which a POST resets the target, before and after what destroys.
    #[arg(long, value_name = "URL")]
    reset_url: Option<String>,
}

/// How far a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Depth {
    /// Reads and signs in, and nothing else.
    Safe,
    /// Writes as well, and puts back what it can.
    Active,
    /// Everything: privileged operations, deletions, and accounts of its own to try them on.
    Full,
}

impl From<Depth> for Mode {
    fn from(depth: Depth) -> Self {
        match depth {
            Depth::Active => Self::Active,
            Depth::Full => Self::Full,
            Depth::Safe => Self::Safe,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the asynchronous runtime")?;
    match (&arguments.command, &arguments.attack) {
        (Some(Command::Replay(arguments)), _) => runtime.block_on(replay::run(arguments)),
        (None, Some(attack)) => runtime.block_on(review(attack, &arguments.connection)),
        (None, None) => anyhow::bail!("what is to be reviewed? see `palisade review --help`"),
    }
}

async fn review(arguments: &Attack, connection: &Connection) -> anyhow::Result<ExitCode> {
    if arguments.format.len() > 1 && arguments.output.is_none() {
        let problem = Diagnostic::error("review-output", "several forms cannot be printed one after the other");
        return Ok(refuse(&[
            problem.help("add `--output review`: the files are then `review.json`, `review.sarif` ...")
        ]));
    }
    let stop = Stop::default();
    let prepared = match prepare::prepare(arguments, connection, &stop).await {
        Ok(prepared) => prepared,
        Err(problems) => return Ok(refuse(&problems)),
    };
    if arguments.dry_run {
        show::forecast(&prepared.plan, arguments);
        return Ok(ExitCode::SUCCESS);
    }
    let runs = async {
        let bare = attack(arguments, &prepared, &prepared.target, "review").await?;
        let through = match &prepared.through {
            Some(gateway) if stop.why().is_none() => {
                Some(attack(arguments, &prepared, gateway, "through the gateway").await?)
            }
            _ => None,
        };
        Ok((bare, through))
    };
    match stoppable(arguments, &stop, runs).await? {
        Ok((report, through)) => outcome::tell(arguments, &prepared, &report, through.as_ref()),
        Err(error) => Ok(refuse(&[failure(&error, &arguments.identities)])),
    }
}

async fn attack(
    arguments: &Attack,
    prepared: &Prepared,
    target: &Target,
    how: &'static str,
) -> Result<Report, RunError> {
    let reset = reset::Chosen::new(arguments, &target.trust);
    let reset = reset.as_ref().map(reset::Chosen::as_dyn);
    let report = run_with_reset(&prepared.plan, target.clone(), &show::Shown::new(how), reset).await;
    output::progress("");
    report
}

/// Goes on until it is done, or until it was told to stop and has put back what it could; told twice, it ends at once.
async fn stoppable<T>(arguments: &Attack, stop: &Stop, work: impl Future<Output = T>) -> anyhow::Result<T> {
    let (first, second) = (super::run::told_to_stop()?, super::run::told_to_stop_times(2)?);
    let watch = async {
        tokio::select! {
            () = first => stop.stop("it was told to by a signal"),
            () = appears(arguments.stop_file.as_deref()) => stop.stop("the stop file is there"),
        }
        output::talk("stopping: what was changed is put back");
        std::future::pending::<()>().await;
    };
    tokio::select! {
        done = work => Ok(done),
        () = watch => anyhow::bail!("stopped"),
        () = second => anyhow::bail!("stopped at once; what was under way was not put back"),
    }
}

/// Ready when a file is there; never without one.
async fn appears(file: Option<&Path>) {
    let Some(file) = file else { return std::future::pending().await };
    while !file.exists() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn refuse(problems: &[Diagnostic]) -> ExitCode {
    output::tell(problems);
    ExitCode::from(output::FAILURE)
}

/// Why there is no report, and what to do about it.
fn failure(error: &RunError, identities: &Path) -> Diagnostic {
    let identities = identities.display().to_string();
    let (code, file, help) = match error {
        RunError::Login { .. } => {
            let help = "check name, password, `endpoint` and `token`; try the request with curl";
            ("review-login", Some(identities), help)
        }
        RunError::Account { .. } => {
            let help = "check `createUsers`: the path, the payload, and what its generators make";
            ("review-account", Some(identities), help)
        }
        RunError::Refused { .. } => {
            let help = "the credential is not believed: has it expired, and is it sent where the API looks for it?";
            ("review-refused", Some(identities), help)
        }
        RunError::NothingServed { .. } => {
            let help = "does the base URL have the prefix that the paths of the contract need, such as `/api`?";
            ("review-nothing-served", None, help)
        }
        _ => ("review-failed", None, "is the API running at the base URL, and can it be reached from here?"),
    };
    let diagnostic = Diagnostic::error(code, error.to_string()).help(help);
    match file {
        Some(file) => diagnostic.in_file(&file),
        None => diagnostic,
    }
}

/// The mode as it is written on the command line.
fn word(mode: Depth) -> &'static str {
    match mode {
        Depth::Active => "active",
        Depth::Full => "full",
        Depth::Safe => "safe",
    }
}
