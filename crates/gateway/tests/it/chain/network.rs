//! Who is asking: behind proxies that speak for their clients, behind load balancers that announce them, and on routes
//! that are not for everybody.

use palisade_core::denial::DenialCode;
use tokio::net::TcpStream;

use super::harness::{POLICY, Site, shop, with_sections};
use super::wire::{self, Answer};

/// The policy with more keys for its listener.
fn with_listener(keys: &str) -> String {
    POLICY.replace("127.0.0.1:0\"\n", &format!("127.0.0.1:0\"\n{keys}\n"))
}

const TRUSTED: &str = "trusted_proxies = [\"127.0.0.1\"]";

#[tokio::test]
async fn what_a_trusted_proxy_says_is_told_to_the_backend_and_to_browsers() {
    let upstream = shop().await;
    for (keys, request, client, proto, host) in [
        (TRUSTED, "x-forwarded-for: 8.8.8.8, 203.0.113.9", "203.0.113.9", "http", "shop.example"),
        (
            TRUSTED,
            "x-forwarded-for: 203.0.113.9\nx-forwarded-proto: https\nx-forwarded-host: Api.example",
            "203.0.113.9",
            "https",
            "api.example",
        ),
        (
            "trusted_proxies = [\"127.0.0.1\"]\nforwarded_header = \"forwarded\"",
            "forwarded: for=\"[2001:db8::9]:80\";proto=https;host=api.example\nx-forwarded-for: 203.0.113.9",
            "2001:db8::9",
            "https",
            "api.example",
        ),
        (
            "danger_trusted_hops = 2",
            "x-forwarded-for: 8.8.8.8, 203.0.113.9, 10.0.0.1",
            "203.0.113.9",
            "http",
            "shop.example",
        ),
        (
            "",
            "x-forwarded-for: 203.0.113.9\nx-forwarded-proto: https\nx-forwarded-host: b",
            "127.0.0.1",
            "http",
            "shop.example",
        ),
    ] {
        let site = Site::start(&with_listener(keys), &upstream.url()).await;
        let answer = site.ask(&format!("GET /items\n{request}")).await;
        assert_eq!(answer.status, 200, "{request}");
        let received = upstream.received();
        let headers = received.last().unwrap().headers();
        assert_eq!(headers["x-forwarded-for"], client, "{request}");
        assert_eq!(headers["x-forwarded-proto"], proto, "{request}");
        assert_eq!(headers["x-forwarded-host"], host, "{request}");
        assert!(!headers.contains_key("forwarded"));
        assert_eq!(!answer.header("strict-transport-security").is_empty(), proto == "https", "{request}");
        let log = site.finish().await;
        assert_eq!(log.of(answer.header("x-request-id")).1["client"], client);
    }
}

#[tokio::test]
async fn each_listener_has_its_own_proxies() {
    let upstream = shop().await;
    let second = format!("[listen.second]\naddress = \"127.0.0.1:0\"\n{TRUSTED}\n[upstream.shop]");
    let site = Site::start(&POLICY.replace("[upstream.shop]", &second), &upstream.url()).await;
    for (address, client) in [(site.addresses[0], "127.0.0.1"), (site.addresses[1], "203.0.113.9")] {
        let request = wire::request("GET /items\nx-forwarded-for: 203.0.113.9");
        assert_eq!(wire::exchange(address, &request).await.unwrap().status, 200);
        assert_eq!(upstream.received().last().unwrap().headers()["x-forwarded-for"], client);
    }
    site.finish().await;
}

#[tokio::test]
async fn what_a_trusted_proxy_says_must_be_readable() {
    let upstream = shop().await;
    let forwarded = format!("{TRUSTED}\nforwarded_header = \"forwarded\"");
    for (keys, request, code) in [
        (&*forwarded, "forwarded: for=\", for=203.0.113.9", DenialCode::HeaderForbidden),
        (TRUSTED, "x-forwarded-proto: gopher", DenialCode::HeaderForbidden),
        (TRUSTED, "x-forwarded-host: a@b", DenialCode::HostInvalid),
    ] {
        let site = Site::start(&with_listener(keys), &upstream.url()).await;
        let answer = site.ask(&format!("GET /items\n{request}")).await;
        site.finish().await.assert_refused(&answer, code);
    }
    assert_eq!(upstream.received().len(), 0);
}

#[tokio::test]
async fn a_route_may_be_for_some_networks_only() {
    let upstream = shop().await;
    for (client, forwarded, refused) in [
        ("allow = [\"10.0.0.0/8\"]", "203.0.113.9", true),
        ("allow = [\"10.0.0.0/8\"]", "10.1.2.3", false),
        ("allow = [\"10.0.0.0/8\"]\ndeny = [\"10.1.0.0/16\"]", "10.1.2.3", true),
        ("deny = [\"10.1.0.0/16\"]", "::ffff:10.1.2.3", true),
        ("deny = [\"10.1.0.0/16\"]", "unknown", true),
        ("deny = [\"10.1.0.0/16\"]", "10.2.2.3", false),
    ] {
        let policy =
            with_listener(TRUSTED).replace("[bearer.main]", &format!("[route.shop.client]\n{client}\n[bearer.main]"));
        let site = Site::start(&policy, &upstream.url()).await;
        let answer = site.ask(&format!("GET /items\nx-forwarded-for: {forwarded}")).await;
        let log = site.finish().await;
        match refused {
            true => assert_eq!(log.assert_refused(&answer, DenialCode::ClientForbidden)["stage"], "network"),
            false => assert_eq!(answer.status, 200, "{client} {forwarded}"),
        }
    }
}

