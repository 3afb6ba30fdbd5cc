//! A token that was taken back, at every gateway that reads the same store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade::token::revocation_feed::RevocationFeed;
use palisade_core::denial::DenialCode;
use palisade_core::port::Clock as _;
use palisade_core::port::revocation::{Revoked, What};
use palisade_core::time::Timestamp;
use palisade_gateway::tokens::{Revoker, Until};
use palisade_store::Place;
use palisade_store::clock::SystemClock;
use palisade_store::records::Records;
use palisade_testkit::clock::TestClock;
use palisade_testkit::dir::TempDir;
use palisade_testkit::server::Postgres;

use super::harness::{Site, shop, with_sections};
use super::wire;

const ISSUER: &str = "https://id.example.com";
/// Alice on a phone, in the session `s-1`, and elsewhere.
const PHONE: &str = "GET /items/1\nauthorization: Bearer ${phone}";
const ALICE: &str = "GET /items/1\nauthorization: Bearer ${alice}";
const HOUR: Duration = Duration::from_secs(3600);

async fn statuses(sites: &[Site; 2], request: &str) -> [u16; 2] {
    [sites[0].ask(request).await.status.as_u16(), sites[1].ask(request).await.status.as_u16()]
}

/// Two gateways read `sections`; what is revoked at `url` is refused by both, and what is not is taken.
async fn two_gateways_hear(url: &str, sections: &str) {
    let upstream = shop().await;
    let policy = with_sections(sections);
    let start = async || Site::start(&policy, &upstream.url()).await;
    let sites = [start().await, start().await];
    assert_eq!((statuses(&sites, PHONE).await, statuses(&sites, ALICE).await), ([200; 2], [200; 2]));
    let revoker = Revoker::open(url, ISSUER).await.unwrap();
    revoker.revoke(What::Session("s-1".into()), Until::Lifetime(HOUR)).await.unwrap();
    let begun = Instant::now();
    while statuses(&sites, PHONE).await != [401; 2] {
        assert!(begun.elapsed() < Duration::from_secs(20), "the token is still taken");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(statuses(&sites, ALICE).await, [200; 2]);
    // A gateway that begins later has heard of it before it takes the first request, and so has one that has reloaded.
    let late = start().await;
    assert_eq!(late.ask(PHONE).await.status, 401);
    sites[0].reloader.reload().await.unwrap();
    assert_eq!(statuses(&sites, PHONE).await, [401; 2]);
    let refused = late.ask(PHONE).await;
    late.finish().await.assert_refused(&refused, DenialCode::CredentialInvalid);
    for site in sites {
        site.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_token_that_was_revoked_in_a_file_is_refused_by_every_gateway() {
    let dir = TempDir::new();
    let url = format!("sqlite:{}", dir.path().join("records.db").display());
    two_gateways_hear(&url, &format!("[store.revocations]\nurl = \"{url}\"\n")).await;
}

/// One process: its own connections to the store, and its own list. A machine that is busy may need some time to connect.
async fn process(url: &str, clock: &TestClock) -> RevocationFeed {
    let (begun, place) = (Instant::now(), Place { patience: Duration::from_secs(5), ..Place::new(url) });
    let records = loop {
        match Records::open(&place).await {
            Ok(records) => break records,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(20), "{error}"),
        }
    };
    RevocationFeed::new(records.revocations, Arc::default(), Arc::new(clock.clone()))
}

fn revoked(name: &str, clock: &TestClock) -> Revoked {
    let (at, until) = (clock.now(), clock.now().plus(HOUR));
    Revoked { issuer: ISSUER.into(), what: What::Session(name.into()), at, until }
}

/// What one process revokes is in force in the other after it has read once.
async fn two_processes_agree(url: &str, clock: &TestClock) -> (RevocationFeed, RevocationFeed) {
    let (here, there) = (process(url, clock).await, process(url, clock).await);
    here.revoke(&revoked("s-1", clock)).await.unwrap();
    assert_eq!((here.revocations().len(), there.revocations().len()), (1, 0));
    assert_eq!(there.catch_up().await.unwrap(), 1);
    there.revoke(&revoked("s-2", clock)).await.unwrap();
    assert_eq!(here.catch_up().await.unwrap(), 2, "its own, and the other's");
    assert_eq!((here.revocations().len(), there.revocations().len()), (2, 2));
    (here, there)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_with_one_database_revoke_the_same_and_an_outage_loses_nothing() {
    let (mut server, clock) = (Postgres::start(), TestClock::default());
    let url = server.url();
    let (here, there) = two_processes_agree(&url, &clock).await;
    server.kill();
    clock.advance(Duration::from_secs(30));
    assert!(there.catch_up().await.is_err());
    assert_eq!(there.behind(clock.now()), Duration::from_secs(30));
    assert!(here.revoke(&revoked("lost", &clock)).await.is_err(), "whoever revokes is told");
    assert_eq!((here.revocations().len(), there.revocations().len()), (3, 2), "what is known holds");
    server.restart();
    let begun = Instant::now();
    while let Err(error) = here.revoke(&revoked("s-3", &clock)).await {
        assert!(begun.elapsed() < Duration::from_secs(20), "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The second time is the same to everybody; a connection that broke may have to be opened anew.
    while let Err(error) = there.catch_up().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((there.revocations().len(), there.behind(clock.now())), (3, Duration::ZERO));
    assert_eq!(process(&url, &clock).await.catch_up().await.unwrap(), 3, "whoever begins later knows everything");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_with_one_file_revoke_the_same() {
    let (dir, clock) = (TempDir::new(), TestClock::default());
    two_processes_agree(&format!("sqlite:{}", dir.path().join("records.db").display()), &clock).await;
}

#[tokio::test]
async fn a_revocation_that_nobody_would_read_is_refused() {
    let dir = TempDir::new();
    let missing = format!("sqlite:{}", dir.path().join("records.db").display());
    for url in ["memory:", missing.as_str(), "redis://127.0.0.1:1/0"] {
        assert!(Revoker::open(url, ISSUER).await.is_err(), "{url}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "and makes no file");
    dir.write("records.db", "");
    let revoker = Revoker::open(&missing, ISSUER).await.unwrap();
    for over in [Timestamp::from_secs(300), SystemClock.now()] {
        assert!(revoker.revoke(What::Token("j-1".into()), Until::Expiry(over)).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn operators_see_how_far_behind_a_gateway_is() {
    let (mut server, upstream, dir) = (Postgres::start(), shop().await, TempDir::new());
    let password = dir.write("store.password", Postgres::PASSWORD);
    let sections = format!(
        "[admin]\naddress = \"127.0.0.1:0\"\n[store]\ntimeout = \"1s\"\n[store.revocations]\nurl = \"{}\"\nuser = \"{}\"\npassword = \"file:{}\"\n",
        server.bare_url(),
        Postgres::USER,
        password.display()
    );
    let site = Site::start(&with_sections(&sections), &upstream.url()).await;
    let admin = site.admin.as_ref().unwrap().parse().unwrap();
    let behind = async || {
        let numbers = wire::exchange(admin, &wire::request("GET /metrics\nhost: 127.0.0.1")).await.unwrap();
        let text = numbers.text().to_owned();
        let line = text.lines().find_map(|line| line.strip_prefix("palisade_revocations_behind_seconds "));
        line.unwrap_or_else(|| panic!("{text}")).parse::<u64>().unwrap()
    };
    assert!(behind().await < 5);
    server.kill();
    let begun = Instant::now();
    while behind().await < 8 {
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody sees that the database is gone");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    server.restart();
    while behind().await >= 2 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not catch up");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // The end is told within a second or, on a machine that has much to do, some more.
    let file = site.dir.path().join("events.jsonl");
    while std::fs::read_to_string(&file).unwrap_or_default().matches("\"revocations_behind\"").count() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(90), "the end is not told");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let log = site.finish().await;
    let told: Vec<_> = log.0.iter().filter(|event| event["kind"] == "revocations_behind").collect();
    let [began, ended] = &told[..] else { panic!("{told:?}") };
    assert_eq!((&began["outcome"]["task"], &ended["outcome"]["task"]), (&"failed".into(), &"done".into()));
    let seconds =
        |event: &serde_json::Value| event["evidence"]["behind_seconds"].as_str().unwrap().parse::<u64>().unwrap();
    assert!(seconds(began) >= 5 && seconds(ended) >= seconds(began), "{told:?}");
}
