//! Several gateways and one real store: a limit is one limit, a proof is used once, and an outage is what the rule says.

use std::time::{Duration, Instant};

use palisade_testkit::dir::TempDir;
use palisade_testkit::server::{Postgres, Valkey};
use palisade_testkit::upstream::Upstream;
use tokio::task::JoinSet;

use super::harness::{Site, shop, with_route};
use super::wire;

/// A policy whose state is in a server. The password stands in a file.
fn kept_in(url: &str, user: &str, password: &str, dir: &TempDir, route: &str, counters: &str) -> String {
    let file = dir.write("store.password", format!("{password}\n"));
    format!(
        "{}[store]\nurl = \"{url}\"\n{user}password = \"file:{}\"\ntimeout = \"10s\"\n[store.counters]\n{counters}\n",
        with_route(route),
        file.display()
    )
}

async fn pair(policy: &str, upstream: &Upstream) -> [Site; 2] {
    [Site::start(policy, &upstream.url()).await, Site::start(policy, &upstream.url()).await]
}

/// How many of the requests that are sent to both at once are granted.
async fn granted(sites: &[Site], each: usize, request: &str) -> usize {
    let mut asking = JoinSet::new();
    for site in sites {
        for _ in 0..each {
            let (address, request) = (site.address, site.request(request));
            asking.spawn(async move {
                wire::exchange(address, &request).await.is_some_and(|answer| answer.status.is_success())
            });
        }
    }
    asking.join_all().await.into_iter().filter(|granted| *granted).count()
}

const GET: &str = "GET /items";

