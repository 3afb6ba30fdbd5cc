//! Lets out only what the contract declares and the caller may see.
//!
//! 1. A server error of the backend is replaced: its text shows how the backend works.
//! 2. An answer whose status or media type the contract does not declare is withheld. A client error keeps its status
//!    and loses its text; anything else is refused.
//! 3. JSON is checked against the declared schema: undeclared properties are stripped, or the answer is refused for them;
//!    what still breaks the schema is withheld. Nothing is rewritten where nothing was stripped.
//! 4. Where the operation says who owns its objects, the answer must name the caller as their owner, or it is withheld
//!    with the status of an object that does not exist. An answer to HEAD shows no owner and is withheld as well: its status
//!    and length would tell which objects exist. For the same reason the backend's own 404 is replaced there: what does
//!    not exist and what belongs to somebody else have one answer.
//! 5. Stack traces, errors of databases and secrets are withheld wherever they are in JSON, plain text or HTML
//!    ([`leak`]), client errors and declared texts included.
//! 6. The backend is asked for a whole, uncompressed answer; one that is compressed all the same cannot be checked and is
//!    withheld.
//! 7. Other answers, downloads and event streams among them, pass as they come and are never buffered. Of plain text,
//!    HTML and JSON without a schema the first MiB is read before it leaves.
//!
//! Caveat: rule 4 protects reading. For writing the owner must be known before the backend acts, by a parameter
//! (`owner.request`).

pub mod leak;

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_RANGE, RANGE};
use http::response::Parts;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use palisade_contract::drift;
use palisade_contract::{ContractOperation, ResponseRule, Revealed, Said, read_answer};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::event::EventKind;
use palisade_core::operation::{Pointer, ResponseOwner};
use palisade_core::problem;
use palisade_core::stage::StageId;
use serde_json::Value;

use super::{Head, Next, Outcome, Stage};
use crate::body::Body;
use crate::facts::Note;
use crate::settings::{PerOperation, PerRoute, State};
use crate::would_deny::WouldDeny;

/// The stage.
///
/// ```
/// use palisade::settings::{PerOperation, PerRoute, State};
/// use palisade::stage::reveal::{Reveal, RevealSettings, Undeclared};
///
/// // What the contract does not declare is refused, so that the next release of the backend is looked at.
/// let strict = RevealSettings { undeclared: Undeclared::Refuse, ..RevealSettings::default() };
/// assert_eq!((strict.state, strict.leaks), (State::Enforce, State::Enforce));
/// palisade::testing::assert_stage(&Reveal::new(PerRoute::same(PerOperation::same(strict))));
/// ```
#[derive(Clone, Debug)]
pub struct Reveal {
    settings: PerRoute<PerOperation<RevealSettings>>,
    /// The longest answer that is read whole, in bytes; a longer one that would have to be checked is withheld.
    max_body: usize,
}

/// How strictly answers are held to the contract.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RevealSettings {
    /// Whether what departs from the contract is refused. Owners and server errors are looked at in every state.
    pub state: State,
    /// What becomes of properties that the contract does not declare.
    pub undeclared: Undeclared,
    /// Whether stack traces, errors of databases and secrets are withheld.
    pub leaks: State,
    /// Places that may hold anything, because it is what they are for.
    pub danger_show: Vec<Pointer>,
}

/// What becomes of properties that the contract does not declare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Undeclared {
    /// The answer is refused.
    Refuse,
    /// They are taken out.
    #[default]
    Strip,
}

impl Default for Reveal {
    /// Enforces everywhere, on answers of up to 8 MiB.
    fn default() -> Self {
        Self::new(PerRoute::default())
    }
}

impl Reveal {
    /// The stage with settings by route and operation.
    pub fn new(settings: PerRoute<PerOperation<RevealSettings>>) -> Self {
        leak::prepare();
        Self { settings, max_body: 8 << 20 }
    }
}

