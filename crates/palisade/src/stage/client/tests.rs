//! Who is found behind which proxies, and what becomes of what they say.

use super::*;
use crate::testing::{assert_stage, head, refusal};

fn nets(list: &[&str]) -> Vec<IpNet> {
    list.iter().map(|net| net.parse().unwrap()).collect()
}

fn behind(speak: Speak) -> Client {
    let trust = Trust::Networks(nets(&["10.0.0.0/8", "::1/128"]));
    Client { proxies: vec![Proxies { trust, speak }], ..Client::default() }
}

fn hops(number: usize) -> Client {
    let trust = Trust::DangerHops(NonZeroUsize::new(number).unwrap());
    Client { proxies: vec![Proxies { trust, speak: Speak::XForwarded }], ..Client::default() }
}

/// The client, `?` behind an address that stands for it, or the code of the refusal.
fn found(stage: &Client, peer: &str, headers: &str) -> String {
    let mut head = head(format!("GET /\n{headers}").trim_end());
    head.facts.peer = Some(peer.parse().unwrap());
    let refused = refusal(stage, &mut head);
    assert!(head.parts.headers.is_empty(), "no forwarding header goes on: {headers}");
    let hidden = if head.facts.is_client_hidden { "?" } else { "" };
    refused.map_or_else(|| format!("{}{hidden}", head.facts.client.unwrap()), |code| code.to_string())
}

