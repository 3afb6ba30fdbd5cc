//! `palisade user`: the accounts of people, for those who operate a service.

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use palisade_core::id::TenantId;
use palisade_core::secret::Secret;
use palisade_gateway::users::{Given, Measured, Pepper, SignedOut, Strength, Users, Who, calibrate};

use crate::output;

/// What to do with accounts.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// Makes an account and prints its id.
    Add {
        #[command(flatten)]
        store: Store,
        #[command(flatten)]
        who: Named,
        #[command(flatten)]
        password: Password,
        /// Make it without a password.
        #[arg(long)]
        no_password: bool,
        /// A role; may be repeated.
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// What it may be used for; may be repeated.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
    },
    /// Measures what hashing a password costs on this machine, and says which cost to take.
    Calibrate {
        /// How many milliseconds one hash may take.
        #[arg(long, value_name = "MS", default_value_t = 100)]
        target: u64,
    },
    /// Keeps somebody from signing in, and ends everything that they have.
    Disable {
        #[command(flatten)]
        store: Store,
        #[command(flatten)]
        who: Named,
        #[command(flatten)]
        issued: Issued,
    },
    /// Lets somebody sign in again, also after too many failures.
    Enable {
        #[command(flatten)]
        store: Store,
        #[command(flatten)]
        who: Named,
    },
    /// Prints all accounts.
    List {
        #[command(flatten)]
        store: Store,
    },
    /// Gives somebody another password, and ends everything that began with the one before.
    Passwd {
        #[command(flatten)]
        store: Store,
        #[command(flatten)]
        who: Named,
        #[command(flatten)]
        issued: Issued,
        #[command(flatten)]
        password: Password,
    },
}

#[derive(Debug, clap::Args)]
struct Store {
    /// Where the accounts are: `sqlite:PATH` or `postgres://USER@HOST/DB`. The password of a database belongs into a
    /// file that `PGPASSFILE` names, and not here, where others see it.
    #[arg(long = "store", value_name = "URL")]
    url: String,
}

#[derive(Debug, clap::Args)]
struct Named {
    /// The name by which they sign in.
    name: String,
    /// The organization that they belong to.
    #[arg(long)]
    tenant: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Issued {
    /// Who signs the access tokens of these accounts, exactly as their `iss` says. They are then refused at every
    /// process that reads the revocations of the store; without it they last until they expire.
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
}

impl Issued {
    fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// What has ended, and what has not.
    fn told(&self, what: &str, ended: &SignedOut) -> String {
        let SignedOut { sessions, families, .. } = ended;
        let told = format!("{what}; ended: {sessions} sessions, {families} families of refresh tokens");
        match (families, &self.issuer) {
            (0, _) => told,
            (_, Some(issuer)) => format!("{told}, and the access tokens of {issuer}"),
            (_, None) => format!("{told}; their access tokens last until they expire: `--issuer` ends them too"),
        }
    }
}

impl Named {
    fn who(&self) -> Who {
        Who { tenant: self.tenant.as_deref().map(TenantId::new), name: self.name.clone() }
    }
}

/// Passwords are never arguments, because other users of the machine see those.
#[derive(Debug, clap::Args)]
struct Password {
    /// The password stands beside a second factor, and needs 8 characters only. It is read from the terminal, or as one
    /// line from standard input.
    #[arg(long)]
    with_second_factor: bool,
    /// The pepper that the service hashes with: its name, and the file with its key.
    #[arg(long, value_name = "NAME=FILE")]
    pepper: Option<String>,
}

impl Password {
    fn needs(&self) -> Strength {
        if self.with_second_factor { Strength::WithSecondFactor } else { Strength::Alone }
    }

