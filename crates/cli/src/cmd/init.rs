//! `palisade init`: a first configuration from a contract.

use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use palisade_core::diagnostic::{Diagnostic, Source};

use crate::output;

/// What to protect.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The API's contract: an OpenAPI 3.0 or 3.1 document in YAML or JSON.
    #[arg(long)]
    contract: PathBuf,
    /// The backend, such as http://127.0.0.1:9000.
    #[arg(long)]
    upstream: String,
    /// Where the configuration is written; an existing file is never overwritten.
    #[arg(long, default_value = "palisade.toml")]
    output: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let name = arguments.contract.display().to_string();
    let text = match std::fs::read_to_string(&arguments.contract) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("the contract cannot be read: {error}");
            let help = "name the API's OpenAPI document with --contract";
            output::tell(&[Diagnostic::error("contract-unreadable", message).in_file(&name).help(help)]);
            return Ok(ExitCode::from(output::FAILURE));
        }
    };
    let reference = relative(&arguments.contract, &arguments.output)?;
    match palisade_gateway::init::policy("api", &reference, &Source::new(name, text), &arguments.upstream) {
        Err(diagnostics) => {
            output::tell(&diagnostics);
            Ok(ExitCode::from(output::FAILURE))
        }
        Ok(policy) => {
            write_new(&arguments.output, &policy)?;
            let path = arguments.output.display();
            output::talk(&format!("wrote {path}; look at it with `palisade check --config {path} --explain`,"));
            output::talk(&format!("serve it with `palisade run --config {path}`"));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = file.with_context(|| format!("cannot create `{}`; an existing file is kept", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write `{}`", path.display()))
}

/// The contract's path as the configuration has to name it: relative to the configuration's own folder.
fn relative(contract: &Path, config: &Path) -> anyhow::Result<String> {
    if contract.is_absolute() {
        return Ok(contract.display().to_string());
    }
    let folder = config.parent().filter(|folder| !folder.as_os_str().is_empty());
    let Some(folder) = folder else { return Ok(contract.display().to_string()) };
    if folder.is_absolute() || folder.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir))
    {
        let here = std::env::current_dir().context("the current folder is unknown")?;
        return Ok(here.join(contract).display().to_string());
    }
    let ups = folder.components().filter(|part| matches!(part, Component::Normal(_))).map(|_| "..");
    Ok(ups.collect::<PathBuf>().join(contract).display().to_string())
}
