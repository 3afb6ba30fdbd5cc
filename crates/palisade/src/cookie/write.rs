//! Makes cookies by their kind.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use axum_core::response::{IntoResponseParts, ResponseParts};
use http::HeaderValue;
use http::header::SET_COOKIE;

use super::{is_name, plain_value};

/// A cookie to set. It has no `Domain`, so that no neighbor of the same site can read or replace it, is sent over TLS
/// only, and is never sent with the requests of other sites that change something.
///
/// ```
/// use axum::response::{IntoResponse, Redirect};
/// use palisade::cookie::SetCookie;
///
/// fn signed_in(session: &str) -> Result<impl IntoResponse + use<>, palisade::cookie::CookieError> {
///     let cookie = SetCookie::session("sid", session)?;
///     assert_eq!(cookie.text(), format!("__Host-sid={session}; Path=/; Secure; HttpOnly; SameSite=Lax"));
///     Ok((cookie, Redirect::to("/")))
/// }
/// # signed_in("a1b2").unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetCookie {
    kind: Kind,
    name: Box<str>,
    value: Box<str>,
    max_age: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Csrf,
    Preference,
    Session,
    StrictSession,
}

impl SetCookie {
    /// The cookie of a session: no script can read it. Links of other sites bring it along, their forms do not.
    pub fn session(name: &str, value: &str) -> Result<Self, CookieError> {
        Self::new(Kind::Session, name, value)
    }

    /// The cookie of a session for what only the own pages link to: a visitor who follows a link of another site
    /// arrives without it.
    pub fn strict_session(name: &str, value: &str) -> Result<Self, CookieError> {
        Self::new(Kind::StrictSession, name, value)
    }

    /// A token against cross-site requests, which scripts of the own pages read and send back in a header.
    pub fn csrf(name: &str, value: &str) -> Result<Self, CookieError> {
        Self::new(Kind::Csrf, name, value)
    }

    /// A choice of the visitor, such as a color: readable by scripts, and worth nothing to a thief.
    pub fn preference(name: &str, value: &str) -> Result<Self, CookieError> {
        Self::new(Kind::Preference, name, value)
    }

    fn new(kind: Kind, name: &str, value: &str) -> Result<Self, CookieError> {
        if !is_name(name) || name.starts_with("__") {
            return Err(CookieError::Name { name: name.to_owned() });
        }
        if plain_value(value) != Some(value) {
            return Err(CookieError::Value { name: name.to_owned() });
        }
        if name.len() + value.len() > LONGEST {
            return Err(CookieError::Long { name: name.to_owned() });
        }
        let prefix = if kind == Kind::Preference { "" } else { "__Host-" };
        Ok(Self { kind, name: format!("{prefix}{name}").into(), value: value.into(), max_age: None })
    }

    /// The cookie `__Host-session` without a value.
    pub(crate) fn empty_session() -> Self {
        Self { kind: Kind::Session, name: "__Host-session".into(), value: "".into(), max_age: None }
    }

    /// The same cookie with another value, which is base64url and so needs no check.
    pub(crate) fn carrying(&self, base64url: &str) -> Self {
        Self { value: base64url.into(), ..self.clone() }
    }

    /// The same cookie, kept for a while after the browser is closed; at most 400 days count.
    #[must_use]
    pub fn lasting(self, max_age: Duration) -> Self {
        Self { max_age: Some(max_age), ..self }
    }

    /// What makes browsers forget the cookie.
    #[must_use]
    pub fn removed(self) -> Self {
        Self { value: "".into(), max_age: Some(Duration::ZERO), ..self }
    }

