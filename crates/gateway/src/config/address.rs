//! Addresses, networks, origins and URLs as the file writes them.

use std::net::{IpAddr, SocketAddr};

use http::uri::{Authority, Scheme, Uri};
use ipnet::IpNet;
use palisade_core::canon::host::CanonicalHost;

use super::scalar::Fault;

/// Scheme, host and port of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    /// `http` or `https`.
    pub(crate) scheme: Scheme,
    /// Host and port as the file writes them; the host is canonical.
    pub(crate) authority: Authority,
}

impl Base {
    /// Whether the backend is spoken to over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }
}

/// Whether nothing but this machine can be behind a host name or an address.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_name = bare.eq_ignore_ascii_case("localhost") || bare.to_ascii_lowercase().ends_with(".localhost");
    is_name || bare.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// `127.0.0.1:8080` or `[::1]:8080`.
pub(crate) fn socket(text: &str) -> Result<SocketAddr, Fault> {
    text.parse().map_err(|_| {
        let help = "write an IP address and a port, such as `127.0.0.1:8080`, or `0.0.0.0:8080` for all interfaces";
        Fault::new("bad-address", format!("`{text}` is not an address"), help)
    })
}

/// `10.0.0.0/8`, `2001:db8::/32`, or one address.
pub(crate) fn network(text: &str) -> Result<IpNet, Fault> {
    let network: IpNet = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
        let help = "write a block such as `10.0.0.0/8` or `2001:db8::/32`, or one address";
        Fault::new("bad-network", format!("`{text}` is not a network"), help)
    })?;
    if network.trunc() == network {
        return Ok(network);
    }
    let help = format!("for the whole block write `{}`, for the one address `{}`", network.trunc(), network.addr());
    Err(Fault::new("bad-network", format!("`{text}` names an address inside its block"), help))
}

/// `http://127.0.0.1:9000`: scheme, host and port and nothing else.
pub(crate) fn base(text: &str) -> Result<Base, Fault> {
    let bad = |message: String| {
        let help = "write scheme, host and port only, such as `http://127.0.0.1:9000` or `https://orders.internal`";
        Fault::new("bad-url", message, help)
    };
    let (scheme, rest) = split_scheme(text).ok_or_else(|| bad(format!("`{text}` is not an http or https URL")))?;
    let host = rest.strip_suffix('/').unwrap_or(rest);
    if host.contains(['/', '?', '#']) {
        return Err(bad(format!("`{text}` has more than scheme, host and port")));
    }
    let host = CanonicalHost::parse(host).map_err(|_| bad(format!("`{text}` has no valid host")))?;
    let authority = host.to_string().parse().map_err(|_| bad(format!("`{text}` has no valid host")))?;
    Ok(Base { scheme, authority })
}

/// A URL to fetch keys from: `https`, or `http` from this machine.
pub(crate) fn fetch_url(text: &str) -> Result<Uri, Fault> {
    let bad = |message: String| {
        let help = "write an `https` URL such as `https://id.example.com/jwks`, or `file:` and the path of a file";
        Fault::new("bad-url", message, help)
    };
    let (scheme, rest) = split_scheme(text).ok_or_else(|| bad(format!("`{text}` is not an http or https URL")))?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = CanonicalHost::parse(host).map_err(|_| bad(format!("`{text}` has no valid host")))?;
    if scheme == Scheme::HTTP && !is_loopback_host(host.name()) {
        return Err(bad(format!("keys from `{text}` could be replaced on the way")));
    }
    text.parse().map_err(|_| bad(format!("`{text}` is not a URL")))
}

/// `https://app.example.com`: an origin exactly as browsers write it.
pub(crate) fn origin(text: &str) -> Result<String, Fault> {
    let bad = |help: String| Fault::new("bad-origin", format!("`{text}` is not an origin"), help);
    let shape =
        || bad("write scheme, host and, unless it is the scheme's own, port: `https://app.example.com`".to_owned());
    if text == "null" {
        let help = "any page can have the origin `null`, in a sandboxed frame: name the origins that you mean";
        return Err(bad(help.to_owned()));
    }
    let (scheme, rest) = split_scheme(text).ok_or_else(shape)?;
    let host = CanonicalHost::parse(rest.trim_end_matches('/')).map_err(|_| shape())?;
    let own_port = if scheme == Scheme::HTTPS { 443 } else { 80 };
    let canonical = match host.port() {
        Some(port) if port != own_port => format!("{scheme}://{}:{port}", host.name()),
        _ => format!("{scheme}://{}", host.name()),
    };
    if canonical == text { Ok(canonical) } else { Err(bad(format!("browsers write it `{canonical}`"))) }
}

fn split_scheme(text: &str) -> Option<(Scheme, &str)> {
    let https = text.strip_prefix("https://").map(|rest| (Scheme::HTTPS, rest));
    https.or_else(|| text.strip_prefix("http://").map(|rest| (Scheme::HTTP, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_are_scheme_host_and_port() {
        for (text, expect) in [
            ("http://127.0.0.1:9000", "127.0.0.1:9000"),
            ("https://Orders.Internal/", "orders.internal"),
            ("http://[::1]", "[::1]"),
        ] {
            let base = base(text).unwrap();
            assert_eq!(base.authority.as_str(), expect, "{text}");
        }
        for text in
            ["", "127.0.0.1:9000", "ftp://a", "http://", "http://a/b", "http://a?b", "http://u:p@a", "http://a:0x"]
        {
            assert!(base(text).is_err(), "{text}");
        }
    }

    #[test]
    fn origins_are_as_browsers_write_them() {
        for text in ["https://app.example.com", "http://localhost:3000"] {
            assert_eq!(origin(text).unwrap(), text);
        }
        for (text, help) in [
            ("https://App.example.com", "browsers write it `https://app.example.com`"),
            ("https://a.example:443", "browsers write it `https://a.example`"),
            ("https://a.example/", "browsers write it `https://a.example`"),
        ] {
            assert_eq!(origin(text).unwrap_err().help, help);
        }
        for text in ["", "*", "null", "a.example", "https://a/b", "https://u@a"] {
            assert!(origin(text).is_err(), "{text}");
        }
    }

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        for text in ["https://id.example.com/jwks?v=1", "http://localhost:8080/jwks", "http://[::1]/jwks"] {
            assert!(fetch_url(text).is_ok(), "{text}");
        }
        for text in ["http://id.example.com/jwks", "id.example.com", "https:///jwks", "https://localhost@evil/x"] {
            assert!(fetch_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn networks_begin_at_their_first_address() {
        assert_eq!(network("10.0.0.0/8").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(network("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
        assert!(network("10.1.2.3/8").unwrap_err().help.contains("`10.0.0.0/8`"));
        assert!(network("10.0.0.0/33").is_err());
    }
}
