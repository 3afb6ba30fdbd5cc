//! One identity of the file, and how it signs in.

use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::Reader;
use crate::identity::Identity;
use crate::login::{Grant, JsonLogin, Login, LoginPayload, LoginRequest, Part, PartPlace, TokenSource};
use crate::surface::schema::text_of;

/// One identity, template and variables put in.
pub(super) struct Entry<'e, 'r> {
    reader: &'e mut Reader<'r>,
    pointer: String,
    value: &'e Value,
}

impl<'e, 'r> Entry<'e, 'r> {
    pub(super) fn new(reader: &'e mut Reader<'r>, pointer: String, value: &'e Value) -> Self {
        Self { reader, pointer, value }
    }

    /// The identity; `None` when it has a problem, which is then told.
    pub(super) fn read(mut self) -> Option<Identity> {
        let value = self.value;
        self.keys(
            "",
            value,
            &["createUsers", "fixedHeaders", "loginEndpointAuth", "name", "x-palisade"],
            &["requireMockHandling"],
        );
        let Some(name) = value.get("name").and_then(Value::as_str).filter(|name| !name.is_empty()) else {
            let help = "give it one, such as `name: ann`; reports call it that";
            return self.refuse("/name", "this identity has no name", help);
        };
        let own = value.get("x-palisade").unwrap_or(&Value::Null);
        self.keys("/x-palisade", own, &["claims", "fixedQuery", "roles"], &[]);
        let mut fixed = self.parts("/fixedHeaders", value.get("fixedHeaders"), PartPlace::Header);
        fixed.extend(self.parts("/x-palisade/fixedQuery", own.get("fixedQuery"), PartPlace::Query));
        let mut always = Vec::new();
        let login = match value.get("loginEndpointAuth") {
            Some(login) => {
                always = std::mem::take(&mut fixed);
                self.login(login)?
            }
            None if fixed.is_empty() => {
                let help = "give it `fixedHeaders`, or `loginEndpointAuth` with `endpoint` and `payloadUserPwd`";
                return self.refuse("", format!("it is not said how `{name}` signs in"), help);
            }
            None => Login::Fixed(fixed),
        };
        let creation = match value.get("createUsers") {
            Some(written) => Some(self.creation(written, &login)?),
            None => None,
        };
        let roles = own.get("roles").and_then(Value::as_array).into_iter().flatten();
        let claims = own.get("claims").and_then(Value::as_object).into_iter().flatten();
        Some(Identity {
            name: name.to_owned(),
            login,
            always,
            roles: roles.filter_map(Value::as_str).map(str::to_owned).collect(),
            creation,
            claims: claims.map(|(name, value)| (name.clone(), text_of(value))).collect(),
        })
    }

    fn parts(&mut self, pointer: &str, written: Option<&Value>, place: PartPlace) -> Vec<Part> {
        let mut parts = Vec::new();
        for (at, item) in written.and_then(Value::as_array).into_iter().flatten().enumerate() {
            let text = |key: &str| item.get(key).map(text_of).filter(|text| !text.is_empty());
            match (text("name"), text("value")) {
                (Some(name), Some(value)) => parts.push(Part { place, name, value: value.trim().to_owned() }),
                _ => {
                    let help = "write it as `{ name: x-api-key, value: ... }`";
                    self.refuse::<()>(&format!("{pointer}/{at}"), "this has no name or no value", help);
                }
            }
        }
        parts
    }

