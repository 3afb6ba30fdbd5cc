//! The reviewer attacks a running API by its own contract, as several identities, and reports only what it can prove.
//!
//! A status code proves nothing: an endpoint may answer 204 and change nothing, or 200 with an empty page. So every
//! proof has a positive control (the owner is served), a negative control (a stranger, or nonsense, is not) and, where
//! something changes, a look at the state afterwards. What fails its controls is skipped and said to be skipped.
//!
//! The probes know nothing about the API but its contract, the `x-palisade` extensions in it, and the answers they see.
//! The same plan can be run against a service and against the gateway before it: the difference is what the gateway is
//! worth.
//!
//! ```no_run
//! use palisade_core::diagnostic::Source;
//! use palisade_review::{Identity, Login, Plan, Target, run};
//! use serde_json::json;
//!
//! # async fn review() -> Result<(), Box<dyn std::error::Error>> {
//! let contract = Source::new("openapi.yaml", std::fs::read_to_string("openapi.yaml")?);
//! let sign_in = |name: &str, password: &str| {
//!     Login::json("/v1/login", json!({ "username": name, "password": password }), "/access_token")
//! };
//! let identities = vec![
//!     Identity::new("alice", sign_in("alice", "apple-crate-17")),
//!     Identity::new("bob", sign_in("bob", "pear-basket-42")),
//! ];
//! let plan = Plan::new(&contract, identities)?;
//! let report = run(&plan, Target::new("http://127.0.0.1:9000".parse()?)?, &()).await?;
//! for finding in report.findings() {
//!     println!("{} {}: {}", finding.row, finding.operation, finding.summary);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Caveats
//!
//! Attack only what is yours. A run writes to the target, and puts back what the API lets it put back.
#![forbid(unsafe_code)]

mod context;
mod docket;
mod exchange;
mod finding;
mod identity;
mod infer;
mod input;
mod legitimate;
mod memory;
mod partner;
mod plan;
mod probe;
mod progress;
mod repair;
mod report;
mod row;
mod rule;
mod run;
mod scope;
mod serve;
mod session;
mod sink;
mod surface;
mod token;

pub use finding::{Confidence, Exchange, Finding, Label, RequestSummary};
pub use identity::{Identity, JsonLogin, Login};
pub use partner::HostilePartner;
pub use plan::{Estimate, Mode, Plan, PlanError, ProbeEstimate};
pub use progress::{Progress, ProgressEvent};
pub use report::{OperationReach, Report, RowResult, Verdict};
pub use row::Row;
pub use rule::{Remedy, Rule};
pub use run::{RunError, legitimate, run};
pub use scope::{Scope, SendError, Target, TargetError};
pub use surface::Defect;
