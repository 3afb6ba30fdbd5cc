//! Reads a request from a text: HTTP/1.1 as it is sent, or a command line of curl.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri};

use super::curl;

/// A request that somebody might send.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The request, with its body.
    pub request: Request<Bytes>,
    /// Whether it comes over TLS, where the text says so.
    pub is_secure: Option<bool>,
}

/// Why a text is not a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotARequest(pub(super) String);

impl Asked {
    /// Reads a request. Lines may end with CR LF or LF.
    ///
    /// ```
    /// use palisade_gateway::explain::Asked;
    ///
    /// let raw = Asked::parse("POST /notes HTTP/1.1\nhost: api.example.com\n\nhello").unwrap();
    /// let curl = Asked::parse("curl -d hello http://api.example.com/notes").unwrap();
    /// assert_eq!(raw.request.method(), curl.request.method());
    /// assert_eq!(raw.request.body(), curl.request.body());
    /// assert_eq!(Asked::parse("curl --proxy a http://b").unwrap_err().to_string(), "`--proxy` is not understood");
    /// ```
    pub fn parse(text: &str) -> Result<Self, NotARequest> {
        let first = text.trim_start();
        match first.strip_prefix("curl").filter(|rest| rest.starts_with(char::is_whitespace)) {
            Some(arguments) => curl::parse(arguments),
            None => raw(first),
        }
    }

    /// Puts a request together. The host of an absolute URL becomes its `Host`, where it has none.
    pub(crate) fn of(method: &str, url: &str, fields: &[(String, String)], body: Vec<u8>) -> Result<Self, NotARequest> {
        let bad = |what: &str| NotARequest(format!("`{what}` cannot be sent"));
        let uri: Uri = url.parse().map_err(|_| bad(url))?;
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(|_| bad(method))?;
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad(name))?;
            let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| bad(value))?;
            request.headers_mut().append(name, value);
        }
        if let (Some(authority), false) = (uri.authority(), request.headers().contains_key(http::header::HOST)) {
            let host = HeaderValue::from_str(authority.as_str()).map_err(|_| bad(url))?;
            request.headers_mut().insert(http::header::HOST, host);
        }
        let is_secure = uri.scheme_str().map(|scheme| scheme == "https");
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        *request.uri_mut() = target.parse().map_err(|_| bad(url))?;
        if !request.body().is_empty() && !request.headers().contains_key(http::header::CONTENT_LENGTH) {
            let length = HeaderValue::from(request.body().len());
            request.headers_mut().insert(http::header::CONTENT_LENGTH, length);
        }
        Ok(Self { request, is_secure })
    }
}

fn raw(text: &str) -> Result<Asked, NotARequest> {
    let ends = [text.find("\r\n\r\n").map(|at| (at, 4)), text.find("\n\n").map(|at| (at, 2))];
    let (head, body) = match ends.into_iter().flatten().min() {
        Some((at, length)) => (text.get(..at).unwrap_or_default(), text.get(at + length..).unwrap_or_default()),
        None => (text, ""),
    };
    let mut lines = head.lines();
    let line = lines.next().unwrap_or_default();
    let words: Vec<&str> = line.split(' ').collect();
    let (method, target) = match words.as_slice() {
        [method, target] | [method, target, "HTTP/1.1"] => (*method, *target),
        _ => return Err(NotARequest(format!("`{line}` is no request line: write `GET /path HTTP/1.1`"))),
    };
    let fields: Result<Vec<_>, _> = lines
        .map(|line| match line.split_once(':') {
            Some((name, value)) => Ok((name.to_owned(), value.trim().to_owned())),
            None => Err(NotARequest(format!("`{line}` is no header: write `name: value`"))),
        })
        .collect();
    Asked::of(method, target, &fields?, body.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_sent() {
        let asked = Asked::parse("POST /a?b=c HTTP/1.1\r\nHost: x\r\nA: 1\r\na: 2\r\n\r\none\r\n\r\ntwo").unwrap();
        let request = asked.request;
        assert_eq!((request.method().as_str(), request.uri().to_string()), ("POST", "/a?b=c".to_owned()));
        assert_eq!(request.headers().get_all("a").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(
            (&request.body()[..], &request.headers()["content-length"]),
            (&b"one\r\n\r\ntwo"[..], &"10".parse().unwrap())
        );
        let absolute = Asked::parse("GET https://a.example/x HTTP/1.1\n").unwrap();
        assert_eq!(
            (absolute.request.uri().path(), &absolute.request.headers()["host"]),
            ("/x", &"a.example".parse().unwrap())
        );
        assert_eq!(absolute.is_secure, Some(true));
    }

    #[test]
    fn refuses_what_is_none() {
        for (text, problem) in [
            ("", "`` is no request line: write `GET /path HTTP/1.1`"),
            ("GET / HTTP/2", "`GET / HTTP/2` is no request line: write `GET /path HTTP/1.1`"),
            ("G(T / HTTP/1.1", "`G(T` cannot be sent"),
            ("GET /a b HTTP/1.1", "`GET /a b HTTP/1.1` is no request line: write `GET /path HTTP/1.1`"),
            ("GET /\nhost", "`host` is no header: write `name: value`"),
            ("GET /\nho st: a", "`ho st` cannot be sent"),
        ] {
            assert_eq!(Asked::parse(text).unwrap_err().to_string(), problem, "{text:?}");
        }
    }
}
