//! Logging in trades a username and a password for an access token, and the key set lets others verify it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::clock;
use crate::failure::Failure;
use crate::input::Input;
use crate::password;
use crate::shop::Shop;
use crate::store::{Bound, text};
use crate::token::LIFETIME_SECONDS;
use crate::weakness::Weakness;
use crate::wire::RawLogin;

/// `POST /v1/login`
pub(crate) async fn login(
    State(shop): State<Arc<Shop>>,
    Input(login): Input<RawLogin>,
) -> Result<Json<Value>, Failure> {
    let throttled = !shop.has(Weakness::GuessingUnbounded);
    let now = clock::now();
    if login.username.len() > MAXIMUM_NAME || login.password.len() > MAXIMUM_PASSWORD {
        return Err(Failure::BAD_REQUEST);
    }
    if throttled && shop.throttle.is_closed(&login.username, now) {
        return Err(Failure::TOO_MANY);
    }
    let row = shop.store.row(FIND, &[Bound::from(&login.username)]).await?;
    if let Some(row) = row
        && password::verify(&login.password, &text(&row, "password_hash")?)
    {
        let token = shop.signer.issue(&text(&row, "id")?, &text(&row, "role")?);
        let token = token.map_err(|error| Failure::internal(&error))?;
        return Ok(Json(json!({ "access_token": token, "token_type": "Bearer", "expires_in": LIFETIME_SECONDS })));
    }
    shop.throttle.fail(&login.username, now);
    Err(Failure::UNAUTHORIZED)
}

/// `GET /.well-known/jwks.json`
pub(crate) async fn keys(State(shop): State<Arc<Shop>>) -> Json<Value> {
    Json(shop.signer.key_set())
}

const FIND: &str = "SELECT id, role, password_hash FROM users WHERE username = ?";
const MAXIMUM_NAME: usize = 64;
const MAXIMUM_PASSWORD: usize = 128;
