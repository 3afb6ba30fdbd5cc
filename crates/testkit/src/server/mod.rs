//! Real servers for tests: each is a process of its own, on loopback, gone when the value is dropped.
//!
//! `./test peers` installs the programs. A test that misses one fails and says so.

mod postgres;
mod process;
mod valkey;

pub use postgres::Postgres;
pub use valkey::Valkey;
