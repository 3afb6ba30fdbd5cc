//! What an operator does with the API keys of service accounts: gives them, looks at them, revokes them.

use std::time::Duration;

use palisade::credential::stored_api_key::{ApiKeyForm, FreshApiKey};
use palisade_core::id::{ApiKeyId, ClientId};
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
    /// The store keeps nothing beyond this command.
    #[error("`memory:` keeps nothing: name a file with `sqlite:PATH` or a database with `postgres://...`")]
    Forgets,
    /// The account has as many live keys as it may have.
    #[error("`{0}` has {LIVE_KEYS} live keys: revoke the one that is out of use first")]
    Full(ClientId),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Keys cannot begin so.
    #[error("`{0}` cannot begin a key: write small letters and digits, with `_` between them")]
    Prefix(String),
    /// The store has failed.
    #[error(transparent)]
    Store(#[from] StoreError),
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

    /// Gives a key to an account, which is made if there is none with its id. One that is there keeps its rights.
    pub async fn add(
        &self,
        account: &ServiceAccount,
        prefix: &str,
        lasts: Option<Duration>,
    ) -> Result<FreshApiKey, ServiceKeysError> {
        let form = ApiKeyForm::new(prefix).ok_or_else(|| ServiceKeysError::Prefix(prefix.to_owned()))?;
        let now = SystemClock.now();
        self.0.api_keys.register(account).await?;
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

    /// Takes a key out of use for ever. Says whether it was in use.
    pub async fn revoke(&self, id: &str) -> Result<bool, ServiceKeysError> {
        Ok(self.0.api_keys.revoke(&ApiKeyId::new(id), SystemClock.now()).await?)
    }
}

fn row(key: KeptApiKey, account: &ServiceAccount, now: Timestamp) -> Row {
    let (id, last_used) = (key.id.clone(), key.last_used);
    let state = palisade_core::port::api_key::Held { key, account: account.clone() }.refused(now);
    Row { id, account: account.id.clone(), state: state.map_or("live", |refused| refused.as_str()), last_used }
}
