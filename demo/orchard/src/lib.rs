//! Orchard is a small shop API that is vulnerable on purpose, so that a gateway in front of it has something to prove.
//!
//! Every weakness is real: the injection reaches SQLite, the forged token is believed, the fetched address is fetched.
//! Every weakness is also one switch ([`Weakness`]), so that an attack can be shown with its cause and without it;
//! a [`Group`] is a word for those of one class.
//! The list follows the OWASP API Security Top 10 (2023), with two injections and leaking errors beside it.
//!
//! ```no_run
//! use orchard::{Database, Settings, Weaknesses};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let settings = Settings {
//!     weaknesses: Weaknesses::all(),
//!     database: Database::Memory,
//!     partner: "http://127.0.0.1:9001".to_owned(),
//! };
//! let orchard = orchard::start(listener, settings).await?;
//! println!("attack http://{}", orchard.address());
//! orchard.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Caveats
//!
//! Listen on a loopback address only. Whoever reaches the port owns the process's data, and may send its requests.

mod believe;
mod caller;
mod clock;
mod failure;
mod fetcher;
mod group;
mod guard;
mod input;
mod password;
mod routes;
mod seed;
mod server;
mod shop;
mod store;
mod throttle;
mod token;
mod weakness;
mod wire;

pub use group::Group;
pub use seed::{SeededUser, USERS};
pub use server::{Database, Orchard, Settings, StartError, start};
pub use weakness::{UnknownWeakness, Weakness, Weaknesses};

/// The OpenAPI 3.1 contract of every documented operation, as YAML.
///
/// The contract describes the shop as it was meant to be; the weaknesses are what the code made of it.
/// `GET /v0/users`, `GET /debug/vars` and `GET /metrics` are absent, because forgotten routes are never in the contract.
///
/// ```
/// assert!(orchard::CONTRACT.contains("openapi: 3.1.0"));
/// assert!(!orchard::CONTRACT.contains("/v0/users"));
/// ```
pub const CONTRACT: &str = include_str!("../openapi.yaml");
