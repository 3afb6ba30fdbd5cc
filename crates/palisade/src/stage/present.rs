//! Removes what was meant for us and tells the backend what it needs to know.
//!
//! 1. Hop-by-hop headers go, `Upgrade` among them, and those that `Connection` names.
//! 2. The header with the credential goes, and the proof that came with it, unless the route says that the backend needs
//!    it: what a backend does not have, it cannot leak or misuse.
//! 3. The backend is told the client's address, the scheme, the host and the request's id, each in one header that
//!    nobody else can set: `client` has deleted what came from outside.
//! 4. It is told who asks in `Palisade-Identity`, signed for it alone and for a minute, where there is a key to sign with
//!    ([`crate::token::identity`]): that it can check, wherever the request came from.
//! 5. It is told the same in `Palisade-Subject`, `Palisade-Roles`, `Palisade-Scopes` and `Palisade-Tenant`, unless that
//!    is switched off. A backend may trust them exactly as far as nobody but the gateway can reach it.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use palisade_core::canon;
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;

use super::{Head, Stage, Verdict};
use crate::facts::{Facts, Transport};
use crate::settings::PerRoute;
use crate::token::dpop;
use crate::token::identity::{self, IdentitySigner};

/// The stage; strips credentials and signs nothing by default.
///
/// ```
/// use palisade::settings::PerRoute;
/// use palisade::stage::present::{Credentials, Plain, Present};
/// use palisade::stage::{Stage, Verdict};
///
/// // The credential ends here, and no header says without a signature who asks.
/// let stage = Present::new(PerRoute::same(Credentials::Strip)).telling(Plain::Untold);
/// let mut head = palisade::testing::head("GET /\nhost: a\nauthorization: Bearer a.b.c");
/// head.facts.credential = Some(http::header::AUTHORIZATION);
/// assert!(matches!(stage.check(&mut head), Verdict::Now(Ok(()))));
/// assert!(!head.parts.headers.contains_key("authorization"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Present {
    credentials: PerRoute<Credentials>,
    identity: Option<Identity>,
    plain: Plain,
}

/// What happens to the caller's credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Credentials {
    /// The backend gets it, because it checks it too.
    Forward,
    /// It ends here.
    #[default]
    Strip,
}

/// How backends are told who asks.
#[derive(Clone, Debug)]
struct Identity {
    signer: Arc<IdentitySigner>,
    /// The name of each route's backend.
    audiences: PerRoute<Option<Arc<str>>>,
}

/// Whether backends are told who asks in headers without a signature as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Plain {
    /// They are.
    #[default]
    Told,
    /// They are not.
    Untold,
}

impl Present {
    /// The stage with settings by route.
    pub fn new(credentials: PerRoute<Credentials>) -> Self {
        Self { credentials, identity: None, plain: Plain::Told }
    }

    /// The same, signing who asks for the backend of each route.
    #[must_use]
    pub fn signing(mut self, signer: Arc<IdentitySigner>, audiences: PerRoute<Option<Arc<str>>>) -> Self {
        self.identity = Some(Identity { signer, audiences });
        self
    }

    /// The same, telling or not telling who asks without a signature.
    #[must_use]
    pub fn telling(mut self, plain: Plain) -> Self {
        self.plain = plain;
        self
    }

    /// The signed identity of the principal, if it has one and somebody to be told of it.
    fn identity(&self, head: &Head) -> Result<Option<HeaderValue>, Denial> {
        let Some(identity) = &self.identity else { return Ok(None) };
        let principal = &head.facts.principal;
        let (Some(audience), Some(_)) = (identity.audiences.of(head), principal.subject().id()) else {
            return Ok(None);
        };
        let signed = match &head.facts.known {
            Some(known) => identity.signer.sign_once(&known.signed, principal, audience),
            None => identity.signer.sign(principal, audience),
        };
        let failed = |error: crate::token::sign::SignError| {
            Denial::new(DenialCode::Internal, StageId::Present).because("error", error.to_string())
        };
        signed.map(Some).map_err(failed)
    }
}

impl Stage for Present {
    fn id(&self) -> StageId {
        StageId::Present
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        let strip = *self.credentials.of(head) == Credentials::Strip;
        let identity = match self.identity(head) {
            Ok(identity) => identity,
            Err(denial) => return Verdict::from(Err(denial)),
        };
        let Head { parts, facts, .. } = head;
        let headers = &mut parts.headers;
        canon::header::strip_hop_by_hop(headers);
        if let (true, Some(name)) = (strip, &facts.credential) {
            headers.remove(name);
            headers.remove(dpop::HEADER);
        }
        let scheme = if facts.transport == Transport::Encrypted { "https" } else { "http" };
        set(headers, "x-forwarded-proto", Some(scheme));
        set(headers, "x-forwarded-for", facts.client.map(|client| client.to_string()).as_deref());
        set(headers, "x-forwarded-host", facts.host.as_ref().map(ToString::to_string).as_deref());
        set(headers, "x-request-id", Some(facts.request_id.as_str()));
        headers.remove(identity::HEADER);
        if let Some(value) = identity {
            headers.insert(identity::HEADER, value);
        }
        if self.plain == Plain::Told {
            tell_plainly(headers, facts);
        }
        Verdict::PASS
    }
}

fn tell_plainly(headers: &mut HeaderMap, facts: &Facts) {
    let principal = &facts.principal;
    set(headers, "palisade-subject", principal.subject().id());
    set(headers, "palisade-tenant", principal.tenant().map(|tenant| tenant.as_str()));
    set(headers, "palisade-roles", Some(principal.roles().to_string()).filter(|r| !r.is_empty()).as_deref());
    set(headers, "palisade-scopes", Some(principal.scopes().to_string()).filter(|s| !s.is_empty()).as_deref());
}

fn set(headers: &mut HeaderMap, name: &'static str, value: Option<&str>) {
    let name = HeaderName::from_static(name);
    headers.remove(&name);
    if let Some(Ok(value)) = value.map(HeaderValue::from_str) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_stage, head, refusal, user};

    #[test]
    fn the_backend_hears_who_asks_and_nothing_it_should_not() {
        for (credentials, keeps) in [(Credentials::Strip, false), (Credentials::Forward, true)] {
            let mut head = head("GET /\nauthorization: Bearer x\nconnection: x-secret\nx-secret: 1\ncookie: a=1");
            head.facts.principal = user("u-1");
            head.facts.credential = Some(http::header::AUTHORIZATION);
            head.facts.client = Some([203, 0, 113, 9].into());
            assert_eq!(refusal(&Present::new(PerRoute::same(credentials)), &mut head), None);
            let headers = &head.parts.headers;
            assert_eq!(headers.contains_key("authorization"), keeps);
            assert!(!headers.contains_key("x-secret") && !headers.contains_key("connection"));
            assert_eq!(headers["palisade-subject"], "u-1");
            assert_eq!(headers["x-forwarded-for"], "203.0.113.9");
            assert_eq!(headers["cookie"], "a=1");
        }
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Present::default());
    }
}
