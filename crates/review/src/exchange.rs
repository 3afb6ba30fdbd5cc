//! A call is one request as a probe means it, and an answer is what came back, read up to a limit.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::Value;

use crate::finding::RequestSummary;
use crate::login::{Part, PartPlace};

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Path and query from the base URL, encoded.
    pub(crate) path: String,
    pub(crate) headers: Vec<(Cow<'static, str>, String)>,
    pub(crate) body: Option<Payload>,
    pub(crate) credential: Credential,
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Payload {
    Json(Value),
    /// Text that is said to be of a type, whatever it is.
    Raw(&'static str, String),
    /// A text of a type that holds a password, so that reports leave it out.
    Secret(String, String),
}

/// What a request is signed with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A token, and what stands for it in reports.
    Bearer { token: String, shown: String },
    #[default]
    None,
    /// Headers, cookies or parameters of the query.
    Parts(Vec<Signed>),
}

/// One thing that a request is signed with, and what stands for it in reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) part: Part,
    pub(crate) shown: String,
}

impl Credential {
    /// What is put in a place, as it is sent.
    pub(crate) fn sent(&self, place: PartPlace) -> Vec<(&str, &str)> {
        self.parts(place).map(|signed| (signed.part.name.as_str(), signed.part.value.as_str())).collect()
    }

    /// What is put in a place, as reports show it.
    fn shown(&self, place: PartPlace) -> Vec<(&str, &str)> {
        self.parts(place).map(|signed| (signed.part.name.as_str(), signed.shown.as_str())).collect()
    }

    /// What it consists of, to be sent as it is from then on.
    pub(crate) fn into_parts(self) -> Vec<Part> {
        match self {
            Self::Bearer { token, .. } => {
                let value = format!("Bearer {token}");
                vec![Part { place: PartPlace::Header, name: header::AUTHORIZATION.to_string(), value }]
            }
            Self::None => Vec::new(),
            Self::Parts(parts) => parts.into_iter().map(|signed| signed.part).collect(),
        }
    }

    fn parts(&self, place: PartPlace) -> impl Iterator<Item = &Signed> {
        let parts: &[Signed] = if let Self::Parts(parts) = self { parts } else { &[] };
        parts.iter().filter(move |signed| signed.part.place == place)
    }
}

/// A path with more parameters in its query.
pub(crate) fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let mut path = path.to_owned();
    for (name, value) in query {
        let join = if path.contains('?') { '&' } else { '?' };
        path.push_str(&format!("{join}{name}={value}"));
    }
    path
}

/// Cookies as one header has them.
pub(crate) fn cookie(cookies: &[(&str, &str)]) -> Option<String> {
    let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if pairs.is_empty() { None } else { Some(pairs.join("; ")) }
}

impl Call {
    /// A call without headers, body or credential.
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: None, credential: Credential::None }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn with_header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn with_body(mut self, body: Payload) -> Self {
        self.body = Some(body);
        self
    }

    pub(crate) fn with_credential(mut self, credential: Credential) -> Self {
        self.credential = credential;
        self
    }

    /// The call as reports show it, at a base URL without a final slash.
    pub(crate) fn summary(&self, base: &str) -> RequestSummary {
        let mut headers: Vec<(String, String)> =
            self.headers.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
        if let Credential::Bearer { shown, .. } = &self.credential {
            headers.push((header::AUTHORIZATION.to_string(), format!("Bearer {shown}")));
        }
        let shown = |place| self.credential.shown(place);
        headers.extend(shown(PartPlace::Header).into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        headers.extend(cookie(&shown(PartPlace::Cookie)).map(|value| (header::COOKIE.to_string(), value)));
        let body = self.body.as_ref().map(|body| {
            headers.push((header::CONTENT_TYPE.to_string(), body.media_type().to_owned()));
            match body {
                Payload::Json(value) => mask(value).to_string(),
                Payload::Raw(_, text) => text.clone(),
                Payload::Secret(..) => "***".to_owned(),
            }
        });
        let url = format!("{base}{}", with_query(&self.path, &shown(PartPlace::Query)));
        RequestSummary { method: self.method.to_string(), url, headers, body }
    }
}

