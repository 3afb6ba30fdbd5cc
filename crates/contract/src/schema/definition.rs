//! What a translation yields: numbered schemas that refer to each other.

use serde_json::Value;

use crate::schema::mode::Mode;

/// One translated schema.
#[derive(Debug)]
pub(crate) struct Definition {
    /// Where the written schema is.
    pub(crate) pointer: String,
    /// What it was translated for.
    pub(crate) mode: Mode,
    /// The translation.
    pub(crate) schema: Value,
}

/// The number of a definition; its place is `#/$defs/<number>`.
pub(crate) type DefinitionId = usize;