impl Stage for Reveal {
    fn id(&self) -> StageId {
        StageId::Reveal
    }

    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            ask_for_readable(head);
            let asked = Instant::now();
            let response = next.run(head, body).await?;
            head.facts.backend = Some(asked.elapsed());
            let (parts, body) = response.into_parts();
            self.reveal(head, parts, body).await
        })
    }

    fn dangers(&self) -> Vec<String> {
        let any = |weak: fn(&RevealSettings) -> bool| self.settings.any(|settings| settings.any(weak));
        let mut dangers = Vec::new();
        if any(|settings| settings.state != State::Enforce) {
            dangers.push("answers of an operation are not held to the contract".to_owned());
        }
        if any(|settings| settings.leaks != State::Enforce) {
            dangers.push("answers of an operation may show stack traces and secrets".to_owned());
        }
        if any(|settings| !settings.danger_show.is_empty()) {
            dangers.push("a part of an answer may show stack traces and secrets".to_owned());
        }
        dangers
    }
}

impl Reveal {
    async fn reveal(&self, head: &mut Head, mut parts: Parts, body: Body) -> Outcome {
        let settings = self.settings.of(head).of(head);
        if parts.status.is_server_error() {
            return Err(server_error(&parts, body).await.into());
        }
        let contract = head.facts.operation.as_ref().and_then(|found| found.contract.clone());
        let Some(operation) = contract.map(|found| found.operation) else {
            return Ok(Response::from_parts(parts, body));
        };
        if parts.status == StatusCode::NOT_FOUND && head.facts.owned {
            return Err(Denial::new(DenialCode::ObjectUnknown, StageId::Reveal).into());
        }
        let owners = if parts.status.is_success() { head.facts.owners.clone() } else { Box::default() };
        let headless = head.parts.method == http::Method::HEAD || parts.status == StatusCode::NOT_MODIFIED;
        let (rule, mut body) = (operation.response_rule(parts.status, parts.headers.get(CONTENT_TYPE)), body);
        if let Some(departure) = departure(rule, &parts).filter(|_| settings.state != State::Off) {
            if settings.state == State::Enforce {
                return withhold(departure, &parts, head);
            }
            let mut bytes = Bytes::new();
            if media(&parts).is_json && !headless {
                bytes = self.read(body).await?;
                body = Body::from(bytes.clone());
            }
            let broken = if rule == ResponseRule::UndeclaredStatus { "status" } else { "media" };
            let seen = drift::of_undeclared_answer(parts.status, parts.headers.get(CONTENT_TYPE), &bytes, broken);
            WouldDeny::new(departure, seen).tell(head);
        }
        let checked = rule == ResponseRule::Check && settings.state != State::Off;
        let searched = settings.leaks != State::Off && (checked || media(&parts).is_text);
        if headless && owners.is_empty() || !checked && !searched && owners.is_empty() {
            return Ok(Response::from_parts(parts, body));
        }
        if headless {
            let denial = Denial::new(DenialCode::ResponseForeign, StageId::Reveal);
            return Err(denial.because("reason", "head_shows_no_owner").into());
        }
        if let Some(coding) = parts.headers.get(CONTENT_ENCODING).filter(|coding| coding.as_bytes() != b"identity") {
            let denial =
                Denial::new(DenialCode::ResponseInvalid, StageId::Reveal).because("reason", "content_encoding");
            return Err(denial.because("coding", coding.to_str().unwrap_or("-")).into());
        }
        let whole = checked || !owners.is_empty();
        let (bytes, rest) = if whole { (self.read(body).await?, None) } else { beginning(body).await? };
        let is_json = checked || rest.is_none() && (whole || media(&parts).is_json);
        let (bytes, said) = match checked {
            true => shape(&operation, &mut parts, bytes, head, settings)?,
            false => (bytes, Said::Unread),
        };
        let is_asked = !owners.is_empty() || searched && leak::may_be_in(&bytes, &said);
        let value = match said {
            Said::Value(value) => Some(value),
            // What two programs would read differently has no value: it shows no owner, and is searched as a text.
            Said::Checked(_) | Said::Unread => (is_json && is_asked).then(|| read_answer(&bytes)).flatten(),
        };
        if !owners.is_empty() {
            require_owner(&owners, value.as_ref(), &bytes, head)?;
        }
        if searched && is_asked {
            let found = match &value {
                Some(value) => leak::of_json(&bytes, value, &settings.danger_show),
                None => leak::of_bytes(&bytes),
            };
            if let Some(found) = found {
                let denial =
                    Denial::new(DenialCode::ResponseLeaks, StageId::Reveal).because("leak", found.kind.as_str());
                let denial = denial.because("pointer", found.pointer);
                if settings.leaks == State::Enforce {
                    return withhold(denial, &parts, head);
                }
                WouldDeny::new(denial, Vec::new()).tell(head);
            }
        }
        let body = match rest {
            None => Body::from(bytes),
            Some(rest) => {
                let first = futures_util::stream::once(std::future::ready(Ok(bytes)));
                Body::from_stream(first.chain(rest.into_data_stream()))
            }
        };
        Ok(Response::from_parts(parts, body))
    }

