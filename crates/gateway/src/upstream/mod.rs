//! The way to the backends: one connection pool for each, and what turns a permitted request into an answer.

mod answer;
mod fetch;
mod forward;
pub mod frames;
mod pool;
mod upgrade;

pub use answer::AnswerSettings;
pub use fetch::PoolFetch;
pub use forward::Forward;
pub use pool::{Pool, PoolError};
