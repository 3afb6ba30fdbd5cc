//! Resolves `throttle`.

use std::time::Duration;

use palisade::limit::OnFailure;
use palisade_core::diagnostic::Diagnostic;
use palisade_core::operation::{Limit, LimitBy};
use palisade_core::port::counter::Algorithm;

use super::super::raw::{RawThrottle, RawThrottles};
use super::super::scalar::{self, Fault};
use super::super::settings::Preset;
use super::super::word;
use super::context::{At, Context};

/// The limits of a route; where it has none, those of the preset.
pub(crate) fn throttle(
    cx: &mut Context<'_>,
    at: &At,
    raw: Option<&RawThrottles>,
    preset: Preset,
) -> Option<Vec<Limit>> {
    match raw {
        Some(RawThrottles::Many(list)) if list.is_empty() => {
            let help = "name at least one limit, or remove the key for that of `preset`";
            cx.fault(at, Fault::new("empty-list", "a route without any limit could be asked for ever", help));
            return None;
        }
        Some(raw) => return limits(cx, at, raw),
        None => {}
    }
    let requests = match preset {
        Preset::BrowserApp => 300,
        Preset::Internal => 1000,
        Preset::PublicApi => 100,
    };
    Some(vec![Limit::new(requests, Duration::from_secs(1), LimitBy::Client)])
}

/// Limits as they are written.
pub(crate) fn limits(cx: &mut Context<'_>, at: &At, raw: &RawThrottles) -> Option<Vec<Limit>> {
    let resolved: Vec<Option<Limit>> = match raw {
        RawThrottles::Many(list) => {
            list.iter().enumerate().map(|(index, raw)| limit(cx, &at.item(index), raw)).collect()
        }
        RawThrottles::One(raw) => vec![limit(cx, at, raw)],
    };
    resolved.into_iter().collect()
}

fn limit(cx: &mut Context<'_>, at: &At, raw: &RawThrottle) -> Option<Limit> {
    let per = cx.value(&at.key("per"), &raw.per, |text| {
        let span = scalar::duration(text)?;
        let message = || format!("`{text}` is too short to count in");
        if span >= Duration::from_secs(1) {
            Ok(span)
        } else {
            Err(Fault::new("out-of-range", message(), "write at least `1s`"))
        }
    });
    if raw.cost > raw.requests {
        let message = format!("one request counts for {}, and there are only {}", raw.cost, raw.requests);
        let help = "write a `cost` of at most `requests`, or no request would ever pass";
        cx.fault(&at.key("cost"), Fault::new("out-of-range", message, help));
    }
    let on_failure = match raw.on_failure {
        word::OnFailure::Allow => OnFailure::Allow,
        word::OnFailure::Deny => OnFailure::Deny,
        word::OnFailure::Local => OnFailure::Local,
    };
    if on_failure == OnFailure::Allow {
        let message = "requests pass uncounted while the store does not answer";
        let help = "write `local` to count in this process meanwhile, or `deny`";
        cx.report(&at.key("on_failure"), Diagnostic::warning("danger", message).help(help));
    }
    let by = match raw.by {
        word::Holder::All => LimitBy::All,
        word::Holder::Client => LimitBy::Client,
    };
    let algorithm = match raw.algorithm {
        word::Counting::Gcra => Algorithm::Gcra,
        word::Counting::SlidingWindow => Algorithm::SlidingWindow,
    };
    Some(Limit { algorithm, cost: raw.cost, on_failure, ..Limit::new(raw.requests, per?, by) })
}
