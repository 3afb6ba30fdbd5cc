//! Backend API security for axum and tower, secure by default.
//!
//! Put [`Chain::api`] in front of a router, and every route needs a valid credential unless it is declared public, every
//! response has security headers, every refusal is one RFC 9457 problem with one event, and what nobody has declared is
//! refused. `examples/` has whole programs.
//!
//! The parts, in the order in which a reader needs them:
//!
//! - [`preset`]: what an application says about its routes, and [`Chain::api`] and [`Chain::browser_app`] for it;
//! - [`extract`]: what handlers ask for: [`extract::Principal`], input that is [`extract::Valid`], and how they refuse;
//! - [`chain`]: THE ORDER of the stages, and how a chain is built by hand;
//! - [`stage`]: one file for each stage, all of one shape, each usable alone as a tower layer;
//! - [`facts`] and [`plan`]: what stages tell each other and what goes on the response;
//! - [`csp`], [`cookie`] and [`csrf`]: what browsers are told, and what they are believed;
//! - [`token`], [`credential`] and [`session`]: JSON Web Tokens, key sets, API keys, people who have signed in;
//! - [`crypto`]: sealing of what is kept;
//! - [`observe`]: where events go;
//! - `testing` (with the feature of that name): a world that stands still, for the tests of applications.
//!
//! Features add interfaces and change nothing: `contract` (OpenAPI documents) and `valid` (types as contracts) are on,
//! `passwords` is off, `testing` is for `[dev-dependencies]`.
#![forbid(unsafe_code)]

#[cfg(feature = "accounts")]
pub mod account;
pub mod body;
pub mod chain;
pub mod cookie;
pub mod credential;
pub mod crypto;
pub mod csp;
pub mod csrf;
pub mod extract;
pub mod facts;
pub mod limit;
pub mod network;
pub mod observe;
pub mod origin;
mod plain;
pub mod plan;
pub mod preset;
pub mod session;
pub mod settings;
pub mod stage;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod token;
pub mod until;
#[cfg(feature = "contract")]
mod violations;
pub mod watch;
pub mod websocket;
#[cfg(feature = "contract")]
mod would_deny;

pub use chain::Chain;
pub use palisade_core as core;
