//! What proxies say about the connections in front of them: `Forwarded` (RFC 7239) and the older `X-Forwarded-For`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Ambiguous;

/// One hop, as the proxy behind it has described it.
///
/// ```
/// use palisade_core::canon::forwarded::{Hop, parse};
///
/// let hop = Hop { host: Some("a".to_owned()), proto: Some("https".to_owned()), ..Hop::default() };
/// assert_eq!(parse("host=a;proto=https").unwrap(), [hop]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hop {
    /// Who spoke to the proxy.
    pub node: Option<Node>,
    /// For which host the request was.
    pub host: Option<String>,
    /// By which scheme it was made.
    pub proto: Option<String>,
}

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// Its address; an IPv4 address as such, even where it was written as one of IPv6.
    Address(IpAddr),
    /// The proxy does not know it, or has given it a name of its own.
    Unknown,
}

/// The hops of one line of `Forwarded`, the farthest first. White space beside `;` is accepted, as everybody writes it.
///
/// ```
/// use palisade_core::canon::forwarded::{self, Node};
///
/// let hops = forwarded::parse(r#"for="[2001:db8::7]:4711";proto=https, for=unknown"#).unwrap();
/// assert_eq!(hops[0].node, Some(Node::Address("2001:db8::7".parse().unwrap())));
/// assert_eq!(hops[0].proto.as_deref(), Some("https"));
/// assert_eq!(hops[1].node, Some(Node::Unknown));
/// ```
pub fn parse(line: &str) -> Result<Vec<Hop>, Ambiguous> {
    let (mut hops, mut hop, mut rest) = (Vec::new(), None, line.trim_start_matches(OWS));
    loop {
        if let Some(later) = rest.strip_prefix(',') {
            hops.extend(hop.take());
            rest = later.trim_start_matches(OWS);
        } else if let Some(later) = rest.strip_prefix(';') {
            rest = later.trim_start_matches(OWS);
        } else if rest.is_empty() {
            hops.extend(hop);
            return Ok(hops);
        } else {
            let (name, value, later) = pair(rest).ok_or(MALFORMED)?;
            add(hop.get_or_insert_default(), name, value)?;
            rest = later.trim_start_matches(OWS);
            if !(rest.is_empty() || rest.starts_with([',', ';'])) {
                return Err(MALFORMED);
            }
        }
    }
}

/// The addresses of one line of `X-Forwarded-For`, the farthest first. What is no address is unknown.
pub fn addresses(line: &str) -> impl Iterator<Item = Node> {
    line.split(',').map(str::trim).filter(|text| !text.is_empty()).map(|text| {
        let bare = text.parse::<IpAddr>().ok().map(|address| Node::Address(address.to_canonical()));
        bare.or_else(|| node(text)).unwrap_or(Node::Unknown)
    })
}

/// `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]:80`, `unknown` or `_name` (RFC 7239 section 6).
pub fn node(text: &str) -> Option<Node> {
    let (name, port) = match text.strip_prefix('[') {
        Some(inside) => {
            let (address, rest) = inside.split_once(']')?;
            (Node::Address(IpAddr::V6(address.parse::<Ipv6Addr>().ok()?).to_canonical()), rest)
        }
        None => {
            let (name, port) = text.find(':').map_or((text, ""), |at| text.split_at(at));
            let known = || Some(Node::Address(name.parse::<Ipv4Addr>().ok()?.into()));
            let hidden = name.eq_ignore_ascii_case("unknown") || is_obfuscated(name);
            (if hidden { Node::Unknown } else { known()? }, port)
        }
    };
    let is_port = |port: &str| {
        let is_number = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
        is_number || is_obfuscated(port)
    };
    match port.strip_prefix(':') {
        None => port.is_empty().then_some(name),
        Some(port) => is_port(port).then_some(name),
    }
}

fn is_obfuscated(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    text.strip_prefix('_').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_plain))
}

fn add(hop: &mut Hop, name: &str, value: String) -> Result<(), Ambiguous> {
    let taken = if name.eq_ignore_ascii_case("for") {
        hop.node.replace(node(&value).ok_or(MALFORMED)?).is_some()
    } else if name.eq_ignore_ascii_case("host") {
        hop.host.replace(value).is_some()
    } else if name.eq_ignore_ascii_case("proto") {
        hop.proto.replace(value).is_some()
    } else {
        // `by` and extensions say nothing about the client.
        false
    };
    if taken { Err(Ambiguous::new("forwarded_repeated")) } else { Ok(()) }
}

/// `token=token` or `token="quoted"`, and what follows it.
fn pair(text: &str) -> Option<(&str, String, &str)> {
    let (name, rest) = token(text)?;
    let rest = rest.strip_prefix('=')?;
    match rest.strip_prefix('"') {
        None => token(rest).map(|(value, rest)| (name, value.to_owned(), rest)),
        Some(rest) => quoted(rest).map(|(value, rest)| (name, value, rest)),
    }
}

