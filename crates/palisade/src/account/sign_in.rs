//! `POST /sign-in`: a name and a password become a ticket.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::USER_AGENT;
use http::{HeaderMap, StatusCode};
use palisade_core::denial::DenialCode;
use palisade_core::event::EventKind;
use palisade_core::id::TenantId;
use palisade_core::port::account::Account;
use palisade_core::port::session::{Device, Holder, Rights};
use palisade_core::principal::{Assurance, Level, MethodSet, RoleSet, ScopeSet};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::answer::{busy, denied, throttled};
use super::pending::Pending;
use super::withdraw::{Begun, sign_in_refused};
use super::{Accounts, Ticket};
use crate::cookie::{Cookies, SetCookie};
use crate::credential::sign_in::{Attempt, SignInOutcome, SignedIn};
use crate::extract::{ClientAddr, Noted, Refusal, Valid};
use crate::session::Started;

/// Who signs in.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Credentials {
    /// The organization, where an application has several.
    #[serde(default)]
    #[schemars(length(max = 200))]
    tenant: Option<String>,
    #[schemars(length(max = 1024))]
    name: String,
    // How long a password may be is the rule's to say; a body has a limit of its own.
    password: String,
}

pub(super) async fn sign_in(
    State(accounts): State<Accounts>,
    address: Option<ClientAddr>,
    headers: HeaderMap,
    Valid(Json(who)): Valid<Json<Credentials>>,
) -> Result<Response, (Noted, Refusal)> {
    let refused = |refusal: Refusal| (Noted::default(), refusal);
    let tenant = who.tenant.map(TenantId::new);
    let attempt = Attempt {
        tenant: tenant.as_ref(),
        address: address.map(|ClientAddr(address)| address),
        device: Cookies::of(&headers).get(DEVICE),
        ..Attempt::new(&who.name, &who.password)
    };
    let outcome = accounts.sign_in.attempt(&attempt).await.map_err(|error| refused(error.into()))?;
    let kind = outcome.event();
    match outcome {
        SignInOutcome::Busy { retry_after } => Err(refused(busy(retry_after).into())),
        SignInOutcome::Throttled { retry_after } => Err(refused(throttled(retry_after).into())),
        SignInOutcome::Refused(why) => {
            let account = why.account.as_ref().map_or("-", |id| id.as_str());
            let noted = Noted::default().with(kind, &[("reason", why.reason.as_str()), ("account", account)]);
            Err((noted, denied(DenialCode::CredentialInvalid, "sign_in").into()))
        }
        SignInOutcome::SignedIn(signed_in) => {
            let SignedIn { account, device, must_second_factor, .. } = *signed_in;
            let kinds = match &accounts.second {
                Some(second) => second.kinds(&account.id).await.map_err(refused)?,
                None => None,
            };
            if let (Some(second), Some(kinds)) = (&accounts.second, kinds) {
                let pending = Pending { account: account.id, version: account.password_version, device };
                let pending = second.key.seal(&pending, accounts.now());
                return Ok(
                    (StatusCode::ACCEPTED, Json(json!({ "pending": pending, "factors": kinds }))).into_response()
                );
            }
            if must_second_factor {
                // A short password is worth nothing alone.
                let noted = sign_in_refused(&account.id, "second-factor-needed");
                return Err((noted, denied(DenialCode::AssuranceInsufficient, "second_factor_needed").into()));
            }
            let methods = MethodSet::from_iter(["pwd"]);
            let by = Assurance { methods, ..Assurance::new(Level::Aal1, accounts.now()) };
            accounts.welcome(&account, &device, by, address, &headers, Noted::default()).await
        }
    }
}

impl Accounts {
    /// Gives somebody who has shown like this who they are what they are known by from now on. That they have signed in
    /// is noted when they have.
    pub(super) async fn welcome(
        &self,
        account: &Account,
        device: &str,
        by: Assurance,
        address: Option<ClientAddr>,
        headers: &HeaderMap,
        shown: Noted,
    ) -> Result<Response, (Noted, Refusal)> {
        let refused = |refusal: Refusal| (shown.clone(), refusal);
        let signed_in = Noted::default().with(EventKind::SignedIn, &[("account", account.id.as_str())]);
        let remembered = SetCookie::strict_session(DEVICE_NAME, device);
        let remembered = remembered.ok().map(|cookie| cookie.lasting(self.sign_in.remembers_devices_for()));
        match &self.ticket {
            Ticket::Tokens(tokens) => {
                let begun = self.begin(tokens, account, &by).await;
                let answer = begun.map_err(|(noted, refusal)| (shown.clone().and(noted), refusal))?;
                Ok((remembered, signed_in.and(shown), answer).into_response())
            }
            Ticket::Session(sessions) => {
                let device = Device { label: label(headers), address: address.map(|ClientAddr(address)| address) };
                let started = sessions.start(holder(account, by, device), headers).await;
                let started = started.map_err(|error| refused(error.into()))?;
                let noted = shown.clone().and(started.noted());
                let Started::Started { id, session, .. } = &started else {
                    let noted = noted.and(sign_in_refused(&account.id, "sessions-exhausted"));
                    return Err((noted, denied(DenialCode::SessionsExhausted, "sessions").into()));
                };
                let looked = self.look_again(account, Begun::Session(&session.handle)).await;
                looked.map_err(|(later, refusal)| (noted.clone().and(later), refusal))?;
                let welcome = json!({ "user": session.holder.user, "session": session.handle });
                Ok((remembered, sessions.cookie(Some(id)), signed_in.and(noted), Json(welcome)).into_response())
            }
        }
    }
}

fn holder(account: &Account, by: Assurance, device: Device) -> Holder {
    let roles = RoleSet::from_iter(account.roles.iter().map(String::as_str));
    let scopes = ScopeSet::from_iter(account.scopes.iter().map(String::as_str));
    let rights = Rights { roles, scopes, ..Rights::new(by.clone()) };
    Holder { tenant: account.tenant.clone(), device, rights, ..Holder::new(account.id.clone(), by) }
}

/// What a person may recognize a device by.
fn label(headers: &HeaderMap) -> Box<str> {
    headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default().into()
}

/// The cookie by which a device is known again: see [`SignedIn::device`]. It signs nobody in.
const DEVICE: &str = "__Host-device";
const DEVICE_NAME: &str = "device";
