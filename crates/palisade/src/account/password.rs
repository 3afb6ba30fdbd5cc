//! `POST /password`: another password, and the end of the other sessions.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use palisade_core::denial::DenialCode;
use palisade_core::port::account::Strength;
use palisade_core::port::refresh::Whose;
use schemars::JsonSchema;
use serde::Deserialize;

use super::answer::{busy, denied, throttled, unacceptable};
use super::sessions::user;
use super::{Accounts, Ticket};
use crate::credential::sign_in::{ChangeSettled, PasswordChange, Proof};
use crate::extract::{Noted, Principal, Refusal, Valid};

/// The present password and the one that is to take its place.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Change {
    current: String,
    new: String,
}

pub(super) async fn change(
    State(accounts): State<Accounts>,
    who: Principal,
    headers: HeaderMap,
    Valid(Json(body)): Valid<Json<Change>>,
) -> Result<Response, (Noted, Refusal)> {
    let user = user(&who).map_err(|refusal| (Noted::default(), refusal))?;
    let change =
        PasswordChange { account: user, proof: Proof::Current(&body.current), new: &body.new, needs: Strength::Alone };
    let settled = accounts.sign_in.change_password(&change, &accounts.policy).await;
    let settled = settled.map_err(|error| (Noted::default(), error.into()))?;
    let facts = [("account", user.as_str())];
    let noted = settled.event().map_or_else(Noted::default, |kind| Noted::default().with(kind, &facts));
    let denial = match settled {
        ChangeSettled::Changed { .. } => return accounts.end_others(&who, &headers, noted).await,
        ChangeSettled::Busy { retry_after } => busy(retry_after),
        ChangeSettled::Refused(rule) => unacceptable(rule, "/body/new"),
        ChangeSettled::Stale => denied(DenialCode::CredentialInvalid, "password_changed_meanwhile"),
        ChangeSettled::Throttled { retry_after } => throttled(retry_after),
        ChangeSettled::Unknown | ChangeSettled::WrongCurrent => {
            denied(DenialCode::CredentialInvalid, "current_password")
        }
    };
    Err((noted, denial.into()))
}

impl Accounts {
    /// Ends what was given out before the password changed; who changed it stays signed in, under another id.
    async fn end_others(
        &self,
        who: &Principal,
        headers: &HeaderMap,
        noted: Noted,
    ) -> Result<Response, (Noted, Refusal)> {
        let user = user(who).map_err(|refusal| (noted.clone(), refusal))?;
        match &self.ticket {
            Ticket::Session(sessions) => {
                let changed = sessions.credential_changed(headers, user).await;
                let changed = changed.map_err(|error| (noted.clone(), error.into()))?;
                let cookie = sessions.cookie(changed.id());
                Ok((cookie, noted.and(changed.noted()), StatusCode::NO_CONTENT).into_response())
            }
            Ticket::Tokens(tokens) => {
                let ended = tokens.refresh().store().revoke(Whose::Subject(user), tokens.refresh().now()).await;
                ended.map_err(|error| (noted.clone(), error.into()))?;
                // The tokens of this device have ended with the others: it signs in with the new password.
                Ok((tokens.removal(), noted, StatusCode::NO_CONTENT).into_response())
            }
        }
    }
}
