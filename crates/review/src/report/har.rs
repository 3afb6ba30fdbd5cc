//! The report as an HTTP Archive 1.2: the exchanges of every finding, for tools that show and repeat requests.
//!
//! Sizes that were not measured are left at what the format has for unknown; secrets are masked as in all
//! other formats, so that a placeholder stands where a token was.

use std::time::Duration;

use serde_json::{Value, json};

use crate::finding::{Exchange, Finding};
use crate::report::{About, Report};

/// One entry for each exchange, in the order of the findings.
pub(crate) fn write(report: &Report, about: &About) -> String {
    let pages: Vec<Value> = report.ranked().into_iter().map(|finding| page(finding, about)).collect();
    let of = |finding: &&Finding| {
        finding.transcript.iter().map(|exchange| entry(&finding.fingerprint, exchange, about)).collect::<Vec<_>>()
    };
    let archive = json!({
        "log": {
            "version": "1.2",
            "creator": { "name": "palisade review", "version": env!("CARGO_PKG_VERSION") },
            "comment": format!("{} by {}", about.target, about.contract.name()),
            "pages": pages,
            "entries": report.ranked().iter().flat_map(of).collect::<Vec<_>>(),
        },
    });
    format!("{archive:#}\n")
}

/// A finding is a page, so that its exchanges are shown together.
fn page(finding: &Finding, about: &About) -> Value {
    json!({
        "id": finding.fingerprint,
        "startedDateTime": about.started.to_string(),
        "title": format!("{}: {}", finding.rule, finding.summary),
        "pageTimings": { "onContentLoad": -1, "onLoad": -1 },
    })
}

fn entry(page: &str, exchange: &Exchange, about: &About) -> Value {
    json!({
        "pageref": page,
        "startedDateTime": about.started.plus(exchange.timing.after).to_string(),
        "time": millis(exchange.timing.wait + exchange.timing.receive),
        "request": request(exchange),
        "response": response(exchange),
        "cache": {},
        // Sending is a part of the waiting: the client does not tell them apart, and the format wants a number.
        "timings": { "send": 0, "wait": millis(exchange.timing.wait), "receive": millis(exchange.timing.receive) },
        "comment": exchange.label.slug(),
    })
}

/// Milliseconds, with microseconds behind the point.
fn millis(span: Duration) -> Value {
    serde_json::Number::from_f64((span.as_secs_f64() * 1_000_000.0).round() / 1_000.0)
        .map_or(Value::Null, Value::Number)
}

fn request(exchange: &Exchange) -> Value {
    let request = &exchange.request;
    let query = request.url.split_once('?').map_or("", |(_, query)| query);
    let pairs: Vec<Value> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    let mut entry = json!({
        "method": request.method,
        "url": request.url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers(&request.headers),
        "queryString": pairs,
        "headersSize": -1,
        "bodySize": -1,
    });
    if let (Some(body), Some(entry)) = (&request.body, entry.as_object_mut()) {
        let media = named(&request.headers, "content-type").unwrap_or_default();
        entry.insert("postData".to_owned(), json!({ "mimeType": media, "text": body }));
    }
    entry
}

fn response(exchange: &Exchange) -> Value {
    let reason = http::StatusCode::from_u16(exchange.status).ok().and_then(|status| status.canonical_reason());
    json!({
        "status": exchange.status,
        "statusText": reason.unwrap_or_default(),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers(&exchange.response_headers),
        "content": {
            "size": exchange.response.len(),
            "mimeType": named(&exchange.response_headers, "content-type").unwrap_or_default(),
            "text": exchange.response,
        },
        "redirectURL": named(&exchange.response_headers, "location").unwrap_or_default(),
        "headersSize": -1,
        "bodySize": -1,
    })
}

fn headers(headers: &[(String, String)]) -> Vec<Value> {
    headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

fn named<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}
