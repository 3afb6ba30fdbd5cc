//! Removes what was meant for us and tells the backend what it needs to know.
//!
//! 1. Hop-by-hop headers go, `Upgrade` among them, and those that `Connection` names.
//! 2. The header with the credential goes, and the proof that came with it, unless the route says that the backend needs
//!    it: what a backend does not have, it cannot leak or misuse. Of cookies only that of the session goes.
//! 3. The backend is told the client's address, the scheme, the host and the request's id, each in one header that
//!    nobody else can set: `client` has deleted what came from outside.
//! 4. It is told who asks in `Palisade-Identity`, signed for it alone and for a minute, where there is a key to sign with
//!    ([`crate::token::identity`]): that it can check, wherever the request came from.
//! 5. It is told the same in `Palisade-Subject`, `Palisade-Roles`, `Palisade-Scopes` and `Palisade-Tenant`, unless that
//!    is switched off. A backend may trust them exactly as far as nobody but the gateway can reach it.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use palisade_core::canon;
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::principal::Principal;
use palisade_core::stage::StageId;

use super::{Head, Stage, Verdict};
use crate::cookie;
use crate::credential::Told;
use crate::facts::{Carrier, Facts, Transport};
use crate::plain;
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
/// head.facts.credential = Some(palisade::facts::Carrier::Header(http::header::AUTHORIZATION));
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
        match facts.credential.as_ref().filter(|_| strip) {
            None => {}
            Some(Carrier::Cookie(name)) => cookie::remove(headers, name),
            Some(Carrier::Header(name)) => {
                headers.remove(name);
                headers.remove(dpop::HEADER);
            }
        }
        let scheme = if facts.transport == Transport::Encrypted { "https" } else { "http" };
        set(headers, &PROTO, Some(HeaderValue::from_static(scheme)));
        set(headers, &FOR, facts.client.and_then(address));
        set(headers, &HOST, facts.host.as_ref().and_then(|host| HeaderValue::from_str(host.as_str()).ok()));
        set(headers, &REQUEST_ID, HeaderValue::from_str(facts.request_id.as_str()).ok());
        set(headers, &identity::HEADER, identity);
        if self.plain == Plain::Told {
            tell_plainly(headers, facts);
        }
        Verdict::PASS
    }
}

fn tell_plainly(headers: &mut HeaderMap, facts: &Facts) {
    let fresh;
    let told = match &facts.known {
        Some(known) => known.told.get_or_init(|| told(&facts.principal)),
        None => {
            fresh = told(&facts.principal);
            &fresh
        }
    };
    for (name, value) in PLAIN.iter().zip(told) {
        set(headers, name, value.clone());
    }
}

fn told(principal: &Principal) -> Told {
    let listed = |list: String| if list.is_empty() { None } else { value(list) };
    [
        principal.subject().id().and_then(|id| HeaderValue::from_str(id).ok()),
        principal.tenant().and_then(|tenant| HeaderValue::from_str(tenant.as_str()).ok()),
        listed(principal.roles().to_string()),
        listed(principal.scopes().to_string()),
    ]
}

fn address(client: IpAddr) -> Option<HeaderValue> {
    let mut text = Vec::with_capacity(15);
    plain::address(client, &mut text);
    HeaderValue::try_from(text).ok()
}

fn value(text: String) -> Option<HeaderValue> {
    HeaderValue::try_from(text).ok()
}

/// Puts a value in place of any that came, or of none.
fn set(headers: &mut HeaderMap, name: &HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => drop(headers.insert(name, value)),
        None => drop(headers.remove(name)),
    }
}

static PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// In the order of [`Told`].
static PLAIN: [HeaderName; 4] = [
    HeaderName::from_static("palisade-subject"),
    HeaderName::from_static("palisade-tenant"),
    HeaderName::from_static("palisade-roles"),
    HeaderName::from_static("palisade-scopes"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_stage, head, refusal, user};

    #[test]
    fn the_backend_hears_who_asks_and_nothing_it_should_not() {
        for (credentials, keeps) in [(Credentials::Strip, false), (Credentials::Forward, true)] {
            let mut head = head("GET /\nauthorization: Bearer x\nconnection: x-secret\nx-secret: 1\ncookie: a=1");
            head.facts.principal = user("u-1");
            head.facts.credential = Some(Carrier::Header(http::header::AUTHORIZATION));
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
    fn of_cookies_only_that_of_the_session_goes() {
        for (credentials, expect) in [
            (Credentials::Strip, "theme=dark; __Host-csrf=t"),
            (Credentials::Forward, "theme=dark; __Host-s=i; __Host-csrf=t"),
        ] {
            let mut head = head("GET /\ncookie: theme=dark; __Host-s=i; __Host-csrf=t\nauthorization: other");
            head.facts.credential = Some(Carrier::Cookie("__Host-s".into()));
            assert_eq!(refusal(&Present::new(PerRoute::same(credentials)), &mut head), None);
            assert_eq!(head.parts.headers["cookie"], expect);
            assert!(head.parts.headers.contains_key("authorization"));
        }
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Present::default());
    }
}
