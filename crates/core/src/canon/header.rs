//! Which request headers are hop-by-hop, which may occur only once, and which pretend to be ours.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::Ambiguous;

/// Headers that concern one connection only (RFC 9110 section 7.6.1); never forwarded.
pub const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers that some frameworks obey in place of the request line or of `Host`, and so a way around every rule.
pub const OVERRIDES: &[&str] = &[
    "x-envoy-original-path",
    "x-host",
    "x-http-host-override",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-middleware-subrequest",
    "x-original-host",
    "x-original-method",
    "x-original-path",
    "x-original-uri",
    "x-original-url",
    "x-override-url",
    "x-rewrite-url",
];

/// Headers of which two would be read differently by different programs.
const SINGLE: &[HeaderName] = &[
    header::AUTHORIZATION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::EXPECT,
    header::HOST,
    header::ORIGIN,
    header::REFERER,
    header::TRANSFER_ENCODING,
];

/// Refuses headers that have two readings: a repeated single header, an override of the request line, a name with an
/// underscore (which CGI-style backends cannot tell from a hyphen), a control character in a value, white space around one
/// (which HTTP/1.1 takes away and HTTP/2 forbids, RFC 9113 section 8.2.1). Cookies may come in
/// several lines over HTTP/2 (RFC 9113 section 8.2.3) and are joined there before this is asked.
pub fn check(headers: &HeaderMap) -> Result<(), (Ambiguous, HeaderName)> {
    let mut before: Option<&HeaderName> = None;
    for (name, value) in headers {
        // The values of one name stand together.
        let repeated = before.replace(name) == Some(name);
        let text = name.as_str();
        let reason = if repeated && SINGLE.contains(name) {
            "header_repeated"
        } else if text.starts_with("x-") && OVERRIDES.contains(&text) {
            "header_overrides_request_line"
        } else if text.contains('_') {
            "header_underscore"
        } else if has_control(value.as_bytes()) {
            "header_control_character"
        } else if has_margin(value.as_bytes()) {
            "header_space_around_value"
        } else {
            continue;
        };
        return Err((Ambiguous::new(reason), name.clone()));
    }
    Ok(())
}

/// Looks at every byte, because that is faster than stopping at the first.
fn has_control(value: &[u8]) -> bool {
    value.iter().fold(false, |found, byte| found | ((*byte < b' ') & (*byte != b'\t')))
}

fn has_margin(value: &[u8]) -> bool {
    let is_space = |byte: &u8| matches!(*byte, b' ' | b'\t');
    value.first().is_some_and(is_space) || value.last().is_some_and(is_space)
}

/// Removes the headers that `Connection` names and that are not hop-by-hop anyway. One that every recipient needs may not
/// be named (RFC 9110 section 7.6.1): it would be gone for some and not for others.
pub fn strip_named(headers: &mut HeaderMap) -> Result<(), (Ambiguous, HeaderName)> {
    if !headers.contains_key(header::CONNECTION) {
        return Ok(());
    }
    for name in named(headers) {
        if SINGLE.contains(&name) && name != header::TRANSFER_ENCODING {
            return Err((Ambiguous::new("header_named_by_connection"), name));
        }
        if !HOP_BY_HOP.contains(&name.as_str()) {
            headers.remove(name);
        }
    }
    Ok(())
}

fn named(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|list| list.split(',')).map(str::trim);
    // What every client writes is no name of a header.
    let names = names.filter(|name| !name.eq_ignore_ascii_case("close") && !name.eq_ignore_ascii_case("keep-alive"));
    names.filter_map(|name| name.parse().ok()).collect()
}

/// Removes the hop-by-hop headers and those that `Connection` names.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        for name in named(headers) {
            headers.remove(name);
        }
    }
    // To look through the names costs less than to look up nine that are hardly ever there.
    while let Some(name) = headers.keys().find(|name| is_hop_by_hop(name)).cloned() {
        headers.remove(name);
    }
}

fn is_hop_by_hop(name: &HeaderName) -> bool {
    let name = name.as_str();
    HOP_BY_HOP.iter().any(|hop| hop.len() == name.len() && *hop == name)
}

/// Joins the cookie lines of an HTTP/2 request into the one line of HTTP/1.1 (RFC 9113 section 8.2.3).
pub fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(header::COOKIE).iter().nth(1).is_none() {
        return;
    }
    let lines: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&lines.join(&b"; "[..])) {
        headers.insert(header::COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in list {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        map
    }

    #[test]
    fn refuses_what_has_two_readings() {
        let check = |list: &[(&str, &str)], expect: Option<&str>| {
            assert_eq!(check(&headers(list)).err().map(|(ambiguous, _)| ambiguous.reason), expect, "{list:?}");
        };
        check(&[("accept", "a"), ("accept", "b")], None);
        check(&[("content-type", "a"), ("content-type", "b")], Some("header_repeated"));
        check(&[("authorization", "a"), ("authorization", "a")], Some("header_repeated"));
        check(&[("x-http-method-override", "DELETE")], Some("header_overrides_request_line"));
        check(&[("x-original-url", "/admin")], Some("header_overrides_request_line"));
        check(&[("x_forwarded_for", "1.2.3.4")], Some("header_underscore"));
        check(&[("authorization", " a")], Some("header_space_around_value"));
        check(&[("x", "a\t")], Some("header_space_around_value"));
        check(&[("x", ""), ("y", "a b")], None);
    }

    #[test]
    fn strips_what_connection_names() {
        let mut map = headers(&[("connection", "close, X-Auth"), ("x-auth", "1"), ("te", "trailers"), ("accept", "a")]);
        strip_hop_by_hop(&mut map);
        assert_eq!(map, headers(&[("accept", "a")]));
    }

    #[test]
    fn strips_early_what_connection_names() {
        let check = |connection: &str, expect: Result<&[&str], &str>| {
            let mut map =
                headers(&[("connection", connection), ("x-auth", "1"), ("upgrade", "h2c"), ("cookie", "a=1")]);
            let found = strip_named(&mut map).map_err(|(_, name)| name.to_string());
            let mut left: Vec<&str> = map.keys().map(HeaderName::as_str).filter(|name| *name != "connection").collect();
            left.sort_unstable();
            assert_eq!(found.as_ref().map(|()| left.as_slice()).map_err(String::as_str), expect, "{connection}");
        };
        check("close", Ok(&["cookie", "upgrade", "x-auth"]));
        check("Close, X-Auth", Ok(&["cookie", "upgrade"]));
        check("upgrade, not a name, x-absent,", Ok(&["cookie", "upgrade", "x-auth"]));
        check("Cookie", Err("cookie"));
        check("x-auth, host", Err("host"));
    }

    #[test]
    fn joins_cookie_lines() {
        let mut map = headers(&[("cookie", "a=1"), ("cookie", "b=2")]);
        join_cookies(&mut map);
        assert_eq!(map, headers(&[("cookie", "a=1; b=2")]));
    }
}
