//! Enrollment of second factors, by somebody who has just signed in. Whoever has one shows it first.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use palisade_core::denial::{Challenge, Denial, DenialCode};
use palisade_core::id::{FactorId, UserId};
use palisade_core::principal::{Level, ScopeSet};
use palisade_core::stage::StageId;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Accounts;
use super::answer::{denied, throttled};
use super::factor::Ceremony;
use super::sessions::user;
use crate::credential::factors::{FactorRemoved, TotpConfirmed};
use crate::credential::passkeys::{Begun, PasskeyAdded};
use crate::credential::recovery::RecoveryCodes;
use crate::extract::{Noted, Principal, Refusal, Valid};

#[derive(Deserialize, JsonSchema)]
pub(super) struct Label {
    /// What the user calls it.
    #[serde(default)]
    #[schemars(length(max = 100))]
    label: String,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Code {
    #[schemars(length(max = 100))]
    id: String,
    #[schemars(length(max = 16))]
    code: String,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Created {
    #[serde(flatten)]
    ceremony: Ceremony,
    #[serde(default)]
    #[schemars(length(max = 100))]
    label: String,
}

pub(super) async fn list(State(accounts): State<Accounts>, who: Principal) -> Result<Json<Value>, Refusal> {
    let own = accounts.second()?.factors.list(user(&who)?).await?;
    let factors = own.factors.iter().map(|factor| {
        json!({
            "id": factor.id.as_str(), "kind": factor.kind.as_str(), "label": factor.label,
            "created": factor.created.to_string(), "used": factor.used.map(|at| at.to_string()),
            "disabled": factor.disabled.map(|at| at.to_string()),
        })
    });
    Ok(Json(json!({ "factors": factors.collect::<Vec<_>>(), "recovery_codes": own.codes })))
}

pub(super) async fn begin_totp(
    State(accounts): State<Accounts>,
    who: Principal,
    Valid(Json(body)): Valid<Json<Label>>,
) -> Result<Json<Value>, Refusal> {
    let (user, name) = accounts.fresh(&who).await?;
    let begun = accounts.second()?.factors.begin_totp(user, &name, &body.label).await?;
    Ok(Json(json!({ "id": begun.id.as_str(), "uri": begun.uri, "secret": begun.secret })))
}

pub(super) async fn confirm_totp(
    State(accounts): State<Accounts>,
    who: Principal,
    headers: HeaderMap,
    Valid(Json(body)): Valid<Json<Code>>,
) -> Result<Response, (Noted, Refusal)> {
    let refused = |refusal: Refusal| (Noted::default(), refusal);
    let (user, _) = accounts.fresh(&who).await.map_err(refused)?;
    let factors = &accounts.second().map_err(|denial| refused(denial.into()))?.factors;
    let confirmed = factors.confirm_totp(user, &FactorId::new(body.id), &body.code).await;
    let confirmed = confirmed.map_err(|error| refused(error.into()))?;
    let noted = confirmed.noted(user);
    match confirmed {
        TotpConfirmed::Confirmed(codes) => accounts.enrolled(&who, &headers, codes, noted).await,
        TotpConfirmed::Throttled { wait } => Err((noted, throttled(wait).into())),
        TotpConfirmed::Unknown => Err((noted, denied(DenialCode::ObjectUnknown, "no_enrollment").into())),
        TotpConfirmed::Wrong => Err((noted, denied(DenialCode::CredentialInvalid, "totp").into())),
    }
}

pub(super) async fn begin_passkey(State(accounts): State<Accounts>, who: Principal) -> Result<Json<Value>, Refusal> {
    let (user, name) = accounts.fresh(&who).await?;
    let begun = match &accounts.second()?.passkeys {
        Some(passkeys) => passkeys.begin_registration(user, &name).await?,
        None => Begun::NoFactor,
    };
    match begun {
        Begun::Begun { ceremony, options } => Ok(Json(json!({ "ceremony": ceremony, "options": options }))),
        Begun::NoFactor => Err(denied(DenialCode::ObjectUnknown, "no_passkeys_here").into()),
    }
}

pub(super) async fn confirm_passkey(
    State(accounts): State<Accounts>,
    who: Principal,
    headers: HeaderMap,
    Valid(Json(body)): Valid<Json<Created>>,
) -> Result<Response, (Noted, Refusal)> {
    let refused = |refusal: Refusal| (Noted::default(), refusal);
    let (user, _) = accounts.fresh(&who).await.map_err(refused)?;
    let second = accounts.second().map_err(|denial| refused(denial.into()))?;
    let Some(passkeys) = &second.passkeys else {
        return Err(refused(denied(DenialCode::ObjectUnknown, "no_passkeys_here").into()));
    };
    let Ceremony { ceremony, answer } = &body.ceremony;
    let added = passkeys.finish_registration(user, ceremony, answer, &body.label).await;
    let added = added.map_err(|error| refused(error.into()))?;
    let noted = added.noted(user);
    match added {
        PasskeyAdded::Added(_, codes) => accounts.enrolled(&who, &headers, codes, noted).await,
        PasskeyAdded::Expired | PasskeyAdded::Refused(_) | PasskeyAdded::Taken => {
            Err((noted, denied(DenialCode::CredentialInvalid, "passkey").into()))
        }
    }
}

pub(super) async fn renew_codes(State(accounts): State<Accounts>, who: Principal) -> Result<Json<Value>, Refusal> {
    let (user, _) = accounts.fresh(&who).await?;
    match accounts.second()?.factors.renew_codes(user).await? {
        Some(codes) => Ok(Json(json!({ "recovery_codes": codes.expose().collect::<Vec<_>>() }))),
        None => Err(denied(DenialCode::ObjectUnknown, "no_second_factor").into()),
    }
}

pub(super) async fn remove(
    State(accounts): State<Accounts>,
    who: Principal,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, (Noted, Refusal)> {
    let refused = |refusal: Refusal| (Noted::default(), refusal);
    let (user, _) = accounts.fresh(&who).await.map_err(refused)?;
    let factors = &accounts.second().map_err(|denial| refused(denial.into()))?.factors;
    let removed = factors.remove(user, &FactorId::new(id), who.assurance()).await;
    let removed = removed.map_err(|error| refused(error.into()))?;
    let noted = removed.noted(user);
    match removed {
        FactorRemoved::Removed { .. } => accounts.enrolled(&who, &headers, None, noted).await,
        FactorRemoved::NeedsStepUp => Err((noted, stale(Level::Aal2).into())),
        FactorRemoved::Unknown => Err((noted, denied(DenialCode::ObjectUnknown, "factor_unknown").into())),
    }
}

impl Accounts {
    /// Somebody who has signed in a moment ago, with both factors if they have two (OWASP ASVS 5.0 section 7.5.1), and the
    /// name of their account.
    async fn fresh<'w>(&self, who: &'w Principal) -> Result<(&'w UserId, String), Refusal> {
        let user = user(who)?;
        let needed = if self.second()?.kinds(user).await?.is_none() { Level::Aal1 } else { Level::Aal2 };
        let by = who.assurance();
        if by.level < needed || self.now() > by.at.plus(FRESH) {
            return Err(stale(needed).into());
        }
        let account = self.accounts.find(user).await?;
        let account = account.ok_or_else(|| denied(DenialCode::CredentialInvalid, "account_unknown"))?;
        Ok((user, account.name.as_str().to_owned()))
    }

    /// Ends the other sessions after a change of factors, and shows recovery codes once.
    async fn enrolled(
        &self,
        who: &Principal,
        headers: &HeaderMap,
        codes: Option<RecoveryCodes>,
        noted: Noted,
    ) -> Result<Response, (Noted, Refusal)> {
        let renewed = self.renewed(who, headers).await;
        let (cookie, mut body, later) = renewed.map_err(|(later, refusal)| (noted.clone().and(later), refusal))?;
        if let Some(codes) = codes {
            body.insert("recovery_codes".to_owned(), json!(codes.expose().collect::<Vec<_>>()));
        }
        Ok((StatusCode::OK, cookie, noted.and(later), Json(Value::Object(body))).into_response())
    }
}

/// The refusal of a sign-in that is too weak or too long ago (RFC 9470).
fn stale(level: Level) -> Denial {
    let challenge = Challenge::Bearer {
        error: Some("insufficient_user_authentication"),
        scope: ScopeSet::default(),
        level,
        max_age: Some(FRESH),
    };
    Denial::new(DenialCode::AssuranceInsufficient, StageId::Forward).challenging(challenge)
}

/// How long ago somebody may have signed in who changes how they sign in.
const FRESH: Duration = Duration::from_secs(300);
