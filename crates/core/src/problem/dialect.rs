//! How the caller reads answers, by what its request says of itself.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

/// How the caller reads answers.
///
/// ```
/// use http::{HeaderMap, HeaderValue, header::ACCEPT};
/// use palisade_core::problem::Dialect;
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(Dialect::of(&headers), Dialect::Json);
/// headers.insert(ACCEPT, HeaderValue::from_static("text/html, */*;q=0.8"));
/// assert_eq!(Dialect::of(&headers), Dialect::Html);
/// headers.insert(ACCEPT, HeaderValue::from_static("text/html;q=0.2, application/json"));
/// assert_eq!(Dialect::of(&headers), Dialect::Json);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Dialect {
    /// GraphQL over HTTP: `application/graphql-response+json` with an `errors` member.
    GraphQl,
    /// The same as `application/json`, for clients from before that media type.
    GraphQlJson,
    /// gRPC: an answer of headers only, with `grpc-status`.
    Grpc,
    /// gRPC-Web in its binary form.
    GrpcWeb,
    /// gRPC-Web in its base64 form.
    GrpcWebText,
    /// A person with a browser.
    Html,
    /// `application/problem+json`.
    #[default]
    Json,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 7] =
        [Self::GraphQl, Self::GraphQlJson, Self::Grpc, Self::GrpcWeb, Self::GrpcWebText, Self::Html, Self::Json];

    /// What the request's own headers say: its `Content-Type` for the RPC dialects, `Accept` with its weights
    /// (RFC 9110 section 12.5.1) for people. A request that wants neither gets JSON: a refusal is never refused.
    pub fn of(headers: &HeaderMap) -> Self {
        let sent = headers.get(CONTENT_TYPE).and_then(essence);
        if let Some(dialect) = sent.and_then(rpc) {
            return dialect;
        }
        let graphql = sent.is_some_and(|sent| is_one_of(sent, &["application/graphql", "application/graphql+json"]));
        let accept = Accept(headers);
        if !graphql && accept.is_plain() {
            return Self::Json;
        }
        if accept.names(GRAPHQL_RESPONSE) {
            return Self::GraphQl;
        }
        if graphql {
            return if accept.names("application/json") { Self::GraphQlJson } else { Self::GraphQl };
        }
        let json = accept.weight("application", "problem+json").max(accept.weight("application", "json"));
        let html = accept.weight("text", "html");
        if html.0 > 0 && html > json { Self::Html } else { Self::Json }
    }

    /// The media type of answers in this dialect.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::GraphQl => GRAPHQL_RESPONSE,
            Self::GraphQlJson => "application/json",
            Self::Grpc => "application/grpc",
            Self::GrpcWeb => "application/grpc-web",
            Self::GrpcWebText => "application/grpc-web-text",
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/problem+json",
        }
    }
}

/// The dialects of gRPC, each with or without the name of its message format: `application/grpc+proto`.
fn rpc(sent: &str) -> Option<Dialect> {
    let bare = sent.split_once('+').map_or(sent, |(bare, _)| bare);
    let dialects = [Dialect::Grpc, Dialect::GrpcWeb, Dialect::GrpcWebText];
    dialects.into_iter().find(|dialect| bare.eq_ignore_ascii_case(dialect.media_type()))
}

fn essence(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()?.split(';').next().map(str::trim)
}

fn is_one_of(sent: &str, known: &[&str]) -> bool {
    known.iter().any(|known| sent.eq_ignore_ascii_case(known))
}

/// The `Accept` of a request, read where it stands.
struct Accept<'h>(&'h HeaderMap);

impl<'h> Accept<'h> {
    /// Whether it says nothing that matters, as most programs do.
    fn is_plain(&self) -> bool {
        let mut lines = self.0.get_all(ACCEPT).iter();
        match (lines.next(), lines.next()) {
            (None, _) => true,
            (Some(only), None) => matches!(only.as_bytes(), b"*/*" | b"application/json"),
            (Some(_), Some(_)) => false,
        }
    }

