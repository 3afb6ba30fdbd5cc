//! Lets out only what the contract declares and the caller may see.
//!
//! 1. A server error of the backend is replaced: its text shows how the backend works.
//! 2. An answer whose status or media type the contract does not declare is withheld. A client error keeps its status
//!    and loses its text; anything else is refused.
//! 3. JSON is checked against the declared schema: undeclared properties are stripped, what still breaks the schema is
//!    withheld. Nothing is rewritten where nothing was stripped.
//! 4. Where the operation says who owns its objects, the answer must name the caller as their owner, or it is withheld
//!    with the status of an object that does not exist. An answer to HEAD shows no owner and is withheld as well: its status
//!    and length would tell which objects exist.
//! 5. The backend is asked for a whole, uncompressed answer; one that is compressed all the same cannot be checked and is
//!    withheld.
//! 6. Answers without a JSON schema, downloads and event streams among them, pass as they come and are never buffered.
//!
//! Caveat: rule 4 protects reading. For writing the owner must be known before the backend acts, by a parameter
//! (`owner.request`).

use std::time::Instant;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_RANGE, RANGE};
use http::response::Parts;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use palisade_contract::{ContractOperation, ResponseRule, Revealed};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::event::EventKind;
use palisade_core::operation::ResponseOwner;
use palisade_core::problem;
use palisade_core::stage::StageId;
use serde_json::Value;

use super::{Head, Next, Outcome, Stage};
use crate::body::Body;
use crate::settings::PerRoute;

/// The stage.
#[derive(Clone, Debug)]
pub struct Reveal {
    settings: PerRoute<RevealSettings>,
    /// The longest answer that is read whole, in bytes; a longer one that would have to be checked is withheld.
    max_body: usize,
}

/// How strictly answers are held to the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RevealSettings {
    /// What breaks the contract is stripped or withheld.
    #[default]
    Enforce,
    /// Only owners and server errors are looked at.
    Off,
    /// What breaks the contract makes an event and passes.
    Report,
}

impl Default for Reveal {
    /// Enforces everywhere, on answers of up to 8 MiB.
    fn default() -> Self {
        Self::new(PerRoute::default())
    }
}

impl Reveal {
    /// The stage with settings by route.
    pub fn new(settings: PerRoute<RevealSettings>) -> Self {
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
        match self.settings.any(|settings| *settings != RevealSettings::Enforce) {
            true => vec!["answers are not held to the contract on a route".to_owned()],
            false => Vec::new(),
        }
    }
}

impl Reveal {
    async fn reveal(&self, head: &mut Head, mut parts: Parts, body: Body) -> Outcome {
        let mode = *self.settings.of(head);
        if parts.status.is_server_error() {
            return Err(server_error(&parts, body).await.into());
        }
        let contract = head.facts.operation.as_ref().and_then(|found| found.contract.clone());
        let Some(operation) = contract.map(|found| found.operation) else {
            return Ok(Response::from_parts(parts, body));
        };
        let owners = if parts.status.is_success() { head.facts.owners.clone() } else { Box::default() };
        let headless = head.parts.method == http::Method::HEAD || parts.status == StatusCode::NOT_MODIFIED;
        let rule = operation.response_rule(parts.status, parts.headers.get(CONTENT_TYPE));
        let undeclared = match rule {
            _ if parts.status == StatusCode::NOT_MODIFIED => false,
            ResponseRule::UndeclaredStatus | ResponseRule::UndeclaredMedia => true,
            ResponseRule::Check | ResponseRule::Empty | ResponseRule::Stream => false,
        };
        if undeclared {
            let status = parts.status.as_str().to_owned();
            let media = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned();
            let facts = [("reason", "undeclared_response"), ("status", &*status), ("media_type", &*media)];
            match mode {
                RevealSettings::Enforce if parts.status.is_client_error() => {
                    head.facts.note(EventKind::ResponseWithheld, &facts);
                    return Ok(problem::withheld(parts.status, &head.facts.request_id).map(Body::from));
                }
                RevealSettings::Enforce => {
                    let denial = Denial::new(DenialCode::ResponseUndeclared, StageId::Reveal);
                    return Err(denial.because("status", status).because("media_type", media).into());
                }
                RevealSettings::Report => head.facts.note(EventKind::ResponseWithheld, &facts),
                RevealSettings::Off => {}
            }
        }
        if rule == ResponseRule::Empty && mode == RevealSettings::Enforce && parts.status.is_client_error() {
            let facts = [("reason", "undescribed_error"), ("status", parts.status.as_str())];
            head.facts.note(EventKind::ResponseWithheld, &facts);
            return Ok(problem::withheld(parts.status, &head.facts.request_id).map(Body::from));
        }
        let checked = rule == ResponseRule::Check && mode != RevealSettings::Off;
        if owners.is_empty() && (headless || !checked) {
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
        let bytes = self.read(body).await?;
        let (bytes, value) = if checked {
            shape(&operation, &mut parts, bytes, head, mode)?
        } else {
            let value = serde_json::from_slice(&bytes).ok();
            (bytes, value)
        };
        if !owners.is_empty() {
            require_owner(&owners, value.as_ref(), &bytes, head)?;
        }
        Ok(Response::from_parts(parts, Body::from(bytes)))
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

/// Holds JSON to its schema.
fn shape(
    operation: &ContractOperation,
    parts: &mut Parts,
    bytes: Bytes,
    head: &mut Head,
    mode: RevealSettings,
) -> Result<(Bytes, Option<Value>), Denial> {
    let invalid = |errors: Vec<String>| {
        let denial = Denial::new(DenialCode::ResponseInvalid, StageId::Reveal);
        errors.into_iter().take(5).fold(denial, |denial, error| denial.because("violation", error))
    };
    let revealed = operation.reveal(parts.status, parts.headers.get(CONTENT_TYPE), &bytes);
    let errors: Vec<String> = match revealed {
        Revealed::Pass(value) => return Ok((bytes, value)),
        Revealed::Stripped { body, value, removed } => {
            head.facts.note(EventKind::ResponseStripped, &[("removed", &removed.join(" "))]);
            if mode == RevealSettings::Report {
                let whole = serde_json::from_slice(&bytes).ok();
                return Ok((bytes, whole));
            }
            parts.headers.remove(CONTENT_LENGTH);
            parts.headers.remove(ETAG);
            return Ok((Bytes::from(body), Some(value)));
        }
        Revealed::Malformed(violation) => vec![violation.message],
        Revealed::Violates(list) => list.iter().map(|v| format!("{}: {}", v.pointer, v.message)).collect(),
    };
    if mode == RevealSettings::Enforce {
        return Err(invalid(errors));
    }
    head.facts.note(EventKind::ResponseWithheld, &[("reason", "reported_only"), ("violations", &errors.join("; "))]);
    let value = serde_json::from_slice(&bytes).ok();
    Ok((bytes, value))
}

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
