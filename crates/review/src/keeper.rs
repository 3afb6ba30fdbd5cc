//! A keeper holds the credential of one identity for the whole run, and gets a new one when the old has expired.
//!
//! A refusal is no proof of expiry: an API may answer 401 for what is somebody else's. So before anything is renewed,
//! the last request that was served is made again, and only when that is refused, too, the identity signs in anew.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::exchange::{Call, Credential};
use crate::identity::Identity;

/// The credential of one identity.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) identity: Identity,
    /// Made in the run, and for the run: it may be spoiled.
    pub(crate) is_throwaway: bool,
    state: Mutex<State>,
    pub(crate) renewing: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    credential: Credential,
    former: Vec<Credential>,
    control: Option<Call>,
    is_lost: bool,
}

/// What a credential is to a keeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Current,
    /// It was renewed since.
    Former,
    Unknown,
}

impl Keeper {
    pub(crate) fn new(identity: Identity, credential: Credential, is_throwaway: bool) -> Self {
        let state = State { credential, former: Vec::new(), control: None, is_lost: false };
        Self { identity, is_throwaway, state: Mutex::new(state), renewing: tokio::sync::Mutex::new(()) }
    }

    pub(crate) fn credential(&self) -> Credential {
        self.state().credential.clone()
    }

    pub(crate) fn standing(&self, credential: &Credential) -> Standing {
        let state = self.state();
        if state.credential == *credential {
            return Standing::Current;
        }
        if state.former.contains(credential) { Standing::Former } else { Standing::Unknown }
    }

    /// Remembers a read that was served, to be made again when there is doubt.
    pub(crate) fn served(&self, call: &Call) {
        self.state().control = Some(call.clone());
    }

    /// The read that tells whether the credential is still good. None when there is no doubt that it is useless to ask.
    pub(crate) fn control(&self) -> Option<Call> {
        let state = self.state();
        let control = state.control.clone().filter(|_| !state.is_lost && self.identity.login.is_renewable());
        control.map(|call| call.with_credential(state.credential.clone()))
    }

    pub(crate) fn renew(&self, credential: Credential) {
        let mut state = self.state();
        let former = std::mem::replace(&mut state.credential, credential);
        state.former.push(former);
    }

    /// It could not sign in again.
    pub(crate) fn lose(&self) {
        self.state().is_lost = true;
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.state().is_lost
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
