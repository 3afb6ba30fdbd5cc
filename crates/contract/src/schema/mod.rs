//! Schemas: translated to one dialect, compiled once, and their errors told in words.

mod circle;
pub(crate) mod definition;
pub(crate) mod engine;
pub(crate) mod explain;
mod hidden;
mod inherit;
pub(crate) mod keyword;
pub(crate) mod mode;
mod pattern;
pub(crate) mod rewrite;
pub(crate) mod shape;
pub(crate) mod translate;
