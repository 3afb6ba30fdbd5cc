//! What people who answer for security want to know: one catalogue of event kinds and the shape of an event.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::denial::{DenialCode, Evidence};
use crate::id::{EventId, OperationId, PolicyVersion, RequestId, RouteName};
use crate::principal::Subject;
use crate::time::Timestamp;

macro_rules! kinds {
    ($($name:ident $slug:literal $class:literal $meaning:literal)*) => {
        /// The kind of an event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventKind {
            $(#[doc = $meaning] $name,)*
        }

        impl EventKind {
            /// Every kind, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The kind as it is written to logs.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }

            /// The `class_uid` of the Open Cybersecurity Schema Framework (1.8) that the event belongs to.
            pub const fn ocsf_class(self) -> u32 {
                match self { $(Self::$name => $class,)* }
            }

            /// What has happened and why one would want to know.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

kinds! {
    Access "access" 6003 "One request and its answer. There is exactly one for every request, refused or not."
    AccountChanged "account_changed" 3001 "An account was made, disabled or enabled, or one of its authenticators was."
    AuthenticationFailed "authentication_failed" 3002 "A credential was missing where one is needed, or was presented and not accepted."
    AuthenticatorDisabled "authenticator_disabled" 3001 "Somebody failed too often in a row: a way to sign in to an account was disabled."
    AuthorizationDenied "authorization_denied" 6003 "A known principal asked for something it has no right to."
    BrowserReport "browser_report" 6003 "A browser reported what a policy of a page has blocked. Everything in it was said by a stranger."
    CookieCorrected "cookie_corrected" 6003 "A cookie of the application contradicted itself or the settings; it was changed or withheld."
    DeprecatedUsed "deprecated_used" 6003 "Somebody called an operation that is deprecated: at most once an hour for each caller and operation."
    FactorAdded "factor_added" 3001 "A user has a second factor more, or the first one: an authenticator app or a passkey was proven."
    FactorRemoved "factor_removed" 3001 "A user has a second factor less."
    InputRefused "input_refused" 6003 "A request did not follow HTTP or the contract, or carried what looks like an attack."
    LimitExceeded "limit_exceeded" 6003 "A client or principal used up a budget, or the service is at its own limit."
    OriginRefused "origin_refused" 6003 "A browser sent a request on behalf of a site that is not trusted."
    PasswordChanged "password_changed" 3001 "The password of an account was replaced; its other sessions had to end."
    PolicyReloaded "policy_reloaded" 3004 "The configuration was read anew while the gateway runs: the new policy is in force, or the old one stays and the evidence says why."
    RecoveryCodeUsed "recovery_code_used" 3002 "Somebody signed in with a recovery code in place of a second factor: its owner, or who has found the paper."
    ResponseStripped "response_stripped" 6003 "The backend's answer had properties that the contract does not declare; they were removed."
    ResponseWithheld "response_withheld" 6003 "The backend's answer was not let out: an error text, another principal's object, or a broken contract."
    RevocationsBehind "revocations_behind" 6003 "For some seconds nobody could read which tokens were taken back: those that are taken back now are accepted until they expire. It comes once more, as done, when all has been read."
    ServiceFailed "service_failed" 6003 "A part that Palisade depends on failed: the backend, a store, a key server, or Palisade itself."
    SessionEnded "session_ended" 3002 "Somebody's session was ended before its time: by its user, by an administrator, or for a newer one."
    SessionRenewed "session_renewed" 3003 "A session got another id, because its user signed in more strongly or has other rights now."
    SessionStarted "session_started" 3003 "Somebody has signed in, and a session was opened."
    SignInRefused "sign_in_refused" 3002 "Somebody tried to sign in and was refused. The caller was not told why; this says it."
    SignedIn "signed_in" 3002 "Somebody has signed in with a password."
    TokenIssued "token_issued" 3003 "Somebody was given tokens: a sign-in, a refresh, or a program in its own name."
    TokenRefused "token_refused" 3002 "A refresh token was presented and not accepted."
    TokenReuseDetected "token_reuse_detected" 3002 "A refresh token was used a second time: it was stolen, and whatever followed from that sign-in is revoked."
    TokenRevoked "token_revoked" 3003 "Tokens were taken back before their time."
    UndeclaredRequested "undeclared_requested" 6003 "Somebody asked for a route or operation that nobody has declared."
    WebsocketClosed "websocket_closed" 6003 "A WebSocket was closed: how long it was open, what went through it, and which side or rule ended it."
    WouldDeny "would_deny" 6003 "A request or an answer departed from the contract where that is only reported: it passed, and would be refused under `enforce`."
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that happened. Exporters turn it into JSON lines, OCSF and other forms.
///
/// ```
/// use palisade_core::event::{EventKind, Outcome, SecurityEvent, Took};
///
/// /// What somebody who is woken at night wants to read.
/// fn headline(event: &SecurityEvent) -> String {
///     let outcome = match event.outcome {
///         Outcome::Answered(status) => status.to_string(),
///         Outcome::Denied(code) => code.slug().to_owned(),
///         Outcome::Done => "done".to_owned(),
///         Outcome::Failed => "failed".to_owned(),
///     };
///     let millis = event.took.as_ref().map_or(0, |Took { all, .. }| all.as_millis());
///     format!("{} {} {}: {outcome} after {millis} ms", event.kind, event.method, event.path)
/// }
/// assert_eq!(EventKind::AuthorizationDenied.to_string(), "authorization_denied");
/// # let _ = headline;
/// ```
#[derive(Clone, Debug)]
pub struct SecurityEvent {
    /// Its place among the events of its request.
    pub index: u32,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub at: Timestamp,
    /// In which request; the caller was told the same id.
    pub request: RequestId,
    /// Who asked.
    pub who: Subject,
    /// From where.
    pub client: Option<IpAddr>,
    /// The request line without its query, which may hold personal data.
    pub method: http::Method,
    /// The canonical host that was asked, with its port where it had one; absent where none was valid.
    pub host: Option<Arc<str>>,
    /// The canonical path, or the raw one where it was refused for not being canonical.
    pub path: Arc<str>,
    /// Through which route.
    pub route: Option<RouteName>,
    /// What was asked for.
    pub operation: Option<OperationId>,
    /// How it ended.
    pub outcome: Outcome,
    /// What explains it; never sent to the caller.
    pub evidence: Evidence,
    /// How long the request took; with an access event only.
    pub took: Option<Took>,
    /// Under which policy.
    pub policy: PolicyVersion,
}

impl SecurityEvent {
    /// Its own name: the request's id and the place among its events.
    pub fn id(&self) -> EventId {
        EventId::new(format!("{}.{}", self.request, self.index))
    }
}

/// The status of an answer and what it took to make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Took {
    /// The status that the caller got.
    pub status: http::StatusCode,
    /// From the request's head to the answer's.
    pub all: Duration,
    /// How much of it was the backend's.
    pub backend: Option<Duration>,
}

/// How a request, or one step of it, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer left, with this status.
    Answered(http::StatusCode),
    /// The request was refused.
    Denied(DenialCode),
    /// What was no request was done.
    Done,
    /// What was no request was not done.
    Failed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_in_alphabetical_order() {
        assert!(EventKind::ALL.windows(2).all(|pair| pair[0].as_str() < pair[1].as_str()));
    }
}
