//! `[admin]`: how a running gateway is looked at.

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{AdminAddress, FileRef};

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
