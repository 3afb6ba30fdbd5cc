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
    /// How the way to the server is protected.
    pub(crate) tls: RawStoreTls,
    /// Lets others read along, or play the server, where it is on another machine.
    pub(crate) danger_cleartext: bool,
    /// How long the store may take to answer. Then a limit's `on_failure` holds.
    pub(crate) timeout: Span,
    /// How requests are counted.
    pub(crate) counters: RawCounters,
    /// What was written down about people and programs: sessions, the API keys of service accounts, and which tokens were
    /// taken back. Every `[api_keys.NAME]` and `[sessions.NAME]` is read there.
    pub(crate) records: RawLasting,
    /// Which tokens were taken back before their time, as whoever issues them or `palisade token revoke` writes it down.
    /// It is read twice a second. By default it is with the records.
    pub(crate) revocations: RawLasting,
}

impl Default for RawStore {
    fn default() -> Self {
        Self {
            url: StoreUrl::from("memory:"),
            user: None,
            password: None,
            tls: RawStoreTls::default(),
            danger_cleartext: false,
            timeout: Span::from("100ms"),
            counters: RawCounters::default(),
            records: RawLasting::default(),
            revocations: RawLasting::default(),
        }
    }
}

/// Whom we believe that it is the server, and what we show it. The name in the URL must be in the server's certificate.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawStoreTls {
    /// A PEM file with the certificates of who vouches for the server: with Redis in place of the system's authorities,
    /// with PostgreSQL besides them.
    pub(crate) ca: Option<FileRef>,
    /// A PEM file with the certificate that we show to a server that asks, followed by its intermediates.
    pub(crate) cert: Option<FileRef>,
    /// A PEM file with the private key of the certificate.
    pub(crate) key: Option<FileRef>,
}

impl RawStoreTls {
    /// Whether it says anything.
    pub(crate) fn is_given(&self) -> bool {
        self.ca.is_some() || self.cert.is_some() || self.key.is_some()
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
    /// How the way to the server is protected.
    pub(crate) tls: RawStoreTls,
    /// Lets others read along, or play the server, where it is on another machine.
    pub(crate) danger_cleartext: bool,
    /// How exactly.
    pub(crate) mode: Counted,
    /// Which share of a limit is one batch of `lease`, in percent.
    #[schemars(range(min = 1, max = 50))]
    pub(crate) lease_percent: u32,
}

impl Default for RawCounters {
    fn default() -> Self {
        Self {
            url: None,
            user: None,
            password: None,
            tls: RawStoreTls::default(),
            danger_cleartext: false,
            mode: Counted::default(),
            lease_percent: 5,
        }
    }
}

/// A store of what outlives the gateway and comes from outside of it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawLasting {
    /// `sqlite:PATH` or `postgres://HOST:PORT/DB`.
    pub(crate) url: Option<StoreUrl>,
    /// Who signs in to that server.
    pub(crate) user: Option<String>,
    /// A file with the password for it.
    pub(crate) password: Option<FileRef>,
    /// How the way to the server is protected.
    pub(crate) tls: RawStoreTls,
    /// Lets others read along, or play the server, where it is on another machine.
    pub(crate) danger_cleartext: bool,
}
