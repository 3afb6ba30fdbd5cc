//! A rule names one thing that can be proved against an API, and says what to do about it.

mod code;
mod detail;
mod severity;
mod table;

pub use detail::{Breadth, Detail};
pub use severity::Severity;

use crate::row::Row;

/// What can be done about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// In the contract or the gateway's configuration.
    pub policy: &'static str,
    /// In the service's own code.
    pub rust: &'static str,
}

/// One entry of the catalogue.
///
/// ```
/// use palisade_review::{Row, Rule};
///
/// let rule = Rule::ALL.iter().find(|rule| rule.slug == "sql-injected").unwrap();
/// assert_eq!((rule.row, rule.cwe), (Row::Injection, 89));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name in reports.
    pub slug: &'static str,
    /// The class it belongs to.
    pub row: Row,
    /// Its number in the Common Weakness Enumeration.
    pub cwe: u32,
    /// What can be done.
    pub remedy: Remedy,
}

macro_rules! rules {
    ($($name:ident $slug:literal $row:ident $cwe:literal $policy:literal $rust:literal)*) => {
        $(pub(crate) const $name: Rule = Rule {
            slug: $slug, row: Row::$row, cwe: $cwe, remedy: Remedy { policy: $policy, rust: $rust },
        };)*

        impl Rule {
            /// Every rule, in alphabetical order.
            pub const ALL: &'static [Self] = &[$($name,)*];
        }
    };
}

