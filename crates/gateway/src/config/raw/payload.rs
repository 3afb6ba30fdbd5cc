//! `[route.NAME.payload]`: how requests are read, and in which writing they go on.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::word::Forwarding;
use super::text::Size;

/// How requests are read, and in which writing they go on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawPayload {
    /// Whether query and body are written anew from what was read.
    pub(crate) forward: Forwarding,
    /// How many arrays and objects may stand within each other.
    #[schemars(range(min = 1, max = 128))]
    pub(crate) max_depth: u32,
    /// How many values a body may hold.
    #[schemars(range(min = 1))]
    pub(crate) max_values: u32,
    /// How many properties an object may have.
    #[schemars(range(min = 1))]
    pub(crate) max_keys: u32,
    /// How many items a list may have.
    #[schemars(range(min = 1))]
    pub(crate) max_items: u32,
    /// The longest text or name.
    pub(crate) max_string: Size,
    /// How many parts a multipart body, or fields a form, may have.
    #[schemars(range(min = 1))]
    pub(crate) max_parts: u32,
    /// The largest part of a multipart body; by default as large as the body.
    pub(crate) max_part: Option<Size>,
}

impl Default for RawPayload {
    fn default() -> Self {
        Self {
            forward: Forwarding::default(),
            max_depth: 32,
            max_values: 100_000,
            max_keys: 1_000,
            max_items: 10_000,
            max_string: Size::from("1MiB"),
            max_parts: 1_000,
            max_part: None,
        }
    }
}
