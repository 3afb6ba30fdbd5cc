//! What `[route.NAME.payload]` means.

use super::super::word::Forwarding;

/// How requests are read, and in which writing they go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Whether query and body are written anew.
    pub forward: Forwarding,
    /// Arrays and objects within each other; at most 128.
    pub max_depth: u32,
    /// Values of a body.
    pub max_values: u32,
    /// Properties of an object.
    pub max_keys: u32,
    /// Items of a list.
    pub max_items: u32,
    /// Bytes of a text or name.
    pub max_string: u32,
    /// Parts of a multipart body, or fields of a form.
    pub max_parts: u32,
    /// Bytes of a part, where it is less than the body.
    pub max_part: Option<u32>,
}
