//! Gives every request an id of ours and keeps a trace context only if it is well-formed.
//!
//! 1. The id is a UUID of version 7 (RFC 9562): it sorts by time and cannot be guessed. What the caller sends as
//!    `X-Request-Id` is replaced, because an id that outsiders choose can be made to collide.
//! 2. `traceparent` passes in its exact form (W3C Trace Context) and is removed otherwise, with `tracestate`.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::HeaderName;
use palisade_core::id::RequestId;
use palisade_core::port::{Clock, Entropy};
use palisade_core::stage::StageId;
use palisade_core::time::Timestamp;

use super::{Head, Next, Outcome, Stage};
use crate::body::Body;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static OURS: [HeaderName; 3] = [TRACEPARENT, TRACESTATE, X_REQUEST_ID];

/// The stage.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use palisade::stage::trace::Trace;
/// use palisade::testing::{SeededEntropy, StillClock, answer, head};
///
/// let stage = Trace::new(Arc::new(StillClock::default()), Arc::new(SeededEntropy::new(1)));
/// let mut chosen = head("GET /\nx-request-id: of-the-caller");
/// assert!(answer(&stage, &mut chosen, "").await.is_ok());
/// assert_eq!(chosen.facts.request_id.as_str().len(), 36);
/// # });
/// ```
#[derive(Clone)]
pub struct Trace {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Trace {
    /// Takes time and randomness from these.
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { clock, entropy }
    }

    /// A UUID of version 7: 48 bits of milliseconds, then randomness, with the version and variant in their places.
    fn id(&self, now: Timestamp) -> RequestId {
        let mut random = [0; 16];
        self.entropy.fill(&mut random);
        let random = u128::from_be_bytes(random) & ((1 << 80) - 1);
        let millis = u128::from(now.as_millis()) & ((1 << 48) - 1);
        let uuid = (millis << 80 | random) & !(0xF << 76) & !(0x3 << 62) | 0x7 << 76 | 0x2 << 62;
        RequestId::new(str::from_utf8(&written(uuid)).unwrap_or_default())
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trace")
    }
}

impl Stage for Trace {
    fn id(&self) -> StageId {
        StageId::Trace
    }

    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        head.facts.received = self.clock.now();
        head.facts.request_id = self.id(head.facts.received);
        // Most requests have none of the three, and then one look is enough.
        if head.parts.headers.keys().any(|name| OURS.contains(name)) {
            head.parts.headers.remove(X_REQUEST_ID);
            if !head.text(TRACEPARENT).is_some_and(is_traceparent) {
                head.parts.headers.remove(TRACEPARENT);
                head.parts.headers.remove(TRACESTATE);
            }
        }
        next.run(head, body)
    }
}

/// A UUID in the form of RFC 9562 section 4.
fn written(uuid: u128) -> [u8; 36] {
    let mut text = [b'-'; 36];
    for (byte, at) in uuid.to_be_bytes().into_iter().zip(PLACES) {
        if let Some([high, low]) = text.get_mut(at..at + 2) {
            (*high, *low) = (digit(byte >> 4), digit(byte & 0xF));
        }
    }
    text
}

fn digit(half: u8) -> u8 {
    if half < 10 { b'0' + half } else { b'a' + half - 10 }
}

/// Where the two digits of each byte stand.
const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// `00-<32 hex>-<16 hex>-<2 hex>` in lower case, neither id all zero.
fn is_traceparent(text: &str) -> bool {
    let fields: Vec<&str> = text.split('-').collect();
    let hex = |field: &str, length: usize| {
        field.len() == length && field.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let named = |field: &str| field.bytes().any(|b| b != b'0');
    match fields.as_slice() {
        ["00", trace, parent, flags] => {
            hex(trace, 32) && hex(parent, 16) && hex(flags, 2) && named(trace) && named(parent)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FixedClock, FixedEntropy, answer, assert_stage, head};

    fn stage() -> Trace {
        Trace::new(Arc::new(FixedClock(1_795_305_600_000)), Arc::new(FixedEntropy(0xFF)))
    }

    #[test]
    fn ids_are_uuids_of_version_7() {
        assert_eq!(stage().id(stage().clock.now()).as_str(), "01a2008d-7400-7fff-bfff-ffffffffffff");
    }

    #[tokio::test]
    async fn keeps_a_trace_context_in_exact_form_only() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for (context, kept) in [
            (good, true),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", false),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false),
        ] {
            let mut head = head(&format!("GET /\nx-request-id: chosen\ntraceparent: {context}\ntracestate: a=1"));
            answer(&stage(), &mut head, "").await.unwrap();
            assert_eq!(head.parts.headers.contains_key("traceparent"), kept, "{context}");
            assert_eq!(head.parts.headers.contains_key("tracestate"), kept, "{context}");
            assert!(!head.parts.headers.contains_key("x-request-id"));
        }
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&stage());
    }
}
