//! Finds out who is really asking, and takes away headers by which a client pretends to be somebody else.
//!
//! 1. The peer of the connection is the client, unless it is a trusted proxy ([`Proxies`], for each listener).
//! 2. A trusted proxy says who is in front of it in one kind of header, `X-Forwarded-...` or `Forwarded` (RFC 7239): the
//!    settings say which, and the other is not read. Hops are read from the right; the first that is not itself a trusted
//!    proxy is the client.
//! 3. Where a trusted proxy does not name the hop in front of it, the client is not known: it counts as the proxy, and
//!    is refused where there are lists of networks.
//! 4. The same hop says by which scheme and for which host the client asked. `https` counts as encrypted.
//! 5. A header of a trusted proxy that cannot be read is refused: what it says would be guessed.
//! 6. From anybody else every forwarding header is deleted, and from everybody those that only we may set.
//! 7. Where it is configured, a trusted proxy says in `Client-Cert` (RFC 9440) which certificate the client holds; one that
//!    cannot be read is refused, and from anybody else the header is deleted.
//! 8. An address in a denied network is refused, and so is one outside the allowed networks where any are given.
//!
//! Caveats: each proxy in front must be listed, or all its clients count as one. A trusted proxy has to set or extend
//! the headers that it is believed about; one that passes a client's `X-Forwarded-Host` on lends its word to the client.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;
use palisade_core::canon::forwarded::{self, Hop, Node};
use palisade_core::canon::host::CanonicalHost;
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;

use super::{Head, Stage, Verdict};
use crate::credential::certificate::ClientCertificate;
use crate::facts::Transport;
use crate::network::{Networks, within};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Headers that a proxy adds, besides all that begin with `x-forwarded-`.
const FORWARDING: &[&str] = &[
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "fastly-client-ip",
    "forwarded",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-forwarded",
    "x-originating-ip",
    "x-real-ip",
    "x-remote-addr",
    "x-remote-ip",
];

/// The stage; trusts no proxy and refuses no network by default.
///
/// ```
/// use palisade::stage::{Stage, Verdict, client::Client};
///
/// let stage = Client::behind(vec!["10.0.0.0/8".parse()?]);
/// let mut head = palisade::testing::head("GET /\nx-forwarded-for: 6.6.6.6, 192.0.2.7");
/// head.facts.peer = Some("10.0.0.1:50000".parse()?);
/// assert!(matches!(stage.check(&mut head), Verdict::Now(Ok(()))));
/// // The hop that the proxy itself has seen, and not what a client wrote in front of it.
/// assert_eq!(head.facts.client, Some("192.0.2.7".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// Whom each listener believes, by its place in the configuration. An application has one listener.
    pub proxies: Vec<Proxies>,
    /// Who may ask at all.
    pub networks: Networks,
    /// Whether trusted proxies say in `Client-Cert` which certificate a client has proven to hold. A proxy that does
    /// must delete that header of its own clients.
    pub certificate_header: bool,
}

/// Whose word about the client is believed, and in which words.
///
/// ```
/// use palisade::stage::client::{Client, Proxies, Speak, Trust};
/// use palisade::stage::Stage;
///
/// let known = Proxies { trust: Trust::Networks(vec!["10.0.0.0/8".parse()?]), speak: Speak::Forwarded };
/// assert!(Client { proxies: vec![known], ..Client::default() }.dangers().is_empty());
/// // Behind a balancer whose addresses nobody knows: one hop is believed, whoever it is.
/// let anybody = Proxies { trust: Trust::DangerHops(std::num::NonZeroUsize::MIN), ..Proxies::default() };
/// assert_eq!(Client { proxies: vec![anybody], ..Client::default() }.dangers().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Whose.
    pub trust: Trust,
    /// In which headers.
    pub speak: Speak,
}

/// Who is a trusted proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Whoever connects, and as many hops in front of it, whatever their addresses. Who can connect directly can choose
    /// its address.
    DangerHops(NonZeroUsize),
    /// Those of these networks.
    Networks(Vec<IpNet>),
}

impl Default for Trust {
    fn default() -> Self {
        Self::Networks(Vec::new())
    }
}

