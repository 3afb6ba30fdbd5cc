//! Accounts in memory: for tests and for trying things out; a restart forgets them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use palisade_core::id::{AuthenticatorId, TenantId, UserId};
use palisade_core::port::account::{
    Account, AccountStatus, Failed, FailureLimit, NewAccount, NewPassword, Registered, Replaced, SignInName, StatusSet,
    Succeeded,
};
use palisade_core::port::{AccountStore, StoreError};
use palisade_core::secret::Secret;
use palisade_core::time::Timestamp;

/// Keeps accounts in memory, as many as there is room for: only those who may register somebody add to them.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use palisade_core::id::UserId;
/// use palisade_core::port::account::{AccountStore, NewAccount, Registered, SignInName};
/// use palisade_core::time::Timestamp;
/// use palisade_store::memory::MemoryAccounts;
///
/// let accounts = MemoryAccounts::default();
/// let name = SignInName::parse("alice").unwrap();
/// let alice = NewAccount::new(UserId::new("u-1"), name.clone());
/// let other = NewAccount::new(UserId::new("u-2"), name);
/// let now = Timestamp::from_secs(100);
/// assert_eq!(accounts.register(&alice, now).await?, Registered::Done);
/// assert_eq!(accounts.register(&other, now).await?, Registered::Taken);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug, Default)]
pub struct MemoryAccounts(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    accounts: BTreeMap<UserId, Account>,
    names: HashMap<(Option<TenantId>, SignInName), UserId>,
    failures: HashMap<(UserId, AuthenticatorId), Failures>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    in_a_row: u32,
    disabled_until: Option<Timestamp>,
}

impl MemoryAccounts {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Every change below is complete before the next statement that could panic, so what is kept is still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl AccountStore for MemoryAccounts {
    async fn register(&self, new: &NewAccount, now: Timestamp) -> Result<Registered, StoreError> {
        let mut kept = self.lock();
        let name = (new.tenant.clone(), new.name.clone());
        if kept.accounts.contains_key(&new.id) || kept.names.contains_key(&name) {
            return Ok(Registered::Taken);
        }
        let account = Account {
            id: new.id.clone(),
            tenant: new.tenant.clone(),
            name: new.name.clone(),
            status: AccountStatus::Active,
            password: new.password.clone(),
            password_version: 1,
            roles: new.roles.clone(),
            scopes: new.scopes.clone(),
            created: now,
            changed: now,
        };
        kept.names.insert(name, new.id.clone());
        kept.accounts.insert(new.id.clone(), account);
        Ok(Registered::Done)
    }

    async fn find(&self, id: &UserId) -> Result<Option<Account>, StoreError> {
        Ok(self.lock().accounts.get(id).cloned())
    }

    async fn find_by_name(&self, tenant: Option<&TenantId>, name: &SignInName) -> Result<Option<Account>, StoreError> {
        let kept = self.lock();
        let id = kept.names.get(&(tenant.cloned(), name.clone()));
        Ok(id.and_then(|id| kept.accounts.get(id)).cloned())
    }

    async fn list(&self, after: Option<&UserId>, limit: u32) -> Result<Vec<Account>, StoreError> {
        let kept = self.lock();
        let later = kept.accounts.iter().filter(|(id, _)| after.is_none_or(|after| *id > after));
        Ok(later.take(usize::try_from(limit).unwrap_or(usize::MAX)).map(|(_, account)| account.clone()).collect())
    }

    async fn replace_password(
        &self,
        id: &UserId,
        version: u64,
        password: &NewPassword,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let mut kept = self.lock();
        let Some(account) = kept.accounts.get_mut(id) else { return Ok(Replaced::Unknown) };
        if account.password_version != version {
            return Ok(Replaced::Stale);
        }
        account.password = Some(password.clone());
        account.password_version += 1;
        account.changed = now;
        Ok(Replaced::Done { version: account.password_version })
    }

    async fn rehash_password(&self, id: &UserId, version: u64, hash: &Secret) -> Result<Replaced, StoreError> {
        let mut kept = self.lock();
        let Some(account) = kept.accounts.get_mut(id) else { return Ok(Replaced::Unknown) };
        match &mut account.password {
            Some(password) if account.password_version == version => {
                password.hash = hash.clone();
                Ok(Replaced::Done { version })
            }
            _ => Ok(Replaced::Stale),
        }
    }

    async fn set_status(&self, id: &UserId, status: AccountStatus, now: Timestamp) -> Result<StatusSet, StoreError> {
        let mut kept = self.lock();
        let Some(account) = kept.accounts.get_mut(id) else { return Ok(StatusSet::Unknown) };
        if account.status == status {
            return Ok(StatusSet::Unchanged);
        }
        (account.status, account.changed) = (status, now);
        Ok(StatusSet::Changed)
    }

    async fn record_failure(
        &self,
        id: &UserId,
        authenticator: &AuthenticatorId,
        limit: FailureLimit,
        now: Timestamp,
    ) -> Result<Failed, StoreError> {
        let mut kept = self.lock();
        if !kept.accounts.contains_key(id) {
            return Ok(Failed::Unknown);
        }
        let failures = kept.failures.entry((id.clone(), authenticator.clone())).or_default();
        match failures.disabled_until {
            Some(until) if until > now => return Ok(Failed::Disabled { until }),
            Some(_) => *failures = Failures { in_a_row: 1, disabled_until: None },
            None => failures.in_a_row = failures.in_a_row.saturating_add(1),
        }
        if failures.in_a_row < limit.failures.get() {
            return Ok(Failed::Counted { in_a_row: failures.in_a_row });
        }
        let until = limit.until(now);
        failures.disabled_until = Some(until);
        Ok(Failed::Disabled { until })
    }

    async fn record_success(
        &self,
        id: &UserId,
        authenticator: &AuthenticatorId,
        now: Timestamp,
    ) -> Result<Succeeded, StoreError> {
        let mut kept = self.lock();
        let key = (id.clone(), authenticator.clone());
        match kept.failures.get(&key).and_then(|failures| failures.disabled_until) {
            Some(until) if until > now => Ok(Succeeded::Disabled { until }),
            _ => {
                kept.failures.remove(&key);
                Ok(Succeeded::Done)
            }
        }
    }

    async fn disabled_until(
        &self,
        id: &UserId,
        authenticator: &AuthenticatorId,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let kept = self.lock();
        let until = kept.failures.get(&(id.clone(), authenticator.clone())).and_then(|kept| kept.disabled_until);
        Ok(until.filter(|until| *until > now))
    }

    async fn enable(&self, id: &UserId, authenticator: &AuthenticatorId) -> Result<bool, StoreError> {
        Ok(self.lock().failures.remove(&(id.clone(), authenticator.clone())).is_some())
    }
}
