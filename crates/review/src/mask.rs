//! A mask takes secrets out of what a report shows: tokens, passwords, cookies, keys and one-time codes.
//!
//! A report is mailed, attached and uploaded, so it must not open anything. What is found in a JSON value is judged by
//! the name of its property; what is found in other text by its form, or by the name before the `=`. Secrets that the
//! request itself carried are taken out wherever they come back.

use http::{HeaderMap, header};
use serde_json::Value;

use crate::exchange::{Answer, Call, Credential, Payload};
use crate::finding::RequestSummary;

/// What a call carried and nobody may read in a report.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    secrets: Vec<String>,
    /// How many headers were written by a probe; those behind them are written with placeholders already.
    written: usize,
}

impl Carried {
    /// The secrets of a call: its token, and what its body has under the names of secrets.
    pub(crate) fn by(call: &Call) -> Self {
        let mut secrets = Vec::new();
        if let Credential::Bearer { token, shown } = &call.credential
            && token != shown
        {
            secrets.push(token.clone());
        }
        if let Credential::Parts(parts) = &call.credential {
            for signed in parts {
                secrets.push(signed.part.value.clone());
                // What follows a scheme, such as `Bearer`, may come back without it.
                secrets.extend(signed.part.value.split(' ').skip(1).map(str::to_owned));
            }
        }
        if let Some(Payload::Json(value)) = &call.body {
            collect(value, &mut secrets);
        }
        secrets.retain(|secret| secret.len() >= SHORTEST);
        Self { secrets, written: call.headers.len() }
    }

    fn remove(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| text.replace(secret.as_str(), HIDDEN))
    }

    /// The request as a report may show it.
    pub(crate) fn request(&self, summary: RequestSummary) -> RequestSummary {
        let shown = |text: &str| text_without(&self.remove(text.to_owned()));
        let body = summary.body.as_deref().map(|body| match serde_json::from_str::<Value>(body) {
            Ok(value) => shown(&json(&value).to_string()),
            Err(_) => shown(body),
        });
        let header = |(at, (name, value)): (usize, &(String, String))| {
            let value = if at < self.written { header_value(name, value) } else { value.clone() };
            (name.clone(), self.remove(value))
        };
        let headers = summary.headers.iter().enumerate().map(header).collect();
        RequestSummary { method: summary.method, url: shown(&summary.url), headers, body }
    }

    /// The beginning of an answer as a report may show it.
    pub(crate) fn answer(&self, answer: &Answer) -> String {
        let text = answer.json().map_or_else(|| answer.text.clone(), |value| json(value).to_string());
        let text = text_without(&self.remove(text));
        match text.char_indices().nth(EXCERPT) {
            Some((end, _)) => text.get(..end).unwrap_or_default().chars().chain(['…']).collect(),
            None => text,
        }
    }

    /// The headers of an answer as a report may show them.
    pub(crate) fn headers(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        let shown = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
            let value = String::from_utf8_lossy(value.as_bytes()).chars().take(EXCERPT).collect::<String>();
            (name.to_string(), self.remove(header_value(name.as_str(), &value)))
        };
        headers.iter().map(shown).take(MAXIMUM_HEADERS).collect()
    }
}

fn collect(value: &Value, secrets: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if is_credential(name) => secrets.push(text.clone()),
                    _ => collect(member, secrets),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, secrets)),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
    }
}

/// The value with passwords, tokens and codes replaced. Of other secrets the beginning stays, for that they can be read
/// is what a finding says.
pub(crate) fn json(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, member)| (name.clone(), member_of(name, member))).collect())
        }
        Value::Array(items) => items.iter().map(json).collect(),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn member_of(name: &str, member: &Value) -> Value {
    match member {
        Value::String(_) if is_credential(name) => Value::from(HIDDEN),
        Value::Number(_) | Value::String(_) if is_code(name) => Value::from(HIDDEN),
        Value::String(text) if is_sensitive(name) => {
            Value::from(text.chars().take(SHOWN).chain(HIDDEN.chars()).collect::<String>())
        }
        Value::Array(_) | Value::Bool(_) | Value::Null | Value::Number(_) | Value::Object(_) | Value::String(_) => {
            json(member)
        }
    }
}

fn header_value(name: &str, value: &str) -> String {
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, value)) if !is_placeholder(value) => format!("{name}={HIDDEN}"),
        _ => pair.to_owned(),
    };
    match name.to_ascii_lowercase().as_str() {
        "cookie" => value.split("; ").map(pair).collect::<Vec<_>>().join("; "),
        "set-cookie" => match value.split_once(';') {
            Some((first, rest)) => format!("{};{rest}", pair(first)),
            None => pair(value),
        },
        "authorization" | "proxy-authorization" if !is_placeholder(value) => {
            let scheme = value.split(' ').next().filter(|scheme| scheme.len() < value.len()).unwrap_or_default();
            format!("{scheme} {HIDDEN}").trim_start().to_owned()
        }
        name if (is_credential(name) || is_sensitive(name)) && !is_placeholder(value) => HIDDEN.to_owned(),
        _ => text_without(value),
    }
}

