//! What handlers of an application can ask for, and how they refuse.

mod client_addr;
mod nonce;
mod noted;
mod principal;
mod refusal;
#[cfg(feature = "valid")]
mod valid;

pub use client_addr::ClientAddr;
pub use nonce::NoPages;
pub use noted::Noted;
pub use principal::Principal;
pub use refusal::Refusal;
pub(crate) use refusal::settle;
#[cfg(feature = "valid")]
pub use valid::{Unenforceable, Valid, prepare};