    async fn read(&self, body: Body) -> Result<Bytes, Denial> {
        let limited = http_body_util::Limited::new(body, self.max_body);
        let collected = limited.collect().await.map_err(|error| {
            Denial::new(DenialCode::ResponseInvalid, StageId::Reveal).because("error", error.to_string())
        })?;
        Ok(collected.to_bytes())
    }
}

/// Asks the backend for an answer that can be read: whole and not compressed. What was compressed for the caller could
/// not be checked without being inflated, which is a risk of its own (CWE-409).
fn ask_for_readable(head: &mut Head) {
    let Some(found) = head.facts.operation.as_ref().and_then(|found| found.contract.as_ref()) else { return };
    head.parts.headers.remove(ACCEPT_ENCODING);
    if found.operation.has_json_answer() || !head.facts.owners.is_empty() {
        head.parts.headers.remove(RANGE);
        head.parts.headers.remove(IF_RANGE);
    }
}

/// The refusal in place of a server error, with the beginning of its text as evidence.
async fn server_error(parts: &Parts, body: Body) -> Denial {
    let denial = Denial::new(DenialCode::UpstreamFailed, StageId::Reveal).because("status", parts.status.as_str());
    let text = http_body_util::Limited::new(body, 64 << 10).collect().await.map(|collected| collected.to_bytes());
    denial.because("text", String::from_utf8_lossy(&text.unwrap_or_default()).into_owned())
}

/// The refusal of an answer that is declared in no way: by its status, its type, or as an error that has a text.
fn departure(rule: ResponseRule, parts: &Parts) -> Option<Denial> {
    let is_bare = parts.status == StatusCode::NOT_MODIFIED;
    let reason = match rule {
        ResponseRule::UndeclaredStatus | ResponseRule::UndeclaredMedia if !is_bare => "undeclared_response",
        ResponseRule::Empty if parts.status.is_client_error() => "undescribed_error",
        _ => return None,
    };
    let media = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("-");
    let denial = Denial::new(DenialCode::ResponseUndeclared, StageId::Reveal).because("reason", reason);
    Some(denial.because("status", parts.status.as_str()).because("media_type", media))
}

/// A client error keeps its status and loses its text; in place of anything else there is a refusal.
fn withhold(denial: Denial, parts: &Parts, head: &mut Head) -> Outcome {
    if !parts.status.is_client_error() {
        return Err(denial.into());
    }
    let evidence = denial.evidence().clone();
    head.facts.notes.push(Note { kind: EventKind::ResponseWithheld, evidence });
    Ok(problem::withheld(parts.status, &head.facts.request_id).map(Body::from))
}

