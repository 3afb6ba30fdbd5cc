//! What a handler wants in the log: events of its own, beside the request's.

use axum_core::response::{IntoResponseParts, ResponseParts};
use palisade_core::denial::Evidence;
use palisade_core::event::EventKind;

use crate::facts::Note;

/// Events of a handler, as a part of its answer. Behind a chain each is written down with the request's id; without one
/// they are lost.
///
/// ```
/// use palisade::core::event::EventKind;
/// use palisade::extract::Noted;
///
/// async fn rename() -> (Noted, &'static str) {
///     (Noted::default().with(EventKind::WouldDeny, &[("reason", "an old client")]), "renamed")
/// }
/// let app: axum::Router = axum::Router::new().route("/rename", axum::routing::post(rename));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Noted(Vec<Note>);

impl Noted {
    /// One event more.
    #[must_use]
    pub fn with(mut self, kind: EventKind, facts: &[(&'static str, &str)]) -> Self {
        let mut evidence = Evidence::default();
        for (fact, value) in facts {
            evidence.add(fact, *value);
        }
        self.0.push(Note { kind, evidence });
        self
    }

    /// These events and then those.
    #[must_use]
    pub fn and(mut self, mut later: Self) -> Self {
        self.0.append(&mut later.0);
        self
    }

    /// What is to be written down, out of the answer that carries it.
    pub(crate) fn take<B>(response: &mut http::Response<B>) -> Vec<Note> {
        response.extensions_mut().remove::<Self>().unwrap_or_default().0
    }
}

impl IntoResponseParts for Noted {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Self::Error> {
        parts.extensions_mut().insert(self);
        Ok(parts)
    }
}
