//! What a request's stages have found out: every fact, who writes it, and who reads it.
//!
//! Stages never name each other; what one knows and another needs stands here. Each fact has one writer, named in its
//! documentation, and is absent until that stage has run.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use palisade_core::canon::host::CanonicalHost;
use palisade_core::canon::path::CanonicalPath;
use palisade_core::denial::{Denial, Evidence, Protection};
use palisade_core::event::EventKind;
use palisade_core::id::{RequestId, RouteName};
use palisade_core::operation::{Operation, ResponseOwner};
use palisade_core::policy::Parameters;
use palisade_core::principal::Principal;
use palisade_core::time::Timestamp;
use smallvec::SmallVec;

use crate::credential::Known;
use crate::credential::certificate::ClientCertificate;
use crate::until::Until;

/// The facts of one request.
///
/// ```
/// use palisade::core::event::EventKind;
///
/// let mut head = palisade::testing::head("GET /orders");
/// assert!(head.facts.principal.is_anonymous());
/// head.facts.note(EventKind::ServiceFailed, &[("stage", "throttle"), ("effect", "allowed")]);
/// assert_eq!(head.facts.notes.len(), 1);
/// ```
#[derive(Debug)]
pub struct Facts {
    /// The address at the other end of the connection. Written by the listener, or from axum's `ConnectInfo`.
    pub peer: Option<SocketAddr>,
    /// Which listener the connection came in on, by its place in the configuration. Written by the listener.
    pub listener: usize,
    /// Whether the client's connection is encrypted. Written by the listener; where a trusted proxy is in between,
    /// `client` writes what that one says.
    pub transport: Transport,
    /// What the listener found wrong with bytes that are no request. Written by the listener; `firewall` refuses.
    pub malformed: Option<Malformed>,
    /// The certificate that the client has proven to hold. Written by the listener, or by `client` from a trusted proxy.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// When the request arrived. Written by `trace`.
    pub received: Timestamp,
    /// The request's id. Written by `trace`.
    pub request_id: RequestId,
    /// The client's address behind trusted proxies. Written by `client`.
    pub client: Option<IpAddr>,
    /// Whether a trusted proxy keeps the client's address to itself, so that [`Self::client`] is the proxy's. Written by
    /// `client`.
    pub is_client_hidden: bool,
    /// The host that the client asked a trusted proxy for. Written by `client`.
    pub forwarded_host: Option<CanonicalHost>,
    /// The canonical host. Written by `firewall`.
    pub host: Option<CanonicalHost>,
    /// The canonical path. Written by `firewall`.
    pub path: Option<CanonicalPath>,
    /// The route. Written by `route`.
    pub route: Option<RouteMatch>,
    /// The operation and the parameters of its path. Written by `operation`.
    pub operation: Option<OperationMatch>,
    /// Who asks. Anonymous until `authenticate` has run.
    pub principal: Principal,
    /// What carried the credential that established the principal. Written by `authenticate`; `present` reads.
    pub credential: Option<Carrier>,
    /// What is remembered of the credential. Written by `authenticate`; `present` keeps there what it signs.
    pub(crate) known: Option<Arc<Known>>,
    /// What the resource says of itself beside a challenge. Written by `authenticate`; `rescue` reads.
    pub protection: Option<Arc<Protection>>,
    /// Whether the caller is held to the owners of the operation's objects, and so may not learn which exist. Written by
    /// `authorize`.
    pub owned: bool,
    /// Owners that the response must name. Written by `authorize`.
    pub owners: Box<[ResponseOwner]>,
    /// The parsed payload and where its texts are. Written by `contract`.
    #[cfg(feature = "contract")]
    pub payload: Option<palisade_contract::Payload>,
    /// How long the request has. Written by `deadline`; `guard` and the end of the chain read.
    pub until: Option<Until>,
    /// What happened beside the answer and deserves an event. Any stage may add; `record` reads.
    pub notes: Vec<Note>,
    /// The refusal that ended the request. Written by `rescue`; `record` reads.
    pub denial: Option<Denial>,
    /// How long the backend took to begin its answer. Written by `reveal`.
    pub backend: Option<Duration>,
}

/// The id of a request that `trace` has not seen.
static UNNAMED: LazyLock<RequestId> = LazyLock::new(|| RequestId::new("-"));

impl Facts {
    /// The facts before any stage has run.
    pub(crate) fn new() -> Self {
        Self {
            peer: None,
            listener: 0,
            transport: Transport::Clear,
            malformed: None,
            certificate: None,
            received: Timestamp::default(),
            request_id: UNNAMED.clone(),
            client: None,
            is_client_hidden: false,
            forwarded_host: None,
            host: None,
            path: None,
            route: None,
            operation: None,
            principal: Principal::anonymous(),
            credential: None,
            known: None,
            protection: None,
            owned: false,
            owners: Box::default(),
            #[cfg(feature = "contract")]
            payload: None,
            until: None,
            notes: Vec::new(),
            denial: None,
            backend: None,
        }
    }

    /// The client's address, where it is certain to be the client's.
    pub fn known_client(&self) -> Option<IpAddr> {
        self.client.filter(|_| !self.is_client_hidden)
    }

