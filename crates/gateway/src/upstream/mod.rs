//! The way to the backends: one connection pool for each, and what turns a permitted request into an answer.

mod fetch;
mod forward;
mod pool;

pub use fetch::PoolFetch;
pub use forward::Forward;
pub(crate) use forward::reframe;
pub use pool::{Pool, PoolError};
