//! Input that is held to its type: all errors at once, one refusal, the same event as any other.

use axum::extract::{Path, Query};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use palisade::extract::{Refusal, Valid, prepare};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::world::{Answer, Stand, ask, assert_refused, parse};

#[derive(Debug, Deserialize, JsonSchema)]
struct NewOrder {
    #[schemars(length(min = 1, max = 10))]
    name: String,
    #[schemars(range(min = 1))]
    count: u32,
    #[schemars(extend("format" = "uri"))]
    site: Option<String>,
    #[serde(default)]
    lines: Vec<Line>,
    #[serde(default)]
    pay: Pay,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Line {
    sku: Sku,
}

/// A type that says no by itself: its schema says less than its code.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
struct Sku(String);

impl TryFrom<String> for Sku {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.starts_with('S') { Ok(Self(text)) } else { Err(format!("{text} is no article")) }
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(tag = "by")]
enum Pay {
    #[default]
    Cash,
    Card {
        last4: String,
    },
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Page {
    limit: Option<u8>,
    #[serde(default)]
    tag: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Place {
    user: String,
    order: u64,
}

#[derive(Deserialize, JsonSchema)]
struct Unlinear(
    #[expect(dead_code, reason = "nobody gets this far")]
    #[schemars(regex(pattern = "^(?=a)b$"))]
    String,
);

fn routes() -> Router {
    let order = |Valid(Json(order)): Valid<Json<NewOrder>>| async move {
        let skus: Vec<String> = order.lines.into_iter().map(|line| line.sku.0).collect();
        let pay = if let Pay::Card { last4 } = order.pay { last4 } else { "cash".to_owned() };
        format!("{} {} {} {pay} {}", order.count, order.name, skus.join(","), order.site.is_some())
    };
    let form = |Valid(Form(page)): Valid<Form<Page>>| async move { format!("{page:?}") };
    let list = |Valid(Query(page)): Valid<Query<Page>>| async move { format!("{:?} {:?}", page.limit, page.tag) };
    let one = |Valid(Path(place)): Valid<Path<Place>>| async move { format!("{} {}", place.user, place.order) };
    let number = |Valid(Path(number)): Valid<Path<u16>>| async move { number.to_string() };
    let own = || async { Err::<(), _>(Refusal::from(Denial::new(DenialCode::ObjectForbidden, StageId::Forward))) };
    Router::new()
        .route("/orders", get(list).post(order))
        .route("/form", post(form))
        .route("/users/{user}/orders/{order}", get(one))
        .route("/numbers/{n}", get(number))
        .route("/own", get(own))
        .route("/unlinear", post(|_: Valid<Json<Unlinear>>| async {}))
}

const ORDER: &str = "POST /orders\nhost: a\ncontent-type: application/json\n\n";

/// Requests, and the code and places of their refusals.
const REFUSED: &[(&str, &str, &str, &[&str])] = &[
    (ORDER, "", "payload-invalid", &["/body"]),
    (ORDER, "{", "payload-invalid", &["/body"]),
    (ORDER, "[]", "payload-invalid", &["/body"]),
    (ORDER, r#"{"name":"","count":0}"#, "payload-invalid", &["/body/name", "/body/count"]),
    (
        ORDER,
        r#"{"count":"marker","is_admin":true}"#,
        "payload-invalid",
        &["/body/name", "/body/count", "/body/is_admin"],
    ),
    (ORDER, r#"{"name":"a","name":"b","count":1}"#, "payload-invalid", &["/body/name"]),
    (ORDER, r#"{"name":"a","count":4294967296}"#, "payload-invalid", &["/body/count"]),
    // An integer to JSON Schema, and not to the type.
    (ORDER, r#"{"name":"a","count":1.0}"#, "payload-invalid", &["/body/count"]),
    (
        ORDER,
        r#"{"name":"a","count":1,"lines":[{"sku":"S1"},{"sku":"marker"}]}"#,
        "payload-invalid",
        &["/body/lines/1/sku"],
    ),
    (ORDER, r#"{"name":"a","count":1,"lines":[{"sku":"S1","price":0}]}"#, "payload-invalid", &["/body/lines/0/price"]),
    (ORDER, r#"{"name":"a","count":1,"pay":{"by":"Cash","last4":"1"}}"#, "payload-invalid", &["/body/pay/last4"]),
    (ORDER, r#"{"name":"a","count":1,"site":"http://169.254.169.254/"}"#, "destination-forbidden", &["/body/site"]),
    ("POST /orders\nhost: a\n\n", "{}", "media-type-undeclared", &["/body"]),
    ("POST /orders\nhost: a\ncontent-type: text/plain\n\n", "{}", "media-type-undeclared", &["/body"]),
    ("POST /form\nhost: a\ncontent-type: application/json\n\n", "{}", "media-type-undeclared", &["/body"]),
    (
        "POST /form\nhost: a\ncontent-type: application/x-www-form-urlencoded\n\n",
        "limit=256",
        "payload-invalid",
        &["/body/limit"],
    ),
    ("GET /orders?limit=x&debug=marker\nhost: a", "", "parameter-invalid", &["/query/limit", "/query/debug"]),
    ("GET /orders?limit=1&limit=2\nhost: a", "", "parameter-invalid", &["/query/limit"]),
    ("GET /users/u/orders/-1\nhost: a", "", "parameter-invalid", &["/path/order"]),
    ("GET /numbers/65536\nhost: a", "", "parameter-invalid", &["/path/n"]),
    ("GET /own\nhost: a", "", "object-forbidden", &[]),
    ("POST /unlinear\nhost: a\ncontent-type: application/json\n\n", r#""b""#, "internal", &[]),
];

const ACCEPTED: &[(&str, &str, &str)] = &[
    (
        ORDER,
        r#"{"name":"pears","count":2,"lines":[{"sku":"S1"}],"pay":{"by":"Card","last4":"1234"},"site":"https://example.com/"}"#,
        "2 pears S1 1234 true",
    ),
    ("GET /orders?limit=5&tag=a&tag=b\nhost: a", "", r#"Some(5) ["a", "b"]"#),
    ("GET /orders\nhost: a", "", "None []"),
    ("GET /users/a%20b/orders/7\nhost: a", "", "a b 7"),
    ("GET /numbers/65535\nhost: a", "", "65535"),
    (
        "POST /form\nhost: a\ncontent-type: application/x-www-form-urlencoded\n\n",
        "limit=5&tag=x",
        r#"Page { limit: Some(5), tag: ["x"] }"#,
    ),
];

fn places(answer: &Answer) -> Vec<String> {
    let problem: Value = serde_json::from_str(&answer.text).unwrap();
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    let mut places: Vec<String> = errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect();
    places.sort();
    places
}

fn sorted(places: &[&str]) -> Vec<String> {
    let mut places: Vec<String> = places.iter().map(|&place| place.to_owned()).collect();
    places.sort();
    places
}

#[tokio::test]
async fn behind_a_chain_a_refusal_is_like_that_of_a_stage() {
    let stand = Stand::new();
    let app = stand.preset().protect(routes(), &stand.world).unwrap();
    let signed = |head: &str| head.replace("host: a", "host: a\nauthorization: Bearer $TOKEN");
    for (head, body, slug, expect) in REFUSED {
        let answer = ask(&app, stand.request(&format!("{}{body}", signed(head)))).await;
        let code = *DenialCode::ALL.iter().find(|code| code.slug() == *slug).unwrap();
        assert_refused(&answer, stand.kept.take(), code);
        assert_eq!(places(&answer), sorted(expect), "{head}{body}");
        assert!(!answer.text.contains("marker"), "a value is not repeated: {answer:?}");
    }
    for (head, body, expect) in ACCEPTED {
        let answer = ask(&app, stand.request(&format!("{}{body}", signed(head)))).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, *expect), "{head}");
    }
}

#[tokio::test]
async fn without_a_chain_the_problem_is_the_same() {
    for (head, body, slug, expect) in REFUSED {
        let answer = ask(&routes(), parse(&format!("{head}{body}"))).await;
        let code = *DenialCode::ALL.iter().find(|code| code.slug() == *slug).unwrap();
        assert_eq!(answer.code().as_deref(), Some(code.public().slug()), "{head}{body}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert!(answer.text.contains(r#""request_id":"-""#), "{answer:?}");
        assert_eq!(places(&answer), sorted(expect), "{head}{body}");
    }
    for (head, body, expect) in ACCEPTED {
        assert_eq!(ask(&routes(), parse(&format!("{head}{body}"))).await.text, *expect, "{head}");
    }
}

#[tokio::test]
async fn a_body_is_bounded_with_and_without_a_chain() {
    let stand = Stand::new();
    let app = stand.preset().public("POST /orders").protect(routes(), &stand.world).unwrap();
    let long = format!("{ORDER}{{\"name\":\"{}\",\"count\":1}}", "a".repeat(1 << 20));
    let answer = ask(&routes(), parse(&long)).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_deref()), (413, Some("body-too-large")));
    assert_refused(&ask(&app, parse(&long)).await, stand.kept.take(), DenialCode::BodyTooLarge);
}

/// What a caller reads answers as is asked of the request, chain or not.
#[tokio::test]
async fn a_person_gets_a_page() {
    let answer = ask(&routes(), parse("GET /numbers/x\nhost: a\naccept: text/html")).await;
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
}

/// A single layer dresses the refusal like any answer, and passes it on to the chain outside.
#[tokio::test]
async fn a_layer_between_keeps_the_refusal() {
    let layered = routes().layer(palisade::stage::StageLayer::new(palisade::stage::finish::Finish::default()));
    let answer = ask(&layered, parse("GET /numbers/x\nhost: a")).await;
    assert_eq!(answer.code().as_deref(), Some("parameter-invalid"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let stand = Stand::new();
    let app = stand.preset().public("GET /numbers/{n}").protect(layered, &stand.world).unwrap();
    let answer = ask(&app, parse("GET /numbers/x\nhost: a")).await;
    assert_refused(&answer, stand.kept.take(), DenialCode::ParameterInvalid);
}

#[test]
fn a_type_is_prepared_or_says_why_not() {
    prepare::<NewOrder>().unwrap();
    prepare::<Page>().unwrap();
    let error = prepare::<Unlinear>().unwrap_err();
    assert_eq!(error.diagnostics().len(), 1);
    assert!(
        error.to_string().starts_with("the rules of `it::valid::Unlinear` cannot be enforced: the pattern"),
        "{error}"
    );
    assert_eq!(json!(error.diagnostics()[0].code()), "pattern-unsupported");
}

#[tokio::test]
async fn requests_in_parallel_compile_a_type_once_and_all_are_served() {
    let ask = || async { ask(&routes(), parse("GET /orders?limit=5\nhost: a")).await.status.as_u16() };
    let all = futures_util::future::join_all((0..50).map(|_| ask())).await;
    assert!(all.iter().all(|status| *status == 200));
}
