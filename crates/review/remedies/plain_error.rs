//! Logs an error with an id and answers with the id only.

// In reports:
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// What failed, and the id under which the log has it.
struct Failed {
    id: String,
}

impl Failed {
    fn new(id: String, error: &dyn std::error::Error) -> Self {
        eprintln!("{id} {error}");
        Self { id }
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let problem = serde_json::json!({ "title": "Internal Server Error", "status": 500, "instance": self.id });
        let headers = [("content-type", "application/problem+json")];
        (StatusCode::INTERNAL_SERVER_ERROR, headers, problem.to_string()).into_response()
    }
}