    /// The name as the browser sends it back, with its prefix.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cookie as the header has it.
    pub fn text(&self) -> String {
        let mut text = format!("{}={}; Path=/; Secure", self.name, self.value);
        text.push_str(match self.kind {
            Kind::Csrf => "; SameSite=Strict",
            Kind::Preference => "; SameSite=Lax",
            Kind::Session => "; HttpOnly; SameSite=Lax",
            Kind::StrictSession => "; HttpOnly; SameSite=Strict",
        });
        if let Some(age) = self.max_age {
            // Writing to a String cannot fail.
            let _ = write!(text, "; Max-Age={}", age.as_secs().min(LONGEST_AGE));
        }
        text
    }

    /// The cookie as a header. Name and value were checked for what a header cannot hold.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        HeaderValue::try_from(self.text()).ok()
    }
}

impl IntoResponseParts for SetCookie {
    type Error = Infallible;

    fn into_response_parts(self, mut response: ResponseParts) -> Result<ResponseParts, Infallible> {
        if let Some(value) = self.header() {
            response.headers_mut().append(SET_COOKIE, value);
        }
        Ok(response)
    }
}

/// Why a cookie cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CookieError {
    /// Browsers drop it without a word.
    #[error("the cookie `{name}` is longer than 4096 bytes, and browsers drop it")]
    Long {
        /// The name.
        name: String,
    },
    /// It could end the header or pretend to a prefix.
    #[error("`{name}` cannot be the name of a cookie: use letters, digits, `-` and `_`; the prefix is added")]
    Name {
        /// The name.
        name: String,
    },
    /// It could add attributes.
    #[error(
        "the value of the cookie `{name}` must be letters, digits and marks without space, quote, comma, `;` and `\\`"
    )]
    Value {
        /// The name; the value may be secret.
        name: String,
    },
}

/// What browsers keep at least, name and value together (RFC 6265 section 6.1).
const LONGEST: usize = 4096 - "__Host-".len();

/// 400 days: what browsers cut it to.
const LONGEST_AGE: u64 = 400 * 86_400;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_kind_has_its_attributes() {
        for (cookie, expect) in [
            (SetCookie::session("sid", "a"), "__Host-sid=a; Path=/; Secure; HttpOnly; SameSite=Lax"),
            (SetCookie::strict_session("sid", "a"), "__Host-sid=a; Path=/; Secure; HttpOnly; SameSite=Strict"),
            (SetCookie::csrf("csrf", "a.b"), "__Host-csrf=a.b; Path=/; Secure; SameSite=Strict"),
            (SetCookie::preference("theme", "dark"), "theme=dark; Path=/; Secure; SameSite=Lax"),
        ] {
            assert_eq!(cookie.unwrap().text(), expect);
        }
        let session = SetCookie::session("sid", "a").unwrap();
        assert!(session.clone().lasting(Duration::from_secs(u64::MAX)).text().ends_with("; Max-Age=34560000"));
        assert!(session.removed().text().starts_with("__Host-sid=; Path=/; Secure;"));
    }

    #[test]
    fn attributes_cannot_be_smuggled_in() {
        for (name, value) in [
            ("sid", "a; Domain=example.com"),
            ("sid", "a\r\nSet-Cookie: b=c"),
            ("sid", "a b"),
            ("sid", "\"a\""),
            ("sid; Path", "a"),
            ("sid=x", "a"),
            ("", "a"),
            ("__Secure-sid", "a"),
            ("s\u{a0}id", "a"),
        ] {
            assert!(SetCookie::session(name, value).is_err(), "{name}={value}");
        }
        assert!(SetCookie::session("sid", &"a".repeat(5000)).is_err());
    }

    proptest! {
        #[test]
        fn what_builds_is_one_cookie(name in "\\PC{0,8}", value in "[ -~]{0,12}") {
            for made in [SetCookie::session(&name, &value), SetCookie::csrf(&name, &value), SetCookie::preference(&name, &value)] {
                let Ok(cookie) = made else { continue };
                let text = cookie.text();
                prop_assert!(cookie.header().is_some());
                prop_assert!(text.split("; ").count() <= 5 && text.contains("; Secure") && !text.contains("Domain"), "{text}");
            }
        }
    }
}