#[tokio::test]
async fn a_load_balancer_announces_its_clients() {
    let upstream = shop().await;
    let policy = with_listener("proxy_protocol = [\"127.0.0.0/8\"]");
    let site = Site::start(&policy, &upstream.url()).await;
    let v2 = |command: u8, rest: &[u8]| [b"\r\n\r\n\0\r\nQUIT\n", &[command][..], rest].concat();
    let four = [0x11, 0, 12, 203, 0, 113, 9, 10, 0, 0, 1, 0x12, 0x67, 1, 187];
    for (header, client) in [
        (b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\r\n".to_vec(), "203.0.113.9"),
        (b"PROXY TCP6 2001:db8::9 ::1 4711 443\r\n".to_vec(), "2001:db8::9"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        (v2(0x21, &four), "203.0.113.9"),
        (v2(0x20, &[0, 0, 0]), "127.0.0.1"),
    ] {
        let bytes = [&header[..], &site.request("GET /items")].concat();
        let answer = Answer::parse(&wire::raw(site.address, &bytes).await).unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(upstream.received().last().unwrap().headers()["x-forwarded-for"], client);
    }
    let (arrived, mut refused) = (upstream.received().len(), Vec::new());
    for header in [&b""[..], b"PROXY TCP4 nonsense\r\n", b"PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n", &v2(0x31, &four)] {
        let bytes = [header, &site.request("GET /items")].concat();
        refused.push(Answer::parse(&wire::raw(site.address, &bytes).await).unwrap());
    }
    assert_eq!(upstream.received().len(), arrived, "a header is required");
    // A load balancer that only looks whether somebody is there is no event.
    drop(TcpStream::connect(site.address).await.unwrap());
    let log = site.finish().await;
    for answer in &refused {
        assert_eq!(log.assert_refused(answer, DenialCode::RequestMalformed)["reason"], "proxy_header_invalid");
    }
    assert_eq!(log.0.len(), arrived + 2 * refused.len());
}

#[tokio::test]
async fn nobody_else_announces_clients() {
    let upstream = shop().await;
    let site = Site::start(&with_listener("proxy_protocol = [\"10.0.0.0/8\"]"), &upstream.url()).await;
    assert_eq!(site.ask("GET /items").await.status, 200, "no header is needed");
    let bytes = [&b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\r\n"[..], &site.request("GET /items")].concat();
    let answer = Answer::parse(&wire::raw(site.address, &bytes).await).unwrap();
    site.finish().await.assert_refused(&answer, DenialCode::RequestMalformed);
    assert_eq!(upstream.received().len(), 1);
}

#[tokio::test]
async fn a_head_that_dawdles_or_never_ends_is_refused_with_events() {
    let upstream = shop().await;
    let site = Site::start(&with_sections("[limits]\nhead_timeout = \"100ms\""), &upstream.url()).await;
    let slow = Answer::parse(&wire::raw(site.address, "GET /items HTTP/1.1\r\nhost: a\r\n").await).unwrap();
    let large = format!("GET /items HTTP/1.1\r\nhost: a\r\nx: {}", "a".repeat(60_000));
    let large = Answer::parse(&wire::raw(site.address, large).await).unwrap();
    let log = site.finish().await;
    assert_eq!(log.assert_refused(&slow, DenialCode::RequestTimeout)["reason"], "head_too_slow");
    log.assert_refused(&large, DenialCode::HeadersTooLarge);
    assert_eq!(upstream.received().len(), 0);
}

#[tokio::test]
async fn what_is_wrong_further_on_is_answered_in_its_turn() {
    let upstream = shop().await;
    let site = Site::start(POLICY, &upstream.url()).await;
    let bytes = "GET /items HTTP/1.1\r\nhost: a\r\n\r\nPUT /photos/1 HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\
                 content-length: 1\r\n\r\naGET /items HTTP/1.1\r\nhost: a\r\n\r\n";
    let answers = wire::raw(site.address, bytes).await;
    let text = String::from_utf8_lossy(&answers);
    assert_eq!((text.matches("HTTP/1.1 200").count(), text.matches("HTTP/1.1 ").count()), (1, 2), "{text}");
    let second = text.find("HTTP/1.1 400").unwrap();
    let answer = Answer::parse(&answers[second..]).unwrap();
    let log = site.finish().await;
    assert_eq!(log.assert_refused(&answer, DenialCode::RequestMalformed)["reason"], "length_repeated");
    let (_, access) = log.of(answer.header("x-request-id"));
    assert_eq!((&access["method"], &access["path"]), (&"PUT".into(), &"/photos/1".into()));
    assert_eq!(upstream.received().len(), 1);
}
