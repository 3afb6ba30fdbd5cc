//! The project's own chores: rules that hold for its source ([`tidy`]) and pages that follow from it ([`mod@reference`]).
//!
//! `cargo xtask tidy` prints what breaks a rule; `cargo xtask generate` writes the generated files. Both also run as
//! ordinary tests of this crate, so the test command alone keeps the promises of ARCHITECTURE.md.
#![forbid(unsafe_code)]

pub mod generate;
pub mod reference;
pub mod rules;
pub mod tidy;
pub mod workspace;
