//! Sessions as a credential: whoever's session the cookie opens is who asks.
//!
//! 1. A live session is a principal with the rights that the session has now; nothing of it is remembered here, so that
//!    a session that is ended is ended for the next request.
//! 2. A cookie that opens nothing is refused, and the browser is told to forget it.
//! 3. Where nobody has to be somebody, such as on the page to sign in, it is nothing but noted: a session that ended over
//!    night must not lock its user out of the way back. There the cookie stays for the handler to replace.
//! 4. When the store does not answer, nobody passes.

use http::header::{COOKIE, SET_COOKIE};
use palisade_core::denial::{Challenge, Denial, DenialCode};
use palisade_core::event::EventKind;
use palisade_core::operation::Audience;
use palisade_core::port::session::Session;
use palisade_core::principal::{Attribute, Principal, Subject};

use super::super::Head;
use super::{deny, invalid};
use crate::facts::Carrier;
use crate::session::{Presented, Resolved, Sessions};

/// Says whose session it is.
pub(super) async fn establish(sessions: &Sessions, presented: Presented, head: &mut Head) -> Result<(), Denial> {
    head.plan.vary(COOKIE);
    let resolved = sessions.look_up(presented).await;
    let resolved = resolved.map_err(|error| deny(DenialCode::Unavailable).because("error", error.to_string()))?;
    let Some(reason) = resolved.reason() else {
        if let Resolved::Live(session, _) = resolved {
            head.facts.credential = Some(Carrier::Cookie(sessions.settings().cookie.name().into()));
            head.facts.principal = principal(*session);
        }
        return Ok(());
    };
    let session = if let Resolved::Over(session, _) = &resolved { session.handle.as_str() } else { "-" };
    let is_public = |found: &crate::facts::OperationMatch| found.operation.access.audience == Audience::Public;
    if head.facts.operation.as_ref().is_some_and(is_public) {
        head.facts.note(EventKind::AuthenticationFailed, &[("reason", reason), ("session", session)]);
        return Ok(());
    }
    head.plan.append(SET_COOKIE, sessions.settings().cookie.removal_header());
    Err(invalid(reason).because("session", session).challenging(challenge(sessions)))
}

/// What would help somebody who has none.
pub(super) fn challenge(sessions: &Sessions) -> Challenge {
    Challenge::Session { cookie: sessions.settings().cookie.name().into() }
}

/// Whose session it is. Its name is the claim `sid`.
fn principal(session: Session) -> Principal {
    let holder = session.holder;
    let attributes = holder.attributes.iter().map(|(name, value)| (name.to_owned(), value.clone()));
    let handle = ("sid".to_owned(), Attribute::Text(session.handle.to_string()));
    let principal = Principal::establish(Subject::User(holder.user), holder.rights.assurance)
        .with_scopes(holder.rights.scopes)
        .with_roles(holder.rights.roles)
        .with_attributes(attributes.chain([handle]).collect());
    match holder.tenant {
        Some(tenant) => principal.with_tenant(tenant),
        None => principal,
    }
}
