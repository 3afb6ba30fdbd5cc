//! Makes the cookies of an application safe on their way out.
//!
//! 1. Every cookie is sent over TLS only (`Secure`): also where the connection to us is plain, since a proxy in front
//!    may be the one that speaks TLS, and `http://localhost` counts as safe in browsers.
//! 2. No script reads a cookie (`HttpOnly`) unless the settings name it.
//! 3. A cookie without `SameSite` gets `Lax`, and so does one with `SameSite=None`, unless the settings name it.
//! 4. `__Host-` cookies lose `Domain` and get `Path=/`, without which browsers drop them.
//! 5. What browsers and we could read differently is withheld: control characters, bytes that are no text, no name.

use std::borrow::Cow;

use http::HeaderValue;

use super::is_name;

/// Which cookies of an application may be looser than the rule.
///
/// ```
/// use http::HeaderValue;
/// use palisade::cookie::CookieSettings;
///
/// let settings = CookieSettings { readable: vec!["theme".into()], ..CookieSettings::default() };
/// let corrected = |cookie: &'static str| settings.corrected(&HeaderValue::from_static(cookie)).unwrap();
/// assert_eq!(corrected("theme=dark; Path=/"), "theme=dark; Path=/; Secure; SameSite=Lax");
/// assert_eq!(corrected("sid=a1; Path=/"), "sid=a1; Path=/; Secure; HttpOnly; SameSite=Lax");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CookieSettings {
    /// Cookies that scripts of the own pages read.
    pub readable: Vec<Box<str>>,
    /// Cookies that are sent along with the requests of other sites, such as a widget's in a foreign page.
    pub cross_site: Vec<Box<str>>,
    /// Whether cookies without `Secure` stay so: for an application that nobody reaches over TLS.
    pub danger_insecure: bool,
}

impl CookieSettings {
    /// What leaves in place of a `Set-Cookie` of the application; nothing where it is withheld.
    pub fn corrected(&self, cookie: &HeaderValue) -> Option<HeaderValue> {
        match correct(cookie.as_bytes(), self) {
            Corrected::Cookie(text) => HeaderValue::from_str(&text).ok(),
            Corrected::Changed(text, _) => HeaderValue::try_from(text).ok(),
            Corrected::Withheld(_) => None,
        }
    }

    /// Where the settings are weaker than the rule, in sentences without an end.
    pub(crate) fn dangers(&self) -> Vec<String> {
        let across =
            self.cross_site.iter().map(|name| format!("the cookie `{name}` is sent with other sites' requests"));
        let insecure = self.danger_insecure.then(|| "cookies are sent without TLS".to_owned());
        across.chain(insecure).collect()
    }
}

/// What becomes of a cookie.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Corrected<'c> {
    /// It leaves, as it was or with what was missing.
    Cookie(Cow<'c, str>),
    /// It leaves otherwise than the application meant, for this reason.
    Changed(String, &'static str),
    /// It does not leave, for this reason.
    Withheld(&'static str),
}

/// What becomes of a `Set-Cookie` of the application.
pub(crate) fn correct<'c>(value: &'c [u8], settings: &CookieSettings) -> Corrected<'c> {
    let Ok(text) = std::str::from_utf8(value) else { return Corrected::Withheld("not_text") };
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return Corrected::Withheld("control_character");
    }
    let mut parts = text.split(';');
    let pair = parts.next().unwrap_or_default().trim_matches([' ', '\t']);
    let Some((name, _)) = pair.split_once('=') else { return Corrected::Withheld("no_name") };
    let name = name.trim_end_matches([' ', '\t']);
    if !is_name(name) {
        return Corrected::Withheld("no_name");
    }
    let found = Attributes::read(parts);
    let listed = |names: &[Box<str>]| names.iter().any(|listed| **listed == *name);
    let prefixed = |prefix: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let is_host = prefixed("__Host-");
    let mut fault = None;
    if is_host && (found.domain || !found.at_root) {
        fault = Some("host_prefix_broken");
    }
    let across = listed(&settings.cross_site);
    let needs_same_site = match found.same_site {
        SameSite::None if across => false,
        SameSite::None => {
            fault = Some("cross_site_not_declared");
            true
        }
        SameSite::Unclear => true,
        SameSite::LaxOrStrict => false,
    };
    let needs_tls = !settings.danger_insecure || is_host || prefixed("__Secure-") || found.same_site == SameSite::None;
    let mut added = String::new();
    if is_host && !found.at_root {
        added.push_str("; Path=/");
    }
    if needs_tls && !found.secure {
        added.push_str("; Secure");
    }
    if !found.http_only && !listed(&settings.readable) {
        added.push_str("; HttpOnly");
    }
    if needs_same_site {
        added.push_str("; SameSite=Lax");
    }
    match fault {
        None if added.is_empty() => Corrected::Cookie(Cow::Borrowed(text)),
        // Of an attribute that stands twice browsers take the last (RFC 6265 section 5.3).
        None => Corrected::Cookie(Cow::Owned(format!("{text}{added}"))),
        Some(reason) => {
            let dropped = |part: &&str| {
                let name = part.split('=').next().unwrap_or_default().trim();
                (is_host
                    && (name.eq_ignore_ascii_case("domain") || (!found.at_root && name.eq_ignore_ascii_case("path"))))
                    || (needs_same_site && name.eq_ignore_ascii_case("samesite"))
            };
            let kept: Vec<&str> = text.split(';').skip(1).filter(|part| !dropped(part)).collect();
            let rest: String = kept.iter().flat_map(|part| [";", part]).collect();
            Corrected::Changed(format!("{pair}{rest}{added}"), reason)
        }
    }
}

