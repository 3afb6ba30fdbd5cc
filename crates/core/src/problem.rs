//! The one place where a refusal becomes an answer: RFC 9457 in the dialect that the caller speaks.

mod dialect;

use std::fmt::Write as _;

use bytes::Bytes;
pub use dialect::Dialect;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::denial::{Challenge, Denial, DenialCode, Proofs, Protection, PublicDetail};
use crate::id::RequestId;
use crate::principal::Level;

/// Where each code is explained: the caller's `type` (RFC 9457 section 3.1.1) leads to the paragraph of its code.
pub const REFERENCE: &str = "https://github.com/palisade-rs/palisade/blob/main/docs/reference/denials.md";

/// The answer to a refused request. It says the public code and what [`PublicDetail`] allows, never the evidence.
///
/// ```
/// use palisade_core::{denial::{Denial, DenialCode}, id::RequestId, problem::{Dialect, render}, stage::StageId};
///
/// let denial = Denial::new(DenialCode::RouteUnknown, StageId::Route).because("path", "/secret-path");
/// let answer = render(&denial, Dialect::Json, &RequestId::new("r-1"));
/// assert_eq!(answer.status(), 404);
/// assert!(!String::from_utf8_lossy(answer.body()).contains("secret-path"));
/// ```
pub fn render(denial: &Denial, dialect: Dialect, request: &RequestId) -> Response<Bytes> {
    let code = denial.code().public();
    let body = match dialect {
        Dialect::GraphQl | Dialect::GraphQlJson => graphql(code, denial.public(), request),
        Dialect::Grpc | Dialect::GrpcWeb | Dialect::GrpcWebText => String::new(),
        Dialect::Html => html(code, request),
        Dialect::Json => json_problem(code, denial.public(), request),
    };
    let mut response = answer(dialect.media_type(), body);
    match dialect {
        Dialect::Grpc | Dialect::GrpcWeb | Dialect::GrpcWebText => grpc(code, request, response.headers_mut()),
        Dialect::GraphQl | Dialect::GraphQlJson | Dialect::Html | Dialect::Json => {
            *response.status_mut() = code.status();
        }
    }
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(challenge) = denial.challenge()
        && let Ok(value) = HeaderValue::from_str(&challenge_text(challenge, denial.protection()))
    {
        headers.insert(WWW_AUTHENTICATE, value);
    }
    if let Some(wait) = denial.wait() {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_millis().div_ceil(1000).clamp(1, 86_400) as u64));
    }
    if let PublicDetail::Allow(methods) = denial.public() {
        let names: Vec<&str> = methods.iter().map(http::Method::as_str).collect();
        if let Ok(value) = HeaderValue::from_str(&names.join(", ")) {
            headers.insert(ALLOW, value);
        }
    }
    response
}

/// The answer in place of one of the backend's that must not be seen: its status and nothing else of it.
pub fn withheld(status: StatusCode, request: &RequestId) -> Response<Bytes> {
    let body = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("The request was not successful"),
        "status": status.as_u16(),
        "request_id": request.as_str(),
    });
    let mut response = answer("application/problem+json", body.to_string());
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn json_problem(code: DenialCode, public: &PublicDetail, request: &RequestId) -> String {
    let mut members = Map::new();
    members.insert("type".into(), format!("{REFERENCE}#{code}").into());
    members.insert("title".into(), code.title().into());
    members.insert("status".into(), code.status().as_u16().into());
    members.insert("code".into(), code.slug().into());
    if let PublicDetail::Sentence(sentence) = public {
        members.insert("detail".into(), (*sentence).into());
    }
    if let Some(errors) = errors(public) {
        members.insert("errors".into(), errors);
    }
    members.insert("request_id".into(), request.as_str().into());
    Value::Object(members).to_string()
}

fn errors(public: &PublicDetail) -> Option<Value> {
    let PublicDetail::Violations(violations) = public else { return None };
    Some(violations.iter().map(|v| json!({"pointer": v.pointer, "detail": v.detail})).collect())
}