fn token(text: &str) -> Option<(&str, &str)> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = text.find(|c| !is_plain(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// What stands before the closing quote, without its backslashes, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(characters.next()?.1),
            c if c.is_control() && c != '\t' => return None,
            c => value.push(c),
        }
    }
    None
}

const OWS: [char; 2] = [' ', '\t'];
const MALFORMED: Ambiguous = Ambiguous::new("forwarded_malformed");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The hops in short: node, scheme and host.
    fn told(line: &str) -> Result<String, &'static str> {
        let of = |hop: &Hop| {
            let node = match hop.node {
                None => "-".to_owned(),
                Some(Node::Address(address)) => address.to_string(),
                Some(Node::Unknown) => "?".to_owned(),
            };
            [Some(node), hop.proto.clone(), hop.host.clone()].into_iter().flatten().collect::<Vec<_>>().join(" ")
        };
        parse(line).map(|hops| hops.iter().map(of).collect::<Vec<_>>().join(", ")).map_err(|error| error.reason)
    }

    #[test]
    fn reads_what_proxies_write() {
        for (line, expect) in [
            ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60 http"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("for=192.0.2.43, for=198.51.100.17", "192.0.2.43, 198.51.100.17"),
            ("for=\"192.0.2.43:47011\" ; PROTO=https; host=\"a.example:8443\"", "192.0.2.43 https a.example:8443"),
            ("for=unknown, for=_hidden, for=\"_SEVKISEK:_port\", for=\"unknown:80\"", "?, ?, ?, ?"),
            ("for=\"[::ffff:192.0.2.1]\"", "192.0.2.1"),
            ("for=\"192.0.2\\.1\"", "192.0.2.1"),
            ("proto=https", "- https"),
            ("secret=\"a, for=1.2.3.4\";for=192.0.2.1", "192.0.2.1"),
            (" ,, for=192.0.2.1 ,;, ", "192.0.2.1"),
            ("", ""),
        ] {
            assert_eq!(told(line).as_deref(), Ok(expect), "{line}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        for (line, reason) in [
            ("for", "forwarded_malformed"),
            ("for=", "forwarded_malformed"),
            ("=1.2.3.4", "forwarded_malformed"),
            ("for =1.2.3.4", "forwarded_malformed"),
            ("for= 1.2.3.4", "forwarded_malformed"),
            ("for=1.2.3.4 for=1.2.3.5", "forwarded_malformed"),
            ("for=2001:db8::1", "forwarded_malformed"),
            ("for=[2001:db8::1]", "forwarded_malformed"),
            ("for=\"2001:db8::1\"", "forwarded_malformed"),
            ("for=\"[2001:db8::1\"", "forwarded_malformed"),
            ("for=\"[192.0.2.1]\"", "forwarded_malformed"),
            ("for=\"192.0.2.1:\"", "forwarded_malformed"),
            ("for=\"192.0.2.1:123456\"", "forwarded_malformed"),
            ("for=\"_\"", "forwarded_malformed"),
            ("for=nonsense", "forwarded_malformed"),
            // A client tries to swallow what the proxy adds.
            ("for=\", for=192.0.2.1", "forwarded_malformed"),
            ("for=\"a, for=\"[2001:db8::1]\"", "forwarded_malformed"),
            ("for=1.2.3.4;for=1.2.3.5", "forwarded_repeated"),
            ("proto=http;for=1.2.3.4;Proto=https", "forwarded_repeated"),
        ] {
            assert_eq!(told(line), Err(reason), "{line}");
        }
    }

    #[test]
    fn reads_addresses_with_and_without_ports() {
        let line = "192.0.2.1, 192.0.2.2:80,2001:db8::1 ,[2001:db8::2]:80, ::ffff:192.0.2.3, unknown, x, 192.0.2.1:x";
        let found: Vec<String> = addresses(line)
            .map(|node| match node {
                Node::Address(address) => address.to_string(),
                Node::Unknown => "?".to_owned(),
            })
            .collect();
        assert_eq!(found, ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "192.0.2.3", "?", "?", "?"]);
    }

    proptest! {
        #[test]
        fn what_a_proxy_adds_is_the_last_hop_or_nothing_is(client in "[ -~]{0,40}", last in any::<[u8; 4]>()) {
            let address = IpAddr::from(last);
            if let Ok(hops) = parse(&format!("{client}, for={address}")) {
                prop_assert_eq!(hops.last().and_then(|hop| hop.node), Some(Node::Address(address)));
            }
        }

        #[test]
        fn reads_every_address(address in any::<IpAddr>(), port in any::<u16>()) {
            let node = match address {
                IpAddr::V4(address) => format!("{address}:{port}"),
                IpAddr::V6(address) => format!("[{address}]:{port}"),
            };
            let expect = Node::Address(address.to_canonical());
            prop_assert_eq!(parse(&format!("for=\"{node}\"")).unwrap().first().and_then(|hop| hop.node), Some(expect));
            prop_assert_eq!(addresses(&node).collect::<Vec<_>>(), [expect]);
        }
    }
}
