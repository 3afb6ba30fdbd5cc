//! OpenAPI contracts compiled once into operations and checks, for the gateway that enforces and the reviewer that attacks.
//!
//! A contract is the only list of what exists: an operation, parameter, property or content type that it does not
//! declare is refused on the way in, and taken out on the way back. Everything is compiled when the contract is
//! loaded, every problem of the contract is told at once, and nothing is ever fetched.
//!
//! ```
//! use http::Method;
//! use palisade_contract::{Contract, Found};
//! use palisade_core::diagnostic::Source;
//!
//! let source = Source::new("openapi.yaml", "
//! openapi: 3.1.0
//! info: { title: Notes, version: '1' }
//! paths:
//!   /notes/{id}:
//!     get:
//!       operationId: getNote
//!       security: []
//!       parameters:
//!         - { name: id, in: path, required: true, schema: { type: integer } }
//!       responses:
//!         200: { description: The note. }
//! ");
//! let contract = Contract::compile(&source).map(|loaded| loaded.contract).unwrap();
//! let Found::Operation(operation, path) = contract.find(&Method::GET, "/notes/7") else { panic!() };
//! assert_eq!(operation.operation.id.as_str(), "getNote");
//! assert!(operation.check_parameters(&path, None, &http::HeaderMap::new()).is_ok());
//! assert!(operation.check_parameters(&path, Some("debug=1"), &http::HeaderMap::new()).is_err());
//! ```
#![forbid(unsafe_code)]

mod body;
mod compile;
mod contract;
mod destination;
mod direct;
mod document;
pub mod drift;
mod extension;
mod json;
mod lenient;
mod lint;
mod locate;
mod media;
mod notice;
mod operation;
mod parameter;
mod path;
mod percent;
mod plain;
mod report;
mod response;
pub mod sample;
mod schema;
mod security;
mod servers;
mod shape;
mod violation;

pub use body::{BodyRule, Canonical, Handling, Payload};
pub use contract::{Contract, Found, Loaded};
pub use document::read_tolerantly;
pub use extension::Extension;
pub use json::{Caps, read_answer};
pub use lenient::{Lenient, Lines, read_leniently};
pub use notice::Notice;
pub use operation::ContractOperation;
pub use parameter::{Location, Parameter, Parameters};
pub use path::PathValues;
pub use plain::Plain;
pub use response::{ResponseRule, Revealed, Said};
pub use shape::Shape;
pub use violation::{Violation, ViolationCode};
