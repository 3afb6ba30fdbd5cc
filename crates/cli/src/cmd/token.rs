//! `palisade token`: tokens that somebody has and should not have any more.

use std::process::ExitCode;
use std::time::Duration;

use palisade_core::time::Timestamp;
use palisade_gateway::tokens::{Revoker, Until, What};

use crate::output;

/// What to do with them.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// Takes tokens back at every gateway that reads the store, within a second.
    Revoke {
        /// The store that the gateways read: `sqlite:PATH` or `postgres://USER@HOST:PORT/DB`.
        #[arg(long, value_name = "URL")]
        store: String,
        /// Who has issued the tokens, exactly as their `iss` says.
        #[arg(long, value_name = "URL")]
        issuer: String,
        #[command(flatten)]
        what: Taken,
        /// When the one token expires: its `exp`, in seconds since 1970.
        #[arg(long, value_name = "SECONDS", requires = "jti")]
        expires: Option<u64>,
        /// How long a token of this issuer lives at most.
        #[arg(long, value_name = "SECONDS", default_value_t = 3600, conflicts_with = "jti")]
        lifetime: u64,
    },
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Taken {
    /// Everything that was issued up to now to this subject (`sub`).
    #[arg(long, value_name = "SUB")]
    subject: Option<String>,
    /// Everything that came out of this session (`sid`).
    #[arg(long, value_name = "SID")]
    session: Option<String>,
    /// One token (`jti`).
    #[arg(long, value_name = "ID", requires = "expires")]
    jti: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(act(&arguments.act))
}

async fn act(act: &Act) -> anyhow::Result<ExitCode> {
    let Act::Revoke { store, issuer, what, expires, lifetime } = act;
    let until =
        expires.map_or(Until::Lifetime(Duration::from_secs(*lifetime)), |at| Until::Expiry(Timestamp::from_secs(at)));
    let what = match what {
        Taken { subject: Some(subject), .. } => What::Subject(subject.as_str().into()),
        Taken { session: Some(session), .. } => What::Session(session.as_str().into()),
        Taken { jti: Some(id), .. } => What::Token(id.as_str().into()),
        Taken { .. } => anyhow::bail!("name a `--subject`, a `--session` or a `--jti`"),
    };
    let (kind, name) = what.parts();
    let told = format!("the {kind} `{name}` is revoked");
    Revoker::open(store, issuer).await?.revoke(what, until).await?;
    output::say(&told);
    Ok(ExitCode::SUCCESS)
}
