//! `[route.NAME.cache]`: which answers are given again without asking the backend.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::word::RequestDirectives;
use super::text::{Size, Span};

/// Keeps what the backend's own `Cache-Control` or `Expires` lets a shared cache keep (RFC 9111). Two principals never
/// share an answer. Without this section nothing is kept.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawCache {
    /// How much memory the answers of this route may take.
    pub(crate) max_size: Size,
    /// The largest body that is kept; at most a quarter of `max_size`.
    pub(crate) max_body: Size,
    /// How long a request waits for the answer to another one for the same before it asks itself.
    pub(crate) max_wait: Span,
    /// Gives a stale answer where the backend fails, for as long as the backend's own `stale-if-error` says (RFC 5861).
    pub(crate) stale_if_error: bool,
    /// Gives a stale answer while one request asks for a fresh one, for as long as the backend's own
    /// `stale-while-revalidate` says (RFC 5861).
    pub(crate) stale_while_revalidate: bool,
    /// Whether a caller's `Cache-Control` counts. `no-store` does in any case.
    pub(crate) request_directives: RequestDirectives,
    /// Tells callers in `Cache-Status` where their answer comes from (RFC 9211).
    pub(crate) cache_status: bool,
}

impl Default for RawCache {
    fn default() -> Self {
        Self {
            max_size: Size::from("64MiB"),
            max_body: Size::from("1MiB"),
            max_wait: Span::from("3s"),
            stale_if_error: false,
            stale_while_revalidate: false,
            request_directives: RequestDirectives::default(),
            cache_status: false,
        }
    }
}
