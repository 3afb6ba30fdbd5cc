//! Media types: what a body says it is, and which declared type it meets.

use std::borrow::Cow;

use http::HeaderValue;

/// A parsed media type, or a range such as `application/*` when it comes from a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Media {
    kind: Cow<'static, str>,
    subtype: Cow<'static, str>,
    /// What separates the parts of a multipart body.
    boundary: Option<Box<str>>,
}

/// How a body of a media type is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As `application/x-www-form-urlencoded`.
    Form,
    /// As JSON.
    Json,
    /// As `multipart/form-data`.
    Multipart,
    /// Not at all.
    Opaque,
    /// As one text.
    Text,
    /// As XML, for what would harm the parser behind.
    Xml,
}

impl Media {
    /// Reads `type/subtype; parameters` (RFC 9110 section 8.3.1). `None` when it is not a media type, names a parameter
    /// twice, or a charset other than UTF-8.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // What nearly every message is.
        if text == "application/json" {
            return Some(Self { kind: "application".into(), subtype: "json".into(), boundary: None });
        }
        let (essence, mut rest) = text.split_once(';').unwrap_or((text, ""));
        let (kind, subtype) = essence.trim_end_matches(BLANKS).split_once('/')?;
        if !is_token(kind) || !is_token(subtype) {
            return None;
        }
        let (mut names, mut boundary): (Vec<&str>, _) = (Vec::new(), None);
        loop {
            rest = rest.trim_start_matches(BLANKS);
            if let Some(after) = rest.strip_prefix(';') {
                rest = after;
                continue;
            }
            if rest.is_empty() {
                break;
            }
            let (name, after) = rest.split_once('=')?;
            let (value, after) = parameter_value(after)?;
            if !is_token(name) || names.iter().any(|other| other.eq_ignore_ascii_case(name)) {
                return None;
            }
            names.push(name);
            if name.eq_ignore_ascii_case("charset") && !value.eq_ignore_ascii_case("utf-8") {
                return None;
            }
            if name.eq_ignore_ascii_case("boundary") {
                boundary = Some(value.into());
            }
            rest = after.trim_start_matches(BLANKS);
            if !rest.is_empty() && !rest.starts_with(';') {
                return None;
            }
        }
        Some(Self { kind: kind.to_ascii_lowercase().into(), subtype: subtype.to_ascii_lowercase().into(), boundary })
    }

    /// Reads a header.
    pub(crate) fn of(header: &HeaderValue) -> Option<Self> {
        Self::parse(header.to_str().ok()?)
    }

    /// How precisely this declared type names `sent`: 2 exactly, 1 as `type/*`, 0 as `*/*`. `None` when it does not.
    pub(crate) fn covers(&self, sent: &Self) -> Option<u8> {
        match (&*self.kind, &*self.subtype) {
            ("*", "*") => Some(0),
            (kind, "*") if kind == &*sent.kind => Some(1),
            (kind, subtype) if kind == &*sent.kind && subtype == &*sent.subtype => Some(2),
            _ => None,
        }
    }

    /// How a body of this type is read. A JSON-based type (`+json`) is JSON, but only where the contract names it; every
    /// XML-based type is XML, pictures (`image/svg+xml`) among them.
    pub(crate) fn reading(&self) -> Reading {
        match (&*self.kind, &*self.subtype) {
            ("application", "json") => Reading::Json,
            (_, subtype) if subtype.ends_with("+json") => Reading::Json,
            ("application", "x-www-form-urlencoded") => Reading::Form,
            ("multipart", "form-data") => Reading::Multipart,
            ("text", "plain") => Reading::Text,
            ("application" | "text", "xml") => Reading::Xml,
            (_, subtype) if subtype.ends_with("+xml") => Reading::Xml,
            _ => Reading::Opaque,
        }
    }

    /// What separates the parts of a multipart body, if that is legal (RFC 2046 section 5.1.1).
    pub(crate) fn boundary(&self) -> Option<&str> {
        let boundary = self.boundary.as_deref()?;
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
        (matches!(boundary.len(), 1..=70) && boundary.bytes().all(legal) && !boundary.ends_with(' '))
            .then_some(boundary)
    }

    /// Whether its body has parts with headers of their own.
    pub(crate) fn is_multipart(&self) -> bool {
        &*self.kind == "multipart"
    }

    /// `type/subtype` in lower case.
    pub(crate) fn essence(&self) -> String {
        format!("{}/{}", self.kind, self.subtype)
    }

    /// Whether it is a range such as `*/*`.
    pub(crate) fn is_range(&self) -> bool {
        &*self.subtype == "*"
    }

    /// Whether it is an endless stream.
    pub(crate) fn is_event_stream(&self) -> bool {
        (&*self.kind, &*self.subtype) == ("text", "event-stream")
    }
}

