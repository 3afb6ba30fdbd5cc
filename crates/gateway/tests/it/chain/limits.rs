//! Limits as a client of the gateway meets them: compressed bodies, budgets that are shared, places that are taken.

use std::io::Write as _;

use async_trait::async_trait;
use axum_core::body::Body;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::Request;
use palisade::observe::Kept;
use palisade::preset::World;
use palisade::stage::Head;
use palisade_core::denial::DenialCode;
use palisade_core::event::{EventKind, Outcome, SecurityEvent};
use palisade_core::port::counter::Ask;
use palisade_core::port::{CounterStore, StoreError};
use palisade_core::time::Timestamp;
use palisade_gateway::build::build;
use palisade_gateway::config::load;
use palisade_store::clock::SystemClock;
use palisade_store::entropy::SystemEntropy;
use palisade_testkit::dir::TempDir;
use tokio::task::JoinSet;

use super::harness::{POLICY, Site, assert_problem, shop, with_route, with_sections};
use super::held::Held;
use super::tokens::{Tokens, key_hash};
use super::wire;

/// A body as gzip makes it.
pub(super) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

const GZIPPED_ORDER: &str =
    "POST /orders\nauthorization: Bearer ${alice}\ncontent-type: application/json\ncontent-encoding: gzip";
const GZIPPED_PHOTO: &str = "PUT /photos/1\ncontent-type: application/octet-stream\ncontent-encoding: gzip";

