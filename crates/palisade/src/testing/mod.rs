//! For tests of applications and of stages: a world that stands still, tokens for anybody, requests without a socket.
//!
//! A test of an application makes a [`TestWorld`], protects its routes in that world as it would in the real one, and
//! asks as whom it likes:
//!
//! ```
//! use axum::{Router, routing::get};
//! use palisade::{Chain, extract::Principal, testing::TestWorld};
//! use serde_json::json;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let test = TestWorld::new();
//! let routes = Router::new()
//!     .route("/me", get(|who: Principal| async move { who.subject().to_string() }))
//!     .route("/reports", get(|| async { "what everybody bought" }));
//! let app = Chain::api()
//!     .bearer(test.issuer.rules(), test.issuer.keys())
//!     .roles("GET /reports", ["admin"])
//!     .protect(routes, &test.world)?;
//!
//! let nobody = test.client(app);
//! assert_eq!(nobody.ask("GET /me").await.code().as_deref(), Some("credential-missing"));
//!
//! let alice = nobody.signed_in(json!({"sub": "alice"}));
//! assert_eq!(alice.ask("GET /me").await.text, "user:alice");
//! let answer = alice.ask("GET /reports").await;
//! assert_eq!((answer.status.as_u16(), answer.code().as_deref()), (403, Some("role-insufficient")));
//! assert_eq!(answer.events[0].kind.as_str(), "authorization_denied");
//!
//! let admin = nobody.signed_in(json!({"sub": "carol", "roles": ["admin"]}));
//! assert_eq!(admin.ask("GET /reports").await.status, 200);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! What is here fails by panicking, as tests do, and protects nothing: the entropy is known. It is behind the feature
//! `testing`, which belongs under `[dev-dependencies]`.
#![expect(clippy::expect_used, reason = "a test helper fails by panicking")]

mod client;
#[cfg(test)]
mod inner;
mod issuer;
mod stage;
mod world;

pub use client::{Answer, TestClient, request, send};
#[cfg(test)]
pub(crate) use inner::*;
pub use issuer::TestIssuer;
#[cfg(test)]
pub(crate) use stage::through;
pub use stage::{answer, assert_stage, head};
pub use world::{MemoryCounts, SeededEntropy, StillClock, TestWorld};
