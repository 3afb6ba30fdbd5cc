//! Finds out who is really asking, and takes away headers by which a client pretends to be somebody else.
//!
//! 1. The peer of the connection is the client, unless it is a trusted proxy.
//! 2. From a trusted proxy the addresses of `X-Forwarded-For` are read from the right; the first that is not itself a
//!    trusted proxy is the client. Text that is not an address ends the search at the last hop we can believe.
//! 3. From anybody else every forwarding header is deleted, and from everybody those that only we may set.
//! 4. Where it is configured, a trusted proxy says in `Client-Cert` (RFC 9440) which certificate the client holds; from
//!    anybody else that header is deleted too.
//! 5. An address in a denied network is refused, and so is one outside the allowed networks where any are given.
//!
//! Caveat: each proxy in front must be listed, or all its clients count as one.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderName;
use ipnet::IpNet;
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;

use super::{Head, Stage, Verdict};
use crate::credential::certificate::ClientCertificate;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Headers that say who asks, for the backend; from the outside they are always a lie.
const OURS: &[&str] = &["palisade-subject", "palisade-roles", "palisade-tenant", "palisade-scopes"];

/// Headers by which a proxy says which client certificate it has seen (RFC 9440 section 2).
const CERTIFICATES: &[&str] = &["client-cert", "client-cert-chain"];

/// Headers that a proxy adds.
const FORWARDING: &[&str] = &[
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
];

/// The stage; trusts no proxy and refuses no network by default.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// The networks of proxies whose word counts.
    pub trusted_proxies: Vec<IpNet>,
    /// The only networks that may ask; empty means all.
    pub allow: Vec<IpNet>,
    /// Networks that may not ask.
    pub deny: Vec<IpNet>,
    /// Whether trusted proxies say in `Client-Cert` which certificate a client has proven to hold. A proxy that does
    /// must delete that header of its own clients.
    pub certificate_header: bool,
}

impl Stage for Client {
    fn id(&self) -> StageId {
        StageId::Client
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        let client = head.facts.peer.map(|peer| self.locate(peer.ip().to_canonical(), head));
        head.facts.client = client;
        let certificate = self.certificate(head);
        for name in OURS.iter().chain(FORWARDING).chain(CERTIFICATES) {
            head.parts.headers.remove(*name);
        }
        match certificate {
            Ok(Some(certificate)) => head.facts.certificate = Some(Arc::new(certificate)),
            Ok(None) => {}
            Err(denial) => return Verdict::from(Err(denial)),
        }
        Verdict::from(self.admit(client))
    }
}

impl Client {
    fn locate(&self, peer: IpAddr, head: &Head) -> IpAddr {
        let mut client = peer;
        let values = head.parts.headers.get_all(X_FORWARDED_FOR);
        let hops: Vec<&str> =
            values.iter().filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(',')).collect();
        for hop in hops.into_iter().rev() {
            if !within(&self.trusted_proxies, client) {
                break;
            }
            let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
            client = address.to_canonical();
        }
        client
    }

    /// The certificate that a trusted proxy has seen. One that cannot be read is not taken for none.
    fn certificate(&self, head: &Head) -> Result<Option<ClientCertificate>, Denial> {
        let by_proxy = head.facts.peer.is_some_and(|peer| within(&self.trusted_proxies, peer.ip().to_canonical()));
        if !self.certificate_header || !by_proxy {
            return Ok(None);
        }
        let mut values = head.parts.headers.get_all("client-cert").iter();
        let (Some(value), second) = (values.next(), values.next()) else { return Ok(None) };
        let certificate = value.to_str().ok().filter(|_| second.is_none()).and_then(ClientCertificate::from_header);
        let refusal = || Denial::new(DenialCode::HeaderForbidden, StageId::Client).because("header", "client-cert");
        certificate.map(Some).ok_or_else(refusal)
    }

    fn admit(&self, client: Option<IpAddr>) -> Result<(), Denial> {
        let refuse = |reason| Err(Denial::new(DenialCode::ClientForbidden, StageId::Client).because("reason", reason));
        match client {
            Some(client) if within(&self.deny, client) => refuse("denied_network"),
            Some(client) if !self.allow.is_empty() && !within(&self.allow, client) => refuse("not_allowed_network"),
            None if !self.allow.is_empty() || !self.deny.is_empty() => refuse("address_unknown"),
            _ => Ok(()),
        }
    }
}