    /// Adds something that deserves an event of its own.
    pub fn note(&mut self, kind: EventKind, facts: &[(&'static str, &str)]) {
        let mut evidence = Evidence::default();
        for (fact, value) in facts {
            evidence.add(fact, *value);
        }
        self.notes.push(Note { kind, evidence });
    }
}

/// Whether the connection can be listened to.
///
/// ```
/// use palisade::facts::Transport;
///
/// let head = palisade::testing::head("GET /");
/// assert_eq!(head.facts.transport, Transport::Clear);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Plain TCP.
    Clear,
    /// TLS.
    Encrypted,
}

/// What carries a credential.
///
/// ```
/// use palisade::facts::Carrier;
/// use palisade::stage::{Stage, Verdict, present::Present};
///
/// let mut head = palisade::testing::head("GET /\ncookie: theme=dark; __Host-session=a1b2");
/// head.facts.credential = Some(Carrier::Cookie("__Host-session".into()));
/// assert!(matches!(Present::default().check(&mut head), Verdict::Now(Ok(()))));
/// assert_eq!(head.parts.headers["cookie"], "theme=dark");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The cookie of this name, among others.
    Cookie(Box<str>),
    /// This header as a whole.
    Header(http::HeaderName),
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cookie(name) => write!(f, "cookie {name}"),
            Self::Header(name) => f.write_str(name.as_str()),
        }
    }
}

/// What is wrong with bytes in whose place a request stands that says nothing.
///
/// ```
/// use palisade::core::denial::DenialCode;
/// use palisade::facts::Malformed;
/// use palisade::stage::{Stage, Stop, Verdict, firewall::Firewall};
///
/// // What a listener says whose parser has met two lengths.
/// let mut head = palisade::testing::head("GET /");
/// head.facts.malformed = Some(Malformed::Invalid("content_length_repeated"));
/// let Verdict::Now(Err(Stop::Deny(denial))) = Firewall.check(&mut head) else { panic!() };
/// assert_eq!(denial.code(), DenialCode::RequestMalformed);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// They break this rule.
    Invalid(&'static str),
    /// They are too many.
    TooLarge,
    /// They come too slowly.
    TooSlow,
}

/// Something that happened beside the answer.
///
/// ```
/// use palisade::core::event::EventKind;
///
/// let mut head = palisade::testing::head("GET /");
/// head.facts.note(EventKind::ResponseStripped, &[("removed", "/password")]);
/// let palisade::facts::Note { kind, evidence } = head.facts.notes.remove(0);
/// assert_eq!((kind.as_str(), evidence.iter().next()), ("response_stripped", Some(("removed", "/password"))));
/// ```
#[derive(Clone, Debug)]
pub struct Note {
    /// What.
    pub kind: EventKind,
    /// What explains it.
    pub evidence: Evidence,
}

/// The route of a request.
///
/// ```
/// use palisade::{core::id::RouteName, facts::RouteMatch, settings::PerRoute, testing::head};
///
/// let longest = PerRoute::new(1_000, vec![1_000, 50_000]);
/// let mut head = head("POST /uploads");
/// head.facts.route = Some(RouteMatch { index: 1, name: RouteName::new("uploads") });
/// assert_eq!(*longest.of(&head), 50_000);
/// ```
#[derive(Clone, Debug)]
pub struct RouteMatch {
    /// Its place in the configuration, by which [`crate::settings::PerRoute`] finds its settings.
    pub index: usize,
    /// Its name.
    pub name: RouteName,
}

/// The operation of a request, with what names its objects.
///
/// ```
/// use palisade::facts::OperationMatch;
///
/// /// What a stage behind `operation` can ask for.
/// fn name(head: &palisade::stage::Head) -> Option<&str> {
///     let OperationMatch { operation, .. } = head.facts.operation.as_ref()?;
///     Some(operation.id.as_str())
/// }
/// assert_eq!(name(&palisade::testing::head("GET /")), None);
/// ```
#[derive(Debug)]
pub struct OperationMatch {
    /// The operation.
    pub operation: Arc<Operation>,
    /// The decoded parameters of path and query that the rules about owners name.
    pub parameters: TextParameters,
    /// The contract's view of the operation.
    #[cfg(feature = "contract")]
    pub contract: Option<ContractMatch>,
}

/// The contract's view of an operation.
///
/// ```
/// use palisade::facts::ContractMatch;
///
/// /// The value of a path parameter, as the contract's template names it.
/// fn raw<'m>(found: &'m ContractMatch, name: &str) -> Option<&'m str> {
///     found.path.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
/// }
/// # let _ = raw;
/// ```
#[cfg(feature = "contract")]
#[derive(Clone, Debug)]
pub struct ContractMatch {
    /// The compiled operation.
    pub operation: Arc<palisade_contract::ContractOperation>,
    /// The values in the path.
    pub path: palisade_contract::PathValues,
}

/// Decoded parameters by name. A name that occurs twice has no value: a rule about it must refuse.
///
/// ```
/// use palisade::core::policy::Parameters;
/// use palisade::facts::TextParameters;
///
/// let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
/// let parameters = TextParameters::from_pairs([pair("id", "7"), pair("tag", "a"), pair("tag", "b")]);
/// assert_eq!((parameters.text("id"), parameters.text("tag")), (Some("7"), None));
/// ```
#[derive(Debug, Default)]
pub struct TextParameters(SmallVec<[(String, String); 1]>);

impl TextParameters {
    /// Collects pairs of name and value.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl Parameters for TextParameters {
    fn text(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(key, _)| key == name);
        let first = found.next()?;
        found.next().is_none().then_some(first.1.as_str())
    }
}
