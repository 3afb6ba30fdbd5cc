//! A login is how an identity comes by what its requests are signed with: a header it has, a token or cookies it gets.

use std::fmt;

use http::Method;
use serde_json::Value;

use crate::exchange::{Answer, Call, Payload};
use crate::session::granted;
use crate::surface::schema::text_of;
use crate::surface::template::plain;
use crate::surface::{Surface, encode};

/// How an identity comes by its credential.
#[derive(Clone)]
pub enum Login {
    /// The same in every request: an API key, or a name and a password for `Basic`.
    Fixed(Vec<Part>),
    /// A JSON body is posted, and the answer holds a bearer token.
    Json(JsonLogin),
    /// Any other request, and what is to be taken from its answer.
    Request(Box<LoginRequest>),
    /// A bearer token is there already.
    Token(String),
}

impl Login {
    /// Posts `body` to `path` and reads the token at the JSON pointer `token` of the answer.
    #[must_use]
    pub fn json(path: impl Into<String>, body: Value, token: impl Into<String>) -> Self {
        Self::Json(JsonLogin { path: path.into(), body, token: token.into() })
    }

    /// A header that every request has.
    #[must_use]
    pub fn header(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self::Fixed(vec![Part { place: PartPlace::Header, name: name.into(), value: value.into() }])
    }

    /// Whether a new credential can be had when the old one is no longer good.
    pub(crate) fn is_renewable(&self) -> bool {
        matches!(self, Self::Json(_) | Self::Request(_))
    }

    /// The JSON that is posted to sign in, if that is how it is done, and where.
    pub(crate) fn as_json(&self) -> Option<JsonLogin> {
        match self {
            Self::Json(login) => Some(login.clone()),
            Self::Request(login) => match &login.payload {
                LoginPayload::Json(body) if login.method == Method::POST => {
                    Some(JsonLogin { path: login.path.clone(), body: body.clone(), token: String::new() })
                }
                LoginPayload::Form(_) | LoginPayload::Json(_) | LoginPayload::None | LoginPayload::Raw(..) => None,
            },
            Self::Fixed(_) | Self::Token(_) => None,
        }
    }

    /// The request by which it signs in with texts: JSON, or a form.
    pub(crate) fn sign_in(&self) -> Option<SignIn> {
        if let Some(JsonLogin { path, body, .. }) = self.as_json() {
            return Some(SignIn { path, body, form: None });
        }
        match self {
            Self::Request(login) => match &login.payload {
                LoginPayload::Form(fields) if login.method == Method::POST => {
                    let members = fields.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
                    let (path, form) = (login.path.clone(), Some(login.grant.clone()));
                    Some(SignIn { path, body: Value::Object(members.collect()), form })
                }
                LoginPayload::Form(_) | LoginPayload::Json(_) | LoginPayload::None | LoginPayload::Raw(..) => None,
            },
            Self::Fixed(_) | Self::Json(_) | Self::Token(_) => None,
        }
    }

    /// The same login with its texts changed, wherever it has some.
    pub(crate) fn with_texts(&self, change: &dyn Fn(&str) -> String) -> Self {
        match self {
            Self::Fixed(parts) => {
                let part = |part: &Part| Part { value: change(&part.value), ..part.clone() };
                Self::Fixed(parts.iter().map(part).collect())
            }
            Self::Json(login) => {
                Self::Json(JsonLogin { path: change(&login.path), body: changed(&login.body, change), ..login.clone() })
            }
            Self::Request(login) => Self::Request(Box::new(LoginRequest {
                path: change(&login.path),
                headers: login.headers.iter().map(|(name, value)| (name.clone(), change(value))).collect(),
                payload: login.payload.with_texts(change),
                ..login.as_ref().clone()
            })),
            Self::Token(token) => Self::Token(change(token)),
        }
    }

    /// The texts that are sent to sign in, which name the account and hold its password.
    pub(crate) fn texts(&self) -> Vec<(String, String)> {
        let of_json = |body: &Value| {
            let members = body.as_object().into_iter().flatten();
            members.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
        };
        match self {
            Self::Json(login) => of_json(&login.body),
            Self::Request(login) => match &login.payload {
                LoginPayload::Form(fields) => fields.clone(),
                LoginPayload::Json(body) => of_json(body),
                LoginPayload::None | LoginPayload::Raw(..) => Vec::new(),
            },
            Self::Fixed(_) | Self::Token(_) => Vec::new(),
        }
    }

