//! What a backend hears of requests that two parsers may read differently: nothing, or one writing.

use bytes::Bytes;
use http::{Request, Response};
use palisade_core::denial::DenialCode::{self, *};
use palisade_testkit::upstream::Upstream;

use super::harness::{POLICY, Site};
use super::wire;

/// The usual policy over the contract of requests; nobody signs in.
fn policy(keys: &str) -> String {
    let policy = POLICY.replace("openapi = \"openapi.yaml\"", "openapi = \"requests.yaml\"");
    policy.replace("timeout = \"10s\"\n", &format!("timeout = \"10s\"\n{keys}\n"))
}

async fn recorder() -> Upstream {
    Upstream::start(|_| Response::builder().status(204).body(Bytes::new()).unwrap()).await
}

/// What arrived: the target, the type without the boundary, and the body with `B` for the boundary.
fn arrived(request: &Request<Bytes>) -> (String, String) {
    let body = String::from_utf8_lossy(request.body()).into_owned();
    let media = request.headers().get("content-type").map_or("", |value| value.to_str().unwrap());
    let body = match media.split_once("boundary=") {
        None => body,
        Some((_, boundary)) => body.replace(boundary, "B"),
    };
    if let Some(length) = request.headers().get("content-length") {
        assert_eq!(length.to_str().unwrap(), request.body().len().to_string());
    }
    (request.uri().to_string(), body)
}

/// Sends each request; the backend sees what the table says, or nothing of what is refused.
async fn check(policy: &str, table: &[(String, Result<&str, DenialCode>)]) {
    let upstream = recorder().await;
    let site = Site::start(policy, &upstream.url()).await;
    let mut refused = Vec::new();
    for (request, expect) in table {
        let before = upstream.received().len();
        let answer = site.ask(request).await;
        let received = upstream.received();
        match expect {
            Ok(expect) => {
                assert_eq!(answer.status, 204, "{request}: {}", answer.text());
                let (target, body) = arrived(&received[before]);
                assert_eq!(if body.is_empty() { target } else { body }, *expect, "{request}");
            }
            Err(code) => {
                assert_eq!(received.len(), before, "{request}: the backend heard of it");
                assert_eq!(answer.status, code.status(), "{request}: {}", answer.text());
                refused.push((answer, *code));
            }
        }
    }
    let log = site.finish().await;
    for (answer, code) in refused {
        log.assert_refused(&answer, code);
    }
}

fn json(body: &str) -> String {
    format!("POST /json\ncontent-type: application/json\n\n{body}")
}

