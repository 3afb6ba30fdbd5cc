//! `[api_keys.NAME]` and `[sessions.NAME]`: credentials that are kept in `[store.records]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::Span;

/// API keys of service accounts. They are made, listed and revoked with `palisade api-key` while the gateway runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawApiKeys {
    /// The header that carries the key.
    pub(crate) header: String,
    /// How the keys begin: small letters and digits, with `_` between them.
    pub(crate) prefix: String,
}

impl Default for RawApiKeys {
    fn default() -> Self {
        Self { header: "x-api-key".to_owned(), prefix: "pk_live".to_owned() }
    }
}

/// Sessions of people who have signed in to an application behind the gateway. It makes and ends them, and says how long
/// each lasts, in all and without use.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawSessions {
    /// The name of the cookie behind `__Host-`.
    pub(crate) cookie: String,
    /// How long after it was begun a session opens anything here, even if it lasts longer in the store.
    pub(crate) max_age: Option<Span>,
}

impl Default for RawSessions {
    fn default() -> Self {
        Self { cookie: "session".to_owned(), max_age: None }
    }
}
