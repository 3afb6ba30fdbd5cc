//! A stage is one step of a request's way in, and one file of this folder.
//!
//! Every stage has the same shape: a threat in one sentence, the rule as a list, settings with a secure default, and one
//! method. It passes a request, refuses it with a [`Denial`], or gives one of the few fixed [`Answer`]s; it cannot
//! choose a status or a body, does not know the other stages, and writes no log. The order stands in
//! [`crate::chain::ORDER`].

pub mod admit;
pub mod assure;
pub mod authenticate;
pub mod authorize;
pub mod cache;
pub mod client;
#[cfg(feature = "contract")]
pub mod contract;
pub mod cors;
pub mod csrf;
pub mod deadline;
pub mod finish;
pub mod firewall;
pub mod guard;
#[cfg(feature = "contract")]
pub mod inspect;
mod layer;
pub mod network;
pub mod operation;
pub mod present;
pub mod publish;
pub mod quota;
pub mod record;
pub mod report;
pub mod rescue;
#[cfg(feature = "contract")]
pub mod reveal;
pub mod route;
mod run;
pub mod size;
pub mod throttle;
pub mod trace;
#[cfg(feature = "contract")]
pub mod upgrade;

use std::fmt;

use futures_util::future::BoxFuture;
use http::request::Parts;
pub use layer::{StageLayer, StageService};
use palisade_core::denial::Denial;
use palisade_core::permit::RequestPermit;
use palisade_core::stage::StageId;
pub use run::{End, Next};

use crate::body::Body;
use crate::facts::Facts;
use crate::plan::ResponsePlan;

/// One step of a request's way in.
///
/// A stage whose [`StageId::kind`] is `check` implements [`Stage::check`]; one that encloses the rest of the chain
/// implements [`Stage::wrap`]. The other method is never called.
///
/// ```
/// use palisade::core::denial::{Denial, DenialCode};
/// use palisade::core::stage::StageId;
/// use palisade::stage::{Head, Stage, Verdict};
///
/// /// Takes the place of `client` where one address is all there should be.
/// struct OnlyHere(std::net::IpAddr);
///
/// impl Stage for OnlyHere {
///     fn id(&self) -> StageId {
///         StageId::Client
///     }
///
///     fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
///         head.facts.client = head.facts.peer.map(|peer| peer.ip());
///         match head.facts.client == Some(self.0) {
///             true => Verdict::PASS,
///             false => Verdict::from(Err(Denial::new(DenialCode::ClientForbidden, StageId::Client))),
///         }
///     }
/// }
/// palisade::testing::assert_stage(&OnlyHere([127, 0, 0, 1].into()));
/// ```
pub trait Stage: Send + Sync + 'static {
    /// Which stage this is.
    fn id(&self) -> StageId;

    /// Looks at the head of the request.
    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        let _ = head;
        Verdict::PASS
    }

    /// Encloses everything behind it.
    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        next.run(head, body)
    }

    /// Whether a setting makes the stage weaker than its default: the sentences that `check` and the start print.
    fn dangers(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What a stage says: at once, or after it has waited.
///
/// ```
/// use palisade::stage::{Stage, Verdict, csrf::Csrf};
///
/// let (stage, mut head) = (Csrf::default(), palisade::testing::head("GET /"));
/// assert!(matches!(stage.check(&mut head), Verdict::Now(Ok(()))));
/// ```
pub enum Verdict<'a> {
    /// The stage has waited for nothing, and nothing was allocated.
    Now(Result<(), Stop>),
    /// The stage asks a store or a key server.
    Later(BoxFuture<'a, Result<(), Stop>>),
}

impl Verdict<'_> {
    /// The request passes.
    pub const PASS: Self = Self::Now(Ok(()));
}

impl From<Result<(), Denial>> for Verdict<'_> {
    fn from(result: Result<(), Denial>) -> Self {
        Self::Now(result.map_err(Stop::Deny))
    }
}

impl fmt::Debug for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(result) => f.debug_tuple("Now").field(result).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}

/// Why a request goes no further.
///
/// ```
/// use palisade::core::denial::{Denial, DenialCode};
/// use palisade::core::stage::StageId;
/// use palisade::stage::Stop;
///
/// let stop = Stop::from(Denial::new(DenialCode::UpstreamUnreachable, StageId::Forward).because("error", "refused"));
/// assert!(matches!(stop, Stop::Deny(denial) if denial.code().status() == 502));
/// ```
#[derive(Debug)]
pub enum Stop {
    /// It is answered here, and that is no refusal.
    Answer(Answer),
    /// It is refused.
    Deny(Denial),
}

impl From<Denial> for Stop {
    fn from(denial: Denial) -> Self {
        Self::Deny(denial)
    }
}

/// The answers that are not refusals: a closed list, rendered where refusals are.
///
/// ```
/// use palisade::stage::{Answer, Stop};
///
/// let stop = Stop::Answer(Answer::Preflight);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A document that describes the API itself: 200.
    Document(Document),
    /// A CORS preflight: 204; its headers are in the plan.
    Preflight,
    /// A browser's report was taken: 204.
    Received,
}

/// A document that describes the API itself, the same for everyone.
///
/// ```
/// use palisade::stage::{Stage, Stop, Verdict, Answer, publish::Publish};
///
/// let stage = Publish::default().with("/robots.txt", "text/plain", "User-agent: *\nDisallow: /\n");
/// let mut head = palisade::testing::head("GET /robots.txt\nhost: a");
/// head.facts.path = palisade::core::canon::path::CanonicalPath::parse("/robots.txt").ok();
/// let Verdict::Now(Err(Stop::Answer(Answer::Document(document)))) = stage.check(&mut head) else { panic!() };
/// assert_eq!(document.media, "text/plain");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its media type.
    pub media: &'static str,
    /// Its text.
    pub text: bytes::Bytes,
}

/// What comes back from the rest of the chain.
///
/// ```
/// let outcome: palisade::stage::Outcome = Ok(http::Response::new(palisade::body::Body::from("hi")));
/// ```
pub type Outcome = Result<http::Response<Body>, Stop>;

/// What stages see of a request: everything but its body.
///
/// ```
/// use palisade::stage::Head;
///
/// let (parts, ()) = http::Request::get("/orders").header("host", "a").body(()).unwrap().into_parts();
/// let head = Head::new(parts);
/// assert_eq!(head.parts.uri.path(), "/orders");
/// ```
#[derive(Debug)]
pub struct Head {
    /// Method, URI, headers and extensions. Headers and extensions leave with the request at the end of a chain: on the
    /// way back they are empty.
    pub parts: Parts,
    /// What the stages have found out.
    pub facts: Facts,
    /// What goes on the response.
    pub plan: ResponsePlan,
    /// The proof that the policy was asked. Only `authorize` puts it here and only the end of a chain takes it.
    permit: Option<RequestPermit>,
}

impl Head {
    /// The head of a request that has just arrived.
    pub fn new(parts: Parts) -> Self {
        Self { parts, facts: Facts::new(), plan: ResponsePlan::default(), permit: None }
    }

    /// Takes the permit out, once.
    pub(crate) fn take_permit(&mut self) -> Option<RequestPermit> {
        self.permit.take()
    }

    /// The value of a header as text; `None` where it is absent or not ASCII.
    pub(crate) fn text(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }
}