/// A request error of GraphQL (section 7.1). The status stays that of the refusal: it comes from HTTP, before any
/// GraphQL was read, which the GraphQL-over-HTTP specification allows for both media types.
fn graphql(code: DenialCode, public: &PublicDetail, request: &RequestId) -> String {
    let mut extensions = Map::new();
    extensions.insert("code".into(), code.slug().into());
    extensions.insert("status".into(), code.status().as_u16().into());
    if let Some(errors) = errors(public) {
        extensions.insert("errors".into(), errors);
    }
    extensions.insert("request_id".into(), request.as_str().into());
    json!({"errors": [{"message": code.title(), "extensions": extensions}]}).to_string()
}

/// An answer of headers only ("Trailers-Only" of the gRPC protocol): the status of HTTP is 200 whatever happens.
fn grpc(code: DenialCode, request: &RequestId, headers: &mut HeaderMap) {
    headers.insert("grpc-status", HeaderValue::from(grpc_status(code)));
    let message = grpc_message(&format!("{} [{code}] {request}", code.title()));
    if let Ok(message) = HeaderValue::from_str(&message) {
        headers.insert("grpc-message", message);
    }
}

/// Percent-encodes everything but printable ASCII, and the percent sign itself.
fn grpc_message(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut message, byte| {
        match byte {
            b' '..=b'$' | b'&'..=b'~' => message.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(message, "%{byte:02X}")),
        }
        message
    })
}

/// The gRPC status of a refusal. The table of the gRPC specification is for foreign proxies; ours is finer, because the
/// refusal is our own: 14 says that trying again may help, which is wrong after a backend has failed at work.
fn grpc_status(code: DenialCode) -> u16 {
    match code {
        DenialCode::MethodUndeclared | DenialCode::OperationUndeclared | DenialCode::RouteUnknown => return 12,
        DenialCode::ResponseInvalid
        | DenialCode::ResponseLeaks
        | DenialCode::ResponseUndeclared
        | DenialCode::UpstreamFailed => return 13,
        _ => {}
    }
    match code.status() {
        StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => 4,
        StatusCode::NOT_FOUND => 5,
        StatusCode::FORBIDDEN => 7,
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS => {
            8
        }
        StatusCode::CONFLICT => 10,
        StatusCode::INTERNAL_SERVER_ERROR => 13,
        StatusCode::UNAUTHORIZED => 16,
        status if status.is_client_error() => 3,
        _ => 14,
    }
}

/// A page without script or style, which a strict content security policy shows as it is.
fn html(code: DenialCode, request: &RequestId) -> String {
    let (status, title) = (code.status().as_u16(), escaped(code.title()));
    let request = escaped(request.as_str());
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{status} {title}</title>\
         <h1>{title}</h1><p>Status {status}, code <code>{code}</code>.</p>\
         <p>If you ask for help, name this request: <code>{request}</code></p></html>"
    )
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, letter| {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
        escaped
    })
}

