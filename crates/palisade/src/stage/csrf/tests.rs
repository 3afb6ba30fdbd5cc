//! What other sites cannot make a browser do, and what tokens add.

use palisade_core::secret::Secret;

use super::*;
use crate::csrf::TokenKey;
use crate::testing::{FixedEntropy, assert_stage, head, refusal};

fn check(csrf: &Csrf, request: &str, expect: Option<DenialCode>) {
    assert_eq!(refusal(csrf, &mut head(request)), expect, "{request}");
}

const REFUSED: Option<DenialCode> = Some(DenialCode::CrossSiteRequest);

fn with(settings: CsrfSettings) -> Csrf {
    Csrf::new(PerRoute::same(settings))
}

#[test]
fn follows_the_table() {
    let csrf = Csrf::default().trusting("https://app.example.com").unwrap();
    for (request, expect) in [
        ("POST /transfer", None),
        ("POST /transfer\nauthorization: Bearer x\nsec-fetch-site: cross-site", None),
        ("GET /transfer\ncookie: s=1\nsec-fetch-site: cross-site", None),
        ("POST /transfer\ncookie: s=1\nsec-fetch-site: same-origin", None),
        ("POST /transfer\ncookie: s=1\nsec-fetch-site: none", None),
        ("POST /transfer\ncookie: s=1\nsec-fetch-site: same-site", REFUSED),
        ("POST /transfer\ncookie: s=1\nsec-fetch-site: cross-site", REFUSED),
        ("POST /transfer\ncookie: s=1\nsec-fetch-site: whatever", REFUSED),
        ("POST /transfer\ncookie: s=1\nsec-fetch-site: same-origin\nsec-fetch-site: cross-site", REFUSED),
        ("POST /transfer\nauthorization: basic eDp5\nsec-fetch-site: cross-site", REFUSED),
        ("POST /transfer\nauthorization: Bearer x\nauthorization: Negotiate x\nsec-fetch-site: cross-site", REFUSED),
        ("POST /transfer\ncookie: s=1\norigin: https://app.example.com\nsec-fetch-site: cross-site", None),
        ("POST /transfer\ncookie: s=1\norigin: https://app.example.com", None),
        ("POST /transfer\ncookie: s=1\norigin: https://app.example.com\norigin: https://evil.example", REFUSED),
        ("POST /transfer\ncookie: s=1\norigin: https://app.example.com.evil.example", REFUSED),
        ("POST /transfer\ncookie: s=1\norigin: http://app.example.com", REFUSED),
        ("POST /transfer\ncookie: s=1\norigin: null", REFUSED),
        ("POST /transfer\ncookie: s=1", REFUSED),
        ("DELETE /transfer\ncookie: s=1\nhost: a\norigin: http://a", REFUSED),
        ("QUERY /transfer\ncookie: s=1\nsec-fetch-site: cross-site", REFUSED),
    ] {
        check(&csrf, request, expect);
    }
}

#[test]
fn ghsa_2234_fmw7_43wr_a_missing_content_type_changes_nothing() {
    let csrf = Csrf::default();
    for media in ["", "\ncontent-type: ", "\ncontent-type: application/json", "\ncontent-type: text/plain"] {
        check(&csrf, &format!("POST /transfer\ncookie: s=1\norigin: https://evil.example{media}"), REFUSED);
        check(&csrf, &format!("POST /transfer\ncookie: s=1\nsec-fetch-site: cross-site{media}"), REFUSED);
    }
}

#[test]
fn both_headers_count_and_neither_excuses_the_other() {
    // In Hono's middleware either check was enough: `cross-site` passed with an allowed-looking origin.
    let csrf = Csrf::default().trusting("https://app.example.com").unwrap();
    check(&csrf, "POST /\ncookie: s=1\norigin: https://evil.example\nsec-fetch-site: cross-site", REFUSED);
    check(&csrf, "POST /\ncookie: s=1\norigin: https://a.app.example.com\nsec-fetch-site: same-site", REFUSED);
}

#[test]
fn siblings_are_other_sites_unless_declared() {
    let request = "POST /transfer\ncookie: s=1\norigin: https://b.example.com\nsec-fetch-site: same-site";
    check(&Csrf::default(), request, REFUSED);
    let trusting = with(CsrfSettings { siblings: Siblings::DangerTrusted, ..CsrfSettings::default() });
    check(&trusting, request, None);
    check(&trusting, "POST /transfer\ncookie: s=1\nsec-fetch-site: cross-site", REFUSED);
    assert_eq!(trusting.dangers().len(), 1);
}

