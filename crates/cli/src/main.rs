//! The command `palisade`: arguments in, exit code out.
//!
//! Results go to standard output, talk to standard error. The exit code is 0 for a clean result, 1 for findings and 2
//! for a failure.
#![forbid(unsafe_code)]

mod cmd;
mod output;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A quarter of a request's time was spent in the system's allocator; this one takes a third of that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Secures backend APIs: enforces, attacks and reports from one contract.
#[derive(Debug, Parser)]
#[command(name = "palisade", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Adds, lists and revokes the API keys of service accounts.
    ApiKey(cmd::api_key::Arguments),
    /// Checks a configuration and its contracts: exit 0 if clean, 1 for findings, 2 if it cannot be used.
    Check(cmd::check::Arguments),
    /// Attacks a vulnerable shop, puts it behind the gateway, attacks it again and shows the difference.
    Demo(cmd::demo::Arguments),
    /// Tells what happens to one request, stage by stage, without sending it: exit 0 if it would pass, 1 if not.
    Explain(cmd::explain::Arguments),
    /// Writes a first configuration that lets through what a contract declares and nothing else.
    Init(cmd::init::Arguments),
    /// Lists, renews and revokes the keys that sign tokens.
    Key(cmd::key::Arguments),
    /// Tells which recorded requests would fare otherwise under a new configuration: exit 1 if any would.
    Replay(cmd::replay::Arguments),
    /// Attacks a running API by its contract, as several identities: exit 0 if nothing is proved, 1 if something is, 2
    /// if it cannot be tested.
    Review(Box<cmd::review::Arguments>),
    /// Serves: enforces a configuration in front of its backends until told to stop.
    Run(cmd::run::Arguments),
    /// Prints a JSON Schema: of the configuration, or of an event.
    Schema(cmd::schema::Arguments),
    /// Takes tokens back before they expire.
    Token(cmd::token::Arguments),
    /// Makes, lists, disables and enables the accounts of people, and measures what a password may cost.
    User(cmd::user::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::ApiKey(arguments) => cmd::api_key::run(&arguments),
        Command::Check(arguments) => cmd::check::run(&arguments),
        Command::Demo(arguments) => cmd::demo::run(&arguments),
        Command::Explain(arguments) => cmd::explain::run(&arguments),
        Command::Init(arguments) => cmd::init::run(&arguments),
        Command::Key(arguments) => cmd::key::run(&arguments),
        Command::Replay(arguments) => cmd::replay::run(&arguments),
        Command::Review(arguments) => cmd::review::run(&arguments),
        Command::Run(arguments) => cmd::run::run(&arguments),
        Command::Schema(arguments) => cmd::schema::run(&arguments),
        Command::Token(arguments) => cmd::token::run(&arguments),
        Command::User(arguments) => cmd::user::run(&arguments),
    };
    outcome.unwrap_or_else(|error| {
        output::talk(&format!("error: {error:#}"));
        ExitCode::from(output::FAILURE)
    })
}