#[tokio::test]
async fn a_compressed_body_is_judged_and_forwarded_as_what_it_is() {
    let upstream = shop().await;
    let site = Site::start(&with_route("accept_encoding = [\"gzip\"]"), &upstream.url()).await;
    let photo: Vec<u8> = (0..100_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let order = br#"{"item":1,"amount":2}"#;
    assert_eq!(site.ask_with(GZIPPED_ORDER, &gzip(order)).await.status, 201);
    // One that is read by nobody on the way is decoded too.
    assert_eq!(site.ask_with(GZIPPED_PHOTO, &gzip(&photo)).await.status, 204);
    let received = upstream.received();
    for (request, body) in received.iter().zip([&order[..], &photo]) {
        assert_eq!(request.body(), body);
        assert!(!request.headers().contains_key("content-encoding"), "{request:?}");
    }
    let hidden = site.ask_with(GZIPPED_ORDER, &gzip(br#"{"item": 1, "amount": 2, "is_paid": true}"#)).await;
    let bomb = site.ask_with(GZIPPED_PHOTO, &gzip(&vec![7; 1_000_000])).await;
    let torn = site.ask_with(GZIPPED_PHOTO, &gzip(b"photo")[..20]).await;
    let doubled = site.ask_with(GZIPPED_PHOTO, &[gzip(b"photo"), gzip(b"photo")].concat()).await;
    assert_eq!(upstream.received().len(), 2, "no part of a refused body has become a request");
    let log = site.finish().await;
    log.assert_refused(&hidden, DenialCode::PayloadInvalid);
    log.assert_refused(&bomb, DenialCode::CodingExcessive);
    log.assert_refused(&torn, DenialCode::CodingInvalid);
    log.assert_refused(&doubled, DenialCode::CodingInvalid);
}

#[tokio::test]
async fn a_decoded_body_has_the_limit_of_every_body() {
    let upstream = shop().await;
    let policy = with_route("accept_encoding = [\"gzip\"]\nmax_body = \"1KiB\"");
    let site = Site::start(&policy, &upstream.url()).await;
    assert_eq!(site.ask_with(GZIPPED_PHOTO, &gzip(&[7; 1024])).await.status, 204);
    let refused = site.ask_with(GZIPPED_PHOTO, &gzip(&[7; 1025])).await;
    assert_eq!(upstream.received().len(), 1);
    site.finish().await.assert_refused(&refused, DenialCode::BodyTooLarge);
}

/// The policy with its counters in a database.
fn counting_in(database: &str, route: &str) -> String {
    format!("{}[store]\nurl = \"sqlite:{database}\"\ntimeout = \"10s\"\n", with_route(route))
}

#[tokio::test]
async fn two_gateways_on_one_database_share_their_budgets() {
    let (upstream, dir) = (shop().await, TempDir::new());
    let database = dir.path().join("shared.db").display().to_string();
    for (limit, route) in [
        ("throttle = { requests = 6, per = \"1h\" }", "GET /items"),
        ("throttle = { requests = 6, per = \"1d\", by = \"all\", algorithm = \"sliding-window\" }", "GET /items"),
        // The contract allows two in an hour.
        ("throttle = { requests = 100, per = \"1h\" }", "POST /checkout\nauthorization: Bearer ${alice}"),
    ] {
        let policy = counting_in(&format!("{database}{}", limit.len()), limit);
        let (one, other) = (Site::start(&policy, &upstream.url()).await, Site::start(&policy, &upstream.url()).await);
        let mut granted = 0;
        for _ in 0..5 {
            for site in [&one, &other] {
                granted += usize::from(site.ask(route).await.status.is_success());
            }
        }
        assert_eq!(granted, if route.starts_with("POST") { 2 } else { 6 }, "{limit}");
        one.finish().await;
        other.finish().await;
    }
}

/// A store that nobody can reach.
struct Unreachable;

#[async_trait]
impl CounterStore for Unreachable {
    async fn acquire_all(&self, _: &mut [Ask<'_>], _: Timestamp) -> Result<(), StoreError> {
        Err(StoreError::Unreachable { reason: "no such host".to_owned() })
    }
}

#[tokio::test]
async fn a_store_that_is_out_of_order_leaves_each_limit_its_choice() {
    for (on_failure, granted, told) in [("deny", 0, 0), ("local", 2, 1), ("allow", 5, 1)] {
        let (upstream, dir, events) = (shop().await, TempDir::new(), Kept::default());
        let limit = format!("throttle = {{ requests = 2, per = \"1h\", on_failure = \"{on_failure}\" }}");
        dir.write("openapi.yaml", include_str!("../../fixtures/shop/openapi.yaml"));
        Tokens::new().write(&dir);
        let policy = with_route(&limit).replace("{upstream}", &upstream.url()).replace("{key hash}", &key_hash());
        let loaded = load(&dir.write("palisade.toml", policy)).unwrap();
        let world = World::new(SystemClock, SystemEntropy, Unreachable, events.clone());
        let chain = build(&loaded, &world).unwrap().guard().unwrap();
        let mut passed = 0;
        for _ in 0..5 {
            let request = Request::get("/items").header("host", "shop.example").body(Body::empty()).unwrap();
            let peer = |head: &mut Head| head.facts.peer = Some(([192, 0, 2, 1], 1).into());
            passed += usize::from(chain.serve(request, peer).await.status() == 200);
        }
        assert_eq!(passed, granted, "{on_failure}");
        let of_the_outage = |event: &&SecurityEvent| {
            event.kind == EventKind::ServiceFailed && !matches!(event.outcome, Outcome::Denied(..))
        };
        assert_eq!(events.take().iter().filter(of_the_outage).count(), told, "{on_failure}");
    }
}

#[tokio::test]
async fn all_limits_are_told_in_one_field() {
    let upstream = shop().await;
    let several = "throttle = [{ requests = 9, per = \"1m\" }, { requests = 90, per = \"1h\", cost = 2 }]";
    let site = Site::start(&with_route(several), &upstream.url()).await;
    let answer = site.ask("POST /checkout\nauthorization: Bearer ${alice}").await;
    assert_eq!(answer.status, 204);
    let policy = "\"throttle\";q=9;w=60, \"throttle-2\";q=90;w=3600, \"quota\";q=2;w=3600";
    assert_eq!(answer.header("ratelimit-policy"), policy);
    let left = "\"throttle\";r=8;t=7, \"throttle-2\";r=88;t=80, \"quota\";r=1;t=1800";
    assert_eq!(answer.header("ratelimit"), left);
    assert_eq!(answer.headers.get_all("ratelimit").iter().count(), 1);
    site.finish().await;
}

#[tokio::test]
async fn a_limit_over_all_routes_counts_them_together() {
    let upstream = shop().await;
    let second = "[route.second]\npath = \"/items\"\nupstream = \"shop\"\ncontract = \"shop\"\n";
    let limits = "[limits]\nthrottle = { requests = 3, per = \"1h\", by = \"all\" }\n";
    let site = Site::start(&with_sections(&format!("{second}{limits}")), &upstream.url()).await;
    let mut granted = 0;
    for _ in 0..3 {
        granted += usize::from(site.ask("GET /items").await.status == 200);
        granted += usize::from(site.ask("GET /photos/1").await.status == 200);
    }
    assert_eq!(granted, 3);
    site.finish().await;
}

#[tokio::test]
async fn places_are_shared_by_listeners_and_some_are_reserved() {
    let busy = Held::start("", "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n").await;
    let upstream = shop().await;
    let routes = format!(
        "[upstream.other]\nurl = \"{}\"\n\
         [route.items]\npath = \"/items\"\nupstream = \"other\"\ncontract = \"shop\"\nreserved_concurrent = 1\n\
         [listen.second]\naddress = \"127.0.0.1:0\"\n[limits]\nmax_concurrent = 1\n",
        upstream.url()
    );
    let site = Site::start(&with_sections(&routes), &busy.url()).await;
    let (address, first) = (site.address, site.request("GET /photos/1"));
    let mut waiting = JoinSet::new();
    waiting.spawn(async move { wire::exchange(address, &first).await });
    busy.entered().await;
    for address in &site.addresses {
        let refused = wire::exchange(*address, &site.request("GET /photos/1")).await.unwrap();
        assert_problem(&refused, DenialCode::Overloaded);
        let health = wire::exchange(*address, &site.request("GET /items")).await.unwrap();
        assert_eq!(health.status, 200, "a place of its own");
    }
    assert_eq!(site.addresses.len(), 2);
    busy.release();
    waiting.join_next().await;
    site.finish().await;
}

#[tokio::test]
async fn one_route_cannot_take_all_places() {
    let busy = Held::start("", "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n").await;
    let upstream = shop().await;
    let other = format!(
        "[upstream.other]\nurl = \"{}\"\n[route.items]\npath = \"/items\"\nupstream = \"other\"\ncontract = \"shop\"\n",
        upstream.url()
    );
    let policy = POLICY.replace("timeout = \"10s\"\n", "timeout = \"10s\"\nmax_concurrent = 1\n") + &other;
    let site = Site::start(&policy, &busy.url()).await;
    let (address, first) = (site.address, site.request("GET /photos/1"));
    let mut waiting = JoinSet::new();
    waiting.spawn(async move { wire::exchange(address, &first).await });
    busy.entered().await;
    assert_problem(&site.ask("GET /photos/1").await, DenialCode::Overloaded);
    assert_eq!(site.ask("GET /items").await.status, 200);
    busy.release();
    waiting.join_next().await;
    site.finish().await;
}