#[test]
fn believes_trusted_proxies_only() {
    let stage = behind(Speak::XForwarded);
    for (peer, forwarded, expect) in [
        ("203.0.113.9:1", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1:1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1:1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1:1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1:1", "1.1.1.1\nx-forwarded-for: 198.51.100.1\nx-forwarded-for: 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1:1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1:1", "198.51.100.1, nonsense", "10.0.0.1?"),
        ("10.0.0.1:1", "198.51.100.1, unknown, 10.0.0.7", "10.0.0.7?"),
        ("10.0.0.1:1", "nonsense, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1:1", "", "10.0.0.1"),
        ("[::ffff:10.0.0.1]:1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1:1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("[::1]:1", "2001:db8::1", "2001:db8::1"),
        ("[::1]:1", "[2001:db8::1]:443", "2001:db8::1"),
    ] {
        let headers = format!("x-forwarded-for: {forwarded}\nx-real-ip: 9.9.9.9\npalisade-subject: admin");
        assert_eq!(found(&stage, peer, &headers), expect, "{peer} {forwarded}");
    }
}

#[test]
fn reads_one_kind_of_header_and_never_both() {
    let both = "forwarded: for=198.51.100.1\nx-forwarded-for: 203.0.113.7";
    assert_eq!(found(&behind(Speak::Forwarded), "10.0.0.1:1", both), "198.51.100.1");
    assert_eq!(found(&behind(Speak::XForwarded), "10.0.0.1:1", both), "203.0.113.7");
    assert_eq!(found(&behind(Speak::Forwarded), "10.0.0.1:1", "x-forwarded-for: 203.0.113.7"), "10.0.0.1");
}

#[test]
fn reads_forwarded() {
    let stage = behind(Speak::Forwarded);
    for (peer, lines, expect) in [
        ("203.0.113.9:1", "forwarded: for=198.51.100.1", "203.0.113.9"),
        ("203.0.113.9:1", "forwarded: for=\"", "203.0.113.9"),
        ("10.0.0.1:1", "forwarded: for=1.1.1.1, for=198.51.100.1, for=10.0.0.2", "198.51.100.1"),
        ("10.0.0.1:1", "forwarded: for=1.1.1.1\nforwarded: for=\"[2001:db8::1]:80\"", "2001:db8::1"),
        ("10.0.0.1:1", "forwarded: for=1.1.1.1, for=unknown", "10.0.0.1?"),
        ("10.0.0.1:1", "forwarded: for=1.1.1.1, for=_x, for=10.0.0.2", "10.0.0.2?"),
        ("10.0.0.1:1", "forwarded: for=1.1.1.1, proto=https", "10.0.0.1?"),
        ("10.0.0.1:1", "forwarded: proto=https", "10.0.0.1"),
        ("10.0.0.1:1", "forwarded: for=\", for=198.51.100.1", "header-forbidden"),
        ("10.0.0.1:1", "forwarded: for=1.1.1.1;for=198.51.100.1", "header-forbidden"),
    ] {
        assert_eq!(found(&stage, peer, lines), expect, "{peer} {lines}");
    }
}

#[test]
fn counts_hops() {
    for (number, forwarded, expect) in [
        (1, "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        (2, "1.1.1.1, 198.51.100.1", "1.1.1.1"),
        (2, "9.9.9.9, 1.1.1.1, 198.51.100.1", "1.1.1.1"),
        (2, "198.51.100.1", "198.51.100.1?"),
        (1, "", "203.0.113.9?"),
    ] {
        let headers = format!("x-forwarded-for: {forwarded}");
        assert_eq!(found(&hops(number), "203.0.113.9:1", &headers), expect, "{number} {forwarded}");
    }
    assert_eq!(hops(1).dangers().len(), 1);
    assert!(behind(Speak::Forwarded).dangers().is_empty());
}

#[test]
fn each_listener_believes_its_own_proxies() {
    let trust = Trust::Networks(nets(&["10.0.0.0/8"]));
    let stage =
        Client { proxies: vec![Proxies::default(), Proxies { trust, speak: Speak::XForwarded }], ..Client::default() };
    for (listener, expect) in [(0, "10.0.0.1"), (1, "198.51.100.1"), (2, "10.0.0.1")] {
        let mut head = head("GET /\nx-forwarded-for: 198.51.100.1");
        head.facts.peer = Some("10.0.0.1:1".parse().unwrap());
        head.facts.listener = listener;
        assert_eq!(refusal(&stage, &mut head), None);
        assert_eq!(head.facts.client, Some(expect.parse().unwrap()), "{listener}");
    }
}

#[test]
fn scheme_and_host_are_those_of_the_clients_hop() {
    use Transport::{Clear, Encrypted};
    let x = Speak::XForwarded;
    for (speak, peer, headers, expect) in [
        (x, "10.0.0.1:1", "x-forwarded-proto: https", Ok((Encrypted, None))),
        (x, "203.0.113.9:1", "x-forwarded-proto: https\nx-forwarded-host: b", Ok((Clear, None))),
        (
            x,
            "10.0.0.1:1",
            "x-forwarded-for: 1.1.1.1\nx-forwarded-proto: HTTPS\nx-forwarded-host: B.example:8443",
            Ok((Encrypted, Some("b.example:8443"))),
        ),
        (x, "10.0.0.1:1", "x-forwarded-for: 1.1.1.1, 10.0.0.2\nx-forwarded-proto: https, http", Ok((Encrypted, None))),
        (x, "10.0.0.1:1", "x-forwarded-for: 8.8.8.8, 1.1.1.1\nx-forwarded-proto: https, http", Ok((Clear, None))),
        (x, "10.0.0.1:1", "x-forwarded-for: 1.1.1.1\nx-forwarded-proto: https, http", Err(DenialCode::HeaderForbidden)),
        (x, "10.0.0.1:1", "x-forwarded-host: a, b", Err(DenialCode::HeaderForbidden)),
        (x, "10.0.0.1:1", "x-forwarded-proto: gopher", Err(DenialCode::HeaderForbidden)),
        (x, "10.0.0.1:1", "x-forwarded-host: u@b", Err(DenialCode::HostInvalid)),
        (x, "10.0.0.1:1", "forwarded: proto=https", Ok((Clear, None))),
        (
            Speak::Forwarded,
            "10.0.0.1:1",
            "forwarded: for=1.1.1.1;proto=https;host=b, for=10.0.0.2;proto=http;host=c",
            Ok((Encrypted, Some("b"))),
        ),
        (
            Speak::Forwarded,
            "10.0.0.1:1",
            "forwarded: for=8.8.8.8;proto=https, for=1.1.1.1;proto=http",
            Ok((Clear, None)),
        ),
        (Speak::Forwarded, "10.0.0.1:1", "forwarded: for=1.1.1.1;host=\"a b\"", Err(DenialCode::HostInvalid)),
    ] {
        let mut head = head(&format!("GET /\n{headers}"));
        head.facts.peer = Some(peer.parse().unwrap());
        let refused = refusal(&behind(speak), &mut head);
        let host = head.facts.forwarded_host.map(|host| host.to_string());
        match expect {
            Err(code) => assert_eq!(refused, Some(code), "{headers}"),
            Ok((transport, expect)) => {
                assert_eq!((refused, head.facts.transport, host.as_deref()), (None, transport, expect), "{headers}");
            }
        }
    }
}

#[test]
fn a_hidden_client_is_refused_where_there_are_lists() {
    let networks = Networks { allow: nets(&["10.0.0.0/8"]), deny: Vec::new() };
    let stage = Client { networks, ..behind(Speak::XForwarded) };
    assert_eq!(found(&stage, "10.0.0.1:1", "x-forwarded-for: unknown"), "client-forbidden");
    assert_eq!(found(&stage, "10.0.0.1:1", "x-forwarded-for: 198.51.100.1"), "client-forbidden");
    assert_eq!(found(&stage, "10.0.0.1:1", "x-forwarded-for: 10.9.9.9"), "10.9.9.9");
    assert_eq!(refusal(&stage, &mut head("GET /")), Some(DenialCode::ClientForbidden), "no peer at all");
}

#[test]
fn nobody_else_says_who_asks() {
    let claims = "x-forwarded-for: 1\nx-forwarded-anything: 1\nforwarded: x\nx-real-ip: 1\ncf-connecting-ip: 1\n\
                  true-client-ip: 1\npalisade-subject: root\npalisade-anything: 1";
    assert_eq!(found(&Client::default(), "203.0.113.9:1", claims), "203.0.113.9");
}

#[test]
fn behaves_as_a_stage() {
    assert_stage(&Client::default());
    assert_stage(&hops(1));
}

#[test]
fn believes_trusted_proxies_about_certificates_only_where_it_is_configured() {
    use base64::Engine as _;
    let der = include_bytes!("../../../../../fuzz/seeds/dpop/certificate.der");
    let good = format!("client-cert: :{}:", base64::engine::general_purpose::STANDARD.encode(der));
    let twice = format!("{good}\n{good}");
    let broken = Some(DenialCode::HeaderForbidden);
    for (peer, configured, headers, expect, found) in [
        ("10.0.0.1:1", true, good.as_str(), None, true),
        ("10.0.0.1:1", false, &good, None, false),
        ("203.0.113.9:1", true, &good, None, false),
        ("10.0.0.1:1", true, "x: y", None, false),
        ("10.0.0.1:1", true, "client-cert: :AAAA:", broken, false),
        ("10.0.0.1:1", true, &twice, broken, false),
    ] {
        let stage = Client { certificate_header: configured, ..behind(Speak::XForwarded) };
        let mut head = head(&format!("GET /\n{headers}\nclient-cert-chain: x"));
        head.facts.peer = Some(peer.parse().unwrap());
        assert_eq!(refusal(&stage, &mut head), expect, "{peer} {configured} {headers}");
        assert_eq!(head.facts.certificate.is_some(), found, "{peer} {configured} {headers}");
        assert!(!head.parts.headers.contains_key("client-cert"));
        assert!(!head.parts.headers.contains_key("client-cert-chain"));
    }
}
