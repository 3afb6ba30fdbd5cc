//! Where state is kept, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::word::Counted;
use super::text::{FileRef, Span, StoreUrl};

/// Where state is kept.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawStore {
    /// `memory:` for this process alone; `sqlite:` and the path of a database file relative to this file;
    /// `redis://HOST:PORT/DB`, `rediss://...` over TLS or `redis+unix:///PATH`; `postgres://HOST:PORT/DB`. What several
    /// gateways share they count together.
    pub(crate) url: StoreUrl,
    /// Who signs in to the server.
    pub(crate) user: Option<String>,
    /// A file with the password.
    pub(crate) password: Option<FileRef>,
    /// How long the store may take to answer. Then a limit's `on_failure` holds.
    pub(crate) timeout: Span,
    /// How requests are counted.
    pub(crate) counters: RawCounters,
    /// What was written down about people and programs.
    pub(crate) records: RawRecords,
    /// Which tokens were taken back before their time.
    pub(crate) revocations: RawRevocations,
}

impl Default for RawStore {
    fn default() -> Self {
        Self {
            url: StoreUrl::from("memory:"),
            user: None,
            password: None,
            timeout: Span::from("100ms"),
            counters: RawCounters::default(),
            records: RawRecords::default(),
            revocations: RawRevocations::default(),
        }
    }
}

/// How requests are counted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawCounters {
    /// Where they are counted, if not in the store.
    pub(crate) url: Option<StoreUrl>,
    /// Who signs in to that server.
    pub(crate) user: Option<String>,
    /// A file with the password for it.
    pub(crate) password: Option<FileRef>,
    /// How exactly.
    pub(crate) mode: Counted,
    /// Which share of a limit is one batch of `lease`, in percent.
    #[schemars(range(min = 1, max = 50))]
    pub(crate) lease_percent: u32,
}

impl Default for RawCounters {
    fn default() -> Self {
        Self { url: None, user: None, password: None, mode: Counted::default(), lease_percent: 5 }
    }
}

/// What was written down about people and programs: sessions, the API keys of service accounts, and which tokens were
/// taken back.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawRecords {
    /// Where that is: `sqlite:PATH` or `postgres://HOST:PORT/DB`. Every `[api_keys.NAME]` and `[sessions.NAME]` is read
    /// there, and `[store.revocations]` unless it has a `url` of its own.
    pub(crate) url: Option<StoreUrl>,
    /// Who signs in to that server.
    pub(crate) user: Option<String>,
    /// A file with the password for it.
    pub(crate) password: Option<FileRef>,
}

/// Which tokens were taken back before their time.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawRevocations {
    /// Where that is written, by whoever issues the tokens or by `palisade token revoke`: `sqlite:PATH` or
    /// `postgres://HOST:PORT/DB`. It is read twice a second. By default where the records are.
    pub(crate) url: Option<StoreUrl>,
    /// Who signs in to that server.
    pub(crate) user: Option<String>,
    /// A file with the password for it.
    pub(crate) password: Option<FileRef>,
}