/// How the body of an answer can be read.
struct Media {
    /// It is JSON.
    is_json: bool,
    /// It is JSON, HTML or plain text, and not an endless stream.
    is_text: bool,
}

fn media(parts: &Parts) -> Media {
    let text = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || essence.ends_with("+json");
    let is_page = matches!(essence.as_str(), "text/html" | "text/plain" | "application/xhtml+xml");
    Media { is_json, is_text: is_json || is_page }
}

/// The first MiB of a text, and what is behind it.
async fn beginning(body: Body) -> Result<(Bytes, Option<Body>), Denial> {
    let mut stream = body.into_data_stream();
    let mut read = BytesMut::new();
    while read.len() < BEGINNING {
        match stream.next().await {
            None => return Ok((read.freeze(), None)),
            Some(chunk) => read.extend_from_slice(&chunk.map_err(|error| broken(&error))?),
        }
    }
    Ok((read.freeze(), Some(Body::from_stream(stream))))
}

fn broken(error: &dyn std::error::Error) -> Denial {
    Denial::new(DenialCode::ResponseInvalid, StageId::Reveal).because("error", error.to_string())
}

/// Holds JSON to its schema.
fn shape(
    operation: &ContractOperation,
    parts: &mut Parts,
    bytes: Bytes,
    head: &mut Head,
    settings: &RevealSettings,
) -> Result<(Bytes, Said), Denial> {
    let content_type = parts.headers.get(CONTENT_TYPE);
    let (errors, removed, violations) = match operation.reveal(parts.status, content_type, &bytes) {
        Revealed::Pass(said) => return Ok((bytes, said)),
        Revealed::Stripped { body, value, removed } => {
            if (settings.state, settings.undeclared) == (State::Enforce, Undeclared::Strip) {
                head.facts.note(EventKind::ResponseStripped, &[("removed", &removed.join(" "))]);
                parts.headers.remove(CONTENT_LENGTH);
                parts.headers.remove(ETAG);
                return Ok((Bytes::from(body), Said::Value(value)));
            }
            (Vec::new(), removed, Vec::new())
        }
        Revealed::Malformed(violation) => (vec![violation.message.clone()], Vec::new(), vec![violation]),
        Revealed::Violates { violations, removed } => {
            let errors = violations.iter().map(|v| format!("{}: {}", v.pointer, v.message)).collect();
            (errors, removed, violations)
        }
    };
    let undeclared = removed.iter().map(|pointer| format!("/body{pointer}: is not declared"));
    let denial = Denial::new(DenialCode::ResponseInvalid, StageId::Reveal);
    let denial = errors.into_iter().chain(undeclared).take(5).fold(denial, |denial, e| denial.because("violation", e));
    if settings.state == State::Enforce {
        return Err(denial);
    }
    let seen = drift::of_answer(parts.status, content_type, &bytes, &removed, &violations);
    WouldDeny::new(denial, seen).tell(head);
    Ok((bytes, Said::Unread))
}

/// How much of a plain text or a page is read before it leaves.
const BEGINNING: usize = 1 << 20;

/// That the answer names the caller as the owner of all it shows. An answer in which no owner can be found is another's.
fn require_owner(owners: &[ResponseOwner], value: Option<&Value>, bytes: &Bytes, head: &Head) -> Result<(), Denial> {
    if bytes.is_empty() {
        return Ok(());
    }
    let own = |rule: &ResponseOwner| {
        let claimed = head.facts.principal.claim(&rule.claim)?;
        let named = rule.pointer.resolve(value?)?;
        named.iter().all(|owner| text(owner).is_some_and(|owner| claimed.contains(&owner))).then_some(())
    };
    match owners.iter().find(|rule| own(rule).is_none()) {
        None => Ok(()),
        Some(rule) => Err(Denial::new(DenialCode::ResponseForeign, StageId::Reveal)
            .because("pointer", rule.pointer.to_string())
            .because("claim", &*rule.claim)),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Array(_) | Value::Bool(_) | Value::Null | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests;
