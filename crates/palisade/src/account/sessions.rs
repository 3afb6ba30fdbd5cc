//! Where somebody is signed in, and the end of it.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use palisade_core::denial::DenialCode;
use palisade_core::event::EventKind;
use palisade_core::id::{SessionHandle, UserId};
use palisade_core::port::refresh::{FamilyId, Whose};
use palisade_core::port::session::Ended;
use palisade_core::principal::Subject;
use serde::Serialize;

use super::answer::{denied, no_such_session};
use super::{Accounts, Ticket};
use crate::extract::{Noted, Principal, Refusal};
use crate::session::Sessions;

/// One place where somebody is signed in.
#[derive(Serialize)]
struct Entry {
    id: String,
    device: Option<Box<str>>,
    address: Option<String>,
    /// When it began and was last used, as RFC 3339 writes it.
    since: String,
    seen: String,
    /// Whether it is the one that asks.
    current: bool,
}

pub(super) async fn list(
    State(accounts): State<Accounts>,
    who: Principal,
    headers: HeaderMap,
) -> Result<Json<serde_json::Value>, Refusal> {
    let user = user(&who)?;
    let entries: Vec<Entry> = match &accounts.ticket {
        Ticket::Session(sessions) => {
            let list = sessions.list(user).await?.into_iter().map(|session| Entry {
                current: who.holds("sid", session.handle.as_str()),
                id: session.handle.as_str().to_owned(),
                device: Some(session.holder.device.label),
                address: session.holder.device.address.map(|address| address.to_string()),
                since: session.created.to_string(),
                seen: session.seen.to_string(),
            });
            list.collect()
        }
        Ticket::Tokens(tokens) => {
            let own = tokens.family(&headers);
            let kept = tokens.refresh().store().list(user, tokens.refresh().now()).await?;
            let list = kept.into_iter().map(|kept| Entry {
                current: own == Some(kept.family.id) || who.holds("sid", &kept.family.id.to_string()),
                id: kept.family.id.to_string(),
                device: None,
                address: None,
                since: kept.family.begun.to_string(),
                seen: kept.progress.rotated_at.to_string(),
            });
            list.collect()
        }
    };
    Ok(Json(serde_json::json!({ "sessions": entries })))
}

/// Ends one of the caller's own sessions. Another user's is as unknown as one that never was.
pub(super) async fn end(
    State(accounts): State<Accounts>,
    who: Principal,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let user = user(&who)?;
    let noted = match &accounts.ticket {
        Ticket::Session(sessions) => {
            let ended = sessions.end_one(user, &SessionHandle::new(id)).await?;
            if ended == Ended::Unknown {
                return Err(no_such_session().into());
            }
            Sessions::noted(&ended)
        }
        Ticket::Tokens(tokens) => {
            let store = tokens.refresh().store();
            let family = FamilyId::parse(&id).ok_or_else(no_such_session)?;
            let found = store.find(family).await?.filter(|found| found.grant.subject == *user);
            if found.is_none() {
                return Err(no_such_session().into());
            }
            // First, so that whoever is told that it has failed can ask again.
            tokens.withdraw_family(family).await?;
            if store.revoke(Whose::Family(family), tokens.refresh().now()).await? == 0 {
                return Err(no_such_session().into());
            }
            revoked(user, &id, "by_request")
        }
    };
    Ok((noted, StatusCode::NO_CONTENT).into_response())
}

/// Ends the session that asks. Who has none is signed out already.
pub(super) async fn sign_out(State(accounts): State<Accounts>, headers: HeaderMap) -> Result<Response, Refusal> {
    let sessions = accounts.sessions().ok_or_else(|| denied(DenialCode::Internal, "no_sessions_here"))?;
    let ended = sessions.end(&headers).await?;
    let removal = sessions.settings().cookie.removal();
    Ok((removal, Sessions::noted(&ended), StatusCode::NO_CONTENT).into_response())
}

/// The event of a family that was ended.
pub(super) fn revoked(user: &UserId, family: &str, reason: &'static str) -> Noted {
    let facts = [("account", user.as_str()), ("family", family), ("reason", reason)];
    Noted::default().with(EventKind::TokenRevoked, &facts)
}

/// The person who asks. A program has no sessions.
pub(super) fn user(who: &Principal) -> Result<&UserId, Refusal> {
    match who.subject() {
        Subject::User(id) => Ok(id),
        _ => Err(denied(DenialCode::ObjectUnknown, "not_a_person").into()),
    }
}
