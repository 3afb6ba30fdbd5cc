//! Lets through only what the contract declares: parameters, media type and payload; and in one writing.
//!
//! 1. Every declared parameter is checked against its schema; one that is missing, repeated or undeclared is refused.
//! 2. A body is read whole if its type is one that can be checked, and checked against its schema. Properties that the
//!    contract does not declare are refused, which ends mass assignment.
//! 3. URL-valued properties may not point into private networks, nor outside their declared destinations.
//! 4. All violations are told at once, each with its place, never with its value.
//! 5. The backend gets what was understood: query, JSON and forms are written anew from what was read, so that no other
//!    reader can understand them otherwise. What came in that writing is not copied.
//! 6. The answer of a deprecated operation says so (RFC 9745) and until when it is served (RFC 8594). Who still calls it
//!    is noted, once an hour for each caller.
//! 7. By route and operation the stage may only report, or be off ([`State`]). Reported, a request passes as it came and
//!    an event says what would have refused it; off, it is not read at all. The limits of size hold in every state.

mod deprecated;

use std::sync::Arc;

use bytes::Bytes;
use deprecated::Deprecated;
use futures_util::future::BoxFuture;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderValue, Uri};
use http_body::Body as _;
use http_body_util::BodyExt as _;
pub use palisade_contract::Caps;
use palisade_contract::drift;
use palisade_contract::{BodyRule, Canonical, ContractOperation, Handling, Payload, Violation, ViolationCode};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;

use super::{Head, Next, Outcome, Stage};
use crate::body::{self, Body, LongestWhole};
use crate::settings::{PerOperation, PerRoute, State};
use crate::violations;
use crate::would_deny::WouldDeny;

/// The stage. Its rules come from the contract.
///
/// ```
/// use palisade::settings::PerRoute;
/// use palisade::stage::Stage;
/// use palisade::stage::contract::{Contract, ContractSettings, Writing};
///
/// // For a backend that verifies a signature over the bytes of bodies.
/// let settings = ContractSettings { forward: Writing::PreserveBytes, ..ContractSettings::default() };
/// let stage = Contract::new(PerRoute::same(settings));
/// assert_eq!(stage.dangers().len(), 1);
/// ```
#[derive(Debug, Default)]
pub struct Contract {
    settings: PerRoute<ContractSettings>,
    deprecated: Deprecated,
}

/// How payloads are read, and in which writing they go on.
#[derive(Clone, Debug, Default)]
pub struct ContractSettings {
    /// How deep, large and many the values of a payload may be.
    pub caps: Caps,
    /// What the backend gets.
    pub forward: Writing,
    /// How strictly operations are held to the contract.
    pub states: PerOperation<State>,
}

/// What the backend gets of a query and a body that are valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Writing {
    /// Their one canonical writing.
    #[default]
    Canonical,
    /// The bytes as they came, for a backend that verifies a signature over them. Escapes, white space and the borders of
    /// multipart are then the backend's to read as we did.
    PreserveBytes,
}

impl Contract {
    /// The stage with settings by route.
    pub fn new(settings: PerRoute<ContractSettings>) -> Self {
        Self { settings, deprecated: Deprecated::default() }
    }

    async fn check(&self, head: &mut Head, body: Body) -> Result<Body, Denial> {
        let Some(found) = head.facts.operation.as_ref().and_then(|found| found.contract.as_ref()) else {
            return Ok(body);
        };
        let operation = Arc::clone(&found.operation);
        self.deprecated.announce(&operation, head);
        let settings = self.settings.of(head);
        let state = *settings.states.of(head);
        let Some(found) = head.facts.operation.as_ref().and_then(|found| found.contract.as_ref()) else {
            return Ok(body);
        };
        if state == State::Off {
            return Ok(body);
        }
        let (caps, parts) = (&settings.caps, &head.parts);
        let parameters = operation.check_parameters_within(caps, &found.path, parts.uri.query(), &parts.headers);
        let (query, in_head) = match parameters {
            Ok(parameters) => (parameters.canonical_query().map(str::to_owned), Vec::new()),
            Err(violations) => (None, violations),
        };
        let incoming = read(&operation, caps, state, head, body).await?;
        if !in_head.is_empty() || matches!(incoming, Incoming::Wrong(..)) {
            return judge(state, head, &in_head, incoming);
        }
        if let Some(query) = query.filter(|_| settings.forward == Writing::Canonical) {
            rewrite(head, &query)?;
        }
        Ok(match incoming {
            Incoming::Read(bytes, mut payload) => {
                let canonical = payload.canonical.take().filter(|_| settings.forward == Writing::Canonical);
                head.facts.payload = Some(payload);
                Body::from(canonical.map_or(bytes, |canonical| replace(head, canonical)))
            }
            other => other.unchanged(head),
        })
    }
}

impl Stage for Contract {
    fn id(&self) -> StageId {
        StageId::Contract
    }

    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let body = self.check(head, body).await?;
            next.run(head, body).await
        })
    }

    fn dangers(&self) -> Vec<String> {
        let loose = |settings: &ContractSettings| settings.states.any(|state| *state != State::Enforce);
        let preserved = |settings: &ContractSettings| settings.forward == Writing::PreserveBytes;
        let sentences = [
            (self.settings.any(loose), "requests of an operation are not held to the contract"),
            (self.settings.any(preserved), "bodies reach the backend as their sender wrote them on a route"),
        ];
        sentences.into_iter().filter(|(holds, _)| *holds).map(|(_, sentence)| sentence.to_owned()).collect()
    }
}

