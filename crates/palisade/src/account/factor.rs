//! The second factor: at sign-in, and again for what needs both factors fresh.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use palisade_core::denial::DenialCode;
use palisade_core::event::EventKind;
use palisade_core::id::UserId;
use palisade_core::port::account::{Account, AccountStatus};
use palisade_core::port::factor::{Consumed, FactorKind};
use palisade_core::principal::{Assurance, Level, MethodSet};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{denied, throttled};
use super::pending::Pending;
use super::sessions::user;
use super::withdraw::sign_in_refused;
use super::{Accounts, Second, Ticket};
use crate::credential::factors::{SecondFactors, TotpVerified};
use crate::credential::passkeys::{Begun, PasskeyVerified};
use crate::credential::sign_in::RefusedReason;
use crate::extract::{ClientAddr, Noted, Principal, Refusal, Valid};

/// How somebody shows a second factor.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Shown {
    /// What the authenticator app shows.
    Totp(#[schemars(length(max = 16))] String),
    /// One of the codes that were given at enrollment.
    RecoveryCode(#[schemars(length(max = 64))] String),
    /// What `navigator.credentials.get` gave.
    Passkey(Ceremony),
}

/// An answer of an authenticator, and what it answers.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Ceremony {
    #[schemars(length(max = 100))]
    pub(super) ceremony: String,
    /// JSON, as the browser's `toJSON` writes it.
    #[schemars(length(max = 65536))]
    pub(super) answer: String,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct AtSignIn {
    #[schemars(length(max = 4096))]
    pending: String,
    factor: Shown,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Waiting {
    #[schemars(length(max = 4096))]
    pending: String,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct AgainShown {
    factor: Shown,
}

/// The rest of a sign-in whose password was right.
pub(super) async fn sign_in(
    State(accounts): State<Accounts>,
    address: Option<ClientAddr>,
    headers: HeaderMap,
    Valid(Json(body)): Valid<Json<AtSignIn>>,
) -> Result<Response, (Noted, Refusal)> {
    let refused = |refusal: Refusal| (Noted::default(), refusal);
    let second = accounts.second().map_err(|denial| refused(denial.into()))?;
    let (account, device) = accounts.pending(&body.pending).await?;
    let (by, shown) = second.show(&account.id, &body.factor).await?;
    accounts.welcome(&account, &device, by, address, &headers, shown).await
}

/// What the browser asks an authenticator for.
pub(super) async fn ask_at_sign_in(
    State(accounts): State<Accounts>,
    Valid(Json(body)): Valid<Json<Waiting>>,
) -> Result<Json<Value>, (Noted, Refusal)> {
    let (account, _) = accounts.pending(&body.pending).await?;
    let second = accounts.second().map_err(|denial| (Noted::default(), denial.into()))?;
    second.ask(&account.id).await.map_err(|refusal| (Noted::default(), refusal))
}

/// The same for somebody who has signed in.
pub(super) async fn ask(State(accounts): State<Accounts>, who: Principal) -> Result<Json<Value>, Refusal> {
    accounts.second()?.ask(user(&who)?).await
}

/// Shows a second factor again: what somebody is known by says from now on that it was shown a moment ago.
pub(super) async fn step_up(
    State(accounts): State<Accounts>,
    who: Principal,
    headers: HeaderMap,
    Valid(Json(body)): Valid<Json<AgainShown>>,
) -> Result<Response, (Noted, Refusal)> {
    let refused = |refusal: Refusal| (Noted::default(), refusal);
    let user = user(&who).map_err(refused)?;
    let second = accounts.second().map_err(|denial| refused(denial.into()))?;
    let (by, noted) = second.show(user, &body.factor).await?;
    match &accounts.ticket {
        Ticket::Session(sessions) => {
            let changed = sessions.step_up(&headers, by).await.map_err(|error| refused(error.into()))?;
            let body = Json(json!({ "user": user }));
            Ok((sessions.cookie(changed.id()), noted.and(changed.noted()), body).into_response())
        }
        Ticket::Tokens(tokens) => {
            let account = accounts.accounts.find(user).await.map_err(|error| refused(error.into()))?;
            let account = account.filter(|account| account.status == AccountStatus::Active);
            let account =
                account.ok_or_else(|| refused(denied(DenialCode::CredentialInvalid, "account_disabled").into()))?;
            // What was shown less surely ends with it.
            tokens.end(&headers).await.map_err(refused)?;
            tokens.end_own(&who, user).await.map_err(refused)?;
            let begun = accounts.begin(tokens, &account, &by).await;
            let answer = begun.map_err(|(later, refusal)| (noted.clone().and(later), refusal))?;
            Ok((noted.with(EventKind::TokenIssued, &[("account", user.as_str())]), answer).into_response())
        }
    }
}

impl Accounts {
    /// Whose password was right a moment ago, if it is still their password, and what their device keeps.
    async fn pending(&self, text: &str) -> Result<(Account, String), (Noted, Refusal)> {
        let quiet = |refusal: Refusal| (Noted::default(), refusal);
        let second = self.second().map_err(|denial| quiet(denial.into()))?;
        let pending = second.key.open(text, self.now());
        let expired = || quiet(denied(DenialCode::CredentialInvalid, "sign_in_expired").into());
        let Pending { account: user, version, device } = pending.ok_or_else(expired)?;
        let found = self.accounts.find(&user).await.map_err(|error| quiet(error.into()))?;
        let why = match found.filter(|account| account.status == AccountStatus::Active) {
            Some(account) if account.password_version == version => return Ok((account, device)),
            Some(_) => RefusedReason::PasswordChanged,
            None => RefusedReason::AccountDisabled,
        };
        let noted = sign_in_refused(&user, why.as_str());
        Err((noted, denied(DenialCode::CredentialInvalid, why.as_str()).into()))
    }
}

impl Second {
    /// With what somebody may show a second factor, if they have any. Of those that they have all may be out of use: that
    /// is not the same as having none.
    pub(super) async fn kinds(&self, user: &UserId) -> Result<Option<Vec<&'static str>>, Refusal> {
        let own = self.factors.list(user).await?;
        if own.factors.is_empty() {
            return Ok(None);
        }
        let has = |kind| own.factors.iter().any(|factor| factor.kind == kind && factor.disabled.is_none());
        let mut kinds = Vec::new();
        kinds.extend(has(FactorKind::Totp).then_some("totp"));
        kinds.extend((has(FactorKind::Passkey) && self.passkeys.is_some()).then_some("passkey"));
        kinds.extend((own.codes > 0).then_some("recovery_code"));
        Ok(Some(kinds))
    }

    async fn ask(&self, user: &UserId) -> Result<Json<Value>, Refusal> {
        let begun = match &self.passkeys {
            Some(passkeys) => passkeys.begin_sign_in(user).await?,
            None => Begun::NoFactor,
        };
        match begun {
            Begun::Begun { ceremony, options } => Ok(Json(json!({ "ceremony": ceremony, "options": options }))),
            Begun::NoFactor => Err(denied(DenialCode::ObjectUnknown, "no_passkey").into()),
        }
    }

    /// How surely it is the user who has a right password and shows this.
    async fn show(&self, user: &UserId, shown: &Shown) -> Result<(Assurance, Noted), (Noted, Refusal)> {
        let failed = |refusal: Refusal| (Noted::default(), refusal);
        let wrong = |noted: Noted| (noted, denied(DenialCode::CredentialInvalid, "second_factor").into());
        match shown {
            Shown::Totp(code) => {
                let verified = self.factors.verify_totp(user, code).await.map_err(|error| failed(error.into()))?;
                match verified {
                    TotpVerified::Verified(_) => Ok((self.both(&["pwd", "otp", "mfa"]), Noted::default())),
                    TotpVerified::Throttled { wait } => Err((verified.noted(user), throttled(wait).into())),
                    _ => Err(wrong(verified.noted(user))),
                }
            }
            Shown::RecoveryCode(code) => {
                let consumed = self.factors.recover(user, code).await.map_err(|error| failed(error.into()))?;
                let noted = SecondFactors::recovered(user, &consumed);
                match consumed {
                    Consumed::Consumed { .. } => Ok((self.both(&["pwd", "mfa"]), noted)),
                    Consumed::Unknown => Err(wrong(noted)),
                }
            }
            Shown::Passkey(Ceremony { ceremony, answer }) => {
                let Some(passkeys) = &self.passkeys else { return Err(wrong(Noted::default())) };
                let verified = passkeys.finish_sign_in(user, ceremony, answer).await;
                match verified.map_err(|error| failed(error.into()))? {
                    PasskeyVerified::Verified(_, by) => {
                        let methods: Vec<&str> = by.methods.iter().chain(["pwd", "mfa"]).collect();
                        Ok((self.both(&methods), Noted::default()))
                    }
                    verified => Err(wrong(verified.noted(user))),
                }
            }
        }
    }

    /// Two factors, shown now.
    fn both(&self, methods: &[&str]) -> Assurance {
        let methods = MethodSet::from_iter(methods.iter().copied());
        Assurance { methods, ..Assurance::new(Level::Aal2, self.factors.now()) }
    }
}