#[test]
fn websockets_are_opened_by_trusted_pages_and_programs() {
    let csrf = Csrf::default().trusting("https://app.example.com").unwrap();
    for (rest, expect) in [
        ("cookie: s=1\nsec-fetch-site: cross-site", REFUSED),
        ("cookie: s=1\norigin: https://evil.example", REFUSED),
        ("cookie: s=1", REFUSED),
        ("origin: https://evil.example", REFUSED),
        ("authorization: Bearer x\norigin: https://evil.example", REFUSED),
        ("cookie: s=1\norigin: https://app.example.com", None),
        ("cookie: s=1\norigin: https://own.example\nsec-fetch-site: same-origin", None),
        ("authorization: Bearer x", None),
    ] {
        check(&csrf, &format!("GET /socket\nupgrade: WebSocket\n{rest}"), expect);
        check(&csrf, &format!("GET /socket\nupgrade: h2c, websocket\n{rest}"), expect);
    }
}

#[test]
fn other_sites_do_not_embed_what_a_credential_opens() {
    let csrf = Csrf::default().trusting("https://app.example.com").unwrap();
    for (rest, expect) in [
        ("sec-fetch-site: cross-site\nsec-fetch-mode: no-cors\nsec-fetch-dest: image", REFUSED),
        ("sec-fetch-site: cross-site\nsec-fetch-mode: no-cors\nsec-fetch-dest: script", REFUSED),
        ("sec-fetch-site: same-site\nsec-fetch-mode: no-cors\nsec-fetch-dest: image", REFUSED),
        ("sec-fetch-site: cross-site\nsec-fetch-mode: navigate\nsec-fetch-dest: object", REFUSED),
        ("sec-fetch-site: cross-site\nsec-fetch-mode: odd\nsec-fetch-dest: empty", REFUSED),
        ("sec-fetch-site: cross-site\nsec-fetch-mode: navigate\nsec-fetch-dest: document", None),
        ("sec-fetch-site: cross-site\nsec-fetch-mode: cors\nsec-fetch-dest: empty\norigin: https://b.example", None),
        ("sec-fetch-site: same-origin\nsec-fetch-mode: no-cors\nsec-fetch-dest: image", None),
        ("sec-fetch-site: none\nsec-fetch-mode: navigate", None),
        ("accept: */*", None),
    ] {
        check(&csrf, &format!("GET /me\ncookie: s=1\n{rest}"), expect);
        check(&csrf, &format!("GET /me\n{rest}"), None);
    }
    let open = with(CsrfSettings { embedding: Embedding::DangerAllowed, ..CsrfSettings::default() });
    check(&open, "GET /me\ncookie: s=1\nsec-fetch-site: cross-site\nsec-fetch-mode: no-cors", None);
    assert_eq!(open.dangers().len(), 1);
}

#[test]
fn signing_in_is_judged_without_a_credential() {
    let csrf = with(CsrfSettings { login: vec!["/login".into()], ..CsrfSettings::default() });
    check(&csrf, "POST /login\nsec-fetch-site: cross-site", REFUSED);
    check(&csrf, "POST /login\norigin: https://evil.example", REFUSED);
    check(&csrf, "POST /login", REFUSED);
    check(&csrf, "POST /login\nsec-fetch-site: same-origin", None);
    check(&csrf, "POST /other\nsec-fetch-site: cross-site", None);
}

#[test]
fn trusts_whole_origins_only() {
    for origin in ["null", "*", "https://app.example.com/", "app.example.com", "https://*.example.com", "file://"] {
        assert!(Csrf::default().trusting(origin).is_err(), "{origin}");
    }
}

fn rule(demand: Demand) -> (Csrf, Arc<Tokens>) {
    let key = TokenKey::new("k", &Secret::new([5; 32])).unwrap();
    let tokens = Arc::new(Tokens::new(key, Arc::new(FixedEntropy(1))));
    let rule = TokenRule { tokens: Arc::clone(&tokens), session: "__Host-sid".into(), demand };
    let login = vec!["/login".into()];
    (with(CsrfSettings { tokens: Some(rule), login, ..CsrfSettings::default() }), tokens)
}

