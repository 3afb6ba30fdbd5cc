//! A call is one request as a probe means it, and an answer is what came back, read up to a limit.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::Value;

use crate::finding::RequestSummary;

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
}

/// What a request is signed with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A token, and what stands for it in reports.
    Bearer { token: String, shown: String },
    #[default]
    None,
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
        let body = self.body.as_ref().map(|body| {
            headers.push((header::CONTENT_TYPE.to_string(), body.media_type().to_owned()));
            match body {
                Payload::Json(value) => mask(value).to_string(),
                Payload::Raw(_, text) => text.clone(),
            }
        });
        RequestSummary { method: self.method.to_string(), url: format!("{base}{}", self.path), headers, body }
    }
}

impl Payload {
    pub(crate) fn media_type(&self) -> &str {
        match self {
            Self::Json(_) => "application/json",
            Self::Raw(media, _) => media,
        }
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        match self {
            Self::Json(value) => Bytes::from(value.to_string()),
            Self::Raw(_, text) => Bytes::from(text.clone()),
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
}

impl Answer {
    pub(crate) fn new(status: StatusCode, headers: HeaderMap, body: &[u8]) -> Self {
        let is_json = media_type(&headers).is_some_and(|media| media.ends_with("json"));
        let json = if is_json { serde_json::from_slice(body).ok() } else { None };
        Self { status, headers, text: String::from_utf8_lossy(body).into_owned(), json }
    }

    pub(crate) fn is_success(&self) -> bool {
        self.status.is_success()
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

    /// The beginning of the answer, secrets replaced.
    pub(crate) fn excerpt(&self) -> String {
        let text = self.json.as_ref().map_or_else(|| self.text.clone(), |value| mask(value).to_string());
        if text.chars().count() <= EXCERPT {
            return text;
        }
        text.chars().take(EXCERPT).chain(['…']).collect()
    }
}

fn media_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::CONTENT_TYPE)?.to_str().ok()?.split(';').next().map(str::trim)
}

/// The value with passwords and tokens replaced. Of other secrets the beginning stays, for that they can be read is
/// what a finding says.
fn mask(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, member)| {
                    let masked = match member {
                        Value::String(_) if is_credential(name) => Value::from("***"),
                        Value::String(text) if is_sensitive(name) => {
                            Value::from(text.chars().take(SHOWN).chain("***".chars()).collect::<String>())
                        }
                        Value::Array(_)
                        | Value::Bool(_)
                        | Value::Null
                        | Value::Number(_)
                        | Value::Object(_)
                        | Value::String(_) => mask(member),
                    };
                    (name.clone(), masked)
                })
                .collect(),
        ),
        Value::Array(items) => items.iter().map(mask).collect(),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(name.as_str(), "password" | "passwd" | "secret" | "client_secret" | "token")
        || name.ends_with("_token")
        || name.ends_with("token") && name.len() > 5
}

fn is_sensitive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["hash", "key", "private", "salt"].iter().any(|word| name.contains(word))
}

const EXCERPT: usize = 600;
const SHOWN: usize = 6;

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
