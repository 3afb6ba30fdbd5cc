//! The ports of `palisade-core` kept for real: counters and used-up keys in one of four stores, the clock, randomness.
//!
//! A store is named by a URL, as the configuration spells it, and [`open`] makes it:
//!
//! | URL | what it is for |
//! |---|---|
//! | `memory:` | one process; a restart forgets everything |
//! | `sqlite:palisade.db` | one machine; survives a restart and is shared by processes |
//! | `redis://host:6379/0` | many machines; the fastest that is shared |
//! | `postgres://user@host/db` | many machines; as durable as the database |
//!
//! All give the same answers, because each counts by the pure steps of [`palisade_core::port::counter::Algorithm`], and
//! because one conformance suite (`palisade-testkit`) runs against all.
#![forbid(unsafe_code)]

pub mod clock;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod digest;
pub mod entropy;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod factor_row;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod holder;
pub mod lease;
pub mod memory;
pub mod moment;
mod open;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod records;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod session_row;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod trust;

pub use open::{OpenError, Place, Stores, open, open_at};
pub use trust::Trust;
