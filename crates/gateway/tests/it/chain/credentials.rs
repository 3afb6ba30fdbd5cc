//! Who may ask: each kind of credential is accepted once, and every way of not being one is refused.

use palisade_core::denial::DenialCode::{self, *};

use super::harness::{POLICY, Site, shop, with_route};
use super::tokens::SECOND_ISSUER;

/// The usual policy with a shared secret in place of the key set.
fn shared_secret() -> String {
    POLICY.replace("jwks = \"file:jwks.json\"", "secret = \"file:shared.key\"")
}

/// The usual policy with the verification left to the backend.
fn left_to_the_backend() -> String {
    POLICY.replace("[\"bearer.main\", \"keys.partners\"]", "\"backend\"")
}

#[tokio::test]
async fn each_kind_is_accepted_and_ends_here() {
    for (policy, credential, subject) in [
        (POLICY.to_owned(), "authorization: Bearer ${alice}", "alice"),
        (POLICY.to_owned(), "authorization: bearer ${edwards}", "alice"),
        (shared_secret(), "authorization: Bearer ${shared}", "alice"),
        (POLICY.to_owned(), "x-api-key: ${key}", "reports"),
    ] {
        let upstream = shop().await;
        let site = Site::start(&policy, &upstream.url()).await;
        let answer = site.ask(&format!("GET /items/1\n{credential}")).await;
        assert_eq!(answer.status, 200, "{credential}: {answer:?}");
        let received = upstream.received();
        let headers = received[0].headers();
        assert_eq!(headers["palisade-subject"], subject);
        assert!(!headers.contains_key("authorization") && !headers.contains_key("x-api-key"), "{headers:?}");
        let log = site.finish().await;
        let (security, access) = log.of(answer.header("x-request-id"));
        assert_eq!(security.len(), 0, "{security:?}");
        assert!(access["who"].as_str().unwrap().ends_with(subject), "{access}");
    }
}

/// The usual policy with a second issuer on the same route, which signs with another key.
fn two_issuers() -> String {
    let second =
        format!("[bearer.partners]\nissuer = \"{SECOND_ISSUER}\"\naudience = \"shop\"\nsecret = \"file:shared.key\"\n");
    let both = "[\"bearer.main\", \"bearer.partners\", \"keys.partners\"]";
    format!("{}{second}", POLICY.replace("[\"bearer.main\", \"keys.partners\"]", both))
}

#[tokio::test]
async fn each_of_two_issuers_is_checked_with_its_own_keys() {
    let upstream = shop().await;
    let site = Site::start(&two_issuers(), &upstream.url()).await;
    for credential in [
        "authorization: Bearer ${alice}",
        "authorization: Bearer ${second issuer}",
        "authorization: Bearer ${alice}",
        "x-api-key: ${key}",
    ] {
        let answer = site.ask(&format!("GET /items/1\n{credential}")).await;
        assert_eq!(answer.status, 200, "{credential}: {answer:?}");
    }
    site.finish().await;
    let invalid = |name: &str| (format!("authorization: Bearer ${{{name}}}"), CredentialInvalid);
    let mut table: Vec<(String, DenialCode)> = [
        "second issuer by the first",
        "first issuer by the second",
        "issuer that is a list",
        "other issuer",
        "foreign",
        "expired",
        "other audience",
        "none",
        "public key as secret",
        "cut",
    ]
    .map(invalid)
    .into();
    table.push(("authorization: Bearer x".to_owned(), CredentialInvalid));
    table.push(("authorization: Bearer ".to_owned(), CredentialInvalid));
    table.push(("authorization: ${alice}".to_owned(), CredentialInvalid));
    table.push(("authorization: Bearer ${alice}\nx-api-key: ${key}".to_owned(), CredentialAmbiguous));
    let table: Vec<(&str, DenialCode)> = table.iter().map(|(headers, code)| (headers.as_str(), *code)).collect();
    check(&two_issuers(), &table).await;
}

