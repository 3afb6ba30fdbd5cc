//! The requests of the grid: each is one that two programs could read differently, with the sign by which one sees that
//! it was passed on as it was.

/// A request in bytes.
pub(super) struct Vector {
    pub(super) group: &'static str,
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
    /// What the backend sees if nobody has cleaned the request.
    pub(super) sign: Sign<'static>,
}

#[derive(Clone, Copy)]
pub(super) enum Sign<'a> {
    /// These bytes, in any case.
    Has(&'a str),
    /// The same bytes twice.
    Twice(&'a str),
}

use Sign::{Has, Twice};

const PUT: &str = "PUT /v HTTP/1.1\r\nhost: a\r\ncontent-type: application/octet-stream\r\nconnection: close\r\n";
const END: &str = "host: a\r\nconnection: close\r\n\r\n";

/// Requests that are right, and have to arrive.
pub(super) fn controls() -> Vec<(&'static str, Vec<u8>)> {
    [
        ("a GET", format!("GET /v HTTP/1.1\r\n{END}")),
        ("a HEAD", format!("HEAD /v HTTP/1.1\r\n{END}")),
        ("a query", format!("GET /v?q=a%20b+c;d HTTP/1.1\r\n{END}")),
        ("another alphabet", format!("GET /v/%C3%A9 HTTP/1.1\r\n{END}")),
        ("a body with its length", format!("{PUT}content-length: 5\r\n\r\nabcde")),
        ("a body in chunks", format!("{PUT}transfer-encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n")),
        ("a chunk with an extension", format!("{PUT}transfer-encoding: chunked\r\n\r\n2;a=b\r\nab\r\n0\r\n\r\n")),
        ("an empty value", format!("GET /v HTTP/1.1\r\naccept:\r\n{END}")),
        ("two lines of one list", format!("GET /v HTTP/1.1\r\naccept: a/b\r\naccept: c/d\r\n{END}")),
        ("an absolute target", format!("GET http://a/v HTTP/1.1\r\n{END}")),
        ("HTTP/1.0 with a host", "GET /v HTTP/1.0\r\nhost: a\r\n\r\n".to_owned()),
    ]
    .into_iter()
    .map(|(name, text)| (name, text.into_bytes()))
    .collect()
}

/// Requests that are wrong, or not the same to everybody.
pub(super) fn vectors() -> Vec<Vector> {
    [framing(), chunks(), lines(), hosts(), targets(), paths(), fields()].into_iter().flatten().collect()
}

fn group(group: &'static str, table: Vec<(&'static str, String, Sign<'static>)>) -> Vec<Vector> {
    let vector = |(name, text, sign): (_, String, _)| Vector { group, name, bytes: text.into_bytes(), sign };
    table.into_iter().map(vector).collect()
}

fn framing() -> Vec<Vector> {
    let body = "\r\n5\r\nabcde\r\n0\r\n\r\n";
    let put = |fields: &str, body: &str| format!("{PUT}{fields}{body}");
    group(
        "Framing",
        vec![
            (
                "`Content-Length` and `Transfer-Encoding`",
                put("content-length: 5\r\ntransfer-encoding: chunked\r\n", body),
                Has("content-length: 5"),
            ),
            (
                "`Transfer-Encoding` and `Content-Length`",
                put("transfer-encoding: chunked\r\ncontent-length: 5\r\n", body),
                Has("content-length: 5"),
            ),
            (
                "two equal lengths",
                put("content-length: 5\r\ncontent-length: 5\r\n", "\r\nabcde"),
                Twice("content-length"),
            ),
            ("two lengths", put("content-length: 5\r\ncontent-length: 6\r\n", "\r\nabcdef"), Has("content-length")),
            ("`Content-Length: 5, 5`", put("content-length: 5, 5\r\n", "\r\nabcde"), Has("5, 5")),
            ("`Content-Length: +5`", put("content-length: +5\r\n", "\r\nabcde"), Has("+5")),
            ("`Content-Length: 0x5`", put("content-length: 0x5\r\n", "\r\nabcde"), Has("0x5")),
            ("`Content-Length: -1`", put("content-length: -1\r\n", "\r\n"), Has("-1")),
            ("an empty `Content-Length`", put("content-length:\r\n", "\r\n"), Has("content-length:\r")),
            ("`Content-Length : 5`", put("content-length : 5\r\n", "\r\nabcde"), Has("length :")),
            ("`Content_Length: 5`", put("content_length: 5\r\n", "\r\n"), Has("content_length")),
            ("`Transfer-Encoding: gzip, chunked`", put("transfer-encoding: gzip, chunked\r\n", body), Has("gzip")),
            (
                "`Transfer-Encoding: chunked, identity`",
                put("transfer-encoding: chunked, identity\r\n", body),
                Has("identity"),
            ),
            ("`Transfer-Encoding: identity`", put("transfer-encoding: identity\r\n", "\r\n"), Has("identity")),
            ("`Transfer-Encoding: xchunked`", put("transfer-encoding: xchunked\r\n", body), Has("xchunked")),
            ("`Transfer-Encoding: \"chunked\"`", put("transfer-encoding: \"chunked\"\r\n", body), Has("\"chunked\"")),
            ("`Transfer-Encoding` with a vertical tab", put("transfer-encoding: \x0bchunked\r\n", body), Has("\x0b")),
            (
                "`Transfer-Encoding` twice",
                put("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", body),
                Twice("transfer-encoding"),
            ),
            (
                "`Transfer-Encoding` twice, the second unknown",
                put("transfer-encoding: chunked\r\ntransfer-encoding: x\r\n", body),
                Has("encoding: x"),
            ),
            ("`Transfer-Encoding: chunked,`", put("transfer-encoding: chunked,\r\n", body), Has("chunked,")),
            ("`Transfer-Encoding: ,chunked`", put("transfer-encoding: ,chunked\r\n", body), Has(",chunked")),
            ("`Transfer-Encoding: chunked;q=1`", put("transfer-encoding: chunked;q=1\r\n", body), Has("q=1")),
            ("`Transfer-Encoding: chunked x`", put("transfer-encoding: chunked x\r\n", body), Has("chunked x")),
            ("`Transfer_Encoding: chunked`", put("transfer_encoding: chunked\r\n", "\r\n"), Has("transfer_encoding")),
            ("`Transfer-Encoding` with a NUL", put("transfer-encoding\0: chunked\r\n", body), Has("\0")),
            ("an empty `Transfer-Encoding`", put("transfer-encoding:\r\n", "\r\n"), Has("transfer-encoding")),
            (
                "an empty `Transfer-Encoding` and a length",
                put("transfer-encoding:\r\ncontent-length: 5\r\n", "\r\nabcde"),
                Has("transfer-encoding"),
            ),
            ("`Content-Length: 5 5`", put("content-length: 5 5\r\n", "\r\nabcde"), Has("5 5")),
            ("`Content-Length: 5;`", put("content-length: 5;\r\n", "\r\nabcde"), Has("5;")),
            ("`Content-Length: 5.0`", put("content-length: 5.0\r\n", "\r\nabcde"), Has("5.0")),
            ("`Content-Length: 5e0`", put("content-length: 5e0\r\n", "\r\nabcde"), Has("5e0")),
            (
                "a length beyond 64 bits",
                put("content-length: 18446744073709551621\r\n", "\r\nabcde"),
                Has("18446744073709551621"),
            ),
            ("`Transfer-Encoding : chunked`", put("transfer-encoding : chunked\r\n", body), Has("encoding :")),
            ("a folded `Transfer-Encoding`", put("transfer-encoding:\r\n chunked\r\n", body), Has("\r\n chunked")),
            (
                "HTTP/1.0 with `Transfer-Encoding`",
                put("transfer-encoding: chunked\r\n", body).replace("HTTP/1.1", "HTTP/1.0"),
                Has("transfer-encoding"),
            ),
        ],
    )
}

fn chunks() -> Vec<Vector> {
    let put = |body: &str| format!("{PUT}transfer-encoding: chunked\r\n\r\n{body}");
    group(
        "Chunks",
        vec![
            ("a bare LF behind the size", put("5\nabcde\r\n0\r\n\r\n"), Has("5\nabcde")),
            ("a bare CR behind the size", put("5\rabcde\r\n0\r\n\r\n"), Has("5\rabcde")),
            ("CR CR LF behind the size", put("5\r\r\nabcde\r\n0\r\n\r\n"), Has("5\r\r\n")),
            ("a bare CR behind the data", put("5\r\nabcde\r0\r\n\r\n"), Has("abcde\r0")),
            ("nothing behind the data", put("5\r\nabcde0\r\n\r\n"), Has("abcde0")),
            ("other bytes behind the data", put("5\r\nabcdeXX0\r\n\r\n"), Has("abcdexx0")),
            ("a space in front of the size", put(" 5\r\nabcde\r\n0\r\n\r\n"), Has(" 5\r\n")),
            ("a tab behind the size", put("5\t\r\nabcde\r\n0\r\n\r\n"), Has("5\t\r\n")),
            ("`+5` as the size", put("+5\r\nabcde\r\n0\r\n\r\n"), Has("+5")),
            ("`5_` as the size", put("5_\r\nabcde\r\n0\r\n\r\n"), Has("5_")),
            ("`5,5` as the size", put("5,5\r\nabcde\r\n0\r\n\r\n"), Has("5,5")),
            ("a line end in a quoted extension", put("5;a=\"\r\nb\"\r\nabcde\r\n0\r\n\r\n"), Has("a=\"\r\nb")),
            ("a bare LF in the last chunk's extension", put("5\r\nabcde\r\n0;a\n\r\n\r\n"), Has("0;a\n")),
            ("a bare LF at the end", put("5\r\nabcde\r\n0\r\n\n"), Has("0\r\n\n")),
            ("a bare LF in an extension", put("5;a\nb\r\nabcde\r\n0\r\n\r\n"), Has("a\nb")),
            ("a bare CR in an extension", put("5;a\rb\r\nabcde\r\n0\r\n\r\n"), Has("a\rb")),
            ("a NUL in an extension", put("5;a\0b\r\nabcde\r\n0\r\n\r\n"), Has("a\0b")),
            ("a space behind the size", put("5 \r\nabcde\r\n0\r\n\r\n"), Has("5 \r\n")),
            ("`0x5` as the size", put("0x5\r\nabcde\r\n0\r\n\r\n"), Has("0x5")),
            ("`-5` as the size", put("-5\r\nabcde\r\n0\r\n\r\n"), Has("-5")),
            ("no size", put("\r\nabcde\r\n0\r\n\r\n"), Has("\r\n\r\n\r\nabcde")),
            ("a size beyond 64 bits", put("10000000000000005\r\nabcde\r\n0\r\n\r\n"), Has("10000000000000005")),
            ("more bytes than the size", put("5\r\nabcdef\r\n0\r\n\r\n"), Has("abcdef")),
            ("a bare LF behind the data", put("5\r\nabcde\n0\r\n\r\n"), Has("abcde\n0")),
            ("a trailer", put("5\r\nabcde\r\n0\r\nx-trailer: 1\r\n\r\n"), Has("x-trailer")),
            ("a trailer with a length", put("5\r\nabcde\r\n0\r\ncontent-length: 7\r\n\r\n"), Has("content-length: 7")),
            (
                "a trailer with a coding",
                put("5\r\nabcde\r\n0\r\ntransfer-encoding: chunked\r\n\r\n"),
                Twice("transfer-encoding"),
            ),
            ("a trailer with a host", put("5\r\nabcde\r\n0\r\nhost: b\r\n\r\n"), Has("host: b")),
            ("a trailer with a credential", put("5\r\nabcde\r\n0\r\nauthorization: Bearer x\r\n\r\n"), Has("bearer x")),
            ("a trailer without a colon", put("5\r\nabcde\r\n0\r\nx-trailer\r\n\r\n"), Has("x-trailer")),
            ("a folded trailer", put("5\r\nabcde\r\n0\r\nx-a: 1\r\n x-b: 2\r\n\r\n"), Has("x-b")),
            ("a bare LF behind a trailer", put("5\r\nabcde\r\n0\r\nx-trailer: 1\n\r\n"), Has("x-trailer")),
        ],
    )
}

fn lines() -> Vec<Vector> {
    let get = |fields: &str| format!("GET /v HTTP/1.1\r\n{fields}{END}");
    group(
        "Lines",
        vec![
            ("bare LF everywhere", "GET /v HTTP/1.1\nhost: a\nconnection: close\n\n".to_owned(), Has("HTTP/1.1\n")),
            ("a bare LF between two fields", get("x-a: b\nx-c: d\r\n"), Has("b\nx-c")),
            (
                "a bare LF at the end of the head",
                "GET /v HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\n".to_owned(),
                Has("\r\n\n"),
            ),
            ("a bare CR in a value", get("x-a: b\rx-c: d\r\n"), Has("b\rx-c")),
            ("a CR LF before the request line", format!("\r\nGET /v HTTP/1.1\r\n{END}"), Has("\r\nget")),
            ("a NUL in a value", get("x-a: b\0c\r\n"), Has("b\0c")),
            ("a DEL in a value", get("x-a: b\x7fc\r\n"), Has("b\x7fc")),
            ("a backspace in a value", get("x-a: b\x08c\r\n"), Has("b\x08c")),
            ("a folded value", get("x-a: b\r\n c\r\n"), Has("b\r\n c")),
            ("a folded first line", get(" x-a: b\r\n"), Has("\r\n x-a")),
            ("a space before the colon", get("x-a : b\r\n"), Has("x-a :")),
            ("a field without a colon", get("x-a\r\n"), Has("x-a")),
            ("a field without a name", get(": b\r\n"), Has("\r\n: b")),
            ("a bracket in a name", get("x(a: b\r\n"), Has("x(a")),
            ("an umlaut in a name", get("x-\u{e4}: b\r\n"), Has("x-\u{e4}")),
        ],
    )
}

fn hosts() -> Vec<Vector> {
    let get = |fields: &str| format!("GET /v HTTP/1.1\r\nconnection: close\r\n{fields}\r\n");
    group(
        "Host",
        vec![
            ("no `Host`", get(""), Has("get /v")),
            ("an empty `Host`", get("host:\r\n"), Has("host: \r\n")),
            ("two hosts", get("host: a\r\nhost: b\r\n"), Has("b\r\n")),
            ("two equal hosts", get("host: a\r\nhost: a\r\n"), Twice("host: a")),
            ("`Host: a, b`", get("host: a, b\r\n"), Has("a, b")),
            ("`Host: a b`", get("host: a b\r\n"), Has("a b")),
            ("`Host: u@a`", get("host: u@a\r\n"), Has("u@a")),
            ("`Host: a/b`", get("host: a/b\r\n"), Has("a/b")),
            ("`Host: a:0x50`", get("host: a:0x50\r\n"), Has("a:0x50")),
            ("another host in the target", format!("GET http://b/v HTTP/1.1\r\n{END}"), Has("http://b")),
            ("a user in the target", format!("GET http://u@a/v HTTP/1.1\r\n{END}"), Has("u@a")),
            ("another scheme in the target", format!("GET ftp://a/v HTTP/1.1\r\n{END}"), Has("ftp:")),
        ],
    )
}

fn targets() -> Vec<Vector> {
    let line = |line: &str| format!("{line}\r\n{END}");
    group(
        "Request line",
        vec![
            ("CONNECT", "CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\nconnection: close\r\n\r\n".to_owned(), Has("connect")),
            ("TRACE", line("TRACE /v HTTP/1.1"), Has("trace")),
            ("`OPTIONS *`", line("OPTIONS * HTTP/1.1"), Has("options *")),
            ("`GET *`", line("GET * HTTP/1.1"), Has("get *")),
            ("`GET v`", line("GET v HTTP/1.1"), Has("get v")),
            ("`GET a:80`", line("GET a:80 HTTP/1.1"), Has("get a:80")),
            ("a method that is no token", line("G(T /v HTTP/1.1"), Has("g(t")),
            ("HTTP/0.9", "GET /v\r\n\r\n".to_owned(), Has("get /v")),
            ("HTTP/1.2", line("GET /v HTTP/1.2"), Has("http/1.2")),
            ("HTTP/2.0 in text", line("GET /v HTTP/2.0"), Has("http/2.0")),
            ("`http/1.1`", line("GET /v http/1.1"), Has("get /v")),
            ("HTTP/1.0 without a host", "GET /v HTTP/1.0\r\n\r\n".to_owned(), Has("get /v")),
            ("two spaces", line("GET  /v HTTP/1.1"), Has("get  /v")),
            ("a tab in place of a space", line("GET\t/v HTTP/1.1"), Has("get\t")),
            ("a space in the target", line("GET /v x HTTP/1.1"), Has("/v x")),
            ("a fragment", line("GET /v#f HTTP/1.1"), Has("#f")),
            ("a fragment behind a query", line("GET /v?q=1#f HTTP/1.1"), Has("#f")),
            ("a NUL in the target", line("GET /v\0 HTTP/1.1"), Has("v\0")),
            ("a control character in the target", line("GET /v\x01 HTTP/1.1"), Has("v\x01")),
            ("UTF-8 in the target", line("GET /v/\u{e9} HTTP/1.1"), Has("\u{e9}")),
            ("a quote in the target", line("GET /v/\" HTTP/1.1"), Has("\"")),
        ],
    )
}

fn paths() -> Vec<Vector> {
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\n{END}");
    group(
        "Path",
        vec![
            ("`/v/../w`", get("/v/../w"), Has("..")),
            ("`/v/./w`", get("/v/./w"), Has("./")),
            ("`/v/%2e%2e/w`", get("/v/%2e%2e/w"), Has("%2e")),
            ("`/v//w`", get("/v//w"), Has("//w")),
            ("`/v%2fw`", get("/v%2fw"), Has("%2f")),
            ("`/v/..%2fw`", get("/v/..%2fw"), Has("%2f")),
            ("`/v\\w`", get("/v\\w"), Has("\\")),
            ("`/v%5cw`", get("/v%5cw"), Has("%5c")),
            ("`/v;x=1/w`", get("/v;x=1/w"), Has(";x")),
            ("`/v/..;/w`", get("/v/..;/w"), Has("..;")),
            ("`/v/%252e`", get("/v/%252e"), Has("%252e")),
            ("`/v/%00`", get("/v/%00"), Has("%00")),
            ("`/v/%0d%0ax: y`", get("/v/%0d%0ax:%20y"), Has("%0d")),
            ("`/v/%c0%ae`, overlong UTF-8", get("/v/%c0%ae"), Has("%c0")),
            ("`/v/%zz`", get("/v/%zz"), Has("%zz")),
            ("`/v/%`", get("/v/%"), Has("% ")),
            ("`/%76`, which is `/v`", get("/%76"), Has("%76")),
            ("`/v?q=%00`", get("/v?q=%00"), Has("%00")),
            ("`/v?q=%zz`", get("/v?q=%zz"), Has("%zz")),
        ],
    )
}

fn fields() -> Vec<Vector> {
    let get = |fields: &str| format!("GET /v HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
    group(
        "Fields",
        vec![
            ("a field that `Connection` names", get("connection: close, x-auth\r\nx-auth: 1\r\n"), Has("x-auth")),
            ("`Connection: host`", get("connection: close, host\r\n"), Has("connection: close, host")),
            (
                "`Upgrade: h2c`",
                get("connection: upgrade\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n"),
                Has("h2c"),
            ),
            ("`Keep-Alive`", get("connection: close\r\nkeep-alive: timeout=9\r\n"), Has("timeout=9")),
            ("`Proxy-Connection`", get("connection: close\r\nproxy-connection: x\r\n"), Has("proxy-connection")),
            (
                "`Proxy-Authorization`",
                get("connection: close\r\nproxy-authorization: Basic eA==\r\n"),
                Has("proxy-auth"),
            ),
            ("`TE: trailers`", get("connection: close, te\r\nte: trailers\r\n"), Has("te: trailers")),
            (
                "a false `X-Forwarded-For`",
                get("connection: close\r\nx-forwarded-for: 203.0.113.99\r\n"),
                Has("203.0.113.99"),
            ),
            ("a false `Forwarded`", get("connection: close\r\nforwarded: for=203.0.113.99\r\n"), Has("203.0.113.99")),
            ("a false `X-Real-IP`", get("connection: close\r\nx-real-ip: 203.0.113.99\r\n"), Has("203.0.113.99")),
            (
                "a false `X-Forwarded-Host`",
                get("connection: close\r\nx-forwarded-host: b.example\r\n"),
                Has("b.example"),
            ),
            ("a false `X-Forwarded-Proto`", get("connection: close\r\nx-forwarded-proto: wss\r\n"), Has("wss")),
            ("`X_Forwarded_For`", get("connection: close\r\nx_forwarded_for: 203.0.113.99\r\n"), Has("203.0.113.99")),
            ("`X-Original-URL`", get("connection: close\r\nx-original-url: /w\r\n"), Has("original")),
            ("`X-Rewrite-URL`", get("connection: close\r\nx-rewrite-url: /w\r\n"), Has("rewrite")),
            ("`X-HTTP-Method-Override`", get("connection: close\r\nx-http-method-override: PUT\r\n"), Has("override")),
            (
                "`Content-Type` twice",
                get("connection: close\r\ncontent-type: a/b\r\ncontent-type: c/d\r\n"),
                Twice("content-type"),
            ),
            (
                "`Authorization` twice",
                get("connection: close\r\nauthorization: x\r\nauthorization: y\r\n"),
                Twice("authorization"),
            ),
            ("`Expect: x 100-continue`", get("connection: close\r\nexpect: x 100-continue\r\n"), Has("x 100-continue")),
            (
                "`Expect: 100-continue` twice",
                get("connection: close\r\nexpect: 100-continue\r\nexpect: 100-continue\r\n"),
                Twice("100-continue"),
            ),
            ("an empty `Expect`", get("connection: close\r\nexpect:\r\n"), Has("expect")),
            ("`Expect: 200-maybe`", get("connection: close\r\nexpect: 200-maybe\r\n"), Has("200-maybe")),
        ],
    )
}
