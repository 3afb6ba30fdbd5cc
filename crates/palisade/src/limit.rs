//! What a limit does with its store's answer: pass, refuse, and tell the caller what is left.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::event::EventKind;
use palisade_core::port::StoreError;
use palisade_core::port::counter::{Acquired, Rate};
use palisade_core::stage::StageId;

use crate::stage::{Head, Stop};

/// What a limit does when its store fails.
///
/// ```
/// use palisade::limit::OnFailure;
/// use palisade::stage::throttle::ThrottleSettings;
///
/// assert_eq!(ThrottleSettings::default().on_failure, OnFailure::Deny);
/// let available = ThrottleSettings { on_failure: OnFailure::Allow, ..ThrottleSettings::default() };
/// let preset = palisade::Chain::api().throttle(available);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// Requests pass uncounted.
    Allow,
    /// Requests are refused.
    #[default]
    Deny,
}

/// What follows from the store's answer.
pub(crate) fn settle(
    head: &mut Head,
    acquired: Result<Acquired, StoreError>,
    rate: Rate,
    on_failure: OnFailure,
    code: DenialCode,
    stage: StageId,
) -> Result<(), Stop> {
    match acquired {
        Ok(Acquired::Granted { remaining, reset }) => {
            tell(head, stage, rate, remaining, reset);
            Ok(())
        }
        Ok(Acquired::Refused { retry_after }) => {
            tell(head, stage, rate, 0, retry_after);
            Err(Denial::new(code, stage).retry_after(retry_after).into())
        }
        Err(error) if on_failure == OnFailure::Allow => {
            let evidence = [("stage", stage.as_str()), ("error", &error.to_string()), ("effect", "allowed")];
            head.facts.note(EventKind::ServiceFailed, &evidence);
            Ok(())
        }
        Err(error) => Err(Denial::new(DenialCode::Unavailable, stage).because("error", error.to_string()).into()),
    }
}

fn tell(head: &mut Head, stage: StageId, rate: Rate, remaining: u32, reset: Duration) {
    let secs = |span: Duration| span.as_millis().div_ceil(1000);
    let policy = format!("\"{stage}\";q={};w={}", rate.burst, secs(rate.per).max(1));
    let state = format!("\"{stage}\";r={remaining};t={}", secs(reset));
    for (name, text) in [("ratelimit-policy", policy), ("ratelimit", state)] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            head.plan.set(HeaderName::from_static(name), value);
        }
    }
}
