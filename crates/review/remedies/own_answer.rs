//! Answers with a type that was made for the answer, not with the stored record.

// In reports:
use axum::Json;
use serde::Serialize;

/// What is stored. It is not `Serialize`, so that no handler can answer with it.
struct User {
    id: u64,
    name: String,
    password_hash: String,
}

#[derive(Serialize)]
struct Shown {
    id: u64,
    name: String,
}

fn show(user: User) -> Json<Shown> {
    Json(Shown { id: user.id, name: user.name })
}
