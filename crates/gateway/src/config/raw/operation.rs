//! `[route.NAME.operation.ID]`: what is different for one operation of a route.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::word::{Responses, State, Undeclared};

/// What is different for one operation of a route.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawOperation {
    /// In place of the route's `requests`.
    pub(crate) requests: Option<State>,
    /// In place of the route's `responses`.
    pub(crate) responses: Option<Responses>,
    /// In place of the route's `undeclared`.
    pub(crate) undeclared: Option<Undeclared>,
    /// In place of the route's `leaks`.
    pub(crate) leaks: Option<State>,
    /// Places of its answers that may hold traces and secrets, because that is what they are for: JSON pointers such as
    /// `/key` or `/items/*/log`.
    pub(crate) danger_show: Vec<String>,
}