/// Whether a value stands for a secret instead of being one.
fn is_placeholder(value: &str) -> bool {
    value.is_empty() || value.contains('$') || value.contains('<') || value == HIDDEN
}

/// Text without what has the form of a token, and without what stands behind the name of a secret.
pub(crate) fn text_without(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_gap = !is_word(first);
        let end = rest.find(|character| is_word(character) == is_gap).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        rest = behind;
        match token(word).filter(|_| !is_gap) {
            Some(kept) => {
                shown.push_str(kept);
                shown.push_str(HIDDEN);
            }
            None => shown.push_str(word),
        }
        if let Some((joint, end)) = value_behind(word, rest).filter(|_| !is_gap) {
            shown.push_str(joint);
            shown.push_str(HIDDEN);
            rest = rest.get(joint.len() + end..).unwrap_or_default();
        }
    }
    shown
}

/// Of the text behind a word that names a secret: what joins the two, and how long the secret is.
fn value_behind<'t>(word: &str, rest: &'t str) -> Option<(&'t str, usize)> {
    if is_scheme(word) {
        let value = rest.strip_prefix(' ')?;
        let end = value.find(|character| !is_word(character)).unwrap_or(value.len());
        return is_opaque(value.get(..end)?).then_some((rest.get(..1)?, end));
    }
    if !(is_credential(word) || is_code(word) || is_key(word)) {
        return None;
    }
    let joint = JOINTS.iter().find(|joint| rest.starts_with(**joint))?;
    let (joint, value) = rest.split_at(joint.len());
    let end = match joint.ends_with('"') {
        true => value.find('"'),
        false => value.find(['&', ';', '"', '\'', '<', ' ', '\n', '\r', ',', '}']),
    };
    let end = end.unwrap_or(value.len());
    let is_value = end > 0 && !value.starts_with(['$', '{', '[']) && !is_scheme(value.get(..end)?);
    is_value.then_some((joint, end))
}

/// Whether a word looks drawn by lot rather than written by a person.
fn is_opaque(word: &str) -> bool {
    word.len() >= 16 || word.len() >= 4 && word.chars().any(|character| character.is_ascii_digit())
}

fn is_scheme(word: &str) -> bool {
    word.eq_ignore_ascii_case("bearer") || word.eq_ignore_ascii_case("basic")
}

fn is_key(word: &str) -> bool {
    let word = word.to_ascii_lowercase().replace('-', "_");
    matches!(word.as_str(), "api_key" | "apikey" | "x_api_key" | "secret_key" | "private_key")
}

/// Of a word that has the form of a token: the part that says which kind it is.
fn token(word: &str) -> Option<&str> {
    // Every JSON web token begins with the encoding of `{"`.
    if let Some(at) = word.find("eyJ").filter(|at| word.len() - at >= SHORTEST) {
        return word.get(..at);
    }
    let kind = KINDS.iter().find(|kind| word.starts_with(**kind) && word.len() >= kind.len() + 12);
    kind.and_then(|kind| word.get(..kind.len()))
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.')
}

pub(crate) fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(name.as_str(), "password" | "passwd" | "pwd" | "passphrase" | "secret" | "client_secret" | "token" | "jwt")
        || name.ends_with("password")
        || name.ends_with("_token")
        || name.ends_with("-token")
        || name.ends_with("token") && name.len() > 5
}

