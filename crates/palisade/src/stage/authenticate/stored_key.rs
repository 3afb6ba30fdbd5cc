//! API keys in a store as a credential: whose account it is, or why not.

use std::sync::Arc;

use palisade_core::denial::{Denial, DenialCode};
use palisade_core::event::EventKind;
use palisade_core::port::api_key::ServiceAccount;
use palisade_core::principal::{Assurance, Level, Principal, Subject};
use palisade_core::time::Timestamp;

use super::super::Head;
use super::{Credential, deny, invalid, rejected};
use crate::credential::Known;
use crate::credential::stored_api_key::{Rejection, StoredApiKeys};

/// Whether two kinds of keys share a header, so that a key says by how it begins which of them is meant.
pub(super) fn is_alternative(one: &Credential, other: &Credential) -> bool {
    match (one, other) {
        (Credential::StoredKey { header, keys }, Credential::StoredKey { header: second, keys: others }) => {
            header == second && keys.form() != others.form()
        }
        (Credential::StoredKey { header, .. }, Credential::Key { header: second, .. })
        | (Credential::Key { header, .. }, Credential::StoredKey { header: second, .. }) => header == second,
        _ => false,
    }
}

/// Which of several kinds of keys is meant. Records that were given at the start may be of any form, so that they are
/// asked about what no other kind knows as its own.
pub(super) fn named<'a>(kinds: &'a [Credential], first: &'a Credential, text: &str) -> &'a Credential {
    let is_meant = |kind: &&Credential| matches!(kind, Credential::StoredKey { keys, .. } if keys.form().begins(text));
    let mut same = kinds.iter().filter(|kind| std::ptr::eq(*kind, first) || first.is_alternative(kind));
    let any = same.clone().find(|kind| matches!(kind, Credential::Key { .. }));
    same.find(is_meant).or(any).unwrap_or(first)
}

/// Asks the store.
pub(super) async fn look_up(
    keys: &StoredApiKeys,
    text: &str,
    kind: &Credential,
    head: &mut Head,
) -> Result<Arc<Known>, Denial> {
    let accepted =
        keys.look_up(text, head.facts.known_client(), principal).await.map_err(|rejection| match rejection {
            Rejection::Refused(reason) => invalid(reason).challenging(rejected(kind)),
            Rejection::Unavailable(error) => deny(DenialCode::Unavailable).because("error", error.to_string()),
        })?;
    if let Some(error) = accepted.unwritten {
        let evidence = [("stage", "authenticate"), ("effect", "use_not_written"), ("error", &error.to_string())];
        head.facts.note(EventKind::ServiceFailed, &evidence);
    }
    Ok(accepted.known)
}

/// The program that a service account is.
fn principal(account: &ServiceAccount) -> Principal {
    // A key says nothing of when somebody signed in: no operation that asks for that is open to it.
    let assurance = Assurance::new(Level::Aal1, Timestamp::default());
    let principal = Principal::establish(Subject::Service(account.id.clone()), assurance)
        .with_scopes(account.scopes.clone())
        .with_roles(account.roles.clone());
    match &account.tenant {
        Some(tenant) => principal.with_tenant(tenant.clone()),
        None => principal,
    }
}
