//! Makes the credentials that are kept in the store of records.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use palisade::credential::stored_api_key::StoredApiKeys;
use palisade::preset::World;
use palisade::session::{SessionSettings, Sessions};
use palisade::stage::authenticate::Credential;
use palisade_core::id::{ApiKeyId, ClientId, SessionHandle, UserId};
use palisade_core::port::account::{AccountStatus, StatusSet};
use palisade_core::port::api_key::{Added, Held, KeptApiKey, NewApiKey, ServiceAccount};
use palisade_core::port::session::{Ended, NewSession, Opened, Renewal, Renewed, Session, SessionHash, Touched};
use palisade_core::port::{ApiKeyStore, SessionStore, StoreError};
use palisade_core::time::Timestamp;

use crate::config::settings::Settings;
use crate::reload::Kept;

/// One credential for each section, by the name with which routes know it.
pub(super) fn add(settings: &Settings, world: &World, kept: &Kept, made: &mut BTreeMap<String, Credential>) {
    let (keys, sessions): (Arc<dyn ApiKeyStore>, Arc<dyn SessionStore>) = match &kept.records {
        Some(records) => (Arc::clone(&records.api_keys), Arc::clone(&records.sessions)),
        None => (Arc::new(Unasked), Arc::new(Unasked)),
    };
    for section in &settings.api_keys {
        let keys = StoredApiKeys::new(Arc::clone(&keys), world, section.form.clone());
        made.insert(
            format!("api_keys.{}", section.name),
            Credential::StoredKey { header: section.header.clone(), keys },
        );
    }
    for section in &settings.sessions {
        let settings = SessionSettings {
            cookie: section.cookie.clone(),
            absolute: section.max_age.unwrap_or(Duration::MAX),
            ..SessionSettings::default()
        };
        let sessions = Sessions::shared(Arc::clone(&sessions), world, settings);
        made.insert(format!("sessions.{}", section.name), Credential::Session(sessions));
    }
}

/// The records where a configuration is looked at and nothing is served: they are not opened, and nobody passes.
struct Unasked;

fn unasked<T>() -> Result<T, StoreError> {
    Err(StoreError::Unreachable { reason: "the store of records is not asked here".to_owned() })
}

#[async_trait]
impl ApiKeyStore for Unasked {
    async fn register(&self, _: &ServiceAccount) -> Result<bool, StoreError> {
        unasked()
    }

    async fn set_status(&self, _: &ClientId, _: AccountStatus) -> Result<StatusSet, StoreError> {
        unasked()
    }

    async fn accounts(&self) -> Result<Vec<ServiceAccount>, StoreError> {
        unasked()
    }

    async fn add(&self, _: &NewApiKey, _: Timestamp) -> Result<Added, StoreError> {
        unasked()
    }

    async fn find(&self, _: &ApiKeyId) -> Result<Option<Held>, StoreError> {
        unasked()
    }

    async fn list(&self, _: &ClientId) -> Result<Vec<KeptApiKey>, StoreError> {
        unasked()
    }

    async fn revoke(&self, _: &ApiKeyId, _: Timestamp) -> Result<bool, StoreError> {
        unasked()
    }

    async fn note_used(&self, _: &ApiKeyId, _: Timestamp) -> Result<bool, StoreError> {
        unasked()
    }
}

#[async_trait]
impl SessionStore for Unasked {
    async fn open(&self, _: &NewSession, _: Timestamp) -> Result<Opened, StoreError> {
        unasked()
    }

    async fn touch(&self, _: &SessionHash, _: Timestamp) -> Result<Touched, StoreError> {
        unasked()
    }

    async fn renew(&self, _: &SessionHash, _: &Renewal, _: Timestamp) -> Result<Renewed, StoreError> {
        unasked()
    }

    async fn end(&self, _: &SessionHash) -> Result<Ended, StoreError> {
        unasked()
    }

    async fn end_one(&self, _: &UserId, _: &SessionHandle) -> Result<Ended, StoreError> {
        unasked()
    }

    async fn end_all(&self, _: &UserId, _: Option<&SessionHandle>) -> Result<Vec<SessionHandle>, StoreError> {
        unasked()
    }

    async fn list(&self, _: &UserId, _: Timestamp) -> Result<Vec<Session>, StoreError> {
        unasked()
    }
}
