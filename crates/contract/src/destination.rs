//! Where a URL in a message may lead.
//!
//! A backend that fetches what a caller names can be made to fetch from inside its own network (CWE-918). A contract
//! that lists the hosts of a URL (`x-palisade-destinations`) is exact; without a list, only what is certainly not
//! public is refused: the backend resolves names again, so no check here can promise more.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// The rule for one URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destinations {
    /// Exactly these hosts, by `https`.
    Listed(Box<[Box<str>]>),
    /// Any host that is not certainly internal.
    Public,
}

impl Destinations {
    /// Whether a URL may be used.
    pub(crate) fn allow(&self, text: &str) -> bool {
        match self {
            Self::Listed(hosts) => strict(text).is_some_and(|url| {
                let host = url.host_str().unwrap_or_default();
                url.scheme() == "https" && hosts.iter().any(|listed| **listed == *host)
            }),
            Self::Public => match Url::parse(text) {
                // A relative reference leads nowhere by itself; whether it is allowed is a matter of `format`.
                Err(url::ParseError::RelativeUrlWithoutBase) => !text.starts_with("//") && !text.contains('\\'),
                Err(_) => false,
                Ok(url) => url.host().is_none_or(|host| is_public(&host)),
            },
        }
    }

    /// The rule in words.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Listed(hosts) => format!("must be an https URL of {}", hosts.join(", ")),
            Self::Public => "must not lead to an internal address".to_owned(),
        }
    }
}

/// The form in which a listed host is compared. `None` when it is not a host.
pub(crate) fn normalize(host: &str) -> Option<Box<str>> {
    let url = Url::parse(&format!("https://{host}/")).ok()?;
    let alone =
        url.path() == "/" && url.port().is_none() && url.username().is_empty() && !host.contains(['/', '?', '#']);
    alone.then(|| url.host_str().map(Into::into)).flatten()
}

/// An absolute `https` URL whose writing leaves no doubt: parsers differ about backslashes, missing slashes, white space,
/// user information and other spellings of an address, and attackers use the difference to show one host and reach
/// another. So the authority must be the host as it is listed, and nothing else.
fn strict(text: &str) -> Option<Url> {
    let rest = text.get(..8).filter(|scheme| scheme.eq_ignore_ascii_case("https://")).and_then(|_| text.get(8..))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let url = Url::parse(text).ok()?;
    let clean = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (clean && url.host_str().is_some_and(|host| host.eq_ignore_ascii_case(authority))).then_some(url)
}

/// Whether a host may be on the public internet.
fn is_public(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let inner = [".internal", ".local", ".localhost", ".localdomain", ".lan", ".home.arpa", ".svc"];
            name.contains('.') && !inner.iter().any(|suffix| name.ends_with(suffix))
        }
        Host::Ipv4(address) => is_public_v4(*address),
        Host::Ipv6(address) => is_public_v6(*address),
    }
}

/// The special-purpose ranges of the IANA registry (RFC 6890), as prefixes.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    !SPECIAL_V4.iter().any(|(network, length)| (bits ^ network.to_bits()).leading_zeros() >= *length)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = address.segments() {
        return is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    }
    let bits = address.to_bits();
    !SPECIAL_V6.iter().any(|(network, length)| (bits ^ network.to_bits()).leading_zeros() >= *length)
}

const SPECIAL_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // A cloud's metadata service answers at 169.254.169.254, and Azure's also at 168.63.129.16.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

const SPECIAL_V6: [(Ipv6Addr, u32); 14] = [
    // Unspecified, loopback and the IPv4-compatible addresses.
    (Ipv6Addr::UNSPECIFIED, 96),
    (Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    (Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_exact() {
        let listed = Destinations::Listed(["hooks.example.com", "93.184.216.34"].map(Into::into).into());
        for text in ["https://hooks.example.com/a?b#c", "https://HOOKS.example.com", "https://93.184.216.34/"] {
            assert!(listed.allow(text), "{text}");
        }
        for text in [
            "http://hooks.example.com/",
            "https://evil.com/",
            "https://hooks.example.com.evil.com/",
            "https://hooks.example.com@evil.com/",
            "https://evil.com\\@hooks.example.com/",
            "https://user@hooks.example.com/",
            "https://hooks.example.com:8443/",
            "https://hooks.example.com./",
            "https:hooks.example.com",
            "https:/hooks.example.com",
            "https:///hooks.example.com",
            "https://hooks%2eexample.com/",
            "//hooks.example.com/",
            " https://hooks.example.com/",
            "https://ho\toks.example.com/",
            "https://93.184.216.35/",
            "https://1572395042/",
            "",
        ] {
            assert!(!listed.allow(text), "{text}");
        }
    }

    #[test]
    fn internal_addresses_are_refused_in_every_spelling() {
        for text in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://10.1.2.3/",
            "http://169.254.169.254/latest/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[fd00:ec2::254]/",
            "http://[64:ff9b::a00:1]/",
            "http://[fe80::1]/",
            "http://[2002:a00:1::]/",
            "http://localhost/",
            "http://LOCALHOST./",
            "http://api/",
            "http://db.internal/",
            "http://printer.local:631/",
            "http:\\\\127.0.0.1/",
            "http:127.0.0.1",
            "//127.0.0.1/x",
            "http://１２７.０.０.１/",
            "ftp://10.0.0.1/",
            "http://[",
            "http://100.64.1.1",
            "http://172.31.0.1",
            "http://192.168.0.1",
        ] {
            assert!(!Destinations::Public.allow(text), "{text}");
        }
        for text in [
            "https://example.com/",
            "http://93.184.216.34/",
            "https://[2606:2800:220:1::1]/",
            "mailto:a@example.com",
            "/relative",
            "urn:isbn:123",
            "http://172.32.0.1",
            "http://internal.example.com",
        ] {
            assert!(Destinations::Public.allow(text), "{text}");
        }
    }

    #[test]
    fn hosts_are_normalized() {
        assert_eq!(normalize("Hooks.Example.com").as_deref(), Some("hooks.example.com"));
        for host in ["https://example.com", "example.com/a", "example.com:8443", "a@b", "", "a b"] {
            assert_eq!(normalize(host), None, "{host}");
        }
    }
}
