//! Where state is kept.

use std::path::PathBuf;
use std::time::Duration;

use super::HiddenSecret;

/// Where state is kept, and where requests are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stores {
    /// Where everything is kept, unless something else is said.
    pub store: Store,
    /// How long it may take to answer.
    pub timeout: Duration,
    /// How requests are counted.
    pub counters: Counters,
    /// Where sessions, the API keys of service accounts and what was taken back are written, if anywhere.
    pub records: Option<Store>,
    /// Where it is written which tokens were taken back, if elsewhere.
    pub revocations: Option<Store>,
}

/// How requests are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Where, if not in the store.
    pub store: Option<Store>,
    /// In batches of this share of a limit, in percent.
    pub lease: Option<u32>,
}

/// One place where state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// In this process.
    Memory,
    /// In a server, which other gateways may share.
    Server(StoreServer),
    /// In a database file.
    Sqlite(PathBuf),
}

/// A server that keeps state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreServer {
    /// Where it is; without a password.
    pub url: String,
    /// Who signs in.
    pub user: Option<String>,
    /// The password.
    pub password: Option<HiddenSecret>,
    /// How the way to it is protected.
    pub trust: StoreTrust,
}

/// How the way to a server that keeps state is protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreTrust {
    /// PEM certificates of who vouches for the server.
    pub ca: Option<Vec<u8>>,
    /// What we show to a server that asks, in PEM.
    pub identity: Option<(Vec<u8>, HiddenSecret)>,
    /// Whether others may read along.
    pub danger_cleartext: bool,
}