    /// The same login of another account. `None` when it is not clear which of its texts name the account.
    pub(crate) fn for_account(&self, account: &Account) -> Option<Self> {
        let in_json = |body: &Value| {
            let mut members = body.as_object()?.clone();
            let mut texts: Vec<(String, String)> =
                members.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
            let is_swapped = swap(account, &mut texts.iter_mut().map(|(name, value)| (name.as_str(), value)));
            members.extend(texts.into_iter().map(|(name, value)| (name, Value::from(value))));
            is_swapped.then_some(Value::Object(members))
        };
        match self {
            Self::Json(login) => Some(Self::Json(JsonLogin { body: in_json(&login.body)?, ..login.clone() })),
            Self::Request(login) => {
                let mut login = login.clone();
                login.payload = match login.payload {
                    LoginPayload::Json(body) => LoginPayload::Json(in_json(&body)?),
                    LoginPayload::Form(mut fields) => {
                        swap(account, &mut fields.iter_mut().map(|(name, value)| (name.as_str(), value)))
                            .then_some(LoginPayload::Form(fields))?
                    }
                    LoginPayload::None | LoginPayload::Raw(..) => return None,
                };
                Some(Self::Request(login))
            }
            Self::Fixed(_) | Self::Token(_) => None,
        }
    }
}

/// A sign-in by texts, to be tried with others.
#[derive(Clone)]
pub(crate) struct SignIn {
    pub(crate) path: String,
    /// The texts, by their names.
    pub(crate) body: Value,
    /// What a form is answered with when it is right; `None` for JSON.
    form: Option<Grant>,
}

impl SignIn {
    /// The request with these texts.
    pub(crate) fn call(&self, body: &Value) -> Call {
        let payload = match &self.form {
            None => Payload::Json(body.clone()),
            Some(_) => {
                let members = body.as_object().into_iter().flatten();
                let pairs = members.map(|(name, value)| format!("{}={}", encode(name), encode(&text_of(value))));
                let text = pairs.collect::<Vec<_>>().join("&");
                Payload::Secret("application/x-www-form-urlencoded".to_owned(), text)
            }
        };
        Call::new(Method::POST, self.path.clone()).with_body(payload)
    }

    /// Whether an answer lets somebody in: a form that is refused is often answered with a page and a success.
    pub(crate) fn is_served(&self, answer: &Answer) -> bool {
        match &self.form {
            None => answer.meaning().is_success(),
            Some(grant) => {
                let is_fine = answer.is_success() || answer.status.is_redirection();
                is_fine && granted(grant, answer, "").is_ok()
            }
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(parts) => f.debug_tuple("Fixed").field(parts).finish(),
            Self::Json(login) => f.debug_struct("Json").field("path", &login.path).finish_non_exhaustive(),
            Self::Request(login) => f.debug_struct("Request").field("path", &login.path).finish_non_exhaustive(),
            Self::Token(_) => f.write_str("Token(..)"),
        }
    }
}

/// A sign-in by JSON.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "the body holds a password")]
pub struct JsonLogin {
    /// Where the body goes, from the base URL.
    pub path: String,
    /// What is posted.
    pub body: Value,
    /// Where the token is in the answer, as a JSON pointer.
    pub token: String,
}

/// A sign-in by any request to the target.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "the payload and the headers hold a password")]
pub struct LoginRequest {
    /// The method.
    pub method: Method,
    /// Where it goes, from the base URL.
    pub path: String,
    /// Headers, such as `authorization` with a name and a password.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub payload: LoginPayload,
    /// What is taken from the answer.
    pub grant: Grant,
    /// The page to be asked for first, whose hidden fields and tokens are sent along. A form has one of its own path.
    pub page: Option<String>,
}

/// The body of a sign-in.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "it holds a password")]
pub enum LoginPayload {
    /// `application/x-www-form-urlencoded`.
    Form(Vec<(String, String)>),
    /// `application/json`.
    Json(Value),
    /// No body.
    None,
    /// A media type, and a text as it is.
    Raw(String, String),
}

impl LoginPayload {
    /// The same payload with its texts changed.
    pub(crate) fn with_texts(&self, change: &dyn Fn(&str) -> String) -> Self {
        match self {
            Self::Form(fields) => Self::Form(fields.iter().map(|(name, text)| (name.clone(), change(text))).collect()),
            Self::Json(body) => Self::Json(changed(body, change)),
            Self::None => Self::None,
            Self::Raw(media, text) => Self::Raw(media.clone(), change(text)),
        }
    }
}

fn changed(value: &Value, change: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| changed(item, change)).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, member)| (name.clone(), changed(member, change))).collect())
        }
        Value::String(text) => Value::from(change(text)),
        Value::Bool(_) | Value::Null | Value::Number(_) => value.clone(),
    }
}

/// What a sign-in gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Every cookie that the answer sets is sent from then on.
    Cookies,
    /// A token under one of the usual names, to be sent as a bearer token; or else cookies.
    Found,
    /// A token.
    Token {
        /// Where it is in the answer.
        from: TokenSource,
        /// Where it goes in requests.
        place: PartPlace,
        /// The name of the header, query parameter or cookie.
        name: String,
        /// What is sent, with `{token}` where the token goes.
        template: String,
    },
}

/// Where a token is in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// In the JSON body, at a pointer.
    Body(String),
    /// In a cookie of this name.
    Cookie(String),
    /// In a header of this name.
    Header(String),
}