/// The kind of header that proxies write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speak {
    /// `Forwarded`.
    Forwarded,
    /// `X-Forwarded-For`, `X-Forwarded-Host` and `X-Forwarded-Proto`.
    #[default]
    XForwarded,
}

impl Client {
    /// Believes the proxies of these networks, on every listener that an application has.
    pub fn behind(networks: Vec<IpNet>) -> Self {
        let proxies = Proxies { trust: Trust::Networks(networks), speak: Speak::default() };
        Self { proxies: vec![proxies], ..Self::default() }
    }
}

impl Stage for Client {
    fn id(&self) -> StageId {
        StageId::Client
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        let found = self.locate(head).and_then(|()| self.certificate(head));
        remove_claims(&mut head.parts.headers);
        Verdict::from(found.and_then(|()| match self.networks.refuse(head.facts.known_client()) {
            None => Ok(()),
            Some(reason) => Err(Denial::new(DenialCode::ClientForbidden, StageId::Client).because("reason", reason)),
        }))
    }

    fn dangers(&self) -> Vec<String> {
        let is_open = |proxies: &Proxies| matches!(proxies.trust, Trust::DangerHops(_));
        if !self.proxies.iter().any(is_open) {
            return Vec::new();
        }
        vec!["whoever can connect directly can choose its address: hops are trusted by their number".to_owned()]
    }
}

impl Client {
    /// The certificate that a trusted proxy has seen. One that cannot be read is not taken for none.
    fn certificate(&self, head: &mut Head) -> Result<(), Denial> {
        let peer = head.facts.peer.map(|peer| peer.ip().to_canonical());
        let proxies = self.proxies.get(head.facts.listener).filter(|_| self.certificate_header);
        if !proxies.zip(peer).is_some_and(|(proxies, peer)| proxies.believes(peer, 0)) {
            return Ok(());
        }
        let mut values = head.parts.headers.get_all("client-cert").iter();
        let (Some(value), second) = (values.next(), values.next()) else { return Ok(()) };
        let certificate = value.to_str().ok().filter(|_| second.is_none()).and_then(ClientCertificate::from_header);
        let Some(certificate) = certificate else {
            return Err(Denial::new(DenialCode::HeaderForbidden, StageId::Client).because("header", "client-cert"));
        };
        head.facts.certificate = Some(Arc::new(certificate));
        Ok(())
    }

    fn locate(&self, head: &mut Head) -> Result<(), Denial> {
        let Some(peer) = head.facts.peer.map(|peer| peer.ip().to_canonical()) else { return Ok(()) };
        head.facts.client = Some(peer);
        let Some(proxies) = self.proxies.get(head.facts.listener) else { return Ok(()) };
        if !proxies.believes(peer, 0) {
            return Ok(());
        }
        let hops = match proxies.speak {
            Speak::Forwarded => forwarded_hops(&head.parts.headers)?,
            Speak::XForwarded => x_forwarded_hops(&head.parts.headers)?,
        };
        let (mut client, mut nearest, mut is_hidden) = (peer, None, false);
        for (behind, hop) in hops.iter().rev().enumerate() {
            if !proxies.believes(client, behind) {
                break;
            }
            nearest = Some(hop);
            match hop.node {
                Some(Node::Address(address)) => client = address,
                // It was not asked for the address but for scheme or host.
                None if hops.len() == 1 => break,
                None | Some(Node::Unknown) => {
                    is_hidden = true;
                    break;
                }
            }
        }
        if let Trust::DangerHops(number) = proxies.trust {
            is_hidden |= hops.len() < number.get();
        }
        head.facts.client = Some(client);
        head.facts.is_client_hidden = is_hidden;
        let Some(hop) = nearest else { return Ok(()) };
        if let Some(proto) = &hop.proto {
            head.facts.transport = transport(proto)?;
        }
        if let Some(host) = &hop.host {
            let deny = |reason| Denial::new(DenialCode::HostInvalid, StageId::Client).because("reason", reason);
            head.facts.forwarded_host = Some(CanonicalHost::parse(host).map_err(|error| deny(error.reason))?);
        }
        Ok(())
    }
}