/// Whether it is the name of a code that proves something once, such as the possession of a mailbox.
fn is_code(name: &str) -> bool {
    let mut words: Vec<String> = vec![String::new()];
    for character in name.chars() {
        if matches!(character, '_' | '-' | '.') || character.is_ascii_uppercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| character.is_ascii_alphanumeric()) {
            word.push(character.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    let is = |word: &str| words.iter().any(|known| known == word);
    let about = ["verification", "verify", "reset", "confirmation", "activation", "recovery", "security", "backup"];
    ["otp", "totp", "pin", "cvv", "cvc", "mfa"].iter().any(|word| is(word)) && words.len() <= 3
        || is("code") && about.iter().any(|word| is(word))
        || matches!(name.to_ascii_uppercase().as_str(), "OTP" | "TOTP" | "PIN" | "CVV" | "CVC")
}

fn is_sensitive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["hash", "key", "private", "salt"].iter().any(|word| name.contains(word))
}

const EXCERPT: usize = 600;
pub(crate) const HIDDEN: &str = "***";
/// What stands between a name and its value in forms, queries, headers and broken JSON, the longest first.
const JOINTS: [&str; 8] = ["\": \"", "\":\"", "=\"", "\": ", "\":", ": ", "=", ":"];
const KINDS: [&str; 8] = ["AKIA", "ghp_", "gho_", "github_pat_", "glpat-", "sk_live_", "xoxb-", "xoxp-"];
const MAXIMUM_HEADERS: usize = 40;
const SHORTEST: usize = 6;
const SHOWN: usize = 6;

#[cfg(test)]
mod tests {
    use proptest::{prop_assert, proptest};
    use serde_json::json as value;

    use super::*;

    #[test]
    fn text_keeps_what_is_no_secret() {
        let check = |text: &str, expect: &str| assert_eq!(text_without(text), expect);
        check("/v1/orders/o-2001?q=fig", "/v1/orders/o-2001?q=fig");
        check("/reset?token=abc123&next=/a", "/reset?token=***&next=/a");
        check("user=a&password=p4ss%20word", "user=a&password=***");
        check("a eyJhbGciOi.eyJzdWIi.c2ln b", "a *** b");
        check("prefix.eyJhbGciOi.x", "prefix.***");
        check("authorization: Bearer abc.d3f", "authorization: Bearer ***");
        check("Bearer realm=\"api\"", "Bearer realm=\"api\"");
        check("Bearer $ALICE_TOKEN", "Bearer $ALICE_TOKEN");
        check("{\"password\": \"it is\", \"a\": 1", "{\"password\": \"***\", \"a\": 1");
        check("key AKIAABCDEFGHIJKLMNOP.", "key AKIA***");
        check("the password is wrong", "the password is wrong");
        check("your code: 12", "your code: 12");
        check("otp=123456", "otp=***");
        check("password=!x$y&a=1", "password=***&a=1");
        check("{\"token\":{\"kind\":1", "{\"token\":{\"kind\":1");
        check("ünï \u{202e} token=x", "ünï \u{202e} token=***");
    }

    #[test]
    fn members_are_judged_by_their_names() {
        let shown = json(&value!({
            "newPassword": "x", "otp": 123_456, "verificationCode": "88", "code": "object-forbidden", "country_code": "DE",
            "password_hash": "pbkdf2$abcdef", "list": [{ "access_token": "t" }], "shipping": "s",
        }));
        let expect = value!({
            "newPassword": "***", "otp": "***", "verificationCode": "***", "code": "object-forbidden",
            "country_code": "DE", "password_hash": "pbkdf2***", "list": [{ "access_token": "***" }], "shipping": "s",
        });
        assert_eq!(shown, expect);
    }

    #[test]
    fn cookies_keep_their_names_and_attributes() {
        let check = |name: &str, value: &str, expect: &str| assert_eq!(header_value(name, value), expect);
        check("set-cookie", "sid=abc; Path=/; HttpOnly", "sid=***; Path=/; HttpOnly");
        check("cookie", "sid=abc; theme=$X", "sid=***; theme=$X");
        check("authorization", "Basic YTpi", "Basic ***");
        check("authorization", "abc", "***");
        check("x-api-key", "k-123", "***");
        check("x-api-key", "$ALICE_KEY", "$ALICE_KEY");
        check("origin", "https://evil.example", "https://evil.example");
    }

    proptest! {
        #[test]
        fn no_token_survives_in_any_text(before in ".{0,20}", body in "[A-Za-z0-9_-]{10,40}", after in "[^A-Za-z0-9_.-].{0,20}|") {
            let token = format!("eyJ{body}.eyJ{body}.{body}");
            let shown = text_without(&format!("{before}{token}{after}"));
            prop_assert!(!shown.contains(&body), "{}", shown);
        }

        #[test]
        fn no_password_survives_in_a_form(value in "[^&;\"'<> \\n\\r,}${\\[]{6,20}", joint in "(=|: |:|\": \"|\":\")") {
            let shown = text_without(&format!("user=a&password{joint}{value}&b=c"));
            prop_assert!(!shown.contains(&value), "{}", shown);
        }

        #[test]
        fn text_without_secrets_may_be_anything(text in ".{0,200}") {
            text_without(&text);
        }
    }

    #[test]
    fn what_a_request_carried_is_taken_out_of_its_answer() {
        let call = Call::get("/echo")
            .with_body(Payload::Json(value!({ "password": "apple-crate" })))
            .with_credential(Credential::Bearer { token: "opaque-17".to_owned(), shown: "$A_TOKEN".to_owned() });
        let answer = Answer::new(http::StatusCode::OK, HeaderMap::new(), b"you are opaque-17 with apple-crate");
        assert_eq!(Carried::by(&call).answer(&answer), "you are *** with ***");
    }
}