/// The entry of a `content` object that names `sent` most precisely.
pub(crate) fn select<'m, T>(declared: &'m [(Media, T)], sent: &Media) -> Option<&'m T> {
    let covering = declared.iter().filter_map(|(media, entry)| Some((media.covers(sent)?, entry)));
    covering.max_by_key(|(precision, _)| *precision).map(|(_, entry)| entry)
}

/// The value of a parameter, and what stands behind it.
fn parameter_value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|letter: char| letter == ';' || BLANKS.contains(&letter)).unwrap_or(text.len());
        let (value, rest) = text.split_at_checked(end)?;
        return is_token(value).then_some((Cow::Borrowed(value), rest));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((Cow::Owned(value), quoted.get(at + 1..)?)),
            '\\' => value.push(letters.next()?.1),
            _ => value.push(letter),
        }
    }
    None
}

/// RFC 9110 section 5.6.2.
pub(crate) fn is_token(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(legal)
}

const BLANKS: [char; 2] = [' ', '\t'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_type_and_subtype() {
        let check = |declared: &str, sent: &str, expect: Option<u8>| {
            let sent = Media::parse(sent);
            let found = sent.and_then(|sent| Media::parse(declared).and_then(|declared| declared.covers(&sent)));
            assert_eq!(found, expect, "{declared}");
        };
        check("application/json", "Application/JSON; charset=UTF-8", Some(2));
        check("application/json", "application/json;charset=\"utf-8\"", Some(2));
        check("application/json", "application/json; charset=utf-7", None);
        check("application/json", "application/problem+json", None);
        check("application/*", "application/json", Some(1));
        check("*/*", "text/plain", Some(0));
        check("text/plain", "text/html", None);
        check("text/plain", "text", None);
        check("text/plain", "text/plain, text/plain", None);
        check("text/plain", "text/plain ; charset = utf-8", None);
        check("text/plain", "text/plain; charset=utf-8; charset=utf-8", None);
        check("text/plain", "text/plain; charset=\"utf-8", None);
        check("text/plain", "text/plain; charset=\"utf-8\"x", None);
        check("text/plain", "text/plain; charset='utf-8'", None);
        check("text/plain", "text/plain; x=\"; charset=utf-7\";charset=UTF-8;", Some(2));
        check("text/plain", "text/plain charset=utf-8", None);
        check("text/plain", "text /plain", None);
        check("text/plain", " text/plain", None);
    }

    #[test]
    fn a_boundary_is_legal() {
        let check = |text: &str, expect: Option<&str>| {
            let media = Media::parse(text);
            assert_eq!(media.as_ref().and_then(Media::boundary), expect, "{text}");
        };
        check("multipart/form-data; boundary=----WebKitFormBoundaryAaB03x", Some("----WebKitFormBoundaryAaB03x"));
        check("multipart/form-data; boundary=\"a b:?=\"", Some("a b:?="));
        check("multipart/form-data; BOUNDARY=X", Some("X"));
        check("multipart/form-data; boundary=\"a \"", None);
        check("multipart/form-data; boundary=\"\"", None);
        check("multipart/form-data; boundary=a*b", None);
        check("multipart/form-data; boundary=a; boundary=b", None);
        check("multipart/form-data; boundary=a; Boundary=a", None);
        check("multipart/form-data", None);
        check(&format!("multipart/form-data; boundary={}", "a".repeat(70)), Some(&*"a".repeat(70)));
        check(&format!("multipart/form-data; boundary={}", "a".repeat(71)), None);
    }
}
