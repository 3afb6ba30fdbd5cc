//! `[server]` and `[admin]`: how a running gateway changes, ends and is looked at.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::word::Reload;
use super::text::{AdminAddress, FileRef, Span};

/// How a running gateway changes and ends.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawServer {
    /// When this file is read again. A file that cannot be used changes nothing.
    pub(crate) reload: Reload,
    /// How long requests are still taken after the order to stop, while `/ready` of the admin listener says no: as long
    /// as load balancers need to notice. By default not at all.
    pub(crate) drain_delay: Option<Span>,
    /// How long requests under way may take to finish after that. Then they are cut off.
    pub(crate) drain_timeout: Span,
}

impl Default for RawServer {
    fn default() -> Self {
        Self { reload: Reload::default(), drain_delay: None, drain_timeout: Span::from("30s") }
    }
}

/// Where operators and their programs look at the gateway: health, metrics, the rules in force, refusals.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawAdmin {
    /// An address of this machine such as `127.0.0.1:9901`, or `unix:` and the path of a socket relative to this file.
    /// Without it there is no such listener.
    pub(crate) address: Option<AdminAddress>,
    /// A file with a secret of at least 32 characters that callers send as `Authorization: Bearer`. `/live` and `/ready`
    /// need none.
    pub(crate) token: Option<FileRef>,
    /// Whether the address may be one that other machines reach. It needs a `token` then, and what it protects travels
    /// unencrypted.
    pub(crate) danger_admin_address: bool,
}
