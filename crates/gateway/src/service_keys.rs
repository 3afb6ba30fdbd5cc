//! What an operator does with the API keys of service accounts: gives them, looks at them, revokes them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use palisade::credential::stored_api_key::{ApiKeyForm, FreshApiKey};
use palisade_core::id::{ApiKeyId, ClientId};
pub use palisade_core::port::account::AccountStatus;
use palisade_core::port::account::StatusSet;
pub use palisade_core::port::api_key::ServiceAccount;
use palisade_core::port::api_key::{Added, KeptApiKey, LIVE_KEYS};
use palisade_core::port::{Clock as _, StoreError};
use palisade_core::time::Timestamp;
use palisade_store::clock::SystemClock;
use palisade_store::entropy::SystemEntropy;
use palisade_store::records::Records;
use palisade_store::{OpenError, Place};

/// The service accounts of one store.
#[derive(Debug)]
pub struct ServiceKeys(Records);

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceKeysError {
    /// The account is another one than was described.
    #[error(
        "`{account}` has {what} {kept}, not {named}: leave `--{what}` out to give it another key, or make an account of \
         another name"
    )]
    Differs {
        /// The account.
        account: ClientId,
        /// What is different, as the option is called.
        what: &'static str,
        /// What it has.
        kept: String,
        /// What was named.
        named: String,
    },
    /// The store keeps nothing beyond this command.
    #[error("`memory:` keeps nothing: name a file with `sqlite:PATH` or a database with `postgres://...`")]
    Forgets,
    /// The account has as many live keys as it may have.
    #[error("`{0}` has {LIVE_KEYS} live keys: revoke the one that is out of use first")]
    Full(ClientId),
    /// A network cannot be one.
    #[error("`{0}` is no network: write it as `10.0.0.0/8`, or one address as `192.0.2.7`")]
    Network(String),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Keys cannot begin so.
    #[error("`{0}` cannot begin a key: write small letters and digits, with `_` between them")]
    Prefix(String),
    /// The store has failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody has made the account.
    #[error("there is no account `{0}`: look with `palisade api-key list`")]
    Unknown(ClientId),
    /// The account or key was lost on the way.
    #[error("the account or the key is no longer as it was: look, and try again")]
    Changed,
}

/// One key of an account, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The id of the key.
    pub id: ApiKeyId,
    /// The id of its account.
    pub account: ClientId,
    /// `live`, `expired`, `revoked`, or `disabled` where the account is.
    pub state: &'static str,
    /// When it was last used.
    pub last_used: Option<Timestamp>,
}

impl ServiceKeys {
    /// Opens the store at a URL.
    pub async fn open(url: &str) -> Result<Self, ServiceKeysError> {
        if url == "memory:" {
            return Err(ServiceKeysError::Forgets);
        }
        Ok(Self(Records::open(&Place::new(url)).await?))
    }

    /// An active account that is not made yet.
    pub fn account(id: &str) -> ServiceAccount {
        ServiceAccount::new(ClientId::new(id), SystemClock.now())
    }

    /// The network that a text names.
    pub fn network(text: &str) -> Result<IpNet, ServiceKeysError> {
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(|network| network.trunc()).map_err(|_| ServiceKeysError::Network(text.to_owned()))
    }

    /// Gives a key to an account, which is made if there is none with its id. One that is there keeps its rights: whoever
    /// names others is told so, and no key is made.
    pub async fn add(
        &self,
        account: &ServiceAccount,
        prefix: &str,
        lasts: Option<Duration>,
    ) -> Result<FreshApiKey, ServiceKeysError> {
        let form = ApiKeyForm::new(prefix).ok_or_else(|| ServiceKeysError::Prefix(prefix.to_owned()))?;
        let now = SystemClock.now();
        if !self.0.api_keys.register(account).await? {
            let kept = self.0.api_keys.accounts().await?.into_iter().find(|kept| kept.id == account.id);
            same(&kept.ok_or(ServiceKeysError::Changed)?, account)?;
        }
        let key = form.generate(&SystemEntropy);
        match self.0.api_keys.add(&key.record(&account.id, lasts.map(|lasts| now.plus(lasts))), now).await? {
            Added::Added => Ok(key),
            Added::Full => Err(ServiceKeysError::Full(account.id.clone())),
            Added::Taken | Added::Unknown => Err(ServiceKeysError::Changed),
        }
    }

    /// All keys by their accounts.
    pub async fn list(&self) -> Result<Vec<Row>, ServiceKeysError> {
        let (mut rows, now) = (Vec::new(), SystemClock.now());
        for account in self.0.api_keys.accounts().await? {
            let keys = self.0.api_keys.list(&account.id).await?;
            rows.extend(keys.into_iter().map(|key| row(key, &account, now)));
        }
        Ok(rows)
    }

    /// Lets the keys of an account be used, or not. Says whether that was otherwise before.
    pub async fn set_status(&self, account: &str, status: AccountStatus) -> Result<bool, ServiceKeysError> {
        let id = ClientId::new(account);
        match self.0.api_keys.set_status(&id, status).await? {
            StatusSet::Changed => Ok(true),
            StatusSet::Unchanged => Ok(false),
            StatusSet::Unknown => Err(ServiceKeysError::Unknown(id)),
        }
    }

    /// Takes a key out of use for ever. Says whether it was in use.
    pub async fn revoke(&self, id: &str) -> Result<bool, ServiceKeysError> {
        Ok(self.0.api_keys.revoke(&ApiKeyId::new(id), SystemClock.now()).await?)
    }
}

/// That an account has what was named of it; what was not named may be anything.
fn same(kept: &ServiceAccount, named: &ServiceAccount) -> Result<(), ServiceKeysError> {
    let list = |networks: &[IpNet]| networks.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    let text = |networks: &[IpNet]| list(networks).into_iter().collect::<Vec<_>>().join(" ");
    let tenant = |account: &ServiceAccount| account.tenant.as_ref().map(ToString::to_string).unwrap_or_default();
    let is_network_same = named.networks.is_empty() || list(&named.networks) == list(&kept.networks);
    let differences = [
        (named.roles.is_empty() || named.roles == kept.roles, "role", kept.roles.to_string(), named.roles.to_string()),
        (
            named.scopes.is_empty() || named.scopes == kept.scopes,
            "scope",
            kept.scopes.to_string(),
            named.scopes.to_string(),
        ),
        (is_network_same, "network", text(&kept.networks), text(&named.networks)),
        (named.tenant.is_none() || named.tenant == kept.tenant, "tenant", tenant(kept), tenant(named)),
    ];
    match differences.into_iter().find(|(is_same, ..)| !is_same) {
        None => Ok(()),
        Some((_, what, kept, wanted)) => {
            let quoted = |text: String| if text.is_empty() { "nothing".to_owned() } else { format!("`{text}`") };
            let (kept, named_as) = (quoted(kept), quoted(wanted));
            Err(ServiceKeysError::Differs { account: named.id.clone(), what, kept, named: named_as })
        }
    }
}

fn row(key: KeptApiKey, account: &ServiceAccount, now: Timestamp) -> Row {
    let (id, last_used) = (key.id.clone(), key.last_used);
    let state = palisade_core::port::api_key::Held { key, account: account.clone() }.refused(now);
    Row { id, account: account.id.clone(), state: state.map_or("live", |refused| refused.as_str()), last_used }
}
