//! The contract of the store ports, as suites that every store must pass.
//!
//! A suite takes a function that makes a new, empty store, and panics with the name of the promise that was broken.

mod access_token;
mod account;
mod api_key;
mod counter;
mod factor;
mod key;
mod once;
mod refresh;
mod revocation;
mod session;

pub use access_token::assert_access_token_store;
pub use account::assert_account_store;
pub use api_key::assert_api_key_store;
pub use counter::assert_counter_store;
pub use factor::assert_factor_store;
pub use key::assert_key_store;
pub use once::assert_once_store;
pub use refresh::{assert_refresh_store, family};
pub use revocation::assert_revocation_log;
pub use session::assert_session_store;

/// How many tasks fight over one key.
const TASKS: usize = 64;