/// What a cookie says of itself, as browsers read it.
struct Attributes {
    domain: bool,
    at_root: bool,
    secure: bool,
    http_only: bool,
    same_site: SameSite,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SameSite {
    LaxOrStrict,
    None,
    /// Absent, or a word that browsers do not know.
    Unclear,
}

impl Attributes {
    fn read<'c>(parts: impl Iterator<Item = &'c str>) -> Self {
        let mut found =
            Self { domain: false, at_root: false, secure: false, http_only: false, same_site: SameSite::Unclear };
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (name.trim(), value.trim());
            let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
            if is("domain") {
                found.domain = true;
            } else if is("path") {
                found.at_root = value == "/";
            } else if is("secure") {
                found.secure = true;
            } else if is("httponly") {
                found.http_only = true;
            } else if is("samesite") {
                found.same_site = match value {
                    _ if value.eq_ignore_ascii_case("none") => SameSite::None,
                    _ if value.eq_ignore_ascii_case("lax") || value.eq_ignore_ascii_case("strict") => {
                        SameSite::LaxOrStrict
                    }
                    _ => SameSite::Unclear,
                };
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings() -> CookieSettings {
        CookieSettings { readable: vec!["theme".into()], cross_site: vec!["widget".into()], danger_insecure: false }
    }

    #[test]
    fn what_is_missing_is_added() {
        for (cookie, expect) in [
            ("sid=1", "sid=1; Secure; HttpOnly; SameSite=Lax"),
            ("sid=1; Path=/; secure; httponly; samesite=strict", "sid=1; Path=/; secure; httponly; samesite=strict"),
            ("sid=1; SameSite=Lax; HttpOnly", "sid=1; SameSite=Lax; HttpOnly; Secure"),
            ("sid=1; SameSite=Whatever", "sid=1; SameSite=Whatever; Secure; HttpOnly; SameSite=Lax"),
            ("theme=dark", "theme=dark; Secure; SameSite=Lax"),
            ("widget=1; SameSite=None", "widget=1; SameSite=None; Secure; HttpOnly"),
            ("__Host-sid=1; Path=/", "__Host-sid=1; Path=/; Secure; HttpOnly; SameSite=Lax"),
            ("sid=; Max-Age=0", "sid=; Max-Age=0; Secure; HttpOnly; SameSite=Lax"),
            ("a={\"b\": 1}", "a={\"b\": 1}; Secure; HttpOnly; SameSite=Lax"),
        ] {
            assert_eq!(correct(cookie.as_bytes(), &settings()), Corrected::Cookie(expect.into()), "{cookie}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_changed_or_withheld() {
        for (cookie, expect, reason) in [
            (
                "sid=1; SameSite=None; Path=/a",
                "sid=1; Path=/a; Secure; HttpOnly; SameSite=Lax",
                "cross_site_not_declared",
            ),
            (
                "__Host-sid=1; Domain=example.com; Path=/a; Secure; HttpOnly; SameSite=Lax",
                "__Host-sid=1; Secure; HttpOnly; SameSite=Lax; Path=/",
                "host_prefix_broken",
            ),
            ("__host-sid=1", "__host-sid=1; Path=/; Secure; HttpOnly; SameSite=Lax", "host_prefix_broken"),
        ] {
            assert_eq!(
                correct(cookie.as_bytes(), &settings()),
                Corrected::Changed(expect.to_owned(), reason),
                "{cookie}"
            );
        }
        for (cookie, reason) in [
            (&b"sid"[..], "no_name"),
            (b"=1", "no_name"),
            (b"", "no_name"),
            ("\u{a0}sid=1".as_bytes(), "no_name"),
            (b"sid=\xff", "not_text"),
            (b"sid=1\t; Domain=x", "control_character"),
        ] {
            assert_eq!(correct(cookie, &settings()), Corrected::Withheld(reason), "{cookie:?}");
        }
    }

    #[test]
    fn without_tls_only_where_the_settings_say_so() {
        let settings = CookieSettings { danger_insecure: true, ..CookieSettings::default() };
        for (cookie, secure) in [("sid=1", false), ("__Secure-sid=1", true), ("__Host-sid=1; Path=/", true)] {
            let Corrected::Cookie(text) = correct(cookie.as_bytes(), &settings) else { panic!("{cookie}") };
            assert_eq!(text.contains("; Secure"), secure, "{cookie}");
        }
        assert_eq!(settings.dangers().len(), 1);
    }

    proptest! {
        #[test]
        fn whatever_leaves_is_safe_and_stays_as_it_is(cookie in "(sid|__Host-sid|theme)=[ -~]{0,10}(; ?(Secure|HttpOnly|SameSite=(None|Lax|x)|Domain=a|Path=/a?|x)){0,6}") {
            let text = match correct(cookie.as_bytes(), &settings()) {
                Corrected::Cookie(text) => text.into_owned(),
                Corrected::Changed(text, _) => text,
                Corrected::Withheld(_) => return Ok(()),
            };
            let found = Attributes::read(text.split(';').skip(1));
            prop_assert!(found.secure && found.same_site == SameSite::LaxOrStrict, "{text}");
            prop_assert!(found.http_only || text.starts_with("theme"), "{text}");
            prop_assert!(!text.starts_with("__Host-") || (found.at_root && !found.domain), "{text}");
            prop_assert_eq!(correct(text.as_bytes(), &settings()), Corrected::Cookie(text.as_str().into()));
        }
    }
}
