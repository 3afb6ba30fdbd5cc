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

mod baseline;
mod comparison;
mod context;
mod creation;
mod docket;
mod ending;
mod exchange;
mod finding;
mod identities;
mod identity;
mod infer;
mod input;
mod keeper;
mod legitimate;
mod likeness;
mod login;
mod mask;
mod memory;
mod name_server;
mod page;
mod partner;
mod plan;
mod preflight;
mod probe;
mod progress;
mod proof;
mod public_key;
#[doc(hidden)]
pub mod readers;
mod repair;
mod replay;
mod report;
mod row;
mod rule;
mod run;
mod scope;
mod serve;
mod session;
mod signed_cookie;
mod sink;
mod surface;
mod throwaway;
mod token;

pub use baseline::{Accepted, Baseline, Gate};
pub use comparison::{Comparison, Line, Outcome, Standing};
pub use creation::{Creation, Generator};
pub use ending::{Coverage, Ending};
pub use exchange::Timing;
pub use finding::{Aim, Confidence, Exchange, Finding, Label, Place, RequestSummary};
pub use identities::read_identities;
pub use identity::Identity;
pub use login::{Grant, JsonLogin, Login, LoginPayload, LoginRequest, Part, PartPlace, TokenSource};
pub use name_server::NameServer;
pub use partner::HostilePartner;
pub use plan::{Estimate, Mode, Plan, PlanError, PlannedOperation, PolicyRule, ProbeEstimate};
pub use progress::{Progress, ProgressEvent};
pub use proof::Check;
pub use replay::{Recorded, ReplayError, Replayed, replay};
pub use report::{About, Format, OperationReach, Report, RowResult, UnknownFormat, Verdict, report_schema};
pub use row::Row;
pub use rule::{Breadth, Detail, Remedy, Rule, Severity};
pub use run::{Reset, ResetUrl, RunError, legitimate, run, run_with_reset};
pub use scope::{Protocol, Scope, SendError, Stop, Target, TargetError, Trust, TrustError, fetch};
pub use surface::Defect;
