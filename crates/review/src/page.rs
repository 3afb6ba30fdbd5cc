//! A sign-in page is read for what it wants to have sent back: hidden fields, and tokens against cross-site requests.
//!
//! Servers that keep their sessions in cookies refuse a form that did not come from their page. How a page gives its
//! token is a convention of its framework: a hidden field, a `meta` element, or a cookie that scripts can read and whose
//! value is to be repeated in a header.

use http::header;
use percent_encoding::percent_decode_str;

use crate::exchange::Answer;

/// What a page wants to have sent back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// The hidden fields of the form that asks for a password.
    pub(crate) hidden: Vec<(String, String)>,
    pub(crate) cookies: Vec<Cookie>,
    /// The token that a `meta` element holds.
    meta: Option<String>,
}

/// A cookie as an answer sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cookie {
    pub(crate) name: String,
    pub(crate) value: String,
    /// Whether scripts cannot read it, so that nobody expects its value in a header.
    is_http_only: bool,
}

impl Page {
    pub(crate) fn read(answer: &Answer) -> Self {
        let is_html = answer.media_type().is_some_and(|media| media.contains("html"));
        let page = if is_html { of_html(&answer.text) } else { Self::default() };
        Self { cookies: cookies(answer), ..page }
    }

    /// The header that repeats the token, and its value.
    pub(crate) fn header(&self) -> Option<(&'static str, String)> {
        repeated(&self.cookies).or_else(|| Some(("X-CSRF-Token", self.meta.clone()?)))
    }
}

/// The cookies that an answer sets and does not delete.
pub(crate) fn cookies(answer: &Answer) -> Vec<Cookie> {
    let set = answer.headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookie = |text: &str| {
        let mut parts = text.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let is_http_only = parts.any(|part| part.trim().eq_ignore_ascii_case("httponly"));
        Some(Cookie { name: name.trim().to_owned(), value: value.trim().to_owned(), is_http_only })
    };
    set.filter_map(cookie).filter(|cookie| !cookie.value.is_empty()).collect()
}

/// The header in which a cookie's value is to be repeated: what scripts of the usual frameworks do by themselves.
pub(crate) fn repeated(cookies: &[Cookie]) -> Option<(&'static str, String)> {
    let name = |cookie: &Cookie| {
        let name = cookie.name.to_ascii_lowercase();
        match name.as_str() {
            "csrftoken" => Some("X-CSRFToken"),
            "xsrf-token" => Some("X-XSRF-TOKEN"),
            _ => (name.contains("csrf") || name.contains("xsrf")).then_some("X-CSRF-Token"),
        }
    };
    let readable = cookies.iter().filter(|cookie| !cookie.is_http_only);
    readable.into_iter().find_map(|cookie| {
        let value = percent_decode_str(&cookie.value).decode_utf8_lossy().into_owned();
        Some((name(cookie)?, value))
    })
}

fn of_html(html: &str) -> Page {
    let mut forms: Vec<(bool, Vec<(String, String)>)> = Vec::new();
    let mut is_inside = false;
    let mut meta = None;
    for tag in tags(html) {
        let of = |name: &str| tag.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let kind = of("type").unwrap_or_default().to_ascii_lowercase();
        match tag.name.as_str() {
            "form" => {
                is_inside = true;
                forms.push((false, Vec::new()));
            }
            "/form" => is_inside = false,
            "input" if is_inside => {
                let Some((asks, hidden)) = forms.last_mut() else { continue };
                *asks |= kind == "password";
                if let Some(name) = of("name").filter(|_| kind == "hidden") {
                    hidden.push((name, of("value").unwrap_or_default()));
                }
            }
            "meta" if of("name").is_some_and(|name| ["_csrf", "csrf-token"].contains(&name.as_str())) => {
                meta = meta.or(of("content").filter(|content| !content.is_empty()));
            }
            _ => {}
        }
    }
    let at = forms.iter().position(|(asks, _)| *asks).unwrap_or_default();
    let hidden = forms.into_iter().nth(at).map(|(_, hidden)| hidden).unwrap_or_default();
    Page { hidden, cookies: Vec::new(), meta }
}

#[derive(Debug, PartialEq, Eq)]
struct Tag {
    /// In lower case, with the slash of an end tag.
    name: String,
    attributes: Vec<(String, String)>,
}

/// The tags of a page, as far as they can be made out.
fn tags(html: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        rest = after;
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, behind)| behind);
            continue;
        }
        let name = take(&mut rest, |one| one.is_ascii_alphanumeric() || one == '/').to_ascii_lowercase();
        if !name.is_empty() {
            tags.push(Tag { name, attributes: attributes(&mut rest) });
        }
    }
    tags
}

