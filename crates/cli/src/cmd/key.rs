//! `palisade key`: the keys that sign tokens.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use palisade_gateway::keys::Keys;

use crate::output;

/// What to do with them.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// Lists the keys and their states.
    List(Where),
    /// Makes the next key now; it signs after verifiers have had time to hear of it.
    Rotate(Sealed),
    /// Takes a key out of use at once, because somebody else may have it: exit 1 if it was out of use before.
    Revoke {
        /// The number of the key.
        number: u32,
        #[command(flatten)]
        sealed: Sealed,
    },
}

#[derive(Debug, clap::Args)]
struct Where {
    /// The store: `sqlite:PATH` or `postgres://USER@HOST:PORT/DB`.
    #[arg(long, value_name = "URL")]
    store: String,
    /// What the keys sign.
    #[arg(long, default_value = "access")]
    purpose: String,
}

#[derive(Debug, clap::Args)]
struct Sealed {
    #[command(flatten)]
    at: Where,
    /// The file of keys that private keys are sealed with: lines of a name and 32 bytes in base64, the newest first.
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(act(&arguments.act))
}

async fn act(act: &Act) -> anyhow::Result<ExitCode> {
    match act {
        Act::List(at) => {
            for key in open(at).await?.list().await? {
                let (number, state, algorithm) = (key.number, key.state, key.algorithm);
                output::say(&format!(
                    "{number} {state} {algorithm} made {} signs from {}",
                    key.created, key.active_from
                ));
            }
            Ok(ExitCode::SUCCESS)
        }
        Act::Rotate(sealed) => {
            match open(&sealed.at).await?.rotate(&file(sealed)?).await? {
                Some(number) => output::say(&format!("made key {number}")),
                None => output::say("the next key is waiting already"),
            }
            Ok(ExitCode::SUCCESS)
        }
        Act::Revoke { number, sealed } => {
            let revoked = open(&sealed.at).await?.revoke(&file(sealed)?, *number).await?;
            output::say(&format!("key {number} {}", if revoked { "is revoked" } else { "was not in use" }));
            Ok(if revoked { ExitCode::SUCCESS } else { ExitCode::from(output::FINDINGS) })
        }
    }
}

async fn open(at: &Where) -> anyhow::Result<Keys> {
    anyhow::ensure!(at.store != "memory:", "keys in memory are gone with their process: name a store that lasts");
    Ok(Keys::open(&at.store, &at.purpose).await?)
}

fn file(sealed: &Sealed) -> anyhow::Result<String> {
    let path = &sealed.key_file;
    std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))
}
