//! The contract of the store ports, as suites that every store must pass.
//!
//! A suite takes a function that makes a new, empty store, and panics with the name of the promise that was broken.

mod counter;
mod key;
mod once;
mod refresh;

pub use counter::assert_counter_store;
pub use key::assert_key_store;
pub use once::assert_once_store;
pub use refresh::{assert_refresh_store, family};

/// How many tasks fight over one key.
const TASKS: usize = 64;