impl Proxies {
    /// Whether what `address` says is believed, which is so many hops in front of us.
    fn believes(&self, address: IpAddr, hops: usize) -> bool {
        match &self.trust {
            Trust::DangerHops(number) => hops < number.get(),
            Trust::Networks(networks) => within(networks, address),
        }
    }
}

fn forwarded_hops(headers: &HeaderMap) -> Result<Vec<Hop>, Denial> {
    let mut hops = Vec::new();
    for line in lines(headers, &header::FORWARDED) {
        hops.extend(forwarded::parse(line?).map_err(|error| unreadable(error.reason, &header::FORWARDED))?);
    }
    Ok(hops)
}

/// Three lists in three headers: one value of scheme and host stands for all hops, else there is one for each.
fn x_forwarded_hops(headers: &HeaderMap) -> Result<Vec<Hop>, Denial> {
    let mut hops = Vec::new();
    for line in lines(headers, &X_FORWARDED_FOR) {
        hops.extend(forwarded::addresses(line?).map(|node| Hop { node: Some(node), ..Hop::default() }));
    }
    let (protos, hosts) = (list(headers, &X_FORWARDED_PROTO)?, list(headers, &X_FORWARDED_HOST)?);
    if hops.is_empty() && !(protos.is_empty() && hosts.is_empty()) {
        hops.push(Hop::default());
    }
    let count = hops.len();
    for (name, values) in [(&X_FORWARDED_PROTO, &protos), (&X_FORWARDED_HOST, &hosts)] {
        if values.len() > 1 && values.len() != count {
            return Err(unreadable("forwarded_ambiguous", name));
        }
    }
    for (index, hop) in hops.iter_mut().enumerate() {
        let of = |values: &[&str]| match values {
            [one] => Some((*one).to_owned()),
            many => many.get(index).map(|value| (*value).to_owned()),
        };
        (hop.proto, hop.host) = (of(&protos), of(&hosts));
    }
    Ok(hops)
}

fn list<'h>(headers: &'h HeaderMap, name: &'h HeaderName) -> Result<Vec<&'h str>, Denial> {
    let mut values = Vec::new();
    for line in lines(headers, name) {
        values.extend(line?.split(',').map(str::trim).filter(|value| !value.is_empty()));
    }
    Ok(values)
}

fn lines<'h>(headers: &'h HeaderMap, name: &'h HeaderName) -> impl Iterator<Item = Result<&'h str, Denial>> {
    let values = headers.get_all(name).iter();
    values.map(move |value| value.to_str().map_err(|_| unreadable("forwarded_malformed", name)))
}

fn transport(proto: &str) -> Result<Transport, Denial> {
    match proto.to_ascii_lowercase().as_str() {
        "https" | "wss" => Ok(Transport::Encrypted),
        "http" | "ws" => Ok(Transport::Clear),
        _ => {
            Err(Denial::new(DenialCode::HeaderForbidden, StageId::Client).because("reason", "forwarded_proto_unknown"))
        }
    }
}

fn unreadable(reason: &'static str, name: &HeaderName) -> Denial {
    let denial = Denial::new(DenialCode::HeaderForbidden, StageId::Client);
    denial.because("reason", reason).because("header", name.as_str())
}

/// Deletes what others say about the client, and what only we may say. Most requests have nothing of either.
fn remove_claims(headers: &mut HeaderMap) {
    let is_claim = |name: &str| match name.as_bytes() {
        // A signed identity proves itself: `authenticate` may read it, and `present` removes it.
        [b'p', ..] => name.starts_with("palisade-") && name != "palisade-identity",
        [b'x' | b'f' | b't' | b'c', ..] => {
            name.starts_with("x-forwarded-") || name.starts_with("client-cert") || FORWARDING.contains(&name)
        }
        _ => false,
    };
    if !headers.keys().any(|name| is_claim(name.as_str())) {
        return;
    }
    let claims: Vec<HeaderName> = headers.keys().filter(|name| is_claim(name.as_str())).cloned().collect();
    for name in claims {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests;