/// Reads the attributes of a tag, and leaves what is behind it.
fn attributes(rest: &mut &str) -> Vec<(String, String)> {
    let mut attributes = Vec::new();
    loop {
        take(rest, |one| one.is_ascii_whitespace() || one == '/' || one == '=');
        let name = take(rest, |one| !one.is_ascii_whitespace() && !"=>/".contains(one));
        if name.is_empty() {
            return attributes;
        }
        take(rest, |one| one.is_ascii_whitespace());
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            *rest = after.trim_ascii_start();
            let quote = rest.chars().next().filter(|one| matches!(one, '"' | '\''));
            value = match quote.and_then(|quote| rest.strip_prefix(quote)?.split_once(quote)) {
                Some((inner, behind)) => {
                    *rest = behind;
                    inner
                }
                None => take(rest, |one| !one.is_ascii_whitespace() && one != '>'),
            };
        }
        attributes.push((name.to_ascii_lowercase(), unescaped(value)));
    }
}

/// Takes the beginning of a text as long as it is of a kind.
fn take<'t>(rest: &mut &'t str, is_part: impl Fn(char) -> bool) -> &'t str {
    let end = rest.find(|one| !is_part(one)).unwrap_or(rest.len());
    let (head, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
    *rest = tail;
    head
}

/// A text without the entities that attributes usually have.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let known = part.split_once(';').and_then(|(name, behind)| Some((entity(name)?, behind)));
        match known {
            Some((character, behind)) => {
                plain.push(character);
                plain.push_str(behind);
            }
            None => {
                plain.push('&');
                plain.push_str(part);
            }
        }
    }
    plain
}

fn entity(name: &str) -> Option<char> {
    let number = name.strip_prefix('#').and_then(|number| match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => number.parse().ok(),
    });
    match name {
        "amp" => Some('&'),
        "apos" => Some('\''),
        "equals" => Some('='),
        "gt" => Some('>'),
        "lt" => Some('<'),
        "plus" => Some('+'),
        "quot" => Some('"'),
        _ => number.and_then(char::from_u32),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
    use proptest::prelude::*;

    use super::*;

    fn answer(headers: &[(&str, &str)], text: &str) -> Answer {
        let header = |(name, value): &(&str, &str)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
        };
        let mut map = HeaderMap::new();
        for (name, value) in headers.iter().map(header) {
            map.append(name, value);
        }
        Answer::new(StatusCode::OK, map, text.as_bytes())
    }

    #[test]
    fn the_hidden_fields_of_the_form_that_asks_for_a_password_are_found() {
        let check = |html: &str, expect: &[(&str, &str)]| {
            let page = Page::read(&answer(&[("content-type", "text/html; charset=utf-8")], html));
            let hidden: Vec<(&str, &str)> =
                page.hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(hidden, expect, "{html}");
        };
        check(
            "<form><input type=hidden name=q value=1></form>
             <FORM method='post'><INPUT TYPE=\"hidden\" NAME='_csrf' VALUE='a&#43;b&quot;c==' /><input type=password name=p></FORM>",
            &[("_csrf", "a+b\"c==")],
        );
        check("<form><input name=t type=hidden value = x></form>", &[("t", "x")]);
        check("<!-- <form><input type=hidden name=old value=1></form> --><form><input type=password></form>", &[]);
        check("<input type=hidden name=outside value=1>", &[]);
        check("<form><input type=hidden name=open value=\"never closed>", &[("open", "\"never")]);
        check("<form><input type=hidden name=bare></form>", &[("bare", "")]);
    }

    #[test]
    fn tokens_are_repeated_in_the_header_that_their_framework_reads() {
        let check = |headers: &[(&str, &str)], html: &str, expect: Option<(&str, &str)>| {
            let page = Page::read(&answer(headers, html));
            let header = page.header();
            assert_eq!(header.as_ref().map(|(name, value)| (*name, value.as_str())), expect, "{headers:?}");
        };
        let html = ("content-type", "text/html");
        check(&[("set-cookie", "XSRF-TOKEN=a%3Db; Path=/")], "", Some(("X-XSRF-TOKEN", "a=b")));
        check(&[("set-cookie", "csrftoken=t; SameSite=Lax")], "", Some(("X-CSRFToken", "t")));
        check(&[("set-cookie", "sid=1"), ("set-cookie", "my-csrf=2")], "", Some(("X-CSRF-Token", "2")));
        // A secret that scripts cannot read is not what is to be repeated.
        check(&[("set-cookie", "_csrf=secret; HttpOnly")], "", None);
        check(&[("set-cookie", "csrftoken=; Max-Age=0")], "", None);
        check(&[html], "<meta name=\"csrf-token\" content=\"m\">", Some(("X-CSRF-Token", "m")));
        check(&[html], "<meta name=viewport content=w>", None);
    }

    proptest! {
        #[test]
        fn what_a_form_hides_is_found_whatever_stands_before_it(
            before in "[^<]{0,40}",
            name in "[a-z_]{1,12}",
            value in "[ -%'-~]{0,30}",
        ) {
            let escaped = value.replace('"', "&quot;");
            let html = format!("{before}<form><input type=hidden name={name} value=\"{escaped}\"><input type=password>");
            prop_assert_eq!(of_html(&html).hidden, [(name, value)]);
        }

        #[test]
        fn no_page_is_too_broken(html in "[<>a-z/=\"'&;#! -]{0,200}") {
            let _ = of_html(&html);
        }
    }
}