/// One thing that a request is signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    /// Where it goes.
    pub place: PartPlace,
    /// Its name.
    pub name: String,
    /// Its value, which is secret.
    pub value: String,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("place", &self.place).field("name", &self.name).finish_non_exhaustive()
    }
}

/// Where a credential goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartPlace {
    /// A cookie.
    Cookie,
    /// A header.
    Header,
    /// A parameter of the query.
    Query,
}

/// An account that the run has made for itself.
pub(crate) struct Account {
    /// By which names it may be asked for, under the names of the properties that hold them.
    pub(crate) names: Vec<(String, String)>,
    pub(crate) password: String,
}

impl Account {
    /// The name that goes where a sign-in has such a text: an address where it has an address.
    fn named(&self, field: &str, text: &str) -> Option<&(String, String)> {
        let address = self.names.iter().find(|(known, _)| text.contains('@') && plain(known).contains("mail"));
        let own = || self.names.iter().find(|(known, _)| plain(known) == plain(field));
        address.or_else(own).or_else(|| self.names.iter().find(|(known, _)| alike(known, field)))
    }
}

/// Puts an account's name and password where another's are. False when one of the two was not there.
fn swap(account: &Account, fields: &mut dyn Iterator<Item = (&str, &mut String)>) -> bool {
    let (mut has_name, mut has_password) = (false, false);
    for (name, value) in fields {
        if is_password(name) {
            value.clone_from(&account.password);
            has_password = true;
        } else if let Some((_, known)) = account.named(name, value) {
            value.clone_from(known);
            has_name = true;
        }
    }
    has_name && has_password
}

/// Whether a property is a password, or the like.
pub(crate) fn is_password(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(name.as_str(), "pin" | "secret") || ["pass", "pwd"].iter().any(|word| name.contains(word))
}

/// A password that a schema takes: as many digits as it wants where it wants digits, else something of every kind.
pub(crate) fn fresh_password(surface: &Surface, schema: &Value, start: &str, marker: &str) -> String {
    let schema = surface.resolve(schema);
    let strong = format!("{start}{marker}");
    let limit = |name: &str| schema.get(name).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok());
    let (least, most) = (limit("minLength").unwrap_or(0), limit("maxLength").unwrap_or(usize::MAX));
    let pattern = schema.get("pattern").and_then(Value::as_str);
    let is_of_digits = |pattern: &str| {
        let rest = pattern.replace("[0-9]", "").replace("\\d", "");
        rest.len() < pattern.len() && rest.chars().all(|one| "^${},+*".contains(one) || one.is_ascii_digit())
    };
    if pattern.is_some_and(is_of_digits) {
        let counted = pattern.and_then(|pattern| pattern.split(['{', ',', '}']).nth(1)?.parse::<usize>().ok());
        let wanted = counted.unwrap_or_else(|| least.max(6)).clamp(1, MAXIMUM_PIN);
        let digits = marker.bytes().rev().map(|byte| char::from(b'0' + (byte.wrapping_mul(7)) % 10));
        return digits.cycle().take(wanted).collect();
    }
    let length = strong.chars().count().max(least).min(most);
    strong.chars().chain(std::iter::repeat('x')).take(length).collect()
}

/// Whether two names of properties mean the same: `userName` and `user_name`, and also `login` and `username`.
fn alike(known: &str, name: &str) -> bool {
    let (known, name) = (plain(known), plain(name));
    let is_mail = |name: &str| name.contains("mail");
    known == name
        || is_mail(&known) && is_mail(&name)
        || ["identifier", "login", "name", "user", "userid", "username"].contains(&name.as_str())
            && ["login", "name", "user", "username"].contains(&known.as_str())
}

const MAXIMUM_PIN: usize = 20;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_login_is_carried_over_to_another_account() {
        let account = Account { names: vec![("email".to_owned(), "n@x".to_owned())], password: "fresh".to_owned() };
        let check = |body: Value, expect: Option<Value>| {
            let login = Login::json("/login", body, "/t").for_account(&account);
            let body = login.map(|login| match login {
                Login::Json(login) => login.body,
                _ => panic!("another kind"),
            });
            assert_eq!(body, expect);
        };
        check(
            json!({ "e_mail": "a@x", "password": "p", "keep": 1 }),
            Some(json!({ "e_mail": "n@x", "password": "fresh", "keep": 1 })),
        );
        check(json!({ "username": "a", "password": "p" }), None);
        check(json!({ "login": "a@x", "password": "p" }), Some(json!({ "login": "n@x", "password": "fresh" })));
        check(json!({ "email": "a@x" }), None);
    }

    #[test]
    fn nothing_secret_can_be_printed() {
        let login = Login::header("x-api-key", "s3cret");
        assert!(!format!("{login:?}").contains("s3cret"), "{login:?}");
    }
}
