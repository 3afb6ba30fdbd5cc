//! A user's profile: what may be seen of it, and what may be changed.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Map, Value, json};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteRow;

use crate::caller::Caller;
use crate::failure::Failure;
use crate::input::{Input, check_length};
use crate::shop::Shop;
use crate::store::{Bound, text};
use crate::weakness::Weakness;

/// `GET /v1/users/{user_id}`
pub(crate) async fn show(
    State(shop): State<Arc<Shop>>,
    Path(user_id): Path<String>,
    caller: Caller,
) -> Result<Json<Value>, Failure> {
    if !caller.may_touch(&shop, &user_id, Weakness::UserReadable) {
        return Err(Failure::FORBIDDEN);
    }
    let row = shop.store.row(FIND, &[Bound::from(&user_id)]).await?.ok_or(Failure::NOT_FOUND)?;
    Ok(Json(render(&shop, &row)?))
}

/// `PATCH /v1/users/{user_id}`
pub(crate) async fn update(
    State(shop): State<Arc<Shop>>,
    Path(user_id): Path<String>,
    caller: Caller,
    Input(changes): Input<Map<String, Value>>,
) -> Result<Json<Value>, Failure> {
    if !caller.may_touch(&shop, &user_id, Weakness::UserWritable) {
        return Err(Failure::FORBIDDEN);
    }
    let accepted = if shop.has(Weakness::RoleAssignable) { accept_any(&changes) } else { accept_profile(&changes)? };
    for (column, value) in accepted {
        // The column is one of ours, never the caller's text.
        let statement = format!("UPDATE users SET {column} = ? WHERE id = ?");
        shop.store.rows(AssertSqlSafe(statement), &[value, Bound::from(&user_id)]).await?;
    }
    let row = shop.store.row(FIND, &[Bound::from(&user_id)]).await?.ok_or(Failure::NOT_FOUND)?;
    Ok(Json(render(&shop, &row)?))
}

/// The user as the contract shows it, and what else a careless shop adds.
pub(crate) fn render(shop: &Shop, row: &SqliteRow) -> Result<Value, Failure> {
    let mut user = json!({
        "id": text(row, "id")?,
        "username": text(row, "username")?,
        "email": text(row, "email")?,
        "display_name": text(row, "display_name")?,
        "role": text(row, "role")?,
    });
    for (weakness, column) in [(Weakness::HashExposed, "password_hash"), (Weakness::NoteExposed, "internal_note")] {
        if let Some(user) = user.as_object_mut().filter(|_| shop.has(weakness)) {
            user.insert(column.to_owned(), text(row, column)?.into());
        }
    }
    Ok(user)
}

/// Mass assignment: whatever is a column is stored.
fn accept_any(changes: &Map<String, Value>) -> Vec<(&'static str, Bound)> {
    let bound = |value: &Value| match value {
        Value::Number(number) => number.as_i64().map(Bound::Integer),
        Value::String(text) => Some(Bound::from(text)),
        Value::Array(_) | Value::Bool(_) | Value::Null | Value::Object(_) => None,
    };
    COLUMNS.iter().filter_map(|column| Some((*column, bound(changes.get(*column)?)?))).collect()
}

/// Only the two properties of the contract, and only if they fit.
fn accept_profile(changes: &Map<String, Value>) -> Result<Vec<(&'static str, Bound)>, Failure> {
    let mut accepted = Vec::new();
    for (property, value) in changes {
        let text = value.as_str().ok_or(Failure::BAD_REQUEST)?;
        match property.as_str() {
            "display_name" => {
                check_length(text, MAXIMUM_NAME)?;
                accepted.push(("display_name", text.into()));
            }
            "email" => {
                check_length(text, MAXIMUM_EMAIL)?;
                check_email(text)?;
                accepted.push(("email", text.into()));
            }
            _ => return Err(Failure::BAD_REQUEST),
        }
    }
    if accepted.is_empty() { Err(Failure::BAD_REQUEST) } else { Ok(accepted) }
}

fn check_email(text: &str) -> Result<(), Failure> {
    let (local, domain) = text.split_once('@').ok_or(Failure::BAD_REQUEST)?;
    let local_is_plain = (1..=64).contains(&local.len())
        && local.chars().all(|character| character.is_ascii_alphanumeric() || "._%+-".contains(character));
    let domain_is_plain = !domain.is_empty()
        && domain.chars().all(|character| character.is_ascii_alphanumeric() || ".-".contains(character));
    if local_is_plain && domain_is_plain { Ok(()) } else { Err(Failure::BAD_REQUEST) }
}

const FIND: &str = "SELECT * FROM users WHERE id = ?";
const COLUMNS: [&str; 7] =
    ["username", "password_hash", "email", "display_name", "role", "internal_note", "balance_cents"];
const MAXIMUM_NAME: usize = 80;
const MAXIMUM_EMAIL: usize = 200;