impl Payload {
    pub(crate) fn media_type(&self) -> &str {
        match self {
            Self::Json(_) => "application/json",
            Self::Raw(media, _) => media,
            Self::Secret(media, _) => media,
        }
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        match self {
            Self::Json(value) => Bytes::from(value.to_string()),
            Self::Raw(_, text) | Self::Secret(_, text) => Bytes::from(text.clone()),
        }
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The body as text; bytes that are no UTF-8 are replaced, and what is over the limit is missing.
    pub(crate) text: String,
    json: Option<Value>,
    is_withheld: bool,
    pub(crate) timing: Timing,
}

/// How long it took, as far as that was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// From the beginning of the run to the request.
    pub after: Duration,
    /// From the request to the head of the answer.
    pub wait: Duration,
    /// From its head to its end.
    pub receive: Duration,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, headers: HeaderMap, body: &[u8]) -> Self {
        let is_json = media_type(&headers).is_some_and(|media| media.ends_with("json"));
        let json = if is_json { serde_json::from_slice(body).ok() } else { None };
        Self {
            status,
            headers,
            text: String::from_utf8_lossy(body).into_owned(),
            json,
            is_withheld: false,
            timing: Timing::default(),
        }
    }

    /// What stands for an answer to a request that was not sent, and says why not.
    pub(crate) fn withheld(why: &str) -> Self {
        let answer = Self::new(StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS, HeaderMap::new(), why.as_bytes());
        Self { is_withheld: true, ..answer }
    }

    /// Why the request was not sent, when it was not.
    pub(crate) fn why_withheld(&self) -> Option<&str> {
        self.is_withheld.then_some(self.text.as_str())
    }

    /// Whether the request was served: by its status, and by what the body says where it says otherwise.
    pub(crate) fn is_success(&self) -> bool {
        self.status.is_success() && !self.json.as_ref().is_some_and(is_refusal)
    }

    /// Whether it says that this was asked too often.
    pub(crate) fn turns_away(&self) -> bool {
        let text = self.text.to_ascii_lowercase();
        let is_slowed = matches!(
            self.meaning(),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::LOCKED
        );
        is_slowed || ["lock", "too many", "try again", "temporarily"].iter().any(|word| text.contains(word))
    }

    /// The status, or the one that the body names where it says that the status of a success is none.
    pub(crate) fn meaning(&self) -> StatusCode {
        match self.json.as_ref().filter(|body| self.status.is_success() && is_refusal(body)) {
            Some(body) => said(body),
            None => self.status,
        }
    }

    pub(crate) fn json(&self) -> Option<&Value> {
        self.json.as_ref()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn media_type(&self) -> Option<&str> {
        media_type(&self.headers)
    }

    /// The code of a problem that Palisade wrote: its own type, and a `code` beside it (RFC 9457 section 3.2).
    pub(crate) fn blocked_by(&self) -> Option<String> {
        let is_problem = self.media_type() == Some("application/problem+json");
        let is_refusal = self.status.is_client_error() || self.status.is_server_error();
        let code = self.json()?.get("code")?.as_str()?;
        (is_problem && is_refusal).then(|| code.to_owned())
    }
}

fn media_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::CONTENT_TYPE)?.to_str().ok()?.split(';').next().map(str::trim)
}

/// Whether a body says that nothing was done, as many services do with a status of 200: GraphQL with `errors` and no
/// data, others with `success: false` or a `status` that comes with a message and nothing else.
fn is_refusal(body: &Value) -> bool {
    let has_data = body.get("data").is_some_and(|data| match data {
        Value::Object(members) => members.values().any(|member| !member.is_null()),
        data => !data.is_null(),
    });
    let has_errors = body.get("errors").and_then(Value::as_array).is_some_and(|errors| !errors.is_empty());
    let says_no = ["ok", "success"].iter().any(|key| body.get(*key) == Some(&Value::Bool(false)));
    let is_short = body.as_object().is_some_and(|members| members.len() <= 4)
        && ["code", "error", "message", "reason"].iter().any(|key| body.get(*key).is_some());
    let status = body.get("status").and_then(Value::as_str).map(str::to_ascii_lowercase);
    let has_failed = is_short && matches!(status.as_deref(), Some("error" | "fail" | "failed" | "failure"));
    // `{"error": {"code": 404}}` or `{"code": 404, "message": ..}`, with nothing else in it.
    let only = |known: &[&str]| {
        body.as_object().is_some_and(|members| members.keys().all(|name| known.contains(&name.as_str())))
    };
    let holds_error =
        body.get("error").is_some_and(|error| error.is_object() || error.as_str().is_some_and(|text| !text.is_empty()))
            && only(&["code", "data", "error", "message", "status", "timestamp"]);
    let number = ["code", "status", "statusCode"].iter().find_map(|name| body.get(*name)?.as_u64());
    let holds_number = number.is_some_and(|number| (400..600).contains(&number))
        && only(&["code", "data", "message", "msg", "path", "reason", "status", "statusCode", "timestamp"]);
    !has_data && (has_errors || says_no || has_failed || holds_error || holds_number)
}