async fn two_gateways_share(url: &str, user: &str, password: &str) {
    let (upstream, dir) = (shop().await, TempDir::new());
    for (limit, counters) in [
        ("throttle = { requests = 40, per = \"1d\" }", ""),
        ("throttle = { requests = 41, per = \"1d\", by = \"client\", algorithm = \"sliding-window\" }", ""),
        ("throttle = { requests = 42, per = \"1d\", by = \"all\" }", "mode = \"lease\"\nlease_percent = 10"),
    ] {
        let policy = kept_in(url, user, password, &dir, limit, counters);
        let sites = pair(&policy, &upstream).await;
        let expect: usize = limit.split([' ', ',']).find_map(|word| word.parse().ok()).unwrap();
        let mut sum = granted(&sites, 25, GET).await;
        // A call that fails on a busy machine makes a pause of a second, in which nothing is granted.
        let begun = Instant::now();
        while sum < expect && begun.elapsed() < Duration::from_secs(8) {
            sum += granted(&sites, 25, GET).await;
        }
        sum += granted(&sites, 25, GET).await;
        assert_eq!(sum, expect, "{limit} {counters}");
        for site in sites {
            site.finish().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_limit_in_redis_is_one_limit_for_two_gateways() {
    let server = Valkey::start();
    two_gateways_share(&server.bare_url(), "", Valkey::PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_limit_in_postgres_is_one_limit_for_two_gateways() {
    let server = Postgres::start();
    let user = format!("user = \"{}\"\n", Postgres::USER);
    two_gateways_share(&server.bare_url(), &user, Postgres::PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_proof_that_one_gateway_has_seen_is_a_replay_at_the_other() {
    let (upstream, dir, valkey, postgres) = (shop().await, TempDir::new(), Valkey::start(), Postgres::start());
    let user = format!("user = \"{}\"\n", Postgres::USER);
    for (url, user, password) in
        [(valkey.bare_url(), "", Valkey::PASSWORD), (postgres.bare_url(), user.as_str(), Postgres::PASSWORD)]
    {
        let policy = kept_in(&url, user, password, &dir, "", "");
        let bound = "audience = \"shop\"\nresource = \"https://api.example.com\"\ndpop = \"required\"\n";
        let sites = pair(&policy.replace("audience = \"shop\"\n", bound), &upstream).await;
        let (token, proof) = sites[0].tokens.bound("GET", "https://api.example.com/items/1");
        let request = format!("GET /items/1\nauthorization: DPoP {token}\ndpop: {proof}");
        assert_eq!(sites[0].ask(&request).await.status, 200, "{url}");
        assert_eq!(sites[1].ask(&request).await.status, 401, "{url}");
        for site in sites {
            site.finish().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_that_is_out_of_order_refuses_where_the_rule_says_deny() {
    outage("deny", 503, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_that_is_out_of_order_leaves_each_gateway_its_own_count_where_the_rule_says_local() {
    outage("local", 429, 40).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_that_is_out_of_order_stops_nobody_where_the_rule_says_allow() {
    outage("allow", 200, 60).await;
}

/// Two gateways with a limit of twenty, whose store is killed, or stops to answer, under load: how many of sixty requests
/// pass, which status the others get, that nobody waits for long, and that the store counts again when it is back.
async fn outage(choice: &str, status: u16, passing: usize) {
    let (upstream, dir) = (shop().await, TempDir::new());
    for is_frozen in [false, true] {
        let mut server = Valkey::start();
        let limit = format!("throttle = {{ requests = 20, per = \"1d\", on_failure = \"{choice}\" }}");
        let policy = kept_in(&server.bare_url(), "", Valkey::PASSWORD, &dir, &limit, "");
        let hurried = policy.replace("\"10s\"\n[store.counters]", "\"200ms\"\n[store.counters]");
        let sites = pair(&hurried, &upstream).await;
        assert_eq!(granted(&sites, 5, GET).await, 10);
        if is_frozen {
            server.freeze();
        } else {
            server.kill();
        }
        let mut asking = JoinSet::new();
        for site in &sites {
            for _ in 0..30 {
                let (address, request) = (site.address, site.request(GET));
                asking.spawn(async move {
                    let begun = Instant::now();
                    (wire::exchange(address, &request).await.unwrap().status, begun.elapsed())
                });
            }
        }
        let answers = asking.join_all().await;
        assert!(answers.iter().all(|(found, _)| *found == 200 || *found == status), "{choice}: {answers:?}");
        // The timeout of the store, and what sixty requests cost a busy machine.
        assert!(answers.iter().all(|(_, took)| *took < Duration::from_secs(10)), "{choice}: {answers:?}");
        let passed = answers.iter().filter(|(found, _)| *found == 200).count();
        assert_eq!(passed, passing, "{choice}, frozen: {is_frozen}");
        if is_frozen {
            server.thaw();
        } else {
            server.restart();
        }
        // After the pause of a second the store is asked again; one that was restarted has forgotten everything.
        recovers(&sites, if is_frozen { 10 } else { 20 }, choice).await;
        for site in sites {
            let log = site.finish().await;
            assert!(log.0.iter().any(|event| event["kind"] == "service_failed"), "{choice}: nothing was told");
        }
    }
}

/// Waits until both gateways count in the store again, as a limit that is used up shows.
async fn recovers(sites: &[Site], left: usize, choice: &str) {
    let begun = Instant::now();
    loop {
        let mut statuses = Vec::new();
        for site in sites {
            let answer = site.ask(GET).await;
            statuses.push((answer.status, answer.headers.contains_key("ratelimit")));
        }
        // Counted by the store: granted or refused, and told so by both.
        if statuses.iter().all(|(status, is_told)| [200, 429].contains(&status.as_u16()) && *is_told)
            && choice != "local"
        {
            break;
        }
        if choice == "local" && begun.elapsed() > Duration::from_millis(2_500) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{choice}: the store is not asked again: {statuses:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let passed = granted(sites, 30, GET).await;
    assert!(passed <= left, "{choice}: {passed} passed after the outage, and {left} were left");
    // A gateway that counts by itself a little longer lets a few more pass, and then none.
    while granted(sites, 5, GET).await > 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "{choice}: the limit is one limit again");
    }
}
