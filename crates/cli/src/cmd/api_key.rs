//! `palisade api-key`: the API keys of service accounts.

use std::process::ExitCode;
use std::time::Duration;

use palisade_core::id::TenantId;
use palisade_gateway::service_keys::{AccountStatus, ServiceAccount, ServiceKeys};

use crate::output;

/// What to do with them.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// Gives an account a key and prints it, this once; makes the account if there is none.
    Add {
        /// The id of the account.
        account: String,
        #[command(flatten)]
        store: Store,
        /// A role of a new account; may be repeated.
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// What the keys of a new account may be used for; may be repeated.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// A network that the keys of a new account may be used from, such as `10.0.0.0/8`; may be repeated. Without any
        /// they may be used from everywhere.
        #[arg(long = "network", value_name = "NETWORK")]
        networks: Vec<String>,
        /// The organization that a new account acts in.
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
        /// After how many days the key is refused.
        #[arg(long, value_name = "DAYS")]
        days: Option<u32>,
        /// How the key begins.
        #[arg(long, default_value = "pk_live")]
        prefix: String,
    },
    /// Keeps all keys of an account from being used: exit 1 if they were before.
    Disable {
        /// The id of the account.
        account: String,
        #[command(flatten)]
        store: Store,
    },
    /// Lets the keys of an account be used again: exit 1 if they could be before.
    Enable {
        /// The id of the account.
        account: String,
        #[command(flatten)]
        store: Store,
    },
    /// Lists all keys, without their secrets.
    List {
        #[command(flatten)]
        store: Store,
    },
    /// Takes a key out of use for ever: exit 1 if it was out of use before.
    Revoke {
        /// The id of the key, which is its part behind the prefix.
        id: String,
        #[command(flatten)]
        store: Store,
    },
}

#[derive(Debug, clap::Args)]
struct Store {
    /// The store: `sqlite:PATH` or `postgres://USER@HOST:PORT/DB`.
    #[arg(long = "store", value_name = "URL")]
    url: String,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(act(&arguments.act))
}

async fn act(act: &Act) -> anyhow::Result<ExitCode> {
    match act {
        Act::Add { account, store, roles, scopes, networks, tenant, days, prefix } => {
            let networks: Result<Vec<_>, _> = networks.iter().map(|text| ServiceKeys::network(text)).collect();
            let account = ServiceAccount {
                roles: roles.iter().map(String::as_str).collect(),
                scopes: scopes.iter().map(String::as_str).collect(),
                networks: networks?,
                tenant: tenant.as_deref().map(TenantId::new),
                ..ServiceKeys::account(account)
            };
            let lasts = days.map(|days| Duration::from_secs(u64::from(days) * 86_400));
            let key = ServiceKeys::open(&store.url).await?.add(&account, prefix, lasts).await?;
            output::say(key.expose());
            output::talk(&format!("added key {}: its secret is not shown again", key.id()));
        }
        Act::Disable { account, store } => {
            let changed = ServiceKeys::open(&store.url).await?.set_status(account, AccountStatus::Disabled).await?;
            let told = if changed { "is disabled" } else { "was disabled before" };
            output::say(&format!("account {account} {told}"));
            return Ok(done(changed));
        }
        Act::Enable { account, store } => {
            let changed = ServiceKeys::open(&store.url).await?.set_status(account, AccountStatus::Active).await?;
            let told = if changed { "is enabled" } else { "was enabled before" };
            output::say(&format!("account {account} {told}"));
            return Ok(done(changed));
        }
        Act::List { store } => {
            for row in ServiceKeys::open(&store.url).await?.list().await? {
                let used = row.last_used.map_or_else(|| "never used".to_owned(), |at| format!("last used {at}"));
                output::say(&format!("{} {} {} {used}", row.id, row.account, row.state));
            }
        }
        Act::Revoke { id, store } => {
            let revoked = ServiceKeys::open(&store.url).await?.revoke(id).await?;
            output::say(&format!("key {id} {}", if revoked { "is revoked" } else { "was not in use" }));
            return Ok(done(revoked));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn done(changed: bool) -> ExitCode {
    if changed { ExitCode::SUCCESS } else { ExitCode::from(output::FINDINGS) }
}
