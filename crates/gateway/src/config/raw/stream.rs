//! `[route.NAME.websocket]`: how long what streams may be open.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::Span;

/// How long WebSockets may be open.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawWebsocket {
    /// How long both sides may be silent.
    pub(crate) idle_timeout: Span,
    /// How long one may be open in all. It is closed sooner when the credential ends that it was opened with.
    pub(crate) max_lifetime: Span,
}

impl Default for RawWebsocket {
    fn default() -> Self {
        Self { idle_timeout: Span::from("5m"), max_lifetime: Span::from("24h") }
    }
}
