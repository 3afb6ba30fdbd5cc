//! Credentials that are not tokens, second factors, and what is remembered of a credential that was good.

pub mod api_key;
pub mod certificate;
pub mod factors;
pub mod passkeys;
#[cfg(feature = "passwords")]
pub mod password;
pub mod recovery;
#[cfg(feature = "passwords")]
pub mod sign_in;
pub mod stored_api_key;
pub mod totp;
pub mod webauthn;

use std::sync::OnceLock;

use http::HeaderValue;
use palisade_core::principal::Principal;
use palisade_core::time::Timestamp;

use crate::token::claims::Confirmation;
use crate::token::identity::Signed;

/// What was found out about a credential, kept as long as the credential is remembered.
#[derive(Debug)]
pub(crate) struct Known {
    /// Whom it names.
    pub(crate) principal: Principal,
    /// The key that the caller must prove to have.
    pub(crate) confirmation: Option<Confirmation>,
    /// When it ends, where it says so.
    #[cfg_attr(not(feature = "contract"), expect(dead_code, reason = "only the stage `upgrade` asks"))]
    pub(crate) expires: Option<Timestamp>,
    /// What was signed for backends about the principal.
    pub(crate) signed: Signed,
    /// The values of the headers that tell backends of the principal without a signature, once somebody has asked.
    pub(crate) told: OnceLock<Told>,
}

/// Subject, tenant, roles and scopes as values of headers; one that the principal does not have is missing.
pub(crate) type Told = [Option<HeaderValue>; 4];
