//! Media types: what a body says it is, and which declared type it meets.

use http::HeaderValue;

/// A parsed media type, or a range such as `application/*` when it comes from a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Media {
    kind: Box<str>,
    subtype: Box<str>,
}

/// How a body of a media type is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As `application/x-www-form-urlencoded`.
    Form,
    /// As JSON.
    Json,
    /// Not at all.
    Opaque,
}

impl Media {
    /// Reads `type/subtype; parameters`. `None` when it is not a media type, or names a charset other than UTF-8.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (essence, parameters) = text.split_once(';').map_or((text, None), |(before, after)| (before, Some(after)));
        let (kind, subtype) = essence.trim().split_once('/')?;
        let token = |text: &str| !text.is_empty() && text.bytes().all(is_token);
        if !token(kind) || !token(subtype) {
            return None;
        }
        for parameter in parameters.into_iter().flat_map(|all| all.split(';')).map(str::trim).filter(|p| !p.is_empty())
        {
            let (name, value) = parameter.split_once('=')?;
            let value = value.trim().trim_matches('"');
            if name.trim().eq_ignore_ascii_case("charset") && !value.eq_ignore_ascii_case("utf-8") {
                return None;
            }
        }
        Some(Self { kind: kind.to_ascii_lowercase().into(), subtype: subtype.to_ascii_lowercase().into() })
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
            _ if self == sent => Some(2),
            _ => None,
        }
    }

    /// How a body of this type is read. A JSON-based type (`+json`) is JSON, but only where the contract names it.
    pub(crate) fn reading(&self) -> Reading {
        match (&*self.kind, &*self.subtype) {
            ("application", "json") => Reading::Json,
            (_, subtype) if subtype.ends_with("+json") => Reading::Json,
            ("application", "x-www-form-urlencoded") => Reading::Form,
            _ => Reading::Opaque,
        }
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

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

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
    }
}
