//! The guard finishes every answer: which errors are shown, and which headers go with it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::failure::{Fault, PROBLEM, problem};
use crate::shop::Shop;
use crate::weakness::Weakness;

/// Wraps every route.
pub(crate) async fn finish(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    let reflects = shop.has(Weakness::CorsReflected);
    let origin = request.headers().get(header::ORIGIN).cloned();
    let asked_headers = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let is_preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);

    let mut response = if reflects && is_preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        settle(&shop, next.run(request).await)
    };
    let headers = response.headers_mut();
    if shop.has(Weakness::VersionTold) {
        boast(headers);
    }
    let is_let_in = |origin: &HeaderValue| reflects || shop.has(Weakness::CorsNull) && origin == "null";
    if let Some(origin) = origin.filter(is_let_in) {
        let_in(headers, origin, asked_headers);
    }
    harden(&shop, headers);
    response
}

/// Makes every error a problem, or shows the fault when the shop is verbose.
fn settle(shop: &Shop, response: Response) -> Response {
    if shop.has(Weakness::ErrorsVerbose)
        && let Some(fault) = response.extensions().get::<Arc<Fault>>()
    {
        return (StatusCode::INTERNAL_SERVER_ERROR, fault.to_string()).into_response();
    }
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == PROBLEM) {
        return response;
    }
    // What axum answers by itself is plain text.
    let allow = response.headers().get(header::ALLOW).cloned();
    let mut response = problem(status);
    if let Some(allow) = allow {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

/// Tells what software this is.
fn boast(headers: &mut HeaderMap) {
    headers.insert(header::SERVER, HeaderValue::from_static("Orchard/0.1.0 (axum/0.8.9; SQLite/3)"));
    headers.insert("x-powered-by", HeaderValue::from_static("Rust/axum 0.8.9"));
}

/// Lets pages of an origin read answers with credentials.
fn let_in(headers: &mut HeaderMap, origin: HeaderValue, asked_headers: Option<HeaderValue>) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE, OPTIONS"),
    );
    if let Some(asked) = asked_headers {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
    }
}

/// Tells the browser to guess nothing, keep nothing and run nothing.
fn harden(shop: &Shop, headers: &mut HeaderMap) {
    if !shop.has(Weakness::HeadersMissing) {
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }
    if shop.has(Weakness::PolicyMissing) {
        return;
    }
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    );
}
