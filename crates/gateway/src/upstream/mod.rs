//! The way to the backends: where they are, which of them gets a request, and what turns a permitted request into an
//! answer.
//!
//! Pure rules stand in files of their own: `balance`, `budget`, `gradient`, `outlier` and the state of `health`.
//! `backend` puts them together, `pool` has the connections.

mod answer;
mod backend;
mod balance;
mod budget;
mod confirm;
mod endpoint;
mod failure;
mod fetch;
mod forward;
pub mod frames;
mod gradient;
mod health;
mod hold;
mod key;
mod limit;
mod members;
mod outlier;
mod places;
mod pool;
mod repeat;
mod settings;
mod trust;
mod upgrade;

pub use answer::AnswerSettings;
pub use backend::{Upstream, UpstreamStatus};
pub use balance::{Balance, HashBy};
pub use budget::BudgetSettings;
pub use endpoint::EndpointStatus;
pub use failure::Failure;
pub use fetch::PoolFetch;
pub use forward::Forward;
pub(crate) use forward::reframe;
pub use gradient::GradientSettings;
pub use limit::Concurrency;
pub use outlier::EjectSettings;
pub use pool::{PoolSettings, Protocol};
pub use settings::{Addresses, EndpointSettings, HealthSettings, RetrySettings, TrustSettings, UpstreamSettings};
pub use trust::{ClientIdentity, UpstreamError};