    fn login(&mut self, login: &Value) -> Option<Login> {
        const AT: &str = "/loginEndpointAuth";
        self.keys(
            AT,
            login,
            &["contentType", "endpoint", "expectCookies", "headers", "payloadRaw", "payloadUserPwd", "token", "verb"],
            &["externalEndpointURL"],
        );
        let text = |key: &str| login.get(key).and_then(Value::as_str);
        if let Some(url) = text("externalEndpointURL") {
            let message = format!("the sign-in at `{url}` is outside the target");
            let help = "a run sends nothing to other hosts: get a token there first, and give it in `fixedHeaders`";
            return self.refuse(&format!("{AT}/externalEndpointURL"), message, help);
        }
        let path = self.path(login.get("endpoint").unwrap_or(&Value::Null), &format!("{AT}/endpoint"))?;
        let verb = text("verb").unwrap_or("POST").to_ascii_uppercase();
        let Ok(method) = verb.parse::<Method>() else {
            return self.refuse(&format!("{AT}/verb"), format!("`{verb}` is no method"), "most sign-ins are a `POST`");
        };
        let headers = self.parts(&format!("{AT}/headers"), login.get("headers"), PartPlace::Header);
        let payload = self.payload(login, text("contentType"))?;
        let grant = self.grant(login)?;
        let own = login.get("x-palisade").unwrap_or(&Value::Null);
        self.keys(&format!("{AT}/x-palisade"), own, &["page"], &[]);
        let page = match own.get("page") {
            Some(page) => Some(self.path(page, &format!("{AT}/x-palisade/page"))?),
            None => None,
        };
        if method == Method::POST
            && headers.is_empty()
            && page.is_none()
            && let (LoginPayload::Json(body), Some(token)) = (&payload, bearer_at(&grant))
        {
            return Some(Login::Json(JsonLogin { path, body: body.clone(), token }));
        }
        let headers = headers.into_iter().map(|part| (part.name, part.value)).collect();
        Some(Login::Request(Box::new(LoginRequest { method, path, headers, payload, grant, page })))
    }

    pub(super) fn payload(&mut self, login: &Value, media: Option<&str>) -> Option<LoginPayload> {
        let essence = media.map(|media| media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        let is_form = essence.as_deref() == Some("application/x-www-form-urlencoded");
        if let Some(pair) = login.get("payloadUserPwd") {
            let text = |key: &str| pair.get(key).map(text_of);
            let (Some(name), Some(password)) = (text("username"), text("password")) else {
                let help = "write it as `{ username: ann, password: '${ANN_PASSWORD}' }`";
                return self.refuse(
                    "/loginEndpointAuth/payloadUserPwd",
                    "the user name or the password is missing",
                    help,
                );
            };
            let name_field = text("usernameField").unwrap_or_else(|| "username".to_owned());
            let password_field = text("passwordField").unwrap_or_else(|| "password".to_owned());
            let fields = vec![(name_field, name), (password_field, password)];
            return Some(match is_form {
                true => LoginPayload::Form(fields),
                false => {
                    let members = fields.into_iter().map(|(name, value)| (name, Value::from(value)));
                    LoginPayload::Json(Value::Object(members.collect::<Map<_, _>>()))
                }
            });
        }
        let Some(raw) = login.get("payloadRaw") else { return Some(LoginPayload::None) };
        let Some(raw) = raw.as_str() else { return Some(LoginPayload::Json(raw.clone())) };
        let json: Option<Value> = serde_json::from_str(raw).ok();
        Some(match (json, essence) {
            (Some(body), None) => LoginPayload::Json(body),
            (Some(body), Some(media)) if media.ends_with("json") => LoginPayload::Json(body),
            _ if is_form => LoginPayload::Form(raw.split('&').map(pair).collect()),
            (_, media) => LoginPayload::Raw(media.unwrap_or_else(|| "application/json".to_owned()), raw.to_owned()),
        })
    }

    fn grant(&mut self, login: &Value) -> Option<Grant> {
        const AT: &str = "/loginEndpointAuth/token";
        let Some(token) = login.get("token") else {
            let is_cookie = login.get("expectCookies") == Some(&Value::Bool(true));
            return Some(if is_cookie { Grant::Cookies } else { Grant::Found });
        };
        let old = ["extractFromField", "extractFromHeader", "headerPostfix", "headerPrefix", "httpHeaderName"];
        self.keys(AT, token, &["extractFrom", "extractSelector", "sendIn", "sendName", "sendTemplate"], &old);
        let text = |key: &str| token.get(key).and_then(Value::as_str);
        let selector = text("extractSelector").map(str::to_owned);
        let from = match (text("extractFrom"), text("extractFromField"), text("extractFromHeader")) {
            (None, Some(pointer), _) => Some(TokenSource::Body(pointer.to_owned())),
            (None, None, Some(name)) => Some(TokenSource::Header(name.to_owned())),
            (Some("body") | None, _, _) => selector.map(TokenSource::Body),
            (Some("cookie"), _, _) => selector.map(TokenSource::Cookie),
            (Some("header"), _, _) => selector.map(TokenSource::Header),
            (Some(_), _, _) => None,
        };
        let Some(from) = from else {
            let help = "say `extractFrom: body` and `extractSelector: /access_token`, a JSON pointer";
            return self.refuse(AT, "it is not said where the token is in the answer", help);
        };
        let place = match text("sendIn").unwrap_or("header") {
            "cookie" => PartPlace::Cookie,
            "header" => PartPlace::Header,
            "query" => PartPlace::Query,
            other => {
                let message = format!("a token cannot be sent in `{other}`");
                return self.refuse(&format!("{AT}/sendIn"), message, "it is one of `cookie`, `header` and `query`");
            }
        };
        let name = text("sendName").or(text("httpHeaderName")).unwrap_or("Authorization").to_owned();
        let template = match text("sendTemplate") {
            Some(template) if template.contains("{token}") => template.to_owned(),
            Some(_) => {
                let help = "such as `Bearer {token}`";
                return self.refuse(&format!("{AT}/sendTemplate"), "the template has no place for the `{token}`", help);
            }
            None => {
                // The format sends a token as it is; only where nothing at all is said, it is what most APIs want.
                let is_told = ["headerPrefix", "httpHeaderName", "sendName"].iter().any(|key| text(key).is_some());
                let prefix = text("headerPrefix").unwrap_or(if is_told { "" } else { "Bearer " });
                format!("{prefix}{{token}}{}", text("headerPostfix").unwrap_or_default())
            }
        };
        Some(Grant::Token { from, place, name, template })
    }

    pub(super) fn keys(&mut self, below: &str, value: &Value, known: &[&str], silent: &[&str]) {
        for key in value.as_object().into_iter().flatten().map(|(key, _)| key.as_str()) {
            if !known.contains(&key) && !silent.contains(&key) && !key.starts_with("x-") {
                let pointer = format!("{}{below}", self.pointer);
                self.reader.unknown(&pointer, key, known);
            }
        }
    }

    /// A path of the target's.
    pub(super) fn path(&mut self, written: &Value, pointer: &str) -> Option<String> {
        let name = pointer.rsplit('/').next().unwrap_or_default();
        match written.as_str().filter(|path| path.starts_with('/') && !path.starts_with("//")) {
            Some(path) => Some(path.to_owned()),
            None => {
                let help = "write it from the base URL, such as `/login`";
                self.refuse(pointer, format!("`{name}` is no path"), help)
            }
        }
    }

    pub(super) fn refuse<T>(&mut self, below: &str, message: impl Into<String>, help: &str) -> Option<T> {
        let pointer = format!("{}{below}", self.pointer);
        self.reader.problem(&pointer, message, help);
        None
    }
}

/// Where a token is in a JSON body, when it is sent as a bearer token from then on.
fn bearer_at(grant: &Grant) -> Option<String> {
    match grant {
        Grant::Token { from: TokenSource::Body(pointer), place: PartPlace::Header, name, template }
            if name.eq_ignore_ascii_case("authorization") && template == "Bearer {token}" =>
        {
            Some(pointer.clone())
        }
        Grant::Cookies | Grant::Found | Grant::Token { .. } => None,
    }
}

/// A name and a value of a form.
fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let plain = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    (plain(name), plain(value))
}

