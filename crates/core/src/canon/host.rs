//! The canonical form of the host that a request is for.

use std::fmt;
use std::net::Ipv6Addr;
use std::sync::Arc;

use super::Ambiguous;

/// A host name in lower case, or an address, with its port where one was given.
///
/// ```
/// use palisade_core::canon::host::CanonicalHost;
///
/// let host = CanonicalHost::parse("API.Example.com:8443").unwrap();
/// assert_eq!((host.name(), host.port()), ("api.example.com", Some(8443)));
/// assert!(CanonicalHost::parse("user@evil.example").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CanonicalHost {
    /// As it is written.
    text: Arc<str>,
    /// How much of it is the name.
    name: usize,
    port: Option<u16>,
}

impl CanonicalHost {
    /// The canonical form of a `Host` field or an authority (RFC 9112 section 3.2). User information, a trailing dot,
    /// percent-encoding and characters outside ASCII are refused: names travel in their `xn--` form.
    pub fn parse(raw: &str) -> Result<Self, Ambiguous> {
        let (mut text, port) = if raw.starts_with('[') {
            let end = raw.find(']').ok_or(Ambiguous::new("host_malformed"))?;
            let (name, rest) = raw.split_at(end + 1);
            let inside = name.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or("");
            let address: Ipv6Addr = inside.parse().map_err(|_| Ambiguous::new("host_malformed"))?;
            (format!("[{address}]"), rest)
        } else {
            let end = raw.bytes().position(|byte| byte == b':').unwrap_or(raw.len());
            let (name, rest) = raw.split_at(end);
            (name.to_ascii_lowercase(), rest)
        };
        let name = text.len();
        if !text.starts_with('[') && (name > 253 || !is_of_labels(&text)) {
            return Err(Ambiguous::new("host_malformed"));
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                let port: u16 = digits.parse().map_err(|_| Ambiguous::new("host_port_invalid"))?;
                let significant = digits.trim_start_matches('0');
                text.push(':');
                text.push_str(if significant.is_empty() { "0" } else { significant });
                Some(port)
            }
            _ => return Err(Ambiguous::new("host_port_invalid")),
        };
        Ok(Self { text: text.into(), name, port })
    }

    /// [`Self::as_str`], to keep.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// The name, and the port behind a colon where one was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name in lower case, or the address; IPv6 in brackets.
    pub fn name(&self) -> &str {
        self.text.get(..self.name).unwrap_or_default()
    }

    /// The port, where the request named one.
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}

/// Whether a name is labels of 1 to 63 letters, digits, hyphens and underscores, with dots between them.
fn is_of_labels(name: &str) -> bool {
    let mut length = 0;
    for byte in name.bytes() {
        match byte {
            b'.' if length == 0 => return false,
            b'.' => length = 0,
            b'-' | b'_' => length += 1,
            _ if byte.is_ascii_alphanumeric() => length += 1,
            _ => return false,
        }
        if length > 63 {
            return false;
        }
    }
    length > 0
}

impl fmt::Display for CanonicalHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accepts_names_and_addresses() {
        for (raw, expect) in [
            ("Example.COM", "example.com"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("a:0080", "a:80"),
            ("a:00", "a:0"),
            ("[::0001]:8080", "[::1]:8080"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("my_service", "my_service"),
        ] {
            assert_eq!(CanonicalHost::parse(raw).map(|host| host.to_string()), Ok(expect.to_owned()), "{raw}");
        }
    }

    #[test]
    fn refuses_what_has_two_readings() {
        for raw in [
            "",
            ".",
            "a..b",
            "example.com.",
            "user@example.com",
            "a b",
            "example.com:",
            "example.com:x",
            "a:99999",
            "a:1:2",
            "[::1",
            "[::1]x",
            "[fe80::1%25eth0]",
            "exa%6dple.com",
            "bücher.example",
            "a,b",
            "a/b",
        ] {
            assert!(CanonicalHost::parse(raw).is_err(), "{raw}");
        }
    }

    proptest! {
        #[test]
        fn is_idempotent(raw in "[a-zA-Z0-9.:\\[\\]-]{0,30}") {
            if let Ok(host) = CanonicalHost::parse(&raw) {
                prop_assert_eq!(CanonicalHost::parse(&host.to_string()), Ok(host));
            }
        }
    }
}