    fn pepper(&self) -> anyhow::Result<Option<Pepper>> {
        let Some(pepper) = &self.pepper else { return Ok(None) };
        let (name, path) = pepper.split_once('=').context("write `--pepper NAME=FILE`")?;
        let key = std::fs::read(Path::new(path)).with_context(|| format!("the pepper `{path}` cannot be read"))?;
        let pepper = Pepper::new(name, &Secret::new(key));
        let help = "a pepper has a name of 1 to 8 small letters and digits, and a key of at least 32 bytes";
        Ok(Some(pepper.context(help)?))
    }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if let Act::Calibrate { target } = arguments.act {
        return Ok(advise(Duration::from_millis(target)));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the asynchronous runtime")?.block_on(act(&arguments.act))
}

async fn act(act: &Act) -> anyhow::Result<ExitCode> {
    match act {
        Act::Add { store, who, password, no_password, roles, scopes } => {
            let users = Users::open(&store.url, password.pepper()?).await?;
            let text = if *no_password { None } else { Some(read_password()?) };
            let given = text.as_ref().map(|text| Given { text: as_text(text), needs: password.needs() });
            let id = users.add(&who.who(), given, roles.clone(), scopes.clone()).await?;
            output::say(id.as_str());
        }
        Act::Calibrate { .. } => {}
        Act::Disable { store, who, issued } => {
            let ended = Users::open(&store.url, None).await?.disable(&who.who(), issued.issuer()).await?;
            let what = if ended.changed { "disabled" } else { "it was disabled before" };
            output::talk(&issued.told(what, &ended));
        }
        Act::Enable { store, who } => {
            let changed = Users::open(&store.url, None).await?.enable(&who.who()).await?;
            output::talk(if changed { "enabled" } else { "it was enabled before" });
        }
        Act::List { store } => {
            let rows = Users::open(&store.url, None).await?.list().await?;
            table(
                rows.into_iter()
                    .map(|row| [row.id, row.name, row.tenant, row.status.into(), row.password.into(), row.roles]),
            );
        }
        Act::Passwd { store, who, issued, password } => {
            let users = Users::open(&store.url, password.pepper()?).await?;
            let text = read_password()?;
            let given = Given { text: as_text(&text), needs: password.needs() };
            let ended = users.give(&who.who(), given, issued.issuer()).await?;
            output::talk(&issued.told("changed", &ended));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn table(rows: impl Iterator<Item = [String; 6]>) {
    let head = ["ID", "NAME", "TENANT", "STATUS", "PASSWORD", "ROLES"].map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(rows).collect();
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        output::say(cells.join("  ").trim_end());
    }
}

fn advise(target: Duration) -> ExitCode {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let found = calibrate(target);
    output::say(&format!("{:<22}  {:>8}  {:>14}  {:>12}", "COST", "MS", "SIGN-INS/SEC", "MEMORY MIB"));
    for Measured { cost, takes } in &found {
        let per_second = Measured { cost: *cost, takes: *takes }.per_second(cores);
        let memory = f64::from(cost.memory_kib()) / 1024.0 * f64::from(u32::try_from(cores.get()).unwrap_or(u32::MAX));
        let millis = takes.as_secs_f64() * 1e3;
        output::say(&format!("{:<22}  {millis:>8.1}  {per_second:>14.1}  {memory:>12.0}", cost.to_string()));
    }
    match found.iter().rfind(|measured| measured.takes <= target) {
        Some(best) => output::talk(&format!("take {}: the greatest within {target:?} on {cores} cores", best.cost)),
        None => output::talk(&format!("nothing that protects is within {target:?}: allow more, or take the first")),
    }
    ExitCode::SUCCESS
}

/// From the terminal without showing it and twice, or one line of standard input.
fn read_password() -> anyhow::Result<Secret> {
    if std::io::stdin().is_terminal() {
        let read = |prompt: &str| rpassword::prompt_password(prompt).map(Secret::new).context("no password was read");
        let (one, other) = (read("Password: ")?, read("Once more: ")?);
        if !one.matches(other.expose()) {
            bail!("the two are not the same");
        }
        return Ok(one);
    }
    let mut line = Vec::new();
    std::io::stdin().lock().take(LONGEST_LINE).read_until(b'\n', &mut line).context("no password was read")?;
    while line.last().is_some_and(|last| b"\r\n".contains(last)) {
        line.pop();
    }
    let password = Secret::new(line);
    if std::str::from_utf8(password.expose()).is_err() {
        bail!("the password is not text in UTF-8");
    }
    Ok(password)
}

/// What was read, which is text.
fn as_text(password: &Secret) -> &str {
    std::str::from_utf8(password.expose()).unwrap_or_default()
}

/// More than any password has, so that one that is too long is refused and not cut off.
const LONGEST_LINE: u64 = 4096;
