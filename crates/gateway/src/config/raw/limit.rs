//! `throttle`: how often may be asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::word::{Counting, Holder, OnFailure};
use super::text::Span;

/// One limit or several, all of which must hold.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum RawThrottles {
    /// Several.
    Many(Vec<RawThrottle>),
    /// One.
    One(RawThrottle),
}

impl Default for RawThrottles {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

/// How often may be asked.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawThrottle {
    /// How many requests pass.
    #[schemars(range(min = 1))]
    pub(crate) requests: u32,
    /// In which span of time, at least one second.
    pub(crate) per: Span,
    /// Whose requests are counted together.
    #[serde(default)]
    pub(crate) by: Holder,
    /// How they are counted.
    #[serde(default)]
    pub(crate) algorithm: Counting,
    /// How many requests each request counts for.
    #[serde(default = "cost")]
    #[schemars(range(min = 1))]
    pub(crate) cost: u32,
    /// What happens while the store does not answer.
    #[serde(default)]
    pub(crate) on_failure: OnFailure,
}

fn cost() -> u32 {
    1
}
