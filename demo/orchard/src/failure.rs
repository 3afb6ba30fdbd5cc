//! A failure is why a request was not served, with the evidence that a verbose shop would show.

use std::backtrace::Backtrace;
use std::fmt::{self, Display};
use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// What a handler returns instead of an answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something went wrong that should be hidden from the caller; the status is what a discreet shop answers.
    Fault(StatusCode, Arc<Fault>),
    /// The request is refused for a plain reason.
    Refusal(StatusCode),
}

impl Failure {
    pub(crate) const BAD_REQUEST: Self = Self::Refusal(StatusCode::BAD_REQUEST);
    pub(crate) const FORBIDDEN: Self = Self::Refusal(StatusCode::FORBIDDEN);
    pub(crate) const NOT_FOUND: Self = Self::Refusal(StatusCode::NOT_FOUND);
    pub(crate) const TOO_MANY: Self = Self::Refusal(StatusCode::TOO_MANY_REQUESTS);
    pub(crate) const UNAUTHORIZED: Self = Self::Refusal(StatusCode::UNAUTHORIZED);

    /// The database refused a statement.
    pub(crate) fn sql(error: &sqlx::Error, statement: &str) -> Self {
        Self::Fault(StatusCode::INTERNAL_SERVER_ERROR, Fault::new(error, Some(statement)))
    }

    /// The shop itself failed.
    pub(crate) fn internal(error: &dyn Display) -> Self {
        Self::Fault(StatusCode::INTERNAL_SERVER_ERROR, Fault::new(error, None))
    }

    /// The body could not be read as what the operation expects.
    pub(crate) fn malformed(error: &dyn Display) -> Self {
        Self::Fault(StatusCode::BAD_REQUEST, Fault::new(error, None))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            // The fault travels beside the discreet answer: only the guard knows whether to show it.
            Self::Fault(status, fault) => {
                let mut response = problem(status);
                response.extensions_mut().insert(fault);
                response
            }
            Self::Refusal(status) => problem(status),
        }
    }
}

/// An answer as RFC 9457 says, telling no more than the status.
pub(crate) fn problem(status: StatusCode) -> Response {
    let title = status.canonical_reason().unwrap_or("Unknown");
    let body = json!({ "type": "about:blank", "title": title, "status": status.as_u16() });
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// The media type of a problem.
pub(crate) const PROBLEM: &str = "application/problem+json";

/// The evidence of a failure: what no caller should see.
#[derive(Debug)]
pub(crate) struct Fault {
    message: String,
    statement: Option<String>,
    trace: Backtrace,
}

impl Fault {
    fn new(error: &dyn Display, statement: Option<&str>) -> Arc<Self> {
        let statement = statement.map(str::to_owned);
        Arc::new(Self { message: error.to_string(), statement, trace: Backtrace::force_capture() })
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "internal server error: {}", self.message)?;
        if let Some(statement) = &self.statement {
            writeln!(f, "\nSQL statement:\n{statement}")?;
        }
        writeln!(f, "\nstack backtrace:\n{}", self.trace)
    }
}
