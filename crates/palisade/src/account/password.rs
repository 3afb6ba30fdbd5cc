//! `POST /password`: another password, and the end of the other sessions.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use palisade_core::denial::DenialCode;
use palisade_core::event::EventKind;
use palisade_core::port::account::{AccountStatus, Strength};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::answer::{busy, denied, throttled, unacceptable};
use super::sessions::user;
use super::{Accounts, Ticket};
use crate::cookie::SetCookie;
use crate::credential::sign_in::{ChangeSettled, PasswordChange, Proof};
use crate::extract::{Noted, Principal, Refusal, Valid};
use crate::session::ending::Next;

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
    // Beside a second factor a password may be shorter.
    let needs = match &accounts.second {
        Some(second) if second.kinds(user).await.map_err(|refusal| (Noted::default(), refusal))?.is_some() => {
            Strength::WithSecondFactor
        }
        _ => Strength::Alone,
    };
    let change = PasswordChange { account: user, proof: Proof::Current(&body.current), new: &body.new, needs };
    let settled = accounts.sign_in.change_password(&change, &accounts.policy).await;
    let settled = settled.map_err(|error| (Noted::default(), error.into()))?;
    let facts = [("account", user.as_str())];
    let noted = settled.event().map_or_else(Noted::default, |kind| Noted::default().with(kind, &facts));
    let denial = match settled {
        ChangeSettled::Changed { .. } => {
            let renewed = accounts.renewed(&who, &headers).await;
            let (cookie, body, later) = renewed.map_err(|(later, refusal)| (noted.clone().and(later), refusal))?;
            return Ok((cookie, noted.and(later), Json(Value::Object(body))).into_response());
        }
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
    /// Ends everything that was given out before a credential changed. Who changed it stays signed in, by something new:
    /// gives the cookie, the members of the answer and the events.
    pub(super) async fn renewed(
        &self,
        who: &Principal,
        headers: &HeaderMap,
    ) -> Result<(Option<SetCookie>, Map<String, Value>, Noted), (Noted, Refusal)> {
        let refused = |refusal: Refusal| (Noted::default(), refusal);
        let user = user(who).map_err(refused)?;
        match &self.ticket {
            Ticket::Session(sessions) => {
                let changed =
                    sessions.credential_changed(headers, user).await.map_err(|error| refused(error.into()))?;
                Ok((sessions.cookie(changed.id()), Map::new(), changed.noted()))
            }
            Ticket::Tokens(tokens) => {
                let account = self.accounts.find(user).await.map_err(|error| refused(error.into()))?;
                let account = account.filter(|account| account.status == AccountStatus::Active);
                let disabled = || refused(denied(DenialCode::CredentialInvalid, "account_disabled").into());
                let account = account.ok_or_else(disabled)?;
                self.end_all(user, Next::AtOnce).await.map_err(refused)?;
                let (cookie, body) = self.begin(tokens, &account, who.assurance()).await?.parts();
                let facts = [("account", user.as_str()), ("reason", "credential_changed")];
                Ok((cookie, body, Noted::default().with(EventKind::TokenRevoked, &facts)))
            }
        }
    }
}
