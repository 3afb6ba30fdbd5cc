//! What a caller sees of answers: that of a contract, that of its owner, and nothing of a failure.

use futures_util::FutureExt;

use super::*;
use crate::stage::Stop;
use crate::testing::{answer_with, assert_stage, declared, head, user};

const SHOP: &str = r##"
openapi: 3.1.0
info: { title: Shop, version: "1" }
paths:
  /orders/{id}:
    get:
      security: []
      parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
      responses:
        200: { description: It., content: { application/json: { schema: { $ref: "#/components/schemas/Order" } } } }
        404: { description: None. }
        409: { description: Busy., content: { application/json: { schema: { $ref: "#/components/schemas/Problem" } } } }
  /mine/{id}:
    get:
      security: []
      parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
      x-palisade: { owner: { response: [{ pointer: /owner, claim: sub }] } }
      responses:
        200: { description: It., content: { application/json: { schema: { $ref: "#/components/schemas/Order" } } } }
        404: { description: None. }
  /mine:
    get:
      security: []
      x-palisade: { owner: { response: [{ pointer: /*/owner, claim: sub }] } }
      responses:
        200:
          description: All of them.
          content: { application/json: { schema: { type: array, items: { $ref: "#/components/schemas/Order" } } } }
  /page:
    get:
      security: []
      responses: { 200: { description: A page. } }
  /feed:
    get:
      security: []
      responses: { 200: { description: News., content: { text/event-stream: {} } } }
components:
  schemas:
    Order:
      type: object
      required: [id]
      properties: { id: { type: string }, owner: { type: [string, number] } }
    Problem: { type: object, properties: { title: { type: string } } }
"##;

const JSON: &str = "application/json";

fn backend(status: u16, media: &str, body: &str) -> Response<Body> {
    let response = Response::builder().status(status).header(CONTENT_TYPE, media).header(ETAG, "\"1\"");
    response.header(CONTENT_LENGTH, body.len()).body(Body::from(body.to_owned())).unwrap()
}

fn stage(state: State) -> Reveal {
    with(RevealSettings { state, ..RevealSettings::default() })
}

fn with(settings: RevealSettings) -> Reveal {
    Reveal::new(PerRoute::same(PerOperation::same(settings)))
}

/// What the caller `u-1` gets: status and text, or the code of a refusal; and the kinds of what was noted.
async fn shown(mode: State, request: &str, answer: Response<Body>) -> (String, Vec<EventKind>) {
    shown_by(&stage(mode), request, answer).await
}

async fn shown_by(stage: &Reveal, request: &str, answer: Response<Body>) -> (String, Vec<EventKind>) {
    let mut head = declared(SHOP, request);
    head.facts.principal = user("u-1");
    let shown = match answer_with(stage, &mut head, answer).await {
        Ok(response) => {
            let status = response.status().as_u16();
            let text = response.into_body().collect().await.unwrap().to_bytes();
            format!("{status} {}", String::from_utf8_lossy(&text))
        }
        Err(Stop::Deny(denial)) => denial.code().to_string(),
        Err(Stop::Answer(answer)) => panic!("{answer:?}"),
    };
    (shown, head.facts.notes.iter().map(|note| note.kind).collect())
}

#[tokio::test]
async fn only_what_is_declared_leaves() {
    let stripped = vec![EventKind::ResponseStripped];
    let would = vec![EventKind::WouldDeny];
    let order = r#"{"id":"7"}"#;
    let leaky = r#"{"id":"7","password_hash":"x"}"#;
    let (enforce, report, off) = (State::Enforce, State::Report, State::Off);
    for (mode, status, media, body, expect, noted) in [
        (enforce, 200, JSON, order, format!("200 {order}"), vec![]),
        (enforce, 200, JSON, leaky, format!("200 {order}"), stripped),
        (report, 200, JSON, leaky, format!("200 {leaky}"), would.clone()),
        (off, 200, JSON, leaky, format!("200 {leaky}"), vec![]),
        (enforce, 200, JSON, "{}", "response-invalid".to_owned(), vec![]),
        (report, 200, JSON, "{}", "200 {}".to_owned(), would.clone()),
        (off, 200, JSON, "{}", "200 {}".to_owned(), vec![]),
        (enforce, 200, JSON, "not json", "response-invalid".to_owned(), vec![]),
        (enforce, 200, "text/html", order, "response-undeclared".to_owned(), vec![]),
        (report, 200, "text/html", order, format!("200 {order}"), would.clone()),
        (enforce, 202, JSON, order, "response-undeclared".to_owned(), vec![]),
        (report, 202, JSON, order, format!("202 {order}"), would),
        (off, 202, JSON, order, format!("202 {order}"), vec![]),
        (
            enforce,
            409,
            JSON,
            r#"{"title":"busy","at":"Shop.java:7"}"#,
            r#"409 {"title":"busy"}"#.to_owned(),
            vec![EventKind::ResponseStripped],
        ),
    ] {
        let answer = backend(status, media, body);
        let found = shown(mode, "GET /orders/7", answer).await;
        assert_eq!(found, (expect, noted), "{mode:?} {status} {media} {body}");
    }
}

#[tokio::test]
async fn errors_of_the_backend_lose_their_text() {
    for mode in [State::Enforce, State::Off, State::Report] {
        for status in [500, 502, 503] {
            let found = shown(mode, "GET /orders/7", backend(status, "text/plain", "at Shop.java:7")).await;
            assert_eq!(found.0, "upstream-failed", "{mode:?} {status}");
        }
    }
    for status in [403, 404] {
        let (found, _) = shown(State::Enforce, "GET /orders/7", backend(status, "text/plain", "Shop.java")).await;
        assert!(found.starts_with(&status.to_string()) && !found.contains("Shop.java"), "{found}");
    }
}

#[tokio::test]
async fn an_answer_must_name_the_caller_as_its_owner() {
    for (path, body, expect) in [
        ("/mine/7", r#"{"id":"7","owner":"u-1"}"#, true),
        ("/mine/7", r#"{"id":"7","owner":"u-2"}"#, false),
        ("/mine/7", r#"{"id":"7"}"#, false),
        ("/mine/7", r#"{"id":"7","owner":1}"#, false),
        ("/mine", r#"[{"id":"7","owner":"u-1"},{"id":"8","owner":"u-1"}]"#, true),
        ("/mine", r#"[{"id":"7","owner":"u-1"},{"id":"8","owner":"u-2"}]"#, false),
        ("/mine", r#"[{"id":"7","owner":"u-1"},{"id":"8"}]"#, false),
        ("/mine", "[]", true),
    ] {
        for mode in [State::Enforce, State::Off, State::Report] {
            let (found, _) = shown(mode, &format!("GET {path}"), backend(200, JSON, body)).await;
            let expect = if expect { format!("200 {body}") } else { "response-foreign".to_owned() };
            assert_eq!(found, expect, "{mode:?} {path}");
        }
    }
    let (found, _) = shown(State::Off, "GET /mine/7", backend(200, "text/plain", "u-1")).await;
    assert_eq!(found, "response-foreign", "an owner that cannot be read is not the caller");
    let (found, _) = shown(State::Enforce, "GET /mine/7", backend(403, "text/plain", "")).await;
    assert!(found.starts_with("403"), "an error has no owner: {found}");
}

#[tokio::test]
async fn answers_without_a_body_are_not_read() {
    for (request, status, expect) in [
        ("HEAD /orders/7", 200, "200 "),
        ("GET /orders/7", 304, "304 "),
        ("GET /mine/7", 304, "304 "),
        // Its status and length would tell which objects exist.
        ("HEAD /mine/7", 200, "response-foreign"),
        ("HEAD /orders/7", 202, "response-undeclared"),
    ] {
        let mut answer = backend(status, JSON, "");
        answer.headers_mut().insert(CONTENT_LENGTH, 999.into());
        assert_eq!(shown(State::Enforce, request, answer).await.0, expect, "{request} {status}");
    }
}

#[tokio::test]
async fn a_stripped_answer_loses_what_described_the_whole() {
    for (body, kept) in [(r#"{"id":"7"}"#, true), (r#"{"id":"7","x":1}"#, false)] {
        let mut head = declared(SHOP, "GET /orders/7");
        let answer = answer_with(&Reveal::default(), &mut head, backend(200, JSON, body)).await.unwrap();
        assert_eq!(answer.headers().contains_key(CONTENT_LENGTH), kept);
        assert_eq!(answer.headers().contains_key(ETAG), kept);
        assert!(head.facts.backend.is_some());
    }
}

#[tokio::test]
async fn a_stream_begins_before_it_ends() {
    let endless = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
    let answer = Response::builder().header(CONTENT_TYPE, "text/event-stream").body(Body::from_stream(endless));
    let mut head = declared(SHOP, "GET /feed");
    let outcome = answer_with(&Reveal::default(), &mut head, answer.unwrap()).now_or_never();
    assert_eq!(outcome.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn an_answer_too_long_to_be_checked_is_withheld() {
    let stage = Reveal { max_body: 8, ..Reveal::default() };
    let answer = answer_with(&stage, &mut declared(SHOP, "GET /orders/7"), backend(200, JSON, r#"{"id":"7"}"#)).await;
    assert!(matches!(answer, Err(Stop::Deny(denial)) if denial.code() == DenialCode::ResponseInvalid));
}

#[tokio::test]
async fn without_a_contract_only_server_errors_are_withheld() {
    let mut answers = Vec::new();
    for status in [200, 404, 500] {
        let outcome = answer_with(&Reveal::default(), &mut head("GET /"), backend(status, "a/b", "text")).await;
        answers.push(outcome.is_ok());
    }
    assert_eq!(answers, [true, true, false]);
}

#[test]
fn weaker_settings_are_told() {
    for (mode, dangers) in [(State::Enforce, 0), (State::Off, 1), (State::Report, 1)] {
        assert_eq!(stage(mode).dangers().len(), dangers);
    }
}

#[tokio::test]
async fn what_does_not_exist_looks_like_what_is_foreign() {
    for mode in [State::Enforce, State::Off, State::Report] {
        for request in ["GET /mine/7", "HEAD /mine/7"] {
            let (found, notes) = shown(mode, request, backend(404, "text/plain", "no order 7 in table orders")).await;
            assert_eq!((found.as_str(), notes), ("object-unknown", vec![]), "{mode:?} {request}");
        }
    }
    let mut exempt = declared(SHOP, "GET /mine/7");
    (exempt.facts.owned, exempt.facts.owners) = (false, Box::default());
    let answer = answer_with(&Reveal::default(), &mut exempt, backend(404, JSON, "{}")).await.unwrap();
    assert_eq!(answer.status(), 404, "whoever may see everything may know what there is");
}

#[tokio::test]
async fn undeclared_properties_can_be_refused() {
    let stage = with(RevealSettings { undeclared: Undeclared::Refuse, ..RevealSettings::default() });
    for (body, expect) in [(r#"{"id":"7"}"#, r#"200 {"id":"7"}"#), (r#"{"id":"7","x":1}"#, "response-invalid")] {
        assert_eq!(shown_by(&stage, "GET /orders/7", backend(200, JSON, body)).await.0, expect);
    }
}

const TRACE: &str = "at shop.Orders.find(Orders.java:17)";

#[tokio::test]
async fn traces_and_secrets_do_not_leave() {
    let quoted = format!(r#"{{"id":"{TRACE}"}}"#);
    let error = format!(r#"{{"title":"{TRACE}"}}"#);
    let conflict = r#"409 {"type":"about:blank","title":"Conflict","status":409,"request_id":"-"}"#;
    let page = format!("<h1>{TRACE}</h1>");
    for (request, status, media, body, expect) in [
        ("GET /orders/7", 200, JSON, quoted.as_str(), "response-leaks"),
        ("GET /orders/7", 409, JSON, &error, conflict),
        ("GET /page", 200, "text/html; charset=utf-8", &page, "response-leaks"),
        ("GET /page", 200, "text/html", "<h1>Hello</h1>", "200 <h1>Hello</h1>"),
        ("GET /page", 200, JSON, &quoted, "response-leaks"),
        // Nobody reads a download.
        ("GET /page", 200, "application/octet-stream", TRACE, "200 at shop.Orders.find(Orders.java:17)"),
        ("GET /feed", 200, "text/event-stream", TRACE, "200 at shop.Orders.find(Orders.java:17)"),
    ] {
        let (found, _) = shown(State::Enforce, request, backend(status, media, body)).await;
        assert_eq!(found, expect, "{request} {status} {media}");
        let (found, _) = shown(State::Off, request, backend(status, media, body)).await;
        let unchecked = request == "GET /orders/7" && expect.starts_with("409");
        assert!(found == expect || unchecked, "leaks have a state of their own: {request} {found}");
        for (leaks, noted) in [(State::Off, vec![]), (State::Report, vec![EventKind::WouldDeny])] {
            let stage = with(RevealSettings { leaks, ..RevealSettings::default() });
            let (found, notes) = shown_by(&stage, request, backend(status, media, body)).await;
            assert_eq!(found, format!("{status} {body}"));
            let leaky = body.contains(TRACE) && !matches!(media, "application/octet-stream" | "text/event-stream");
            assert_eq!(notes, if leaky { noted } else { vec![] }, "{request} {media}");
        }
    }
    let shown_there = RevealSettings { danger_show: vec![Pointer::parse("/id").unwrap()], ..RevealSettings::default() };
    let (found, _) = shown_by(&with(shown_there), "GET /orders/7", backend(200, JSON, &quoted)).await;
    assert_eq!(found, format!("200 {quoted}"));
}

#[tokio::test]
async fn a_long_page_is_searched_at_its_beginning_and_passes_whole() {
    let long = format!("{}{TRACE}", "x".repeat(BEGINNING));
    let (found, _) = shown(State::Enforce, "GET /page", backend(200, "text/plain", &long)).await;
    assert_eq!(found.len(), "200 ".len() + long.len());
    let early = format!("{TRACE}{}", "x".repeat(BEGINNING));
    assert_eq!(shown(State::Enforce, "GET /page", backend(200, "text/plain", &early)).await.0, "response-leaks");
}

#[test]
fn behaves_as_a_stage() {
    assert_stage(&Reveal::default());
}
