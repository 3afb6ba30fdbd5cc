//! `cargo xtask tidy` checks the rules of the repository; `cargo xtask generate` writes the generated files.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use xtask::workspace::Workspace;
use xtask::{generate, tidy};

const USAGE: &str = "usage: cargo xtask tidy | generate";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["generate"] => generate::write().map(|()| ExitCode::SUCCESS),
        ["tidy"] => tidy(),
        _ => Err(anyhow::anyhow!(USAGE)),
    };
    done.unwrap_or_else(|error| {
        eprintln!("{error:#}");
        ExitCode::from(2)
    })
}

/// Prints every violation with the rule it breaks.
fn tidy() -> anyhow::Result<ExitCode> {
    let workspace = Workspace::read()?;
    let mut clean = true;
    for rule in tidy::RULES {
        for violation in (rule.check)(&workspace) {
            clean = false;
            println!("{}: {violation}", rule.name);
        }
    }
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