#[tokio::test]
async fn json_has_one_reading() {
    let nested = |depth: usize| format!("{{\"tree\":{}{{}}{}}}", "{\"down\":".repeat(depth), "}".repeat(depth));
    let deep = nested(30);
    let many = |count: usize, item: &str| vec![item; count].join(",");
    let keys: Vec<String> = (0..1001).map(|n| format!("\"k{n}\":1")).collect();
    let bad = Err(PayloadInvalid);
    check(
        &policy(""),
        &[
            (json(r#"{"name":"a","count":1}"#), Ok(r#"{"name":"a","count":1}"#)),
            (json("{ \"count\" : 1e0 ,\n\"name\":\"\\u0061\\/\" }"), Ok(r#"{"count":1e0,"name":"a/"}"#)),
            // Keys: equal ones, also after their escapes are read.
            (json(r#"{"name":"a","name":"b"}"#), bad),
            (json(r#"{"name":"a","n\u0061me":"b"}"#), bad),
            (json(r#"{"open":{"a":{"x":1,"x":1}}}"#), bad),
            (json(r#"{"Name":"a"}"#), bad),
            // Caps.
            (json(&deep), Ok(deep.as_str())),
            (json(&nested(31)), bad),
            (json(&format!("{{\"any\":{}1{}}}", "[".repeat(5000), "]".repeat(5000))), bad),
            (json(&format!("{{\"list\":[{}]}}", many(10_001, "1"))), bad),
            (json(&format!("{{\"open\":{{{}}}}}", keys.join(","))), bad),
            (json(&format!("{{\"list\":[{}]}}", many(11, &format!("[{}]", many(9_999, "1"))))), bad),
            // Numbers: what does not fit, and what a decimal type would read as more than the schema allows.
            (json(r#"{"count":18446744073709551616}"#), bad),
            (json(r#"{"any":-9223372036854775809}"#), bad),
            (json(r#"{"any":1e400}"#), bad),
            (json(r#"{"price":1.00000000000000000001}"#), Ok(r#"{"price":1.0}"#)),
            (json(r#"{"price":0.10}"#), Ok(r#"{"price":0.10}"#)),
            (json(r#"{"count":01}"#), bad),
            (json(r#"{"count":+1}"#), bad),
            (json(r#"{"count":0x1}"#), bad),
            (json(r#"{"count":NaN}"#), bad),
            (json(r#"{"count":Infinity}"#), bad),
            // Texts.
            (json(r#"{"name":"a\u0000b"}"#), bad),
            (json(r#"{"name":"\u001b[2J"}"#), bad),
            (json(r#"{"name":"\ud800"}"#), bad),
            (json(r#"{"name":"\udc00\ud800"}"#), bad),
            (json("{\"name\":\"a\u{1}\"}"), bad),
            (json("{\"name\":\"a\nb\"}"), bad),
            (json(r#"{"name":"a\nb"}"#), Ok(r#"{"name":"a\nb"}"#)),
            (json(r#"{"name":"\ud83d\ude00"}"#), Ok(r#"{"name":"😀"}"#)),
            // What people would read otherwise than programs; the marks of ordinary Arabic and Hebrew are none.
            (json("{\"name\":\"a\u{202e}fdp.exe\"}"), bad),
            (json(r#"{"name":"\u2066a\u2069"}"#), bad),
            (json("{\"open\":{\"a\u{202d}\":1}}"), bad),
            (json("{\"name\":\"a\u{200f}b\"}"), Ok("{\"name\":\"a\u{200f}b\"}")),
            // Both writings of a letter arrive as they came.
            (json("{\"name\":\"e\u{301}\"}"), Ok("{\"name\":\"e\u{301}\"}")),
            // Names by which a prototype is reached.
            (json(r#"{"open":{"__proto__":{"admin":true}}}"#), bad),
            (json(r#"{"open":{"constructor":{"prototype":{}}}}"#), bad),
            (json(r#"{"any":{"\u005f_proto__":1}}"#), bad),
            (json(r#"{"__proto__":1}"#), bad),
            // One value of the declared type.
            (json("{} {}"), bad),
            (json("{}x"), bad),
            (json("[]"), bad),
            (json("\"{}\""), bad),
            (json("null"), bad),
            (json(""), bad),
            (json("\u{feff}{}"), bad),
            (json("{\"count\":1,}"), bad),
            (json("{'count':1}"), bad),
            (json("{count:1}"), bad),
            (json("{/**/}"), bad),
            // Properties that are not the caller's to set, and alternatives.
            (json(r#"{"id":1}"#), bad),
            (json(r#"{"role":"admin"}"#), bad),
            (json(r#"{"pet":{"kind":"hound","bark":true}}"#), Ok(r#"{"pet":{"kind":"hound","bark":true}}"#)),
            (json(r#"{"pet":{"kind":"Cat","bark":true}}"#), bad),
            (json(r#"{"pet":{"kind":"Cow"}}"#), bad),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_body_has_one_type() {
    let send = |line: &str, media: &str, body: &str| match media {
        "" => format!("{line}\n\n{body}"),
        media => format!("{line}\ncontent-type: {media}\n\n{body}"),
    };
    let media = Err(MediaTypeUndeclared);
    check(
        &policy(""),
        &[
            (send("POST /json", "application/json; charset=UTF-8", "{}"), Ok("{}")),
            (send("POST /json", "APPLICATION/JSON", "{}"), Ok("{}")),
            (send("POST /json", "", "{}"), media),
            (send("POST /json", "application/json\ncontent-type: application/json", "{}"), Err(HeaderForbidden)),
            (send("POST /json", "application/json, text/plain", "{}"), media),
            (send("POST /json", "application/json; charset=utf-16", "{}"), media),
            (send("POST /json", "application/json; charset=utf-8; charset=utf-7", "{}"), media),
            (send("POST /json", "application/json; charset=\"utf-8", "{}"), media),
            (send("POST /json", "application /json", "{}"), media),
            (send("POST /json", "application/json/x", "{}"), media),
            (send("POST /json", "application/problem+json", "{}"), media),
            (send("POST /json", "text/json", "{}"), media),
            (send("POST /json", "application/xml", "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>"), media),
            (send("POST /json", "application/x-www-form-urlencoded", "name=a"), media),
            (send("POST /json", "application/json\ncontent-encoding: gzip", "{}"), Err(CodingUndeclared)),
            (send("POST /json", "application/json\ncontent-encoding: gzip, gzip", "{}"), Err(CodingUndeclared)),
            (send("POST /form", "multipart/form-data; boundary=B", "--B--"), media),
            (send("POST /upload", "application/x-www-form-urlencoded", "title=a"), media),
            (send("PATCH /patch", "application/merge-patch+json", "{\"a\": 1}"), Ok("{\"a\":1}")),
            (send("PATCH /patch", "application/json", "{}"), media),
            ("PATCH /patch".to_owned(), Ok("/patch")),
            ("POST /json\ncontent-type: application/json".to_owned(), Err(PayloadInvalid)),
            ("POST /json".to_owned(), Err(PayloadInvalid)),
            (send("GET /search", "application/json", "{}"), Err(PayloadInvalid)),
            (send("GET /search", "", "x"), Err(PayloadInvalid)),
            ("GET /search\ntransfer-encoding: chunked\n\n1\r\nx\r\n0\r\n\r\n".to_owned(), Err(PayloadInvalid)),
            ("GET /search\ntransfer-encoding: chunked\n\n0\r\n\r\n".to_owned(), Ok("/search")),
            (send("POST /text", "text/plain", "a < b"), Ok("a < b")),
            (send("POST /text", "text/plain", "0123456789"), Err(PayloadInvalid)),
            (send("POST /text", "text/plain; charset=latin1", "a"), media),
            (send("POST /text", "text/plain", "<script>"), Err(MarkupInText)),
            (send("PUT /image", "image/png", "\u{1}\0\r\n"), Ok("\u{1}\0\r\n")),
            (send("PUT /image", "image/svg+xml", "<svg/>"), Ok("<svg/>")),
            (send("PUT /image", "image/*", "x"), media),
            (send("PUT /image", "text/html", "x"), media),
        ],
    )
    .await;
}

#[tokio::test]
async fn queries_have_one_reading() {
    let get = |query: &str| format!("GET /search?{query}");
    let bad = Err(ParameterInvalid);
    check(
        &policy(""),
        &[
            (get("q=a&limit=5"), Ok("/search?q=a&limit=5")),
            (get("q=a+b%2f&&limit=5"), Ok("/search?q=a%20b%2F&limit=5")),
            (get("q=a;limit=5"), Ok("/search?q=a%3Blimit%3D5")),
            (get("q=a&limit=5;limit=50"), bad),
            (get("q=a%E2%80%AEb"), bad),
            (get("limit=5&limit=6"), bad),
            (get("limit=5&%6cimit=6"), bad),
            (get("limit[]=5"), bad),
            (get("limit[0]=5"), bad),
            (get("limit=5%00"), Err(PathAmbiguous)),
            (get("limit=%zz"), Err(PathAmbiguous)),
            (get("q=%ff"), Err(PathAmbiguous)),
            (get("q=%c0%af"), Err(PathAmbiguous)),
            (get("debug=1"), bad),
            (get("LIMIT=5"), bad),
            (get("ids=1,2"), Ok("/search?ids=1,2")),
            (get("ids=1%2C2"), bad),
            (get("ids=1&ids=2"), bad),
            (get("tag=a&tag=b"), Ok("/search?tag=a&tag=b")),
            (get("tag=a,b"), Ok("/search?tag=a%2Cb")),
            (get("tag[]=a"), bad),
            (get("deep[a]=1"), Ok("/search?deep%5Ba%5D=1")),
            (get("deep[a]=1&deep%5ba%5d=2"), bad),
            (get("deep[b]=1"), bad),
            (get("deep[__proto__]=1"), bad),
            (get("deep[a][b]=1"), bad),
            (get("deep.a=1"), bad),
            (get("q[$ne]=1"), bad),
            (get("filter=%7B%22a%22%3A%201%7D"), Ok("/search?filter=%7B%22a%22%3A1%7D")),
            (get("filter=%7B%22a%22:1,%22a%22:2%7D"), bad),
            (get("filter=%7B%22__proto__%22:1%7D"), bad),
            ("GET /search\nx-kind: a".to_owned(), Ok("/search")),
            ("GET /search\nx-kind: c".to_owned(), bad),
            ("GET /search\nx-kind: a\nx-kind: b".to_owned(), bad),
            ("GET /search\ncookie: theme=dark; other=1".to_owned(), Ok("/search")),
            ("GET /search\ncookie: theme=dark; theme=light".to_owned(), bad),
            ("GET /search\ncookie: theme=pink".to_owned(), bad),
            ("GET /points/.x=1.y=2".to_owned(), Ok("/points/.x=1.y=2")),
            ("GET /points/.x=1.x=2".to_owned(), bad),
            ("GET /points/x=1".to_owned(), bad),
            ("GET /points/.x=1;y=2".to_owned(), Err(PathAmbiguous)),
        ],
    )
    .await;
}

#[tokio::test]
async fn forms_have_one_reading() {
    let form = |body: &str| format!("POST /form\ncontent-type: application/x-www-form-urlencoded\n\n{body}");
    let bad = Err(PayloadInvalid);
    check(
        &policy(""),
        &[
            (form("name=a&tags=b&tags=c"), Ok("name=a&tags=b&tags=c")),
            (form("&name=a+b%2b&"), Ok("name=a%20b%2B")),
            (form("name=a;tags=b"), Ok("name=a%3Btags%3Db")),
            (form("name=a&deep[a]=1"), Ok("name=a&deep%5Ba%5D=1")),
            (form("name=a&name=b"), bad),
            (form("name=a&n%61me=b"), bad),
            (form("name=a&name[]=b"), bad),
            (form("name=a&tags[]=b"), bad),
            (form("name=a&admin=1"), bad),
            (form("name=a&deep[a]=1&deep[a]=2"), bad),
            (form("name=a&deep[__proto__]=1"), bad),
            (form("name=%00"), bad),
            (form("name=%1b"), bad),
            (form("name=%ff"), bad),
            (form("name=%zz"), bad),
            (form("name=\u{1}"), bad),
            (form(&format!("name=a{}", "&tags=b".repeat(1000))), bad),
        ],
    )
    .await;
}

#[tokio::test]
async fn multipart_has_one_reading() {
    let send = |boundary: &str, body: &str| {
        format!("POST /upload\ncontent-type: multipart/form-data{boundary}\n\n{}", body.replace('|', "\r\n"))
    };
    let upload = |body: &str| send("; boundary=B", body);
    let title = "Content-Disposition: form-data; name=\"title\"";
    let picture = "Content-Disposition: form-data; name=\"picture\"; filename=\"p.png\"|Content-Type: image/png";
    let bad = Err(PayloadInvalid);
    check(
        &policy(""),
        &[
            (
                upload(&format!("--B|{title}||t|--B|{picture}||\0|--B|--B--|")),
                Err(PayloadInvalid),
            ),
            (
                upload(&format!("--B|{title}||t|--B|{picture}||\0\u{1}|--B--|")),
                Ok("--B\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nt\r\n--B\r\nContent-Disposition: \
                    form-data; name=\"picture\"; filename=\"p.png\"\r\nContent-Type: image/png\r\n\r\n\0\u{1}\r\n--B--\r\n"),
            ),
            (
                upload("--B|content-disposition:form-data ; name=title||t|--B--"),
                Ok("--B\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nt\r\n--B--\r\n"),
            ),
            (upload(&format!("preamble|--B|{title}||t|--B--|")), bad),
            (upload(&format!("--B|{title}||t|--B--|epilogue")), bad),
            (upload(&format!("--B|{title}||t|--B--|--B|{title}||u|--B--|")), bad),
            (upload(&format!("--B|{title}||t|--B--|").replace('|', "\n")), bad),
            (upload(&format!("--B|{title}||t")), bad),
            (upload(&format!("--B |{title}||t|--B--|")), bad),
            (upload(&format!("--B|{title}|{title}||t|--B--|")), bad),
            (upload(&format!("--B|{title}; name=\"admin\"||t|--B--|")), bad),
            (upload(&format!("--B|{title}||t|--B|{title}||u|--B--|")), bad),
            (upload(&format!("--B|{title}|X-Other: 1||t|--B--|")), bad),
            (upload(&format!("--B|{title}|Content-Transfer-Encoding: base64||dA==|--B--|")), bad),
            (upload(&format!("--B|{title}|Content-Type: multipart/mixed; boundary=C||--C--|--B--|")), Err(MediaTypeUndeclared)),
            (upload(&format!("--B|{title}|Content-Type: text/plain; charset=utf-7||t|--B--|")), Err(MediaTypeUndeclared)),
            (upload(&format!("--B|{title}; filename=\"x\"||t|--B--|")), bad),
            (upload(&format!("--B|{title}||t|--B|Content-Disposition: form-data; name=\"admin\"||1|--B--|")), bad),
            (upload(&format!("--B|{title}||<script>|--B--|")), Err(MarkupInText)),
            (upload(&format!("--B|{title}||t|--B|{}||x|--B--|", picture.replace("image/png", "text/html"))), Err(MediaTypeUndeclared)),
            (upload(&format!("--B|{title}||t|--B|{}||x|--B--|", picture.replace("p.png", "../p.png"))), bad),
            (upload(&format!("--B|{title}||t|--B|{}||x|--B--|", picture.replace("p.png", "p\\\".png"))), bad),
            (
                upload(&format!("--B|{title}||t|--B|{}||x|--B--|", picture.replace("\"p.png\"", "\"p.png\"; filename*=UTF-8''q.html"))),
                bad,
            ),
            (upload(&format!("--B|{title}||t|--B|{picture}||{}|--B--|", "x".repeat(65))), bad),
            (upload("--B--"), bad),
            (send("", &format!("--B|{title}||t|--B--|")), bad),
            (send("; boundary=B; boundary=C", &format!("--B|{title}||t|--B--|")), Err(MediaTypeUndeclared)),
            (send(&format!("; boundary={}", "b".repeat(71)), &format!("--{}--", "b".repeat(71))), bad),
            (send("; boundary=\"a*b\"", "--a*b--"), bad),
        ],
    )
    .await;
}

#[tokio::test]
async fn xml_makes_no_parser_fetch_or_expand() {
    let xml = |body: &str| format!("POST /xml\ncontent-type: application/xml\n\n{body}");
    let bad = Err(PayloadInvalid);
    let laughs = "<!DOCTYPE a [<!ENTITY b \"ha\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>";
    let include = "<a xmlns:xi=\"http://www.w3.org/2001/XInclude\"><xi:include href=\"file:///etc/passwd\"/></a>";
    check(
        &policy(""),
        &[
            (xml("<a b=\"1\">x &amp; <c/></a>"), Ok("<a b=\"1\">x &amp; <c/></a>")),
            (xml("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>"), bad),
            (xml("<!DOCTYPE a PUBLIC \"x\" \"http://169.254.169.254/\"><a/>"), bad),
            (xml("<?xml version=\"1.0\"?>\n<!doctype a><a/>"), bad),
            (xml(laughs), bad),
            (xml("<a>&b;</a>"), bad),
            (xml(include), bad),
            (xml("<?xml-stylesheet href=\"x.xsl\"?><a/>"), bad),
            (xml("<?xml version=\"1.0\" encoding=\"utf-7\"?><a/>"), bad),
            (xml(&format!("{}{}", "<a>".repeat(33), "</a>".repeat(33))), bad),
            (xml("<a b=\"1\" b=\"2\"/>"), bad),
            (xml("<a></b>"), bad),
            (xml("{}"), bad),
            ("POST /json\ncontent-type: application/xml\n\n<a/>".to_owned(), Err(MediaTypeUndeclared)),
            // A picture that is a document.
            (
                "PUT /image\ncontent-type: image/svg+xml\n\n<!DOCTYPE svg [<!ENTITY a SYSTEM \"x\">]><svg/>".to_owned(),
                bad,
            ),
            ("PUT /image\ncontent-type: image/svg+xml\n\n<svg/>".to_owned(), Ok("<svg/>")),
        ],
    )
    .await;
}

#[tokio::test]
async fn caps_are_those_of_the_route() {
    let caps = "payload = { max_depth = 2, max_values = 9, max_keys = 3, max_items = 3, max_string = \"8B\", max_parts = 2, \
                max_part = \"4B\" }";
    let bad = Err(PayloadInvalid);
    let upload = |tags: usize, title: &str| {
        let tag = "--B\r\nContent-Disposition: form-data; name=\"tags\"\r\n\r\na\r\n";
        let title = format!("--B\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\n{title}\r\n");
        format!("POST /upload\ncontent-type: multipart/form-data; boundary=B\n\n{title}{}--B--\r\n", tag.repeat(tags))
    };
    check(
        &policy(caps),
        &[
            (json(r#"{"any":[1,2,3],"name":"12345678"}"#), Ok(r#"{"any":[1,2,3],"name":"12345678"}"#)),
            (json(r#"{"any":[[]]}"#), bad),
            (json(r#"{"any":[1,2,3,4]}"#), bad),
            (json(r#"{"name":"123456789"}"#), bad),
            (json(r#"{"open":{"a":1,"b":2,"c":3,"d":4}}"#), bad),
            (json(r#"{"any":[1,2,3],"list":[1,2,3],"open":{}}"#), bad),
            (upload(0, "1234"), Ok("--B\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\n1234\r\n--B--\r\n")),
            (upload(2, "1"), bad),
            (upload(0, "12345"), bad),
            ("POST /form\ncontent-type: application/x-www-form-urlencoded\n\nname=a&tags=b&tags=c".to_owned(), bad),
        ],
    )
    .await;
}

#[tokio::test]
async fn bytes_are_kept_where_the_route_says_so() {
    let body = "--B\r\ncontent-disposition:form-data;name=title\r\n\r\nt\r\n--B--";
    check(
        &policy("payload = { forward = \"preserve-bytes\" }"),
        &[
            (json("{ \"name\": \"\\u0061\" }"), Ok("{ \"name\": \"\\u0061\" }")),
            (json("{ \"name\": 1, \"name\": 2 }"), Err(PayloadInvalid)),
            ("GET /search?q=a+b&&limit=5".to_owned(), Ok("/search?q=a+b&&limit=5")),
            (format!("POST /upload\ncontent-type: multipart/form-data; boundary=B\n\n{body}"), Ok(body)),
        ],
    )
    .await;
}

#[tokio::test]
async fn everything_wrong_is_told_at_once() {
    let upstream = recorder().await;
    let site = Site::start(&policy(""), &upstream.url()).await;
    let request = json(r#"{"name":5,"count":101,"pet":{"kind":"s3cret"},"tree":{"down":{"s3cret":1}}}"#);
    let request = request.replace("POST /json", "POST /json?debug=s3cret");
    let answer = wire::exchange(site.address, &site.request(&request)).await.unwrap();
    let problem = answer.json();
    let mut pointers: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    let expect = ["/body/count", "/body/name", "/body/pet/kind", "/body/tree/down/s3cret", "/query/debug"];
    assert_eq!(pointers, expect, "{problem}");
    assert_eq!(problem["code"], "parameter-invalid");
    assert_eq!(answer.text().matches("s3cret").count(), 1, "names are told, values are not: {problem}");
    assert!(upstream.received().is_empty());
    site.finish().await;
}

#[tokio::test]
async fn callers_of_deprecated_operations_are_told_and_noted_once() {
    let upstream = recorder().await;
    let site = Site::start(&policy(""), &upstream.url()).await;
    for _ in 0..3 {
        let answer = site.ask("GET /old").await;
        assert_eq!(answer.status, 204);
        assert_eq!(answer.header("deprecation"), "@1688169599");
        assert_eq!(answer.header("sunset"), "Fri, 31 Dec 2027 00:00:00 GMT");
    }
    assert_eq!(site.ask("GET /old?x=1").await.header("deprecation"), "@1688169599", "a refusal says so too");
    assert_eq!(site.ask("GET /search").await.header("deprecation"), "");
    let log = site.finish().await;
    let noted: Vec<_> = log.0.iter().filter(|event| event["kind"] == "deprecated_used").collect();
    assert_eq!(noted.len(), 1, "{noted:?}");
    assert_eq!(noted[0]["operation"], "old");
}
