//! One canonical form for each thing that attackers spell twice: path, host, query and headers.
//!
//! Bytes become canonical once, in the `firewall` stage; routes, rules and the backend all see the same form.

pub mod forwarded;
pub mod header;
pub mod host;
pub mod path;
pub mod query;

/// Why bytes have no canonical form: two programs could read them differently.
///
/// ```
/// use palisade_core::canon::{Ambiguous, path::CanonicalPath};
///
/// let Err(Ambiguous { reason, .. }) = CanonicalPath::parse("/public/%2e%2e/admin") else { panic!() };
/// assert!(!reason.is_empty());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Ambiguous {
    /// The rule that is broken, as a slug for the event.
    pub reason: &'static str,
}

impl Ambiguous {
    pub(crate) const fn new(reason: &'static str) -> Self {
        Self { reason }
    }
}