fn within(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_stage, head, refusal};

    fn nets(list: &[&str]) -> Vec<IpNet> {
        list.iter().map(|net| net.parse().unwrap()).collect()
    }

    #[test]
    fn believes_trusted_proxies_only() {
        let stage = Client { trusted_proxies: nets(&["10.0.0.0/8", "::1/128"]), ..Client::default() };
        for (peer, forwarded, expect) in [
            ("203.0.113.9:1", "198.51.100.1", "203.0.113.9"),
            ("10.0.0.1:1", "198.51.100.1", "198.51.100.1"),
            ("10.0.0.1:1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
            ("10.0.0.1:1", "198.51.100.1, nonsense", "10.0.0.1"),
            ("10.0.0.1:1", "198.51.100.1, nonsense, 10.0.0.7", "10.0.0.7"),
            ("10.0.0.1:1", "", "10.0.0.1"),
            ("[::ffff:10.0.0.1]:1", "198.51.100.1", "198.51.100.1"),
            ("[::1]:1", "2001:db8::1", "2001:db8::1"),
        ] {
            let mut head =
                head(&format!("GET /\nx-forwarded-for: {forwarded}\nx-real-ip: 9.9.9.9\npalisade-subject: admin"));
            head.facts.peer = Some(peer.parse().unwrap());
            assert_eq!(refusal(&stage, &mut head), None);
            assert_eq!(head.facts.client, Some(expect.parse().unwrap()), "{peer} {forwarded}");
            assert!(head.parts.headers.is_empty(), "no forwarding header goes on");
        }
    }

    #[test]
    fn believes_trusted_proxies_about_certificates_only_where_it_is_configured() {
        use base64::Engine as _;
        let der = include_bytes!("../../../../fuzz/seeds/dpop/certificate.der");
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
            let trusted_proxies = nets(&["10.0.0.0/8"]);
            let stage = Client { trusted_proxies, certificate_header: configured, ..Client::default() };
            let mut head = head(&format!("GET /\n{headers}\nclient-cert-chain: x"));
            head.facts.peer = Some(peer.parse().unwrap());
            assert_eq!(refusal(&stage, &mut head), expect, "{peer} {configured} {headers}");
            assert_eq!(head.facts.certificate.is_some(), found, "{peer} {configured} {headers}");
            assert!(!head.parts.headers.contains_key("client-cert"));
            assert!(!head.parts.headers.contains_key("client-cert-chain"));
        }
    }

    #[test]
    fn admits_by_network() {
        let check = |allow: &[&str], deny: &[&str], peer: Option<&str>, expect: bool| {
            let stage = Client { allow: nets(allow), deny: nets(deny), ..Client::default() };
            let mut head = head("GET /");
            head.facts.peer = peer.map(|peer| peer.parse().unwrap());
            let refused = refusal(&stage, &mut head) == Some(DenialCode::ClientForbidden);
            assert_eq!(!refused, expect, "{allow:?} {deny:?} {peer:?}");
        };
        check(&[], &[], None, true);
        check(&["10.0.0.0/8"], &[], Some("10.1.1.1:1"), true);
        check(&["10.0.0.0/8"], &[], Some("11.1.1.1:1"), false);
        check(&["10.0.0.0/8"], &["10.1.0.0/16"], Some("10.1.1.1:1"), false);
        check(&[], &["10.1.0.0/16"], Some("[::ffff:10.1.1.1]:1"), false);
        check(&["10.0.0.0/8"], &[], None, false);
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Client::default());
    }
}
