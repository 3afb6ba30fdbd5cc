//! Every way we say no: one catalogue of codes, from which status, text, event and documentation follow.

use std::fmt;

use http::StatusCode;
use serde::{Serialize, Serializer};

use crate::event::EventKind;

macro_rules! codes {
    ($($name:ident $slug:literal $status:ident $event:ident $title:literal $meaning:literal $remedy:literal)*) => {
        /// The reason of a refusal, as caller, log and documentation spell it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DenialCode {
            $(#[doc = $meaning] $name,)*
        }

        impl DenialCode {
            /// Every code, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code as the problem, the event and the documentation spell it.
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }

            /// The status of the answer.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// The kind of the event.
            pub const fn event(self) -> EventKind {
                match self { $(Self::$name => EventKind::$event,)* }
            }

            /// The `title` of the problem.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// The code that the caller is told. Refusals that would tell which objects exist have one code in common.
            #[must_use]
            pub const fn public(self) -> Self {
                match self {
                    Self::ObjectForbidden | Self::ResponseForeign => Self::ObjectUnknown,
                    other => other,
                }
            }

            /// What has happened.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }

            /// What the owner of the API can do about it.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)* }
            }
        }
    };
}

codes! {
    AssuranceInsufficient "assurance-insufficient" UNAUTHORIZED AuthenticationFailed
        "A stronger sign-in is needed"
        "The credential is valid, but was obtained with less assurance than the operation's `level` asks for."
        "Let the client sign in again with the factor that the challenge names (RFC 9470), or lower `level` in the contract."
    BodyTooLarge "body-too-large" PAYLOAD_TOO_LARGE InputRefused
        "The request body is too large"
        "The body is longer than the route's `max_body`, as it is sent or once it is decompressed."
        "Raise `max_body` for this route, or let the client send less."
    CircuitOpen "circuit-open" SERVICE_UNAVAILABLE ServiceFailed
        "The service is temporarily unavailable"
        "The backend failed several times in a row and is given time to recover."
        "Look at the backend. Requests are tried again after the pause that `Retry-After` names."
    ClaimInsufficient "claim-insufficient" FORBIDDEN AuthorizationDenied
        "You may not do this"
        "A claim of the principal is absent or has none of the values that the operation's `require` lists."
        "Give the principal the claim, or correct `require` in the contract."
    ClientForbidden "client-forbidden" FORBIDDEN OriginRefused
        "The request is not allowed from this address"
        "The client's address is in a denied network, or not in an allowed one."
        "Correct `client.allow` and `client.deny`, in `[client]` or on the route; behind a proxy also `trusted_proxies`."
    CodingExcessive "coding-excessive" PAYLOAD_TOO_LARGE InputRefused
        "The request body is compressed too far"
        "The compressed body becomes more than 100 times its size: a small request that would cost much memory and time (a decompression bomb)."
        "Let the client send the body with less compression, or without."
    CodingInvalid "coding-invalid" BAD_REQUEST InputRefused
        "The request body is not compressed as it says"
        "The compressed body is damaged, breaks off, has a wrong checksum, or is followed by something else."
        "Read `error` in the event; send one whole member of the format that `Content-Encoding` names."
    CodingUndeclared "coding-undeclared" UNSUPPORTED_MEDIA_TYPE InputRefused
        "The request body's coding is not accepted"
        "`Content-Encoding` names a coding that the route's `accept_encoding` does not list, or more than one."
        "Send the body as it is, or list the coding under `accept_encoding` if callers need it."
    CredentialAmbiguous "credential-ambiguous" BAD_REQUEST AuthenticationFailed
        "More than one credential was sent"
        "The request carries several credentials, or one several times, and it is not clear which counts."
        "Send one credential, in one header."
    CredentialInvalid "credential-invalid" UNAUTHORIZED AuthenticationFailed
        "The credential is not valid"
        "A token or key was presented and not accepted; the event says which rule it broke."
        "Read `reason` in the event: an expired token needs a new one, an unknown key a look at the key set."
    CredentialMissing "credential-missing" UNAUTHORIZED AuthenticationFailed
        "A credential is needed"
        "The operation is not public and no credential was sent."
        "Send a credential of a kind that the route's `authenticate` lists, or declare the operation public."
    CrossSiteRequest "cross-site-request" FORBIDDEN OriginRefused
        "The request came from another site"
        "A browser sent a request with an ambient credential on behalf of a site that is not trusted, or without the token that the route asks for."
        "Read `reason` in the event: add a site of yours to `csrf.trusted_origins`; with `csrf.tokens` let scripts send the cookie `__Host-csrf` back in `X-CSRF-Token`."
    DeadlineExceeded "deadline-exceeded" GATEWAY_TIMEOUT ServiceFailed
        "The answer took too long"
        "The answer did not begin within the route's `timeout`."
        "Look at the backend's speed, or raise `timeout` for this route."
    DestinationForbidden "destination-forbidden" BAD_REQUEST InputRefused
        "A URL in the request names a destination that is not allowed"
        "A URL-valued property points into a private network or to a host that its `x-palisade-destinations` does not list: the first step of server-side request forgery."
        "List the host in the contract if the backend may fetch from it."
    ExpectationUnsupported "expectation-unsupported" EXPECTATION_FAILED InputRefused
        "The expectation cannot be met"
        "`Expect` says something else than `100-continue`, which is the only expectation that there is (RFC 9110 section 10.1.1)."
        "Let the client leave the header out."
    HeaderForbidden "header-forbidden" BAD_REQUEST InputRefused
        "A request header is not allowed"
        "A header is repeated where only one is allowed, has a name that intermediaries read differently, or tries to change the method or path."
        "Remove the header that the event names."
    HeadersTooLarge "headers-too-large" REQUEST_HEADER_FIELDS_TOO_LARGE InputRefused
        "The request headers are too large"
        "The headers together are longer than `max_headers`."
        "Raise `max_headers`, or let the client send fewer cookies."
    HostInvalid "host-invalid" BAD_REQUEST InputRefused
        "The request's host is not valid"
        "`Host` is missing, repeated, malformed or differs from the authority of the request line."
        "Send one `Host`, equal to the authority."
    Internal "internal" INTERNAL_SERVER_ERROR ServiceFailed
        "The request could not be processed"
        "Palisade met a condition that should be impossible, such as a panic in a stage."
        "Report it with the event; nothing was forwarded after the failure."
    MarkupInText "markup-in-text" BAD_REQUEST InputRefused
        "A text contains markup"
        "A free-text property contains HTML markup, which a page that shows it would run (cross-site scripting)."
        "If the property is meant to hold HTML, set `x-palisade-markup: true` on its schema and sanitize it in the backend."
    MediaTypeUndeclared "media-type-undeclared" UNSUPPORTED_MEDIA_TYPE InputRefused
        "The request body's type is not declared"
        "`Content-Type` is missing, repeated, or not among those the contract declares."
        "Send a declared type, or declare the type in the contract."
    MethodUndeclared "method-undeclared" METHOD_NOT_ALLOWED UndeclaredRequested
        "The path does not have this method"
        "The contract declares the path, but not with this method."
        "Declare the operation in the contract."
    NotCached "not-cached" GATEWAY_TIMEOUT InputRefused
        "There is no stored answer"
        "The request asked with `Cache-Control: only-if-cached` for an answer from the cache, which has none that is fresh."
        "Let the client ask without `only-if-cached`, or set `request_directives = \"ignore\"` under the route's `cache`."
    ObjectForbidden "object-forbidden" NOT_FOUND AuthorizationDenied
        "There is no such object"
        "A parameter names somebody else's object. The caller is told `object-unknown`, as for an object that does not exist."
        "Correct `owner` in the contract, or add the caller's role to `exempt_roles`."
    ObjectUnknown "object-unknown" NOT_FOUND ResponseWithheld
        "There is no such object"
        "The backend says that the object does not exist, on an operation that has owners. Its own words are withheld, because they would tell such an object from one that exists and belongs to somebody else; for that reason this code is also what the caller is told in place of `object-forbidden` and `response-foreign`."
        "Nothing, where the object does not exist. The event of the same request says which of the three it was."
    OperationUndeclared "operation-undeclared" NOT_FOUND UndeclaredRequested
        "There is no such operation"
        "The contract does not declare the path."
        "Declare the operation in the contract. If nobody knows who asks for it, it is worth finding out."
    Overloaded "overloaded" SERVICE_UNAVAILABLE LimitExceeded
        "The service is busy"
        "As many requests as `max_concurrent` allows are under way, in all or on this route; or as many as the upstream's `concurrency`, `max_connections` and `max_waiting` allow."
        "Read `error` in the event, raise the bound, or look at why answers take long. What must work in overload can have `reserved_concurrent`."
    ParameterInvalid "parameter-invalid" BAD_REQUEST InputRefused
        "A request parameter is not valid"
        "A path, query, header or cookie parameter is missing, undeclared, repeated or breaks its schema."
        "Read `errors` in the problem: each names the parameter and the rule."
    PathAmbiguous "path-ambiguous" BAD_REQUEST InputRefused
        "The request's path is not in canonical form"
        "The path or query has a spelling that different programs read differently: encoded slashes, dot segments, double encoding, control characters, invalid UTF-8."
        "Let the client send the canonical form."
    PayloadInvalid "payload-invalid" BAD_REQUEST InputRefused
        "The request body is not valid"
        "The body is missing, is not well-formed, has undeclared properties or breaks its schema."
        "Read `errors` in the problem: each names the property and the rule."
    PreflightRefused "preflight-refused" FORBIDDEN OriginRefused
        "The origin may not make this request"
        "A CORS preflight asked for an origin, method or header that is not allowed."
        "Add the origin, method or header to the route's `cors`."
    ProofInvalid "proof-invalid" UNAUTHORIZED AuthenticationFailed
        "The proof of possession is not valid"
        "The token is bound to a key, and what came with it does not prove that the caller has the key: the proof is missing, old, for another request, or was used before (RFC 9449)."
        "Read `reason` in the event. With `nonce_needed` nothing is wrong: the client repeats the request with the nonce from `DPoP-Nonce`."
    QuotaExhausted "quota-exhausted" TOO_MANY_REQUESTS LimitExceeded
        "The budget for this operation is used up"
        "The principal called the operation more often than its `limit` in the contract allows."
        "Wait as `Retry-After` says, or raise `limit` in the contract."
    RequestMalformed "request-malformed" BAD_REQUEST InputRefused
        "The request is not valid HTTP"
        "The bytes of the request break a rule of HTTP, or could be read as different requests by different programs: two lengths, a length beside a transfer coding, bare line feeds, folded lines, control characters."
        "Read `reason` in the event. An honest client has a broken HTTP library; anybody else tries to smuggle requests."
    RequestTimeout "request-timeout" REQUEST_TIMEOUT InputRefused
        "The request arrived too slowly"
        "The head of the request took longer than `head_timeout`; or the client stopped sending the body for longer than the route's `body_timeout`, sent it more slowly than `body_min_rate`, or had not finished it by `timeout`."
        "Send the request without pauses, or change these bounds."
    ResponseForeign "response-foreign" NOT_FOUND AuthorizationDenied
        "There is no such object"
        "The backend answered with an object of another principal, which was withheld. The backend lacks this check itself. The caller is told `object-unknown`."
        "Fix the check in the backend; if sharing is meant, correct `owner` in the contract."
    ResponseInvalid "response-invalid" BAD_GATEWAY ResponseWithheld
        "The service gave an answer that cannot be passed on"
        "The backend's answer breaks the response schema of the contract and was withheld."
        "Read `errors` in the event and correct the backend or the contract."
    ResponseLeaks "response-leaks" BAD_GATEWAY ResponseWithheld
        "The service gave an answer that cannot be passed on"
        "The backend's answer holds a stack trace, an error of its database, or a secret such as a private key or a password hash; it was withheld. The event says what was found and where, not what it was."
        "Correct the backend. Where a property is meant to hold such a text, list its pointer in the operation's `danger_show`."
    ResponseUndeclared "response-undeclared" BAD_GATEWAY ResponseWithheld
        "The service gave an answer that cannot be passed on"
        "The backend answered with a status or media type that the contract does not declare; the answer was withheld."
        "Declare the response in the contract."
    RoleInsufficient "role-insufficient" FORBIDDEN AuthorizationDenied
        "You may not do this"
        "The principal has none of the operation's `roles`."
        "Give the principal the role, or correct `roles` in the contract."
    RouteUnknown "route-unknown" NOT_FOUND UndeclaredRequested
        "There is nothing here"
        "No route of the configuration matches the host and path."
        "Add a route."
    ScopeInsufficient "scope-insufficient" FORBIDDEN AuthorizationDenied
        "The credential does not cover this"
        "The token or key lacks a scope that the operation needs."
        "Ask for the scope that the challenge names when obtaining the token."
    SessionsExhausted "sessions-exhausted" CONFLICT LimitExceeded
        "There are as many sessions as allowed"
        "Somebody with a good credential has as many sessions as `SessionSettings::limit` allows, and its `when_full` is `Refuse`."
        "Let the user end a session elsewhere, or let the oldest one make room (`WhenFull::EvictOldest`)."
    Throttled "throttled" TOO_MANY_REQUESTS LimitExceeded
        "Too many requests"
        "The client sent more requests than the route's `throttle` allows."
        "Wait as `Retry-After` says, or raise `throttle` for this route."
    Unavailable "unavailable" SERVICE_UNAVAILABLE ServiceFailed
        "The service is temporarily unavailable"
        "A store or key server that a decision depends on failed, so the request was refused."
        "Look at the part that the event names."
    Unpermitted "unpermitted" INTERNAL_SERVER_ERROR ServiceFailed
        "The request could not be processed"
        "A request reached the end of the chain without a permit. It was not forwarded."
        "The chain lacks `authorize`; report it if you did not build the chain yourself."
    UpgradeInvalid "upgrade-invalid" BAD_REQUEST InputRefused
        "The WebSocket handshake is not valid"
        "The operation is a WebSocket, and the request that asks for it is not the handshake of RFC 6455: another method, protocol or version, a body, or a key that is not 16 bytes."
        "Read `reason` in the event. Over HTTP/2 there are no WebSockets here: let the client use HTTP/1.1."
    UpstreamFailed "upstream-failed" BAD_GATEWAY ResponseWithheld
        "The service failed"
        "The backend answered with a server error. Its text was withheld, because it may show how the backend works."
        "Look into the backend's log at the time of the event."
    UpstreamUnreachable "upstream-unreachable" BAD_GATEWAY ServiceFailed
        "The service cannot be reached"
        "No connection to the backend could be made, it could not prove to be the backend, or it broke before an answer."
        "Read `error` in the event: check that the backend runs, that `url` of the upstream is right, and for TLS `ca` and `server_name`."
    UriTooLong "uri-too-long" URI_TOO_LONG InputRefused
        "The request's URI is too long"
        "Path and query together are longer than `max_uri`."
        "Raise `max_uri`, or send the data in a body."
}

impl fmt::Display for DenialCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

impl Serialize for DenialCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.slug())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_in_alphabetical_order_and_says_something() {
        assert!(DenialCode::ALL.windows(2).all(|pair| pair[0].slug() < pair[1].slug()));
        for code in DenialCode::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code}");
            assert!(
                !code.title().ends_with('.') && code.meaning().ends_with('.') && code.remedy().ends_with('.'),
                "{code}"
            );
            let public = code.public();
            let same = (public.status(), public.title()) == (code.status(), code.title());
            assert!(same && public.public() == public, "{code} and {public} differ for the caller");
        }
    }
}
