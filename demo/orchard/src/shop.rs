//! The shop is what every handler shares: the store, the keys, and the switches.

use axum::http::Uri;

use crate::fetcher::Fetcher;
use crate::store::Store;
use crate::throttle::Throttle;
use crate::token::Signer;
use crate::weakness::{Weakness, Weaknesses};

/// The state behind the routes.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) store: Store,
    pub(crate) signer: Signer,
    pub(crate) throttle: Throttle,
    pub(crate) fetcher: Fetcher,
    pub(crate) partner: Uri,
    pub(crate) weaknesses: Weaknesses,
}

impl Shop {
    /// Whether the weakness is switched on.
    pub(crate) fn has(&self, weakness: Weakness) -> bool {
        self.weaknesses.has(weakness)
    }
}