/// The status that a refusal names in its body: by number, or by what its words usually mean.
fn said(body: &Value) -> StatusCode {
    let places = [Some(body), body.get("error"), body.pointer("/errors/0"), body.get("meta")];
    let numbers = places.into_iter().flatten().flat_map(|place| {
        let named = ["code", "status", "statusCode", "status_code", "errorCode"].map(|name| place.get(name));
        named.into_iter().flatten().filter_map(|value| match value {
            Value::String(text) => text.parse::<u16>().ok(),
            value => value.as_u64().and_then(|number| u16::try_from(number).ok()),
        })
    });
    let number = numbers.into_iter().find(|number| (400..600).contains(number));
    if let Some(status) = number.and_then(|number| StatusCode::from_u16(number).ok()) {
        return status;
    }
    let text = body.to_string().to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["unauthor", "unauthenticated", "not authenticated", "sign in", "log in", "logged in"]) {
        StatusCode::UNAUTHORIZED
    } else if says(&["forbidden", "not allowed", "permission", "access denied"]) {
        StatusCode::FORBIDDEN
    } else if says(&["not found", "no such", "does not exist", "unknown"]) {
        StatusCode::NOT_FOUND
    } else if says(&["too many", "try again later"]) {
        StatusCode::TOO_MANY_REQUESTS
    } else {
        StatusCode::BAD_REQUEST
    }
}

/// The value without its secrets.
fn mask(value: &Value) -> Value {
    crate::mask::json(value)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::json;

    use super::*;

    #[test]
    fn summaries_hold_no_secrets() {
        let call = Call::get("/a")
            .with_body(Payload::Json(json!({ "username": "u", "password": "p4ss", "in": [{ "accessToken": "t0k" }] })))
            .with_credential(Credential::Bearer { token: "eyJ".to_owned(), shown: "$A_TOKEN".to_owned() });
        let text = format!("{:?}", call.summary("http://h"));
        for secret in ["p4ss", "t0k", "eyJ"] {
            assert!(!text.contains(secret), "{text}");
        }
        assert!(text.contains("Bearer $A_TOKEN") && text.contains("http://h/a"), "{text}");
    }

    #[test]
    fn a_refusal_may_have_the_status_of_a_success() {
        let check = |body: Value, expect: bool| {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
            let answer = Answer::new(StatusCode::OK, headers, body.to_string().as_bytes());
            assert_eq!(answer.is_success(), expect, "{body}");
        };
        check(json!({ "errors": [{ "message": "not yours" }], "data": { "order": null } }), false);
        check(json!({ "errors": [{ "message": "slow" }], "data": { "order": { "id": 1 } } }), true);
        check(json!({ "success": false, "error": "no" }), false);
        check(json!({ "status": "fail", "message": "no" }), false);
        check(json!({ "id": 1, "status": "failed", "total": 3 }), true);
        check(json!({ "success": true, "data": [] }), true);
        check(json!({ "error": { "code": 404, "message": "no" } }), false);
        check(json!({ "error": null, "data": 1 }), true);
        check(json!({ "code": 403, "message": "no", "data": null }), false);
        check(json!({ "code": 200, "message": "fine" }), true);
        check(json!([]), true);
    }

    #[test]
    fn a_refusal_says_which_status_it_means() {
        let check = |status: StatusCode, body: Value, expect: u16| {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
            let answer = Answer::new(status, headers, body.to_string().as_bytes());
            assert_eq!(answer.meaning().as_u16(), expect, "{body}");
        };
        check(StatusCode::OK, json!({ "ok": false, "error": { "code": 403 } }), 403);
        check(StatusCode::OK, json!({ "success": false, "status": "401" }), 401);
        check(StatusCode::OK, json!({ "status": "fail", "message": "Please log in." }), 401);
        check(StatusCode::OK, json!({ "errors": [{ "message": "no such order" }] }), 404);
        check(StatusCode::OK, json!({ "ok": false }), 400);
        check(StatusCode::OK, json!({ "id": 1, "code": 404 }), 200);
        check(StatusCode::CONFLICT, json!({ "error": { "code": 404 } }), 409);
    }

    #[test]
    fn only_a_problem_with_a_code_was_blocked() {
        let check = |media: &'static str, status: u16, body: &str, expect: Option<&str>| {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(media))]);
            let answer = Answer::new(StatusCode::from_u16(status).unwrap(), headers, body.as_bytes());
            assert_eq!(answer.blocked_by().as_deref(), expect, "{media} {status} {body}");
        };
        check("application/problem+json", 404, r#"{"code":"object-forbidden"}"#, Some("object-forbidden"));
        check("application/problem+json; charset=utf-8", 400, r#"{"code":"x"}"#, Some("x"));
        check("application/problem+json", 404, r#"{"type":"about:blank"}"#, None);
        check("application/problem+json", 200, r#"{"code":"x"}"#, None);
        check("application/json", 404, r#"{"code":"x"}"#, None);
    }
}
