//! The `orchard` command opens the vulnerable shop until Ctrl-C.

use std::net::SocketAddr;
use std::process::ExitCode;

use orchard::{Database, Group, Settings, USERS, Weakness, Weaknesses};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let command = match Command::parse(arguments) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("error: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            eprintln!("error: {error}{cause}");
            ExitCode::from(2)
        }
    }
}

async fn run(command: Command) -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind(command.listen).await?;
    let weaknesses = command.weaknesses;
    let settings = Settings { weaknesses, database: Database::Memory, partner: command.partner };
    let orchard = orchard::start(listener, settings).await?;
    println!("listening on http://{}", orchard.address());
    for user in USERS {
        println!("user {} ({}, {}) password {}", user.username, user.id, user.role, user.password);
    }
    for weakness in weaknesses.iter() {
        println!("weak {:<10} {weakness}: {}", weakness.owasp(), weakness.describe());
    }
    if !orchard.address().ip().is_loopback() {
        eprintln!("warning: this shop is vulnerable on purpose and can be reached from other machines");
    }
    tokio::signal::ctrl_c().await?;
    orchard.stop().await;
    Ok(())
}

/// What the arguments ask for.
#[derive(Debug)]
struct Command {
    listen: SocketAddr,
    weaknesses: Weaknesses,
    partner: String,
}

impl Command {
    fn parse(arguments: Vec<String>) -> Result<Self, String> {
        let mut listen = SocketAddr::from(([127, 0, 0, 1], 9000));
        let mut partner = "http://127.0.0.1:9001".to_owned();
        let mut is_safe = false;
        let mut only: Option<Weaknesses> = None;
        let mut without = Vec::new();

        let mut arguments = arguments.into_iter();
        while let Some(flag) = arguments.next() {
            if flag == "--safe" {
                is_safe = true;
                continue;
            }
            let mut value = || arguments.next().ok_or_else(|| format!("`{flag}` needs a value"));
            match flag.as_str() {
                "--listen" => {
                    let text = value()?;
                    listen = text.parse().map_err(|_| format!("`{text}` is not an address and port"))?;
                }
                "--only" => only = Some(only.unwrap_or_default().and(weaknesses(&value()?)?)),
                "--partner" => partner = value()?,
                "--without" => without.push(weaknesses(&value()?)?),
                _ => return Err(format!("`{flag}` is not an option")),
            }
        }
        let start = match (only, is_safe) {
            (Some(only), _) => only,
            (None, true) => Weaknesses::none(),
            (None, false) => Weaknesses::all(),
        };
        Ok(Self { listen, weaknesses: without.into_iter().fold(start, Weaknesses::minus), partner })
    }
}

fn weaknesses(slug: &str) -> Result<Weaknesses, String> {
    Weaknesses::named(slug).map_err(|error| {
        let groups = Group::ALL.into_iter().map(Group::slug);
        let known: Vec<&str> = groups.chain(Weakness::ALL.into_iter().map(Weakness::slug)).collect();
        format!("{error}; known are {}", known.join(", "))
    })
}

const USAGE: &str = "usage: orchard [--listen ADDRESS] [--safe] [--only SLUG]... [--without SLUG]... [--partner URL]

  --listen ADDRESS   where to listen (127.0.0.1:9000)
  --safe             switch every weakness off
  --only SLUG        switch only this weakness, or this group, on; may be repeated
  --without SLUG     switch this weakness, or this group, off; may be repeated
  --partner URL      the shipping partner (http://127.0.0.1:9001)";
