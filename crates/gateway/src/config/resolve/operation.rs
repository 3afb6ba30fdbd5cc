//! Resolves how strictly a route's messages are held to the contract, for all operations and for single ones.

use palisade_core::diagnostic::Diagnostic;
use palisade_core::id::OperationId;
use palisade_core::operation::Pointer;

use super::super::raw::{RawOperation, RawRoute};
use super::super::scalar::Fault;
use super::super::settings::{Responses, State, Strictness};
use super::context::{At, Context};

/// What holds for the route, and what for its single operations.
pub(crate) fn strictness(
    cx: &mut Context<'_>,
    at: &At,
    name: &str,
    raw: &RawRoute,
) -> Option<(Strictness, Vec<(OperationId, Strictness)>)> {
    let (requests, responses) = (raw.requests, raw.responses);
    let base =
        Strictness { requests, responses, undeclared: raw.undeclared, leaks: raw.leaks, danger_show: Vec::new() };
    let all = RawOperation {
        requests: Some(requests),
        responses: Some(responses),
        leaks: Some(raw.leaks),
        ..RawOperation::default()
    };
    warn(cx, at, &format!("`route.{name}`"), &all);
    let mut operations = Vec::new();
    for (id, raw) in &raw.operation {
        let at = at.key("operation").key(id);
        warn(cx, &at, &format!("`{id}`"), raw);
        let danger_show = cx.list(&at.key("danger_show"), &raw.danger_show, pointer);
        let own = danger_show.map(|danger_show| Strictness {
            requests: raw.requests.unwrap_or(base.requests),
            responses: raw.responses.unwrap_or(base.responses),
            undeclared: raw.undeclared.unwrap_or(base.undeclared),
            leaks: raw.leaks.unwrap_or(base.leaks),
            danger_show,
        });
        operations.push(own.map(|own| (OperationId::new(id.as_str()), own)));
    }
    Some((base, operations.into_iter().collect::<Option<_>>()?))
}

/// Says what is weaker than the default.
fn warn(cx: &mut Context<'_>, at: &At, who: &str, raw: &RawOperation) {
    let mut told = |key: &str, message: String, help: &str| {
        cx.report(&at.key(key), Diagnostic::warning("danger", message).help(help));
    };
    if raw.requests.is_some_and(|state| state != State::Enforce) {
        let message = format!("the requests of {who} are not held to the contract");
        told("requests", message, "write `enforce` when the events show that nothing honest would be refused");
    }
    if raw.responses.is_some_and(|state| state != Responses::Enforce) {
        let message = format!("the answers of {who} are not held to the contract");
        told("responses", message, "write `enforce` when the events show that nothing honest would be withheld");
    }
    if raw.leaks.is_some_and(|state| state != State::Enforce) {
        let message = format!("the answers of {who} may show stack traces and secrets");
        told(
            "leaks",
            message,
            "write `enforce`, and list under an operation's `danger_show` what is meant to be shown",
        );
    }
    if !raw.danger_show.is_empty() {
        let message = format!("parts of the answers of {who} may show stack traces and secrets");
        told("danger_show", message, "list only what is there to be shown");
    }
}

fn pointer(text: &str) -> Result<Pointer, Fault> {
    let message = || format!("`{text}` is not a JSON pointer");
    let help = "write `/key`, or `/items/*/log` for every element of a list";
    Pointer::parse(text).filter(|_| !text.is_empty()).ok_or_else(|| Fault::new("bad-pointer", message(), help))
}
