//! Who may read, what a preflight is, and what never leaves.

use super::*;
use crate::testing::{assert_stage, head, stop};

fn cors(origins: Readers) -> Cors {
    let settings = CorsSettings {
        origins,
        methods: vec![Method::DELETE],
        headers: vec![http::header::AUTHORIZATION],
        ..CorsSettings::default()
    };
    Cors::new(PerRoute::same(settings))
}

fn app() -> Vec<Origin> {
    vec![Origin::parse("https://app.example.com").unwrap()]
}

/// The stop, if any, and the response headers of a request.
fn outcome(cors: &Cors, request: &str) -> (Option<Stop>, HeaderMap) {
    let mut head = head(request);
    let stopped = stop(cors, &mut head);
    let mut headers = HeaderMap::new();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("https://backend.example"));
    head.plan.apply(&mut headers);
    (stopped, headers)
}

#[test]
fn only_listed_origins_can_read() {
    for (readers, origin, expect) in [
        (Readers::Nobody, "https://app.example.com", None),
        (Readers::Listed(app()), "https://app.example.com", Some("https://app.example.com")),
        (Readers::Listed(app()), "https://app.example.com.evil.example", None),
        (Readers::Listed(app()), "https://evil-app.example.com", None),
        (Readers::Listed(app()), "http://app.example.com", None),
        (Readers::Credentialed(app()), "null", None),
        (Readers::Anyone, "https://evil.example", Some("*")),
    ] {
        let (stopped, headers) = outcome(&cors(readers), &format!("GET /\norigin: {origin}"));
        assert!(stopped.is_none());
        assert_eq!(headers.get(ACCESS_CONTROL_ALLOW_ORIGIN).map(|v| v.to_str().unwrap()), expect, "{origin}");
    }
}

#[test]
fn cve_2026_54290_an_unlisted_origin_is_not_reflected_with_credentials() {
    let (_, headers) = outcome(&cors(Readers::Credentialed(app())), "GET /\norigin: https://evil.example");
    assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
    let (_, headers) = outcome(&cors(Readers::Anyone), "GET /\norigin: https://evil.example");
    assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
}

#[test]
fn answers_preflights_and_only_those() {
    let cors = cors(Readers::Listed(app()));
    let ask = |rest: &str| outcome(&cors, &format!("OPTIONS /\norigin: https://app.example.com{rest}")).0;
    assert!(matches!(ask("\naccess-control-request-method: DELETE"), Some(Stop::Answer(Answer::Preflight))));
    assert!(ask("").is_none(), "an OPTIONS request that is no preflight goes on");
    for refused in [
        "\naccess-control-request-method: PUT",
        "\naccess-control-request-method: delete",
        "\naccess-control-request-method: GET\naccess-control-request-headers: authorization, x-admin",
    ] {
        let Some(Stop::Deny(denial)) = ask(refused) else { panic!("{refused} was not refused") };
        assert_eq!(denial.code(), DenialCode::PreflightRefused);
    }
}

#[test]
fn varies_by_origin_also_when_refused() {
    let (_, headers) = outcome(&cors(Readers::Listed(app())), "GET /");
    assert_eq!(headers[http::header::VARY], "origin");
}

#[test]
fn behaves_as_a_stage() {
    assert_stage(&Cors::default());
}

#[test]
fn subdomains_read_without_credentials() {
    let parents = vec![ParentDomain::parse("https://*.example.com").unwrap()];
    let cors = cors(Readers::Subdomains(parents, vec![Origin::parse("https://partner.example").unwrap()]));
    for (origin, allowed) in [
        ("https://a.example.com", true),
        ("https://partner.example", true),
        ("https://example.com", false),
        ("https://evilexample.com", false),
        ("http://a.example.com", false),
        ("null", false),
    ] {
        let (_, headers) = outcome(&cors, &format!("GET /\norigin: {origin}"));
        let found = headers.get(ACCESS_CONTROL_ALLOW_ORIGIN).map(|value| value.to_str().unwrap());
        assert_eq!(found, allowed.then_some(origin), "{origin}");
        assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
        assert_eq!(headers[http::header::VARY], "origin");
    }
}

#[test]
fn a_refusal_lets_nobody_read() {
    let cors = cors(Readers::Credentialed(app()));
    for request in [
        "OPTIONS /\norigin: https://evil.example\naccess-control-request-method: GET",
        "OPTIONS /\norigin: https://app.example.com\naccess-control-request-method: PUT",
        "OPTIONS /\norigin: https://app.example.com\norigin: https://app.example.com\naccess-control-request-method: GET",
        "OPTIONS /\norigin: https://app.example.com\naccess-control-request-method: GET\n\
         access-control-request-headers: authorization\naccess-control-request-headers: x-admin",
    ] {
        let (stopped, headers) = outcome(&cors, request);
        assert!(matches!(stopped, Some(Stop::Deny(_))), "{request}");
        assert!(headers.keys().all(|name| !name.as_str().starts_with("access-control-")), "{request}: {headers:?}");
        assert_eq!(headers.get_all(http::header::VARY).iter().count(), 3, "{request}");
    }
}

#[test]
fn ghsa_q7jf_gf43_6x6p_a_request_does_not_choose_what_the_answer_varies_by() {
    let (_, headers) =
        outcome(&cors(Readers::Listed(app())), "GET /\norigin: https://app.example.com\nvary: x-evil, *");
    assert_eq!(headers.get_all(http::header::VARY).iter().collect::<Vec<_>>(), ["origin"]);
}

#[test]
fn cve_2026_69207_a_long_list_of_headers_is_read_once() {
    let spaces = " ".repeat(60_000);
    let request = format!(
        "OPTIONS /\norigin: https://app.example.com\naccess-control-request-method: GET\n\
         access-control-request-headers: authorization,{spaces},,{spaces}x"
    );
    let started = std::time::Instant::now();
    assert!(matches!(outcome(&cors(Readers::Listed(app())), &request).0, Some(Stop::Deny(_))));
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[test]
fn what_a_backend_allows_is_taken_away() {
    for name in &ALLOWING {
        let mut head = head("GET /\norigin: https://evil.example");
        assert!(stop(&Cors::default(), &mut head).is_none());
        let mut headers = HeaderMap::new();
        headers.insert(name.clone(), HeaderValue::from_static("*"));
        head.plan.apply(&mut headers);
        assert!(headers.is_empty(), "{name}");
    }
}

#[test]
fn pages_read_what_the_next_proof_needs() {
    let named = CorsSettings { expose: vec![WWW_AUTHENTICATE], ..CorsSettings::default() };
    assert_eq!(named.with_proofs().expose, [WWW_AUTHENTICATE, dpop::NONCE_HEADER]);
}