/// A login in words, secrets included.
#[cfg(test)]
pub(super) fn shown(login: &Login) -> String {
    let place = |place: PartPlace| format!("{place:?}").to_ascii_lowercase();
    match login {
        Login::Fixed(parts) => format!("fixed {} {}", place(parts[0].place), parts[0].name),
        Login::Json(login) => format!("json {} {} {}", login.path, login.body, login.token),
        Login::Token(_) => "token".to_owned(),
        Login::Request(login) => {
            let mut text = format!("{} {}", login.method, login.path);
            login.headers.iter().for_each(|(name, _)| text += &format!(" + {name}"));
            match &login.payload {
                LoginPayload::Form(fields) => {
                    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
                    text += &format!(" {}", fields.join("&"));
                }
                LoginPayload::Json(body) => text += &format!(" {body}"),
                LoginPayload::None => {}
                LoginPayload::Raw(media, body) => text += &format!(" {media} {body}"),
            }
            match &login.grant {
                Grant::Cookies => text += " cookies",
                Grant::Found => text += " found",
                Grant::Token { from, place: to, name, template } => {
                    let from = match from {
                        TokenSource::Body(at) => format!("body {at}"),
                        TokenSource::Cookie(at) => format!("cookie {at}"),
                        TokenSource::Header(at) => format!("header {at}"),
                    };
                    text += &format!(" {from} -> {} {name} `{template}`", place(*to));
                }
            }
            text
        }
    }
}