#[test]
fn a_token_of_the_session_counts_where_browsers_say_nothing() {
    let (csrf, tokens) = rule(Demand::WithoutHeaders);
    let own = tokens.issue("a");
    let others = tokens.issue("b");
    for (rest, expect) in [
        (format!("cookie: __Host-sid=a\nx-csrf-token: {own}"), None),
        (format!("cookie: __Host-sid=a; __Host-csrf={own}"), REFUSED),
        (format!("cookie: __Host-sid=a\nx-csrf-token: {others}"), REFUSED),
        (format!("cookie: __Host-sid=a\nx-csrf-token: {own}\nx-csrf-token: {own}"), REFUSED),
        (format!("cookie: __Host-sid=a; __Host-sid=b\nx-csrf-token: {own}"), REFUSED),
        (format!("cookie: other=a\nx-csrf-token: {own}"), REFUSED),
        (format!("cookie: __Host-sid=a\nx-csrf-token: {own}\nsec-fetch-site: cross-site"), REFUSED),
        (format!("cookie: __Host-sid=a\nx-csrf-token: {own}\norigin: https://evil.example"), REFUSED),
        ("cookie: __Host-sid=a\nsec-fetch-site: same-origin".to_owned(), None),
    ] {
        check(&csrf, &format!("POST /transfer\n{rest}"), expect);
    }
}

#[test]
fn naive_double_submit_is_refused() {
    let (csrf, _) = rule(Demand::Always);
    for value in ["x", "k.AAAAAAAAAAAAAAAAAAAAAA.AAAA", ""] {
        let request = format!(
            "POST /\ncookie: __Host-sid=a; __Host-csrf={value}\nx-csrf-token: {value}\nsec-fetch-site: same-origin"
        );
        check(&csrf, &request, REFUSED);
    }
}

#[test]
fn a_token_may_be_asked_for_always() {
    let (csrf, tokens) = rule(Demand::Always);
    let request = "POST /transfer\ncookie: __Host-sid=a\nsec-fetch-site: same-origin";
    check(&csrf, request, REFUSED);
    check(&csrf, &format!("{request}\nx-csrf-token: {}", tokens.issue("a")), None);
    check(&csrf, &format!("{request}\nx-csrf-token: {}", tokens.issue("b")), REFUSED);
    check(&csrf, "POST /transfer\nauthorization: Bearer x", None);
}

/// The cookies that the answer to a request sets.
fn cookies(csrf: &Csrf, request: &str) -> Vec<String> {
    let mut head = head(request);
    assert_eq!(refusal(csrf, &mut head), None, "{request}");
    let mut headers = HeaderMap::new();
    head.plan.apply(&mut headers);
    let cookies: Vec<String> =
        headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap().to_owned()).collect();
    assert_eq!(headers.contains_key(CACHE_CONTROL), !cookies.is_empty(), "an answer with a token is not stored");
    cookies
}

#[test]
fn sessions_get_their_token_and_visitors_who_sign_in_an_id() {
    let (csrf, tokens) = rule(Demand::Always);
    let token = tokens.issue("a");
    let expect = format!("__Host-csrf={token}; Path=/; Secure; SameSite=Strict");
    assert_eq!(cookies(&csrf, "GET /\ncookie: __Host-sid=a").join("|"), expect);
    assert_eq!(cookies(&csrf, "GET /\ncookie: __Host-sid=a; __Host-csrf=planted"), [expect]);
    assert!(cookies(&csrf, &format!("GET /\ncookie: __Host-sid=a; __Host-csrf={token}")).is_empty());
    assert_eq!(
        cookies(&csrf, &format!("GET /\ncookie: __Host-sid=b; __Host-csrf={token}")).len(),
        1,
        "after signing in"
    );
    assert!(cookies(&csrf, "GET /").is_empty());

    let visit = cookies(&csrf, "GET /login");
    let [visitor, token] = &visit[..] else { panic!("{visit:?}") };
    let value = |cookie: &str| cookie.split(['=', ';']).nth(1).unwrap().to_owned();
    assert!(visitor.starts_with("__Host-visitor=") && visitor.contains("HttpOnly"));
    let (visitor, token) = (value(visitor), value(token));
    let sign_in = format!("POST /login\ncookie: __Host-visitor={visitor}\nsec-fetch-site: same-origin");
    check(&csrf, &sign_in, REFUSED);
    check(&csrf, &format!("{sign_in}\nx-csrf-token: {token}"), None);
}

#[test]
fn behaves_as_a_stage() {
    assert_stage(&Csrf::default());
    assert_stage(&rule(Demand::Always).0);
}