rules! {
    ACCOUNT_ENUMERABLE "account-enumerable" Authentication 204
        "State `limit: { requests: 10, per: 60s, by: client }` in the operation's `x-palisade`, so that few names can be tried."
        "Give the same status, text and delay whether or not the account exists."
    AMOUNT_UNCHECKED "amount-unchecked" BusinessFlow 840
        "State `minimum` in the schema of the property."
        "Read the amount into a type that cannot be negative, before anything is computed with it."
    AUTHENTICATION_MISSING "authentication-missing" Authentication 306
        "Leave `public` out of the operation's `x-palisade`, so that a credential is needed."
        "Take the signed-in caller as an argument of the handler, so that it cannot run without one."
    CERTIFICATE_EXPIRING "certificate-expiring" Misconfiguration 298
        "Have the certificate that the gateway serves renewed by a program; it takes a new one without a restart."
        "Have the certificate renewed by a program, long before its end, and load the new one without a restart."
    CERTIFICATE_INVALID "certificate-invalid" Misconfiguration 295
        "Serve the operation through the gateway with a certificate for its name, from an authority that callers trust."
        "Get a certificate for the name that callers use, from an authority that they trust, with a key of 2048 bits of RSA or more."
    COMMAND_INJECTED "command-injected" Injection 78
        "State a `pattern` in the schema of the value."
        "Start the program with a list of arguments, never with a shell and a formatted line."
    CONTRACT_DEFECTIVE "contract-defective" Inventory 1059
        "Repair the contract: what cannot be read is neither checked nor reviewed."
        "Make the contract from the code, or test the code against it, so that they cannot part."
    COOKIE_UNPROTECTED "cookie-unprotected" Misconfiguration 1004
        "Serve the operation through the gateway with cookie sessions of its own."
        "Set `HttpOnly`, `Secure` and `SameSite` on every cookie that signs somebody in."
    CORS_REFLECTED "cors-reflected" Misconfiguration 942
        "List the origins that may read answers under the route's `cors`."
        "Compare `Origin` with a fixed list; never copy it into `Access-Control-Allow-Origin`."
    ENTITY_RESOLVED "entity-resolved" Injection 611
        "Declare JSON bodies only; the gateway refuses other media types."
        "Switch document types and external entities off in the XML parser."
    FILE_READ "file-read" Injection 22
        "State a `pattern` without dots and slashes in the schema of the value."
        "Look the name up in a fixed list, or compare the canonical path with the folder it must be in."
    FLOW_REPEATED "flow-repeated" BusinessFlow 841
        "State `limit: { requests: 1, per: .., by: principal }` in the operation's `x-palisade`."
        "Record the use and check it in one statement, under a unique key."
    FLOW_UNBOUNDED "flow-unbounded" BusinessFlow 799
        "State `limit: { requests: N, per: 1h, by: principal }` in the operation's `x-palisade`."
        "Count and record the use in one statement, and refuse when the count is reached."
    FUNCTION_BYPASSED "function-bypassed" FunctionAuthorization 650
        "State `roles: [..]` in the operation's `x-palisade`; the gateway removes headers that name another path or method."
        "Decide by the route that was really taken, and ignore headers that name another method or path."
    FUNCTION_EXPOSED "function-exposed" FunctionAuthorization 285
        "State `roles: [..]` in the operation's `x-palisade`."
        "Take the role as an argument of the handler (an `Admin` that only an administrator can become)."
    GUESSING_UNBOUNDED "guessing-unbounded" ResourceConsumption 307
        "State `limit: { requests: 10, per: 60s, by: client }` in the `x-palisade` of the sign-in."
        "Count failures by account and by address, and answer 429 when there are too many."
    HEADER_INJECTED "header-injected" Injection 113
        "State a `pattern` without line breaks in the schema of the value."
        "Build header values with a type that refuses control characters."
    HEADERS_MISSING "headers-missing" Misconfiguration 693
        "Serve the operation through the gateway, which adds the headers."
        "Add `X-Content-Type-Options: nosniff` to every answer and a content security policy to every page."
    LDAP_INJECTED "ldap-injected" Injection 90
        "State a `pattern` without parentheses and asterisks in the schema of the value."
        "Escape values as RFC 4515 section 3 says before they become part of a filter."
    MARKUP_STORED "markup-stored" Injection 79
        "Leave `x-palisade-markup` out of the property's schema, so that markup is refused."
        "Escape text where it enters HTML."
    NOSQL_INJECTED "nosql-injected" Injection 943
        "State `type: string` in the schema of the value, and close the object around it."
        "Read the value into a text type before it becomes part of a query."
    OBJECT_READ "object-read" ObjectAuthorization 639
        "State `owner` in the operation's `x-palisade`, by a request parameter or by a property of the response."
        "Ask for the object and its owner in one query: `WHERE id = ? AND owner = ?`."
    OBJECT_WRITTEN "object-written" ObjectAuthorization 639
        "State `owner.request` in the operation's `x-palisade`, for every parameter that names what is changed."
        "Change the object and check its owner in one statement: `UPDATE .. WHERE id = ? AND owner = ?`."
    OPERATION_UNDECLARED "operation-undeclared" Inventory 1059
        "Serve the API through the gateway, which knows only what the contract declares."
        "Remove the route, or declare it in the contract with its access rules."
    PAGE_UNBOUNDED "page-unbounded" ResourceConsumption 770
        "State `maximum` in the schema of the parameter and `maxItems` in that of the response."
        "Refuse or clamp the parameter before it reaches the query."
    PARTNER_TRUSTED "partner-trusted" UnsafeConsumption 20
        "State `third_party: true` and close the response's schema (`additionalProperties: false`, `pattern`, `minimum`)."
        "Read the partner's answer into a type, check its values, and answer with your own."
    PATTERN_EXPONENTIAL "pattern-exponential" ResourceConsumption 1333
        "State `maxLength` in the schema of the value."
        "Use an engine that does not backtrack, and bound the length before matching."
    PROPERTY_ASSIGNED "property-assigned" PropertyAuthorization 915
        "Close the request's schema with `additionalProperties: false`."
        "Read the body into a type with exactly the properties a caller may set, with `deny_unknown_fields`."
    PROPERTY_EXPOSED "property-exposed" PropertyAuthorization 213
        "Close the response's schema with `additionalProperties: false`."
        "Answer with a type made for the answer, not with the stored record."
    REDIRECT_OPEN "redirect-open" Misconfiguration 601
        "List the hosts under `x-palisade-destinations` in the schema of the value."
        "Redirect to paths of your own, or to a fixed list of addresses."
    REQUEST_FORGED "request-forged" ServerSideRequestForgery 918
        "List the hosts under `x-palisade-destinations` in the schema of the property."
        "Compare scheme and whole authority with a fixed list before the request is made."
    REQUESTS_UNBOUNDED "requests-unbounded" ResourceConsumption 770
        "State `limit: { requests: 5, per: 1h, by: client }` in the operation's `x-palisade`."
        "Count by account and by address, and answer 429 when there are too many."
    SCRIPT_REFLECTED "script-reflected" Injection 79
        "State a `pattern` in the schema of the value, and declare the answer's media type."
        "Escape text where it enters HTML, and send a content security policy without `unsafe-inline`."
    SCRIPT_STORED "script-stored" Injection 79
        "Leave `x-palisade-markup` out of the property's schema, so that markup is refused."
        "Escape text where it enters HTML, and send a content security policy without `unsafe-inline`."
    SESSION_OUTLIVES "session-outlives" Authentication 613
        "Keep sessions in the gateway, which ends them at once."
        "Record that the token was signed out, and refuse it from then on."
    SQL_DELAYED "sql-delayed" Injection 89
        "State a `pattern` in the schema of the parameter."
        "Bind values (`?`) instead of formatting them into the statement."
    SQL_ERROR "sql-error" Injection 89
        "State a `pattern` in the schema of the parameter."
        "Bind values (`?`) instead of formatting them into the statement."
    SQL_INJECTED "sql-injected" Injection 89
        "State a `pattern` in the schema of the parameter."
        "Bind values (`?`) instead of formatting them into the statement."
    TEMPLATE_EVALUATED "template-evaluated" Injection 1336
        "State a `pattern` in the schema of the value."
        "Give values to the template as data; never build the template from them."
    TLS_OPTIONAL "tls-optional" Misconfiguration 319
        "Serve the operation through the gateway in TLS, which adds `Strict-Transport-Security`."
        "Add `Strict-Transport-Security: max-age=31536000` to every answer in TLS."
    TLS_OUTDATED "tls-outdated" Misconfiguration 326
        "Serve the operation through the gateway, which speaks TLS 1.2 and 1.3 only."
        "Set the lowest version of TLS to 1.2, or leave it to a library that knows no other (`rustls`)."
    TLS_WEAK "tls-weak" Misconfiguration 327
        "Serve the operation through the gateway, which has suites with forward secrecy and authenticated encryption only."
        "Offer suites with an elliptic-curve key exchange and AES-GCM or ChaCha20 only, or leave it to a library that knows no others (`rustls`)."
    TOKEN_CONFUSED "token-confused" Authentication 347
        "Name the issuer, its keys and its algorithms under the route's `authenticate`."
        "Fix the algorithm when the key is loaded; never take it from the token."
    TOKEN_EXPIRED "token-expired" Authentication 613
        "Name the issuer and its keys under the route's `authenticate`."
        "Check `exp` of every token, after its signature."
    TOKEN_FORGED "token-forged" Authentication 347
        "Name the issuer and its keys under the route's `authenticate`."
        "Verify the signature before any claim is read."
    TOKEN_GUESSABLE "token-guessable" Authentication 1391
        "Name an issuer with asymmetric keys under the route's `authenticate`."
        "Sign with 32 random bytes from a secret store, or with an asymmetric key."
    TOKEN_KEYED "token-keyed" Authentication 347
        "Name the issuer and its keys under the route's `authenticate`."
        "Take keys from your own configuration; ignore `jku`, `x5u` and `jwk`, and look `kid` up in a fixed set."
    TOKEN_SUBJECT "token-subject" Authentication 347
        "Name the issuer and its keys under the route's `authenticate`."
        "Verify the signature before any claim is read."
    TOKEN_UNCHECKED "token-unchecked" Authentication 1270
        "Name the issuer, its audience and its keys under the route's `authenticate`."
        "Check `nbf`, `iss`, `aud`, the kind of the token and `crit`, after its signature."
    TOKEN_UNSIGNED "token-unsigned" Authentication 347
        "Name the issuer, its keys and its algorithms under the route's `authenticate`."
        "Fix the algorithm when the key is loaded; never take it from the token."
    VERBOSE_ERROR "verbose-error" Misconfiguration 209
        "Serve the operation through the gateway, which withholds the text of server errors."
        "Log the error with an id, and answer with the id only (RFC 9457)."
    VERSION_DISCLOSED "version-disclosed" Misconfiguration 200
        "Serve the operation through the gateway, which removes the headers."
        "Remove `Server` and `X-Powered-By`, or leave out the version."
}

#[cfg(test)]
mod tests {
    use super::Rule;

    #[test]
    fn rules_are_in_alphabetical_order() {
        assert!(Rule::ALL.windows(2).all(|pair| pair[0].slug < pair[1].slug));
    }
}
