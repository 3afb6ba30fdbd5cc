//! The one place where a refusal becomes an answer: RFC 9457 in the dialect that the caller speaks.

use std::fmt::Write as _;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::denial::{Challenge, Denial, DenialCode, Proofs, Protection, PublicDetail};
use crate::id::RequestId;
use crate::principal::Level;

/// How the caller reads answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Dialect {
    /// GraphQL over HTTP: an `errors` member.
    GraphQl,
    /// gRPC: an answer of headers only, with `grpc-status`.
    Grpc,
    /// A person with a browser.
    Html,
    /// `application/problem+json`.
    #[default]
    Json,
}

impl Dialect {
    /// What the request's own headers say: its `Content-Type` for the RPC dialects, `Accept` for people.
    pub fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or("");
        let content_type = text(CONTENT_TYPE);
        let accept = text(http::header::ACCEPT);
        if content_type.starts_with("application/grpc") {
            Self::Grpc
        } else if content_type.starts_with("application/graphql") || accept.contains("application/graphql-response") {
            Self::GraphQl
        } else if accept.starts_with("text/html") {
            Self::Html
        } else {
            Self::Json
        }
    }
}

/// The answer to a refused request. It says the code and what [`PublicDetail`] allows, never the evidence.
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
    let code = denial.code();
    let mut response = match dialect {
        Dialect::GraphQl => graphql(code, request),
        Dialect::Grpc => grpc(code, request),
        Dialect::Html => html(code, request),
        Dialect::Json => json_problem(denial, request),
    };
    if dialect != Dialect::Grpc {
        *response.status_mut() = code.status();
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

fn json_problem(denial: &Denial, request: &RequestId) -> Response<Bytes> {
    let code = denial.code();
    let mut members = Map::new();
    members.insert("type".into(), format!("urn:palisade:problem:{code}").into());
    members.insert("title".into(), code.title().into());
    members.insert("status".into(), code.status().as_u16().into());
    members.insert("code".into(), code.slug().into());
    match denial.public() {
        PublicDetail::Allow(_) | PublicDetail::None => {}
        PublicDetail::Sentence(sentence) => {
            members.insert("detail".into(), (*sentence).into());
        }
        PublicDetail::Violations(violations) => {
            let errors: Value = violations.iter().map(|v| json!({"pointer": v.pointer, "detail": v.detail})).collect();
            members.insert("errors".into(), errors);
        }
    }
    members.insert("request_id".into(), request.as_str().into());
    answer("application/problem+json", Value::Object(members).to_string())
}

fn graphql(code: DenialCode, request: &RequestId) -> Response<Bytes> {
    let body = json!({"errors": [{
        "message": code.title(),
        "extensions": {"code": code.slug(), "status": code.status().as_u16(), "request_id": request.as_str()},
    }]});
    answer("application/graphql-response+json", body.to_string())
}

fn grpc(code: DenialCode, request: &RequestId) -> Response<Bytes> {
    let mut response = answer("application/grpc", String::new());
    let headers = response.headers_mut();
    headers.insert("grpc-status", HeaderValue::from(grpc_status(code.status())));
    if let Ok(message) = HeaderValue::from_str(&format!("{} [{code}] {request}", code.title())) {
        headers.insert("grpc-message", message);
    }
    response
}

/// The gRPC status of an HTTP status. The table of the gRPC specification is for foreign proxies; ours can be finer,
/// because the refusal is our own.
fn grpc_status(status: StatusCode) -> u16 {
    match status {
        StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE => 3,
        StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => 4,
        StatusCode::NOT_FOUND => 5,
        StatusCode::FORBIDDEN => 7,
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS => 8,
        StatusCode::METHOD_NOT_ALLOWED => 12,
        StatusCode::INTERNAL_SERVER_ERROR => 13,
        StatusCode::UNAUTHORIZED => 16,
        _ => 14,
    }
}

fn html(code: DenialCode, request: &RequestId) -> Response<Bytes> {
    let (status, title) = (code.status().as_u16(), code.title());
    let mut page = String::with_capacity(512);
    // Titles and request ids are ours and hold no markup; nothing of the request is repeated.
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{status} {title}</title>\
         <h1>{title}</h1><p>Status {status}, code <code>{code}</code>.</p>\
         <p>If you ask for help, name this request: <code>{request}</code></p></html>"
    );
    answer("text/html; charset=utf-8", page)
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
        expect![[r#"{"type":"urn:palisade:problem:parameter-invalid","title":"A request parameter is not valid","status":400,"code":"parameter-invalid","errors":[{"pointer":"/query/limit","detail":"must be at most 50"}],"request_id":"r-1"}"#]]
            .assert_eq(std::str::from_utf8(answer.body()).unwrap());
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json");
    }

    #[test]
    fn no_dialect_shows_evidence() {
        for code in DenialCode::ALL {
            let denial = Denial::new(*code, StageId::Route).because("secret", "s3cret");
            for dialect in [Dialect::GraphQl, Dialect::Grpc, Dialect::Html, Dialect::Json] {
                let answer = render(&denial, dialect, &RequestId::new("r-1"));
                let whole = format!("{:?} {}", answer.headers(), String::from_utf8_lossy(answer.body()));
                assert!(!whole.contains("s3cret"), "{code} {dialect:?}");
                assert!(whole.contains("r-1"), "{code} {dialect:?}");
            }
        }
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
        let answer = render(&sample(), Dialect::Grpc, &RequestId::new("r-1"));
        assert_eq!((answer.status(), &answer.headers()["grpc-status"]), (StatusCode::OK, &HeaderValue::from(3)));
        assert!(answer.body().is_empty());
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