/// A body behind its check.
enum Incoming {
    Read(Bytes, Payload),
    Stream(Body),
    /// What came of it and what is wrong with it. Where that refuses the request, the rest was not waited for.
    Wrong(Bytes, Vec<Violation>),
}

impl Incoming {
    fn unchanged(self, head: &mut Head) -> Body {
        match self {
            Self::Read(bytes, payload) => {
                head.facts.payload = Some(payload);
                Body::from(bytes)
            }
            Self::Stream(body) => body,
            Self::Wrong(bytes, _) => Body::from(bytes),
        }
    }
}

/// Reads and checks a body as its type asks for. The error is one of the connection.
async fn read(
    operation: &ContractOperation,
    caps: &Caps,
    state: State,
    head: &Head,
    mut body: Body,
) -> Result<Incoming, Denial> {
    let mut types = head.parts.headers.get_all(CONTENT_TYPE).iter();
    // Two types are none: whoever reads behind us may take the other one.
    let content_type = types.next().filter(|_| types.next().is_none());
    let announced = has_body(head, &body);
    let handling = match operation.request_body() {
        BodyRule::None if !announced => return Ok(Incoming::Stream(body)),
        BodyRule::None => {
            let violation = Violation::new("/body", ViolationCode::Undeclared, "is not declared");
            return nothing(head, body, state, violation).await;
        }
        BodyRule::Optional(_) | BodyRule::Required(_) if !announced => Handling::Buffer,
        BodyRule::Optional(_) | BodyRule::Required(_) => match operation.body_handling(content_type) {
            Ok(handling) => handling,
            // A body that turns out to be empty has no type.
            Err(violation) => match nothing(head, body, state, violation).await? {
                Incoming::Stream(empty) => {
                    body = empty;
                    Handling::Buffer
                }
                wrong => return Ok(wrong),
            },
        },
    };
    if handling == Handling::Stream {
        return Ok(Incoming::Stream(body));
    }
    let bytes = whole(head, body).await?;
    Ok(match operation.check_body_within(caps, content_type, &bytes) {
        Ok(payload) => Incoming::Read(bytes, payload),
        Err(violations) => Incoming::Wrong(bytes, violations),
    })
}

/// All of a body. One without an end is not held beyond its bound.
async fn whole(head: &Head, body: Body) -> Result<Bytes, Denial> {
    let body = match head.parts.extensions.get::<LongestWhole>() {
        Some(LongestWhole(most)) => body::limited(body, *most).0,
        None => body,
    };
    body::read(body, StageId::Contract).await
}

/// An empty body, or the violation that there is one: read no further than its first byte, unless it is to go on.
async fn nothing(head: &Head, mut body: Body, state: State, violation: Violation) -> Result<Incoming, Denial> {
    if state == State::Report {
        let bytes = whole(head, body).await?;
        return Ok(match bytes.is_empty() {
            true => Incoming::Stream(Body::empty()),
            false => Incoming::Wrong(bytes, vec![violation]),
        });
    }
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| body::fault_denial(&error, StageId::Contract))?;
        if frame.data_ref().is_some_and(|data| !data.is_empty()) {
            return Ok(Incoming::Wrong(Bytes::new(), vec![violation]));
        }
    }
    Ok(Incoming::Stream(Body::empty()))
}

/// A refusal under `enforce`; else the request as it came, and a word of what would have refused it.
fn judge(state: State, head: &mut Head, in_head: &[Violation], incoming: Incoming) -> Result<Body, Denial> {
    let in_body = if let Incoming::Wrong(_, violations) = &incoming { violations.as_slice() } else { &[] };
    let denial = violations::of_request(&[in_head, in_body].concat(), in_head.len(), StageId::Contract);
    if state == State::Enforce {
        return Err(denial);
    }
    let mut seen = drift::of_query(head.parts.uri.query().unwrap_or_default(), in_head);
    if let Incoming::Wrong(bytes, violations) = &incoming {
        seen.extend(drift::of_body(head.parts.headers.get(CONTENT_TYPE), bytes, violations));
    }
    WouldDeny::new(denial, seen).tell(head);
    Ok(incoming.unchanged(head))
}

/// Puts a body in place of what came.
fn replace(head: &mut Head, canonical: Canonical) -> Bytes {
    if let Some(content_type) = canonical.content_type {
        head.parts.headers.insert(CONTENT_TYPE, content_type);
    }
    if head.parts.headers.contains_key(CONTENT_LENGTH) {
        head.parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(canonical.bytes.len()));
    }
    canonical.bytes.into()
}

/// Puts a query in place of what came.
fn rewrite(head: &mut Head, query: &str) -> Result<(), Denial> {
    let path = head.parts.uri.path();
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    let uri = target.parse::<Uri>();
    head.parts.uri = uri.map_err(|error| {
        Denial::new(DenialCode::ParameterInvalid, StageId::Contract).because("error", error.to_string())
    })?;
    Ok(())
}

fn has_body(head: &Head, body: &Body) -> bool {
    let declared = head.text(CONTENT_LENGTH).is_some_and(|length| length != "0");
    declared || head.parts.headers.contains_key(TRANSFER_ENCODING) || !body.is_end_stream()
}

#[cfg(test)]
mod tests;
