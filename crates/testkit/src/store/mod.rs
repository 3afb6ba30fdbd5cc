//! The contract of the store ports, as suites that every store must pass.
//!
//! A suite takes a function that makes a new, empty store, and panics with the name of the promise that was broken.

mod counter;
mod factor;
mod once;
mod session;

pub use counter::assert_counter_store;
pub use factor::assert_factor_store;
pub use once::assert_once_store;
pub use session::assert_session_store;

/// How many tasks fight over one key.
const TASKS: usize = 64;
