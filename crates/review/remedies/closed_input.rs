//! Reads a body into a type with exactly the properties that a caller may set.

// In reports:
use axum::Json;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    name: Option<String>,
    phone: Option<String>,
}

async fn change(Json(change): Json<Change>) -> String {
    // `role` and `balance` are no properties of `Change`: a body that has them is refused.
    format!("{:?} {:?}", change.name, change.phone)
}