    /// The media ranges with their weights in thousandths. What cannot be read is not there.
    fn ranges(&self) -> impl Iterator<Item = (&'h str, u16)> {
        let items =
            self.0.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
        items.filter_map(|item| {
            let (range, parameters) = item.split_once(';').map_or((item, ""), |(range, rest)| (range, rest));
            let weight = parameters.split(';').find_map(|parameter| {
                let (name, value) = parameter.split_once('=')?;
                name.trim().eq_ignore_ascii_case("q").then(|| thousandths(value.trim()))
            });
            Some((range.trim(), weight.unwrap_or(Some(1000))?))
        })
    }

    /// Whether it names this type itself, not by a range.
    fn names(&self, media: &str) -> bool {
        self.ranges().any(|(range, weight)| weight > 0 && range.eq_ignore_ascii_case(media))
    }

    /// The weight of a type, which is that of the most precise range that names it, and how precise that range is: of two
    /// types with equal weight the one that is named is meant.
    fn weight(&self, kind: &str, subtype: &str) -> (u16, u8) {
        let precise = self.ranges().filter_map(|(range, weight)| {
            let (left, right) = range.split_once('/')?;
            let precision = match (left, right) {
                ("*", "*") => 0,
                (left, "*") if left.eq_ignore_ascii_case(kind) => 1,
                _ if left.eq_ignore_ascii_case(kind) && right.eq_ignore_ascii_case(subtype) => 2,
                _ => return None,
            };
            Some((precision, weight))
        });
        precise.max().map_or((0, 0), |(precision, weight)| (weight, precision))
    }
}

/// Reads `0.8` as 800 (RFC 9110 section 12.4.2).
fn thousandths(text: &str) -> Option<u16> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let is_short = rest.len() <= 3 && rest.bytes().all(|byte| byte.is_ascii_digit());
    let part: u16 = if rest.is_empty() { 0 } else { format!("{rest:0<3}").parse().ok()? };
    match (whole, is_short) {
        ("0", true) => Some(part),
        ("1", true) if part == 0 => Some(1000),
        _ => None,
    }
}

const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(content_type: &str, accept: &[&str]) -> Dialect {
        let mut headers = HeaderMap::new();
        if !content_type.is_empty() {
            headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        }
        for line in accept {
            headers.append(ACCEPT, line.parse().unwrap());
        }
        Dialect::of(&headers)
    }

    #[test]
    fn the_request_says_how_its_caller_reads() {
        use Dialect::*;
        for (content_type, accept, expect) in [
            ("", &[][..], Json),
            ("application/json", &["*/*"], Json),
            ("", &["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], Html),
            ("", &["text/html"], Html),
            ("", &["text/html,*/*"], Html),
            ("", &["TEXT/HTML ; Q=0.5"], Html),
            ("", &["text/*"], Html),
            ("", &["application/json, text/html"], Json),
            ("", &["application/json;q=0.5, text/html"], Html),
            ("", &["application/json;q=0.5", "text/html;q=0.9"], Html),
            ("", &["text/html;q=0.8, */*"], Json),
            ("", &["text/html;q=0, */*;q=0.1"], Json),
            ("", &["text/html;q=0"], Json),
            ("", &["text/html;q=nonsense, image/png"], Json),
            ("", &["text/html;q=1.001"], Json),
            ("", &["image/png"], Json),
            ("", &["text/html;level=1;q=0.4, application/problem+json;q=0.3"], Html),
            ("application/grpc", &[], Grpc),
            ("application/grpc+proto", &["text/html"], Grpc),
            ("application/grpc; x=1", &[], Grpc),
            ("application/grpcx", &[], Json),
            ("application/grpc-web+proto", &[], GrpcWeb),
            ("application/grpc-web", &[], GrpcWeb),
            ("application/grpc-web-text", &["application/grpc-web-text"], GrpcWebText),
            ("application/json", &["application/graphql-response+json, application/json;q=0.9"], GraphQl),
            ("application/json", &["application/graphql-response+json;q=0, application/json"], Json),
            ("application/graphql", &[], GraphQl),
            ("application/graphql", &["*/*"], GraphQl),
            ("application/graphql+json", &["application/json"], GraphQlJson),
        ] {
            assert_eq!(of(content_type, accept), expect, "{content_type} {accept:?}");
        }
    }

    proptest! {
        #[test]
        fn any_accept_has_a_dialect(accept in "[ -~]{0,60}") {
            of("", &[&accept]);
        }
    }
}