#[tokio::test]
async fn what_is_not_valid_is_never_anonymous() {
    check(
        POLICY,
        &[
            ("authorization: Bearer ${none}", CredentialInvalid),
            ("authorization: Bearer ${public key as secret}", CredentialInvalid),
            ("authorization: Bearer ${foreign}", CredentialInvalid),
            ("authorization: Bearer ${shared}", CredentialInvalid),
            ("authorization: Bearer ${expired}", CredentialInvalid),
            ("authorization: Bearer ${early}", CredentialInvalid),
            ("authorization: Bearer ${other audience}", CredentialInvalid),
            ("authorization: Bearer ${other issuer}", CredentialInvalid),
            ("authorization: Bearer ${identity token}", CredentialInvalid),
            ("authorization: Bearer ${cut}", CredentialInvalid),
            ("authorization: Bearer ", CredentialInvalid),
            ("authorization: Bearer", CredentialInvalid),
            ("authorization: ", CredentialInvalid),
            ("authorization: ${alice}", CredentialInvalid),
            ("authorization: Basic YWxpY2U6YWxpY2U=", CredentialInvalid),
            ("authorization: Token ${alice}", CredentialInvalid),
            ("x-api-key: ${key}x", CredentialInvalid),
            ("x-api-key: ", CredentialInvalid),
            ("x-api-key: ${alice}", CredentialInvalid),
            ("x-api-key: ${key}\nx-api-key: ${key}", CredentialAmbiguous),
            ("authorization: Bearer ${expired}\nx-api-key: ${key}", CredentialAmbiguous),
            ("cookie: token=${alice}", CredentialMissing),
            ("accept: */*", CredentialMissing),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_backend_that_verifies_gets_only_requests_with_a_credential() {
    check(
        &left_to_the_backend(),
        &[
            ("accept: */*", CredentialMissing),
            ("authorization: Bearer x\nx-api-key: y\nauthorization: Bearer z", HeaderForbidden),
        ],
    )
    .await;
}

/// That each of these headers is refused on an operation that needs a credential; a credential that is not valid also
/// where everyone may ask.
async fn check(policy: &str, table: &[(&str, DenialCode)]) {
    let upstream = shop().await;
    let site = Site::start(policy, &upstream.url()).await;
    let mut answers = Vec::new();
    for (headers, code) in table {
        answers.push((site.ask(&format!("GET /items/1\n{headers}")).await, *code));
        if *code != CredentialMissing {
            answers.push((site.ask(&format!("GET /items\n{headers}")).await, *code));
        }
    }
    assert_eq!(upstream.received().len(), 0, "nothing refused reached the backend");
    let log = site.finish().await;
    for (answer, code) in &answers {
        let evidence = log.assert_refused(answer, *code);
        let challenged = *code == CredentialMissing || *code == CredentialInvalid;
        assert_eq!(!answer.header("www-authenticate").is_empty(), challenged, "{evidence}: {answer:?}");
    }
    let written: String = log.0.iter().map(ToString::to_string).collect();
    assert!(!written.contains("eyJ") && !written.contains("k-0123"), "the log holds a credential");
}

#[tokio::test]
async fn a_backend_that_verifies_hears_the_credential_and_no_claims() {
    let upstream = shop().await;
    let site = Site::start(&left_to_the_backend(), &upstream.url()).await;
    for credential in ["authorization: Basic eDp5", "x-api-key: anything", "cookie: session=1"] {
        let answer = site.ask(&format!("GET /items/1\n{credential}\npalisade-subject: root")).await;
        assert_eq!(answer.status, 200, "{credential}: {answer:?}");
        let received = upstream.received();
        let headers = received.last().unwrap().headers();
        let (name, value) = credential.split_once(": ").unwrap();
        assert_eq!(headers[name], value, "the backend verifies it");
        assert!(!headers.contains_key("palisade-subject"), "{headers:?}");
    }
    // Who is unknown here owns nothing, has no role and no scope.
    let mut refused = Vec::new();
    for (request, code) in [
        ("GET /users/alice/orders", ObjectForbidden),
        ("DELETE /items/1", RoleInsufficient),
        ("GET /reports", ScopeInsufficient),
        ("POST /transfers", AssuranceInsufficient),
    ] {
        refused.push((site.ask(&format!("{request}\nauthorization: Bearer x")).await, code));
    }
    let log = site.finish().await;
    for (answer, code) in &refused {
        log.assert_refused(answer, *code);
    }
}

#[tokio::test]
async fn the_rules_of_the_contract_let_the_right_ones_through() {
    let upstream = shop().await;
    let policy = with_route("") + "[roles]\nroot = [\"admin\"]\n";
    let site = Site::start(&policy, &upstream.url()).await;
    for (request, who, status) in [
        ("GET /reports", "authorization: Bearer ${reader}", 204),
        ("GET /reports", "x-api-key: ${key}", 204),
        ("DELETE /items/1", "authorization: Bearer ${admin}", 204),
        ("POST /transfers", "authorization: Bearer ${strong}", 204),
        ("GET /users/alice/orders", "authorization: Bearer ${alice}", 204),
        ("GET /orders/7", "authorization: Bearer ${alice}", 200),
        ("GET /orders/7\nx-play: bob", "authorization: Bearer ${support}", 200),
    ] {
        let answer = site.ask(&format!("{request}\n{who}")).await;
        assert_eq!(answer.status, status, "{request} {who}: {answer:?}");
    }
    let log = site.finish().await;
    assert!(log.0.iter().all(|event| event["kind"] == "access"), "{:?}", log.0);
}

#[tokio::test]
async fn an_operation_that_the_policy_declares_public_needs_no_credential() {
    let upstream = shop().await;
    let site = Site::start(&with_route("public = [\"getItem\"]"), &upstream.url()).await;
    assert_eq!(site.ask("GET /items/1").await.status, 200);
    let refused = site.ask("DELETE /items/1").await;
    let log = site.finish().await;
    log.assert_refused(&refused, CredentialMissing);
}
