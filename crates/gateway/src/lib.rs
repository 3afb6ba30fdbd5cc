//! The gateway: one policy file, the listeners it names, and what a request passes on its way to a backend.
//!
//! [`config`] turns `palisade.toml` into typed settings or into all of its problems at once, [`init`] writes a first
//! file from a contract, and [`listen`] serves a handler on the configured addresses until it is told to stop.

mod admin;
pub mod build;
pub mod check;
pub mod config;
pub mod drift;
pub mod explain;
pub mod init;
mod inventory;
pub mod keys;
pub mod listen;
mod metrics;
pub mod reload;
pub mod replay;
mod revoked;
pub mod run;
pub mod service_keys;
mod stores;
pub mod tokens;
pub mod upstream;
pub mod users;
mod worker;

pub use palisade::observe::event_schema;
