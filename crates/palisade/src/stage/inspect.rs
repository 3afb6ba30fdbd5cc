//! Refuses markup in free text, before a page shows it and a browser runs it (stored cross-site scripting, CWE-79).
//!
//! 1. Only texts that the contract leaves free are looked at: one with a pattern, a format or a list of values is
//!    already as narrow as its owner wants it.
//! 2. Markup is what an HTML tokenizer would take for a tag, a comment or a declaration: `<` followed by a letter, `/`,
//!    `!` or `?`. "a < b", "<3" and "x<5" are prose.
//! 3. A property that is meant to hold HTML says `x-palisade-markup: true`; a route can switch the stage off, which is
//!    spelled `danger_allow_markup`.
//!
//! Caveat: this is the second line of defence. The first is to escape on output, the third the
//! Content-Security-Policy that `finish` sets.

use futures_util::future::BoxFuture;
use palisade_core::denial::{Denial, DenialCode, PublicDetail, PublicViolation};
use palisade_core::stage::StageId;
use serde_json::Value;

use super::{Head, Next, Outcome, Stage};
use crate::body::Body;
use crate::settings::PerRoute;

/// The stage.
///
/// ```
/// use palisade::stage::{Stage, inspect::Inspect};
///
/// assert!(Inspect::default().dangers().is_empty());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Inspect {
    settings: PerRoute<Markup>,
}

/// What is done about markup in free text.
///
/// ```
/// use palisade::settings::PerRoute;
/// use palisade::stage::{Stage, inspect::{Inspect, Markup}};
///
/// // The first route is an editor's, whose backend sanitizes.
/// let stage = Inspect::danger_by_route(PerRoute::new(Markup::Refuse, vec![Markup::Allow]));
/// assert_eq!(stage.dangers().len(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Markup {
    /// It passes.
    Allow,
    /// It is refused.
    #[default]
    Refuse,
}

impl Inspect {
    /// The stage with settings by route; [`Markup::Allow`] leaves cross-site scripting to the backend.
    pub fn danger_by_route(settings: PerRoute<Markup>) -> Self {
        Self { settings }
    }
}

impl Stage for Inspect {
    fn id(&self) -> StageId {
        StageId::Inspect
    }

    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        let verdict = match self.settings.of(head) {
            Markup::Allow => Ok(()),
            Markup::Refuse => verify(head),
        };
        match verdict {
            Ok(()) => next.run(head, body),
            Err(denial) => Box::pin(std::future::ready(Err(denial.into()))),
        }
    }

    fn dangers(&self) -> Vec<String> {
        match self.settings.any(|markup| *markup == Markup::Allow) {
            true => vec!["markup in free text passes on a route".to_owned()],
            false => Vec::new(),
        }
    }
}

fn verify(head: &Head) -> Result<(), Denial> {
    let Some(payload) = &head.facts.payload else { return Ok(()) };
    let Some(value) = &payload.value else { return Ok(()) };
    let marked = |pointer: &&String| value.pointer(pointer).and_then(Value::as_str).is_some_and(has_markup);
    match payload.free_text.iter().find(marked) {
        None => Ok(()),
        Some(pointer) => {
            let violation =
                PublicViolation { pointer: format!("/body{pointer}"), detail: "must not contain markup".to_owned() };
            Err(Denial::new(DenialCode::MarkupInText, StageId::Inspect)
                .because("pointer", pointer.as_str())
                .telling(PublicDetail::Violations(vec![violation])))
        }
    }
}

/// Whether an HTML tokenizer would leave its data state (WHATWG HTML section 13.2.5.6).
fn has_markup(text: &str) -> bool {
    text.as_bytes().windows(2).any(|pair| match pair {
        [b'<', next] => next.is_ascii_alphabetic() || matches!(next, b'/' | b'!' | b'?'),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use palisade_contract::Payload;

    use super::*;
    use crate::testing::{assert_stage, head, refusal_with_body};

    #[test]
    fn tells_markup_from_prose() {
        for text in ["<script>", "a<img src=x onerror=alert(1)>", "</b>", "<!--", "<?php", "<SVG/onload=x>"] {
            assert!(has_markup(text), "{text}");
        }
        for text in ["a < b", "I <3 apples", "x<5", "1 <> 2", "<", "Tom & Jerry > all", "<>", "\u{3c} b"] {
            assert!(!has_markup(text), "{text}");
        }
    }

    #[tokio::test]
    async fn looks_at_free_text_only() {
        let value = serde_json::json!({"text": "<script>", "html": "<p>", "ok": "fine"});
        for (free, allow, expect) in [
            (vec!["/text", "/ok"], false, Some(DenialCode::MarkupInText)),
            (vec!["/ok"], false, None),
            (vec!["/text"], true, None),
        ] {
            let free_text = free.into_iter().map(str::to_owned).collect();
            let mut head = head("POST /");
            head.facts.payload = Some(Payload { value: Some(value.clone()), free_text, ..Payload::default() });
            let markup = if allow { Markup::Allow } else { Markup::Refuse };
            let stage = Inspect::danger_by_route(PerRoute::same(markup));
            assert_eq!(stage.dangers().is_empty(), !allow);
            assert_eq!(refusal_with_body(&stage, &mut head, "").await, expect);
        }
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Inspect::default());
    }
}
