//! How traffic departs from a contract, and the change of the contract that would agree with it.
//!
//! A gateway that only reports makes [`Observation`]s: what was seen and where, never a value. A [`Ledger`] counts them,
//! and [`patch`] turns them into an OpenAPI Overlay that a person reads, corrects and applies. Nothing is learned behind
//! anybody's back: a contract that follows its traffic would permit the next attack.
//!
//! ```
//! use palisade_contract::drift::{self, Ledger};
//! use palisade_core::diagnostic::Source;
//!
//! let contract = Source::new("openapi.yaml", "
//! openapi: 3.1.0
//! info: { title: Notes, version: '1' }
//! paths:
//!   /notes:
//!     get:
//!       operationId: listNotes
//!       security: []
//!       responses: { 204: { description: None. } }
//! ");
//! let mut ledger = Ledger::default();
//! let seen = drift::read(r#"{"in":"request","at":"/query/limit","rule":"undeclared","type":"integer"}"#).unwrap();
//! ledger.add("listNotes", seen, "2026-11-01T00:00:00Z", "user:u-1");
//! let patch = drift::patch(&contract, &ledger).unwrap();
//! assert_eq!(patch.overlay["actions"][0]["target"], "$['paths']['/notes']['get']");
//! ```

mod infer;
mod ledger;
mod locate;
mod observe;
mod overlay;
mod patch;

pub use infer::{Kind, Seen};
pub use ledger::{Entry, Ledger};
pub use observe::{Observation, Side, of_answer, of_body, of_query, of_undeclared_answer, read};
pub use overlay::{OverlayFault, apply};
pub use patch::{Patch, patch};
