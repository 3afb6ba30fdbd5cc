//! The first policy: what it says about an API, and that it can be used as it is.

use expect_test::expect;
use palisade_core::diagnostic::Source;
use palisade_gateway::config::settings::Authenticate;
use palisade_gateway::{config, init};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");

fn contract() -> Source {
    Source::new("openapi.yaml", std::fs::read_to_string(format!("{FIXTURES}/openapi.yaml")).unwrap())
}

fn policy(contract: &Source) -> String {
    init::policy("api", "openapi.yaml", contract, "http://127.0.0.1:9000").unwrap()
}

fn parse(text: &str) -> config::Loaded {
    config::parse(&Source::new("palisade.toml", text), FIXTURES.as_ref()).unwrap()
}

#[test]
fn opens_only_what_the_contract_leaves_open() {
    let text = policy(&contract());
    expect![[r##"
        # The policy of a Palisade gateway for Orders.
        # `palisade check` reads it, `palisade run` enforces it. A # directly before a key shows the default.
        version = 1
        #preset = "public-api"

        # Where requests arrive. For other machines, add a certificate and listen on 0.0.0.0.
        [listen.main]
        address = "127.0.0.1:8080"
        # tls = { cert = "file:cert.pem", key = "file:key.pem" }

        # The backend. Nothing but the gateway should be able to reach it.
        [upstream.api]
        url = "http://127.0.0.1:9000"
        #connect_timeout = "2s"
        #failures = 5
        #pause = "10s"

        # What a valid request is. Whatever this document does not describe is refused.
        [contract.api]
        openapi = "openapi.yaml"

        [route.api]
        path = "/**"
        upstream = "api"
        contract = "api"
        # The backend goes on verifying credentials; a request without any does not reach it, unless the
        # operation is public. To verify tokens here, fill in [bearer.main] below and write:
        # authenticate = ["bearer.main"]
        authenticate = "backend"
        # The contract declares no security for these: remove a line to require a credential.
        public = [
          "listItems",
        ]
        #responses = "enforce"
        #timeout = "30s"
        #body_timeout = "10s"
        #max_body = "1MiB"
        #throttle = { requests = 100, per = "1s" }

        # The issuer of the tokens, once the gateway is to verify them.
        # [bearer.main]
        # issuer = "https://id.example.com"
        # audience = "the name of this API at the issuer"
        # jwks = "https://id.example.com/jwks"

        [limits]
        #max_uri = "8KiB"
        #max_headers = "32KiB"
        #max_concurrent = 1024

        [store]
        #url = "memory:"

        [events]
        #output = "stderr"
    "##]]
    .assert_eq(&text);
    let loaded = parse(&text);
    assert_eq!(loaded.diagnostics, []);
    let route = &loaded.settings.routes[0];
    assert_eq!(route.authenticate, Authenticate::Backend);
    let public: Vec<_> = route.public.iter().map(|id| id.as_str()).collect();
    assert_eq!(public, ["listItems"]);
}

#[test]
fn keys_that_are_switched_on_change_nothing() {
    let text = policy(&contract());
    let on: String = text
        .lines()
        .map(|line| {
            line.strip_prefix('#').filter(|key| key.starts_with(char::is_alphabetic)).unwrap_or(line).to_owned() + "\n"
        })
        .collect();
    assert!(on.contains("\ntimeout = ") && on.contains("\nthrottle = "), "{on}");
    assert_eq!(format!("{:?}", parse(&on).settings), format!("{:?}", parse(&text).settings));
}

#[test]
fn needs_no_backend_credentials_where_the_contract_knows_none() {
    let open = contract().text().replace("      security: [{ token: [] }]\n", "");
    let loaded = parse(&policy(&Source::new("openapi.yaml", open)));
    let route = &loaded.settings.routes[0];
    assert_eq!(route.authenticate, Authenticate::Gateway(vec![]));
    assert_eq!(route.public.len(), 3);
}

#[test]
fn security_of_the_document_counts() {
    let closed = contract().text().replace("paths:", "security: [{ token: [] }]\npaths:");
    assert!(parse(&policy(&Source::new("openapi.yaml", closed))).settings.routes[0].public.is_empty());
}

#[test]
fn refuses_what_could_not_be_read_back() {
    for (name, upstream, slug) in [("a.b", "http://a", "bad-name"), ("a", "a:80", "bad-url")] {
        let diagnostics = init::policy(name, "openapi.yaml", &contract(), upstream).unwrap_err();
        assert_eq!(diagnostics[0].code(), slug);
    }
    assert!(init::policy("a", "x.yaml", &Source::new("x.yaml", "{"), "http://a").is_err());
}
