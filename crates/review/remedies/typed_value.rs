//! Reads a value into a text before it becomes part of a query, so that it cannot be an operator.

// In reports:
use axum::Json;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    /// `{"$ne": ""}` is no text, and is refused.
    name: String,
    password: String,
}

async fn sign_in(Json(sign_in): Json<SignIn>) -> String {
    format!("{} has {} characters", sign_in.name, sign_in.password.len())
}
