//! What Palisade's own tests share: a clock that stands still, known randomness, a backend, a client, store suites.
//!
//! Nothing here is published or linked into a product. Helpers fail by panicking, because that is how a test fails.
#![forbid(unsafe_code)]
#![expect(clippy::expect_used, clippy::panic, reason = "a test helper fails by panicking")]

pub mod client;
pub mod clock;
pub mod dir;
pub mod entropy;
pub mod server;
pub mod store;
pub mod upstream;
