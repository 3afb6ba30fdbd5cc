//! Makes a request from what a report holds of it: placeholders become credentials, and old ids become new ones.

use std::collections::BTreeMap;

use http::Method;
use serde_json::Value;

use crate::exchange::{Answer, Call, Credential, Payload};
use crate::replay::record::{Past, Recorded};
use crate::session::Session;
use crate::token::{Jwt, UNSIGNED};

/// Rebuilds the requests of one finding.
pub(super) struct Rebuilder<'r> {
    base: &'r str,
    sessions: &'r [Session],
    /// Ids that the transcript has made, and those that stand for them now.
    ids: BTreeMap<String, String>,
}

impl<'r> Rebuilder<'r> {
    pub(super) fn new(finding: &'r Recorded, sessions: &'r [Session]) -> Self {
        Self { base: &finding.base, sessions, ids: BTreeMap::new() }
    }

    /// The request as it can be sent now, or why it cannot.
    pub(super) fn rebuild(&self, past: &Past) -> Result<Call, String> {
        let masked = || format!("a secret of `{} {}` is not in the report", past.method, past.url);
        let texts = past.headers.iter().map(|(_, value)| value).chain([&past.url]).chain(&past.body);
        if texts.into_iter().any(|text| text.contains("***")) {
            return Err(masked());
        }
        let method = Method::from_bytes(past.method.as_bytes()).map_err(|_| "the method is none".to_owned())?;
        let mut call = Call::new(method, self.renew_path(self.path(&past.url)?));
        let mut media = "";
        for (name, value) in &past.headers {
            match name.as_str() {
                "content-type" => media = value,
                _ if value.contains('$') => call.credential = self.credential(name, value)?,
                _ => {
                    let known = SENT.iter().find(|known| *known == name);
                    let name = known.ok_or_else(|| format!("the header `{name}` cannot be sent again"))?;
                    call = call.with_header(*name, value.clone());
                }
            }
        }
        if call.path.contains("$") {
            return Err("a credential in the URL cannot be filled in".to_owned());
        }
        if let Some(body) = &past.body {
            call.body = Some(match serde_json::from_str::<Value>(body) {
                Ok(value) if media == "application/json" => Payload::Json(self.renew_value(value)),
                _ => {
                    let known = MEDIA.iter().find(|known| **known == media);
                    let media = known.ok_or_else(|| format!("a body of `{media}` cannot be sent again"))?;
                    Payload::Raw(media, body.clone())
                }
            });
        }
        Ok(call)
    }

    /// Learns the ids of what a request has made.
    pub(super) fn learn(&mut self, past: &Past, answer: &Answer) {
        let has_made = past.method == "POST" && (200..300).contains(&past.status);
        let (Some(new), Ok(old)) = (answer.json().filter(|_| has_made), serde_json::from_str::<Value>(&past.response))
        else {
            return;
        };
        pair(&old, new, &mut self.ids);
    }

    /// The part of a URL behind the base of the run.
    fn path<'u>(&self, url: &'u str) -> Result<&'u str, String> {
        if let Some(path) = url.strip_prefix(self.base).filter(|path| path.is_empty() || path.starts_with('/')) {
            return Ok(path);
        }
        let behind = url.split_once("://").and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)));
        behind.ok_or_else(|| format!("`{url}` is no URL"))
    }

    fn renew_path(&self, path: &str) -> String {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let segment = |segment: &str| self.ids.get(segment).map_or(segment, String::as_str).to_owned();
        let path = path.split('/').map(segment).collect::<Vec<_>>().join("/");
        query.map_or(path.clone(), |query| format!("{path}?{query}"))
    }

    fn renew_value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::from(self.ids.get(&text).cloned().unwrap_or(text)),
            Value::Array(items) => items.into_iter().map(|item| self.renew_value(item)).collect(),
            Value::Object(members) => {
                Value::Object(members.into_iter().map(|(name, member)| (name, self.renew_value(member))).collect())
            }
            Value::Bool(_) | Value::Null | Value::Number(_) => value,
        }
    }

    /// The credential that a placeholder stands for, changed as the attack had changed it.
    fn credential(&self, name: &str, value: &str) -> Result<Credential, String> {
        // Of several cookies each is a part of the same credential.
        let word = |name: &str| name.split(';').next().unwrap_or_default().to_owned();
        let shown = value.split_once('$').map(|(_, name)| format!("${}", word(name))).unwrap_or_default();
        let sessions = || self.sessions.iter().filter(|session| shown.starts_with(&session.placeholder));
        let Some(session) = sessions().max_by_key(|session| session.placeholder.len()) else {
            return Err(format!("no identity is given for `{shown}`"));
        };
        let how = shown.strip_prefix(&session.placeholder).unwrap_or_default();
        if how.is_empty() {
            return Ok(session.credential());
        }
        let jwt = Jwt::read(&session.token).filter(|_| name == "authorization");
        let token = match (jwt, how) {
            (Some(jwt), "_EXPIRED") => jwt.expired(),
            (Some(jwt), "_FLIPPED") => jwt.flipped(),
            (Some(jwt), "_UNSIGNED") => jwt.unsigned(UNSIGNED.first().copied().unwrap_or_default()),
            _ => return Err(format!("`{shown}` cannot be made again")),
        };
        Ok(Credential::Bearer { token, shown })
    }
}

/// Texts and numbers that stand in the same place of two answers, where they differ.
fn pair(old: &Value, new: &Value, ids: &mut BTreeMap<String, String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, member) in old {
                if let Some(other) = new.get(name) {
                    pair(member, other, ids);
                }
            }
        }
        (Value::String(old), Value::String(new)) if old != new => {
            ids.insert(old.clone(), new.clone());
        }
        (Value::Number(old), Value::Number(new)) if old != new => {
            ids.insert(old.to_string(), new.to_string());
        }
        _ => {}
    }
}

/// Bodies that are no JSON.
const MEDIA: [&str; 5] =
    ["application/json", "application/x-www-form-urlencoded", "application/xml", "text/plain", "text/xml"];
/// Headers that probes write.
const SENT: [&str; 13] = [
    "accept",
    "access-control-request-headers",
    "access-control-request-method",
    "authorization",
    "cookie",
    "forwarded",
    "host",
    "origin",
    "referer",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-http-method-override",
    "x-original-url",
];
