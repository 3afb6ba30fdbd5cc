//! Resolves `[route.NAME.payload]`.

use palisade_core::diagnostic::Diagnostic;

use super::super::raw::RawPayload;
use super::super::scalar;
use super::super::settings::{Forwarding, Payload};
use super::context::{At, Context};

pub(crate) fn payload(cx: &mut Context<'_>, at: &At, raw: &RawPayload) -> Option<Payload> {
    if raw.forward == Forwarding::PreserveBytes {
        let message = "the backend reads these bytes with a parser of its own, which may understand them otherwise";
        let help = "keep it to routes whose backend verifies a signature over the body";
        cx.report(&at.key("forward"), Diagnostic::warning("danger", message).help(help));
    }
    let max_string = cx.value(&at.key("max_string"), &raw.max_string, scalar::size);
    let max_part = match &raw.max_part {
        None => Some(None),
        Some(text) => cx.value(&at.key("max_part"), text, scalar::size).map(Some),
    };
    Some(Payload {
        forward: raw.forward,
        max_depth: raw.max_depth,
        max_values: raw.max_values,
        max_keys: raw.max_keys,
        max_items: raw.max_items,
        max_string: max_string?,
        max_parts: raw.max_parts,
        max_part: max_part?,
    })
}
