//! The ports of `palisade-core` kept for real: counters and used-up keys in memory or in SQLite, the clock, randomness.
//!
//! A store is named by a URL, as the configuration spells it, and [`open`] makes it:
//!
//! | URL | what it is for |
//! |---|---|
//! | `memory:` | one process; a restart forgets everything |
//! | `sqlite:palisade.db` | one machine; survives a restart and is shared by processes |
//!
//! Both give the same answers, because either counts by the pure steps of [`palisade_core::port::counter::Algorithm`],
//! and because one conformance suite (`palisade-testkit`) runs against both.
#![forbid(unsafe_code)]

pub mod clock;
pub mod entropy;
pub mod memory;
mod open;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use open::{OpenError, Stores, open};
