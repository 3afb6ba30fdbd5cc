//! The repository keeps its rules, the rules find what breaks them, and the generated pages are up to date.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broken;
mod generated;
mod remedies;
mod repository;