fn answer(content_type: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The text of a challenge. Where tokens may come with a proof, both ways to send one are named (RFC 9449 section 7.1).
fn challenge_text(challenge: &Challenge, protection: Option<&Protection>) -> String {
    let proofs = protection.map_or(Proofs::Off, |protection| protection.proofs);
    let mut parts = Vec::new();
    let scheme = match challenge {
        Challenge::Bearer { error, scope, level, max_age } => {
            parts.extend(error.map(|error| format!("error=\"{error}\"")));
            if !scope.is_empty() {
                parts.push(format!("scope=\"{scope}\""));
            }
            if *level != Level::None {
                parts.push(format!("acr_values=\"{}\"", level.as_str()));
            }
            parts.extend(max_age.map(|age| format!("max_age={}", age.as_secs())));
            if proofs == Proofs::Required { "DPoP" } else { "Bearer" }
        }
        Challenge::Certificate => return "ClientCertificate".to_owned(),
        Challenge::Dpop { error } => {
            parts.push(format!("error=\"{error}\""));
            "DPoP"
        }
        Challenge::Key { header } => return format!("ApiKey header=\"{header}\""),
        Challenge::Session { cookie } => return format!("Cookie cookie-name=\"{cookie}\""),
    };
    parts.extend(protection.and_then(|protection| protection.metadata.as_deref()).map(resource_metadata));
    let algorithms = protection.map_or("", |protection| &*protection.proof_algorithms);
    if scheme == "DPoP" && !algorithms.is_empty() {
        parts.push(format!("algs=\"{algorithms}\""));
    }
    let first = if parts.is_empty() { scheme.to_owned() } else { format!("{scheme} {}", parts.join(", ")) };
    match (scheme, proofs) {
        ("Bearer", Proofs::Optional) => format!("{first}, DPoP algs=\"{algorithms}\""),
        _ => first,
    }
}

/// RFC 9728 section 5.1.
fn resource_metadata(url: &str) -> String {
    format!("resource_metadata=\"{url}\"")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;

    use super::*;
    use crate::denial::PublicViolation;
    use crate::principal::ScopeSet;
    use crate::stage::StageId;

    fn sample() -> Denial {
        Denial::new(DenialCode::ParameterInvalid, StageId::Contract)
            .telling(PublicDetail::Violations(vec![PublicViolation {
                pointer: "/query/limit".into(),
                detail: "must be at most 50".into(),
            }]))
            .because("value", "s3cret")
    }

    #[test]
    fn json_says_code_place_and_request() {
        let answer = render(&sample(), Dialect::Json, &RequestId::new("r-1"));
        expect![[r#"{"type":"https://github.com/palisade-rs/palisade/blob/main/docs/reference/denials.md#parameter-invalid","title":"A request parameter is not valid","status":400,"code":"parameter-invalid","errors":[{"pointer":"/query/limit","detail":"must be at most 50"}],"request_id":"r-1"}"#]]
            .assert_eq(std::str::from_utf8(answer.body()).unwrap());
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json");
    }

    #[test]
    fn no_dialect_shows_evidence() {
        for code in DenialCode::ALL {
            let denial = Denial::new(*code, StageId::Route).because("secret", "s3cret");
            for dialect in Dialect::ALL {
                let answer = render(&denial, dialect, &RequestId::new("r-1"));
                let whole = format!("{:?} {}", answer.headers(), String::from_utf8_lossy(answer.body()));
                assert!(!whole.contains("s3cret"), "{code} {dialect:?}");
                assert!(whole.contains("r-1"), "{code} {dialect:?}");
            }
        }
    }

    /// What does not exist, what belongs to somebody else, and what the backend lets out of somebody else's.
    #[test]
    fn nobody_can_tell_a_foreign_object_from_none() {
        for dialect in Dialect::ALL {
            let answers =
                [DenialCode::ObjectForbidden, DenialCode::ObjectUnknown, DenialCode::ResponseForeign].map(|code| {
                    let answer = render(&Denial::new(code, StageId::Reveal), dialect, &RequestId::new("r-1"));
                    (answer.status(), answer.headers().clone(), answer.into_body())
                });
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        }
    }

    #[test]
    fn graphql_has_errors_with_extensions() {
        for (dialect, media) in
            [(Dialect::GraphQl, "application/graphql-response+json"), (Dialect::GraphQlJson, "application/json")]
        {
            let answer = render(&sample(), dialect, &RequestId::new("r-1"));
            assert_eq!((answer.status().as_u16(), answer.headers()[CONTENT_TYPE].to_str().unwrap()), (400, media));
            expect![[r#"{"errors":[{"message":"A request parameter is not valid","extensions":{"code":"parameter-invalid","status":400,"errors":[{"pointer":"/query/limit","detail":"must be at most 50"}],"request_id":"r-1"}}]}"#]]
                .assert_eq(std::str::from_utf8(answer.body()).unwrap());
        }
    }

    #[test]
    fn a_page_is_escaped_and_has_no_script() {
        let answer = render(&sample(), Dialect::Html, &RequestId::new("<script>&\"'"));
        expect![[r#"<!doctype html><html lang="en"><meta charset="utf-8"><title>400 A request parameter is not valid</title><h1>A request parameter is not valid</h1><p>Status 400, code <code>parameter-invalid</code>.</p><p>If you ask for help, name this request: <code>&lt;script&gt;&amp;&quot;&#39;</code></p></html>"#]]
            .assert_eq(std::str::from_utf8(answer.body()).unwrap());
    }

    #[test]
    fn headers_say_what_would_help() {
        let denial = Denial::new(DenialCode::ScopeInsufficient, StageId::Authorize)
            .challenging(Challenge::Bearer {
                error: Some("insufficient_scope"),
                scope: ScopeSet::from_iter(["orders:read"]),
                level: Level::Aal2,
                max_age: Some(Duration::from_secs(300)),
            })
            .retry_after(Duration::from_millis(1500));
        let answer = render(&denial, Dialect::Json, &RequestId::new("r-1"));
        let expect = "Bearer error=\"insufficient_scope\", scope=\"orders:read\", acr_values=\"aal2\", max_age=300";
        assert_eq!(answer.headers()[WWW_AUTHENTICATE], expect);
        assert_eq!(answer.headers()[RETRY_AFTER], "2");
        let denial = Denial::new(DenialCode::MethodUndeclared, StageId::Operation)
            .telling(PublicDetail::Allow(vec![http::Method::GET, http::Method::PUT]));
        assert_eq!(render(&denial, Dialect::Json, &RequestId::new("r")).headers()[ALLOW], "GET, PUT");
    }

    #[test]
    fn grpc_answers_in_headers() {
        for (dialect, media) in [
            (Dialect::Grpc, "application/grpc"),
            (Dialect::GrpcWeb, "application/grpc-web"),
            (Dialect::GrpcWebText, "application/grpc-web-text"),
        ] {
            let answer = render(&sample(), dialect, &RequestId::new("r-1"));
            let header = |name| answer.headers()[name].to_str().unwrap();
            assert_eq!((answer.status().as_u16(), header("content-type"), header("grpc-status")), (200, media, "3"));
            assert_eq!(header("grpc-message"), "A request parameter is not valid [parameter-invalid] r-1");
            assert!(answer.body().is_empty());
        }
        assert_eq!(grpc_message("50% ü\n~"), "50%25 %C3%BC%0A~");
    }

    #[test]
    fn every_refusal_has_a_status_of_grpc() {
        use DenialCode::*;
        for (code, status) in [
            (CredentialMissing, 16),
            (RoleInsufficient, 7),
            (ObjectForbidden, 5),
            (OperationUndeclared, 12),
            (MethodUndeclared, 12),
            (PayloadInvalid, 3),
            (UriTooLong, 3),
            (BodyTooLarge, 8),
            (Throttled, 8),
            (DeadlineExceeded, 4),
            (Internal, 13),
            (UpstreamFailed, 13),
            (UpstreamUnreachable, 14),
            (Overloaded, 14),
        ] {
            assert_eq!(grpc_status(code), status, "{code}");
        }
        assert!(DenialCode::ALL.iter().all(|code| (1..=16).contains(&grpc_status(*code))));
    }

    #[test]
    fn a_challenge_says_what_the_resource_says_of_itself() {
        let bearer = |error| Challenge::Bearer { error, scope: ScopeSet::default(), level: Level::None, max_age: None };
        let metadata = Some("https://a.example/.well-known/oauth-protected-resource".into());
        for (challenge, metadata, proofs, expect) in [
            (bearer(None), None, Proofs::Off, "Bearer"),
            (bearer(None), None, Proofs::Optional, "Bearer, DPoP algs=\"ES256 EdDSA\""),
            (
                bearer(Some("invalid_token")),
                None,
                Proofs::Required,
                "DPoP error=\"invalid_token\", algs=\"ES256 EdDSA\"",
            ),
            (
                bearer(None),
                metadata.clone(),
                Proofs::Off,
                "Bearer resource_metadata=\"https://a.example/.well-known/oauth-protected-resource\"",
            ),
            (
                Challenge::Dpop { error: "use_dpop_nonce" },
                None,
                Proofs::Optional,
                "DPoP error=\"use_dpop_nonce\", algs=\"ES256 EdDSA\"",
            ),
            (Challenge::Certificate, metadata, Proofs::Off, "ClientCertificate"),
        ] {
            let protection = Protection { metadata, proofs, proof_algorithms: "ES256 EdDSA".into() };
            let denial = Denial::new(DenialCode::CredentialInvalid, StageId::Authenticate)
                .challenging(challenge)
                .protected_by(std::sync::Arc::new(protection));
            let answer = render(&denial, Dialect::Json, &RequestId::new("r"));
            assert_eq!(answer.headers()[WWW_AUTHENTICATE], expect);
        }
    }
}
