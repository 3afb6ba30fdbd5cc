//! Small services in the styles of other people, without a word for us in their contracts: started broken and fixed.
//!
//! They are programs of their own in `tests/targets`, which need nothing but Python or Node.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use http::Method;
use palisade_core::diagnostic::Source;
use palisade_review::{
    Confidence, Grant, Identity, Login, LoginPayload, LoginRequest, Mode, PartPlace, Plan, Report, Target, TokenSource,
    run,
};
use serde_json::{Value, json};

/// A running service. It ends when its standard input does.
pub(crate) struct Stranger {
    child: Child,
    port: u16,
}

impl Stranger {
    pub(crate) fn start(program: &str, file: &str, build: &str) -> Self {
        Self::start_with(program, file, &[build])
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn start_with(program: &str, file: &str, arguments: &[&str]) -> Self {
        let path = format!("{}/tests/targets/{file}", env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(program)
            .arg(&path)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("`{program}` is needed for this test: {error}"));
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("{file} did not name its port: {line}"));
        Self { child, port }
    }

    pub(crate) async fn review(&self, contract: &Source, identities: Vec<Identity>) -> Report {
        let target = Target::new(format!("http://127.0.0.1:{}", self.port).parse().unwrap()).unwrap();
        let plan = Plan::new(contract, identities).unwrap().with_mode(Mode::Full).with_seed(7);
        run(&plan, target, &()).await.unwrap()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn contract(file: &str, text: &str) -> Source {
    Source::new(file, text)
}

/// What was proved: rule and operation.
pub(crate) fn proved(report: &Report) -> BTreeSet<(&str, &str)> {
    let proved = report.findings().filter(|finding| finding.confidence == Confidence::Proved);
    proved.map(|finding| (finding.rule, finding.operation.as_str())).collect()
}

async fn check(program: &str, file: &str, contract: &Source, identities: &[Identity], expect: &[(&str, &str)]) {
    let fixed = Stranger::start(program, file, "fixed").review(contract, identities.to_vec()).await;
    assert_eq!(proved(&fixed), BTreeSet::new(), "{file} fixed: {:#?}", fixed.findings().collect::<Vec<_>>());
    // An account that was given is there afterwards, whoever may delete accounts.
    assert_eq!(fixed.ending.locked_out, Vec::<String>::new(), "{file}");
    let broken = Stranger::start(program, file, "broken").review(contract, identities.to_vec()).await;
    let found = proved(&broken);
    let reached: Vec<_> =
        broken.operations.iter().filter(|one| !one.reached_2xx).map(|one| (&one.id, one.status)).collect();
    eprintln!("{file}: {} requests, {found:#?}, not reached {reached:?}", broken.requests);
    for one in expect {
        // Some flaws show at any operation.
        let is_found =
            found.iter().any(|(rule, operation)| *rule == one.0 && (one.1.is_empty() || *operation == one.1));
        assert!(is_found, "{file}: {one:?} is not among {found:#?}; not reached: {reached:?}");
    }
}

#[tokio::test]
async fn a_library_with_names_for_ids() {
    let login = |name: &str| {
        let body = json!({ "username": name, "password": format!("{name}-pass-9") });
        Identity::new(name, Login::json("/users/v1/login", body, "/auth_token"))
    };
    let identities = [login("mona"), login("nils"), login("root").with_role("admin")];
    let contract = contract("books.yaml", include_str!("../targets/books.yaml"));
    let expect = [
        ("account-enumerable", "POST /users/v1/login"),
        ("guessing-unbounded", "POST /users/v1/login"),
        ("object-read", "GET /books/v1/{book_title}"),
        ("property-assigned", "POST /users/v1/register"),
        ("object-written", "PUT /users/v1/{username}/email"),
        ("property-exposed", "GET /users/v1/_debug"),
        ("sql-injected", "GET /users/v1/{username}"),
        ("token-guessable", ""),
        ("verbose-error", ""),
    ];
    check("python3", "books.py", &contract, &identities, &expect).await;
}

#[tokio::test]
async fn a_shop_with_envelopes_and_uuids() {
    let login = |name: &str| {
        let body = json!({ "login": name, "password": format!("{name}-word-7") });
        Identity::new(name, Login::json("/api/session", body, "/data/token"))
    };
    let identities = [login("ada"), login("ben"), login("eve").with_role("operator")];
    let contract = contract("shop.json", include_str!("../targets/shop.json"));
    let expect = [
        ("cors-reflected", ""),
        ("function-exposed", "GET /operator/customers"),
        ("nosql-injected", "GET /makers"),
        ("object-read", "GET /carts/{cartId}"),
        ("object-read", "GET /carts/{cartId}/lines"),
        ("object-written", "DELETE /carts/{cartId}"),
        ("object-written", "PUT /carts/{cartId}"),
        ("flow-repeated", "POST /coupons/redeem"),
        ("property-assigned", "PATCH /account"),
        ("request-forged", "POST /avatar"),
        ("verbose-error", ""),
        ("version-disclosed", ""),
    ];
    check("node", "shop.mjs", &contract, &identities, &expect).await;
}

#[tokio::test]
async fn a_desk_with_keys_and_numbers() {
    let holder = |name: &str, key: &str| Identity::new(name, Login::Token(key.to_owned()));
    let identities = [holder("nora", "key-north-41"), holder("sami", "key-south-52"), holder("chia", "key-chief-63")];
    let contract = contract("tenants.yaml", include_str!("../targets/tenants.yaml"));
    let expect = [
        ("command-injected", "GET /tools/ping"),
        ("file-read", "GET /articles"),
        ("nosql-injected", "POST /tickets/find"),
        ("function-exposed", "GET /admin/staff"),
        ("function-exposed", "PUT /admin/limits"),
        ("object-read", "GET /tickets/{ticket}"),
        ("object-written", "PUT /tickets/{ticket}"),
        ("property-exposed", "GET /profile"),
    ];
    check("python3", "tenants.py", &contract, &identities, &expect).await;
}

#[tokio::test]
async fn a_bank_that_says_no_with_success() {
    let login = |name: &str, pin: &str| {
        let token = Grant::Token {
            from: TokenSource::Body("/result/authToken".to_owned()),
            place: PartPlace::Header,
            name: "X-Auth-Token".to_owned(),
            template: "{token}".to_owned(),
        };
        let login = LoginRequest {
            method: Method::POST,
            path: "/api/v2/sessions".to_owned(),
            headers: Vec::new(),
            payload: LoginPayload::Json(json!({ "username": name, "pin": pin })),
            grant: token,
            page: None,
        };
        Identity::new(name, Login::Request(Box::new(login)))
    };
    let identities = [login("wilma", "4711"), login("xaver", "0815"), login("yara", "2357")];
    let contract = contract("bank.yaml", include_str!("../targets/bank.yaml"));
    let expect = [
        ("amount-unchecked", "POST /transfers"),
        ("file-read", "GET /statements"),
        ("function-exposed", "GET /reports/totals"),
        ("guessing-unbounded", "POST /sessions"),
        ("object-read", "GET /accounts/{accountId}"),
        ("object-read", "GET /accounts/{accountId}/movements"),
        ("operation-undeclared", "GET /api/v1/accounts"),
        ("property-assigned", "POST /customers"),
        ("request-forged", "PUT /customers/me/picture"),
        ("sql-injected", "GET /movements/search"),
        ("sql-injected", "POST /movements/search"),
    ];
    check("python3", "bank.py", &contract, &identities, &expect).await;
}

#[test]
fn defects_of_a_contract_have_lines() {
    let text = "openapi: 3.0.0\npaths:\n  /a/{b}:\n    get: { responses: { 200: { $ref: '#/none' } } }\n";
    let nobody = Identity::new("a", Login::Token("t".to_owned()));
    let plan = Plan::new(&contract("c.yaml", text), vec![nobody]).unwrap();
    let defects: Vec<Value> =
        plan.defects().iter().map(|one| json!([one.line, one.message.split('`').nth(1)])).collect();
    assert_eq!(defects, [json!([4, "#/none"]), json!([4, "b"])]);
    assert_eq!(plan.line_of("GET /a/{b}"), Some(4));
}
