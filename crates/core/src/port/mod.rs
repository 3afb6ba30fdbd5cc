//! What the core needs from the world: time, randomness and the atomic steps of stores.
//!
//! Each method is one atomic act whose result names every outcome, so that no store can implement a race between a
//! question and an answer. `palisade-store` keeps these ports in memory and in SQLite; the conformance suite in
//! `testkit` is the contract they must meet.

pub mod access_token;
pub mod account;
pub mod api_key;
pub mod clock;
pub mod counter;
pub mod entropy;
pub mod factor;
pub mod key;
pub mod once;
pub mod refresh;
pub mod revocation;
mod rotation;
pub mod session;
mod tally;

pub use access_token::AccessTokenStore;
pub use account::AccountStore;
pub use api_key::ApiKeyStore;
pub use clock::Clock;
pub use counter::CounterStore;
pub use entropy::Entropy;
pub use factor::FactorStore;
pub use key::KeyStore;
pub use once::OnceStore;
pub use refresh::RefreshStore;
pub use revocation::RevocationLog;
pub use session::SessionStore;

/// Why a store could not act. A deciding stage answers it with [`crate::denial::DenialCode::Unavailable`].
///
/// ```
/// use palisade_core::port::StoreError;
///
/// let error = StoreError::Damaged { reason: "a count below zero".to_owned() };
/// assert_eq!(error.to_string(), "the store holds a damaged record: a count below zero");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store did not answer or refused the connection.
    #[error("the store cannot be reached: {reason}")]
    Unreachable {
        /// What the driver said; for events only.
        reason: String,
    },
    /// The store answered with something that cannot be right.
    #[error("the store holds a damaged record: {reason}")]
    Damaged {
        /// What was wrong; for events only.
        reason: String,
    },
}
