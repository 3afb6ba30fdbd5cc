//! Flaws that were found in Hono's restriction by address, as tests of ours; those of its CORS, CSRF and cookies are
//! beside the stages, under the names of their advisories.

use palisade::stage::client::Client;

use crate::build::{Passing, hand_built};
use crate::world::{Stand, ask, from, parse};

/// Whether a peer, or a client behind a trusted proxy at 10.0.0.1, is let in where one network is denied.
async fn is_admitted(denied: &str, peer: &str, forwarded: &str) -> bool {
    let mut client = Client::behind(vec!["10.0.0.1/32".parse().unwrap()]);
    client.networks.deny.push(denied.parse().unwrap());
    let request = parse(&format!("GET /\nhost: a\nx-forwarded-for: {forwarded}"));
    ask(&hand_built(&Stand::new(), Passing::Client(client)), from(request, peer)).await.status == 200
}

#[tokio::test]
async fn cve_2026_39409_a_mapped_address_is_the_one_it_maps() {
    assert!(!is_admitted("203.0.113.0/24", "[::ffff:203.0.113.9]:1", "-").await);
    assert!(!is_admitted("203.0.113.0/24", "[::ffff:10.0.0.1]:1", "203.0.113.9").await);
    assert!(is_admitted("203.0.113.0/24", "[::ffff:198.51.100.1]:1", "-").await);
}

#[tokio::test]
async fn cve_2026_47674_every_spelling_of_an_address_is_the_same() {
    for spelling in ["2001:db8::1", "2001:0db8:0:0:0:0:0:1", "2001:DB8::0.0.0.1", "2001:db8:0:0::0:1"] {
        assert!(!is_admitted("2001:db8::/32", "10.0.0.1:1", spelling).await, "{spelling}");
    }
    for spelling in ["::ffff:203.0.113.9", "::FFFF:cb00:7109", "0:0:0:0:0:ffff:203.0.113.9"] {
        assert!(!is_admitted("203.0.113.0/24", "10.0.0.1:1", spelling).await, "{spelling}");
    }
}

#[tokio::test]
async fn cve_2026_24398_numbers_beyond_an_octet_are_no_address() {
    // What a trusted proxy says and nobody can read is refused, not skipped.
    for spelling in ["203.0.113.265", "203.0.113.9.1", "0313.0.113.9", "203.0.113", "fe80::1%eth0"] {
        assert!(!is_admitted("10.0.0.0/8", "10.0.0.1:1", spelling).await, "{spelling}");
    }
}
