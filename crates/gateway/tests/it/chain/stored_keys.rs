//! API keys of service accounts: given and taken back beside a gateway that runs, with the keys of its file beside them.

use std::time::{Duration, Instant};

use palisade_core::denial::DenialCode;
use palisade_core::id::ClientId;
use palisade_core::port::account::AccountStatus;
use palisade_gateway::service_keys::{ServiceAccount, ServiceKeys};
use palisade_store::Place;
use palisade_store::records::Records;
use palisade_testkit::dir::TempDir;
use palisade_testkit::server::Postgres;

use super::harness::{Log, POLICY, Site, shop};
use super::wire::Answer;

/// The usual policy whose route takes stored keys in the same header as its own, and the sessions of an application.
fn policy(records: &str) -> String {
    let more = "\"keys.partners\", \"api_keys.services\", \"sessions.app\"]";
    let policy = POLICY.replace("\"keys.partners\"]", more);
    format!("{policy}[api_keys.services]\nprefix = \"acme_test\"\n[sessions.app]\n[store.records]\n{records}\n")
}

/// Gives a key to an account that may read reports.
async fn give(keys: &ServiceKeys, account: &str) -> (String, String) {
    let scopes = ["reports:read"].into_iter().collect();
    let account = ServiceAccount { scopes, ..ServiceKeys::account(account) };
    let key = keys.add(&account, "acme_test", None).await.unwrap();
    (key.id().to_string(), key.expose().to_owned())
}

async fn ask(site: &Site, key: &str) -> Answer {
    site.ask(&format!("GET /reports\nx-api-key: {key}")).await
}

/// The first answer with this status: what the store has said is believed for some seconds.
async fn ask_until(site: &Site, key: &str, status: u16) -> Answer {
    let begun = Instant::now();
    loop {
        let answer = ask(site, key).await;
        if answer.status == status {
            return answer;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{answer:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn reason<'l>(log: &'l Log, answer: &Answer) -> &'l str {
    log.assert_refused(answer, DenialCode::CredentialInvalid)["reason"].as_str().unwrap()
}

/// Keys in the store at `url`, which the gateway knows as `records`.
async fn keys_come_and_go_while_the_gateway_runs(url: &str, records: &str) {
    let upstream = shop().await;
    let site = Site::start(&policy(records), &upstream.url()).await;
    let keys = ServiceKeys::open(url).await.unwrap();
    let ((id, key), (_, other)) = (give(&keys, "nightly").await, give(&keys, "weekly").await);
    for key in [&key, &other] {
        assert_eq!(ask(&site, key).await.status, 204);
    }
    let received = upstream.received();
    assert_eq!(received[0].headers()["palisade-subject"], "nightly");
    assert!(!received[0].headers().contains_key("x-api-key"));
    let typo = ask(&site, &key.replace("acme_test_", "acme_test_x")).await;
    let foreign = ask(&site, &key.replace("acme_test_", "acme_live_")).await;
    assert_eq!(site.ask("GET /reports\nx-api-key: ${key}").await.status, 204, "the key of the file");
    let (sessionless, both) = (
        site.ask("GET /reports\ncookie: __Host-session=AAAA").await,
        site.ask(&format!("GET /reports\nx-api-key: {key}\ncookie: __Host-session=AAAA")).await,
    );
    site.reloader.reload().await.unwrap();
    assert_eq!(ask(&site, &key).await.status, 204, "after a reload");
    assert!(keys.revoke(&id).await.unwrap());
    let store = Records::open(&Place::new(url)).await.unwrap().api_keys;
    store.set_status(&ClientId::new("weekly"), AccountStatus::Disabled).await.unwrap();
    let revoked = ask_until(&site, &key, 401).await;
    let disabled = ask_until(&site, &other, 401).await;
    let log = site.finish().await;
    let reasons = [&typo, &foreign, &revoked, &disabled, &sessionless].map(|answer| reason(&log, answer));
    assert_eq!(reasons, ["malformed", "unknown", "revoked", "disabled", "session_malformed"]);
    log.assert_refused(&both, DenialCode::CredentialAmbiguous);
    assert_eq!(typo.header("www-authenticate"), "ApiKey header=\"x-api-key\"");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keys_in_a_file_come_and_go_while_the_gateway_runs() {
    let dir = TempDir::new();
    let url = format!("sqlite:{}", dir.path().join("records.db").display());
    keys_come_and_go_while_the_gateway_runs(&url, &format!("url = \"{url}\"")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_its_database_the_gateway_lets_nobody_in_and_says_so() {
    let (mut server, dir, upstream) = (Postgres::start(), TempDir::new(), shop().await);
    let file = dir.write("password", Postgres::PASSWORD);
    let records = format!(
        "url = \"{}\"\nuser = \"{}\"\npassword = \"file:{}\"\n[store]\ntimeout = \"5s\"",
        server.bare_url(),
        Postgres::USER,
        file.display()
    );
    let site = Site::start(&policy(&records), &upstream.url()).await;
    let keys = ServiceKeys::open(&server.url()).await.unwrap();
    let ((_, key), (_, late)) = (give(&keys, "nightly").await, give(&keys, "weekly").await);
    assert_eq!(ask(&site, &key).await.status, 204);
    server.kill();
    let session = format!("GET /reports\ncookie: __Host-session={}", "A".repeat(43));
    let (unknown, session) = (ask(&site, &late).await, site.ask(&session).await);
    assert_eq!(site.ask("GET /reports\nx-api-key: ${key}").await.status, 204, "the key of the file needs no store");
    server.restart();
    ask_until(&site, &late, 204).await;
    let log = site.finish().await;
    for answer in [&unknown, &session] {
        log.assert_refused(answer, DenialCode::Unavailable);
        assert!(!answer.headers.contains_key("set-cookie"), "nobody loses a session for it");
    }
}
