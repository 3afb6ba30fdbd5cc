//! The header by which a load balancer says, before the first byte of a connection, whose connection it passes on: PROXY
//! protocol, version 1 as a line of text and version 2 in binary.
//!
//! 1. The header is read to its last byte and no further.
//! 2. Every byte counts: a version, command, family or length that the protocol does not know is a fault.
//! 3. `LOCAL`, and `UNKNOWN` in version 1, are the load balancer's own connections: they keep its address.
//! 4. What version 2 may append is skipped; its optional checksum is not verified, since TCP has one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How many bytes it has.
    pub length: usize,
    /// The other end of the connection; `None` if it is the load balancer itself.
    pub source: Option<SocketAddr>,
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It breaks a rule.
    #[error("this is no PROXY header: {0}")]
    Malformed(&'static str),
    /// The bytes may become a header.
    #[error("the PROXY header is not complete")]
    Incomplete,
}

/// Reads the header at the beginning of `bytes`.
///
/// ```
/// use palisade_gateway::listen::proxy;
///
/// let header = proxy::parse(b"PROXY TCP4 192.0.2.1 203.0.113.9 4711 443\r\nGET /").unwrap();
/// assert_eq!((header.length, header.source), (43, Some("192.0.2.1:4711".parse().unwrap())));
/// ```
pub fn parse(bytes: &[u8]) -> Result<Header, Fault> {
    if starts_alike(bytes, SIGNATURE) {
        binary(bytes)
    } else if starts_alike(bytes, b"PROXY ") {
        text(bytes)
    } else {
        Err(Fault::Malformed("no signature"))
    }
}

/// Whether one is the beginning of the other.
fn starts_alike(bytes: &[u8], signature: &[u8]) -> bool {
    bytes.iter().zip(signature).all(|(byte, wanted)| byte == wanted)
}

fn text(bytes: &[u8]) -> Result<Header, Fault> {
    let within = bytes.get(..LONGEST_LINE).unwrap_or(bytes);
    let Some(end) = within.iter().position(|byte| *byte == b'\n') else {
        let may_go_on = bytes.len() < LONGEST_LINE;
        return Err(if may_go_on { Fault::Incomplete } else { Fault::Malformed("line too long") });
    };
    let line = within.get(..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(Fault::Malformed("bare line feed"))?;
    let line = std::str::from_utf8(line).map_err(|_| Fault::Malformed("not text"))?;
    let length = end + 1;
    let words: Vec<&str> = line.split(' ').collect();
    let source = match words.as_slice() {
        ["PROXY", "UNKNOWN", ..] => None,
        ["PROXY", family @ ("TCP4" | "TCP6"), from, to, from_port, to_port] => {
            let wanted = |text: &str| {
                let address: IpAddr = text.parse().ok()?;
                (address.is_ipv4() == (*family == "TCP4")).then_some(address)
            };
            let (Some(from), Some(_)) = (wanted(from), wanted(to)) else {
                return Err(Fault::Malformed("address"));
            };
            let (Some(port), Some(_)) = (port(from_port), port(to_port)) else {
                return Err(Fault::Malformed("port"));
            };
            Some(SocketAddr::new(from.to_canonical(), port))
        }
        _ => return Err(Fault::Malformed("words")),
    };
    Ok(Header { length, source })
}

/// A number without sign and leading zeros.
fn port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

fn binary(bytes: &[u8]) -> Result<Header, Fault> {
    let rest = bytes.strip_prefix(SIGNATURE).ok_or(Fault::Incomplete)?;
    let command = match rest.first() {
        None => return Err(Fault::Incomplete),
        Some(0x20) => Command::Local,
        Some(0x21) => Command::Proxy,
        Some(_) => return Err(Fault::Malformed("version or command")),
    };
    let [_, family, high, low, rest @ ..] = rest else { return Err(Fault::Incomplete) };
    let announced = usize::from(u16::from_be_bytes([*high, *low]));
    if announced > LONGEST_BLOCK {
        return Err(Fault::Malformed("block too long"));
    }
    let block = rest.get(..announced).ok_or(Fault::Incomplete)?;
    let source = match (command, *family) {
        (Command::Local, _) => None,
        // The load balancer has seen the connection but does not say whose it is.
        (Command::Proxy, 0x00) => None,
        (Command::Proxy, 0x11) => Some(addresses::<4, 12>(block)?),
        (Command::Proxy, 0x21) => Some(addresses::<16, 36>(block)?),
        (Command::Proxy, _) => return Err(Fault::Malformed("family")),
    };
    Ok(Header { length: SIGNATURE.len() + 4 + announced, source })
}

enum Command {
    Local,
    Proxy,
}

/// Two addresses of `N` bytes and two ports, `ALL` bytes together; the first of each.
fn addresses<const N: usize, const ALL: usize>(block: &[u8]) -> Result<SocketAddr, Fault> {
    let fault = Fault::Malformed("addresses");
    let block = block.first_chunk::<ALL>().ok_or(fault)?;
    let address = block.first_chunk::<N>().ok_or(fault)?;
    let port = block.last_chunk::<4>().and_then(|ports| ports.first_chunk::<2>()).ok_or(fault)?;
    let address: IpAddr = match <[u8; 4]>::try_from(&address[..]) {
        Ok(four) => Ipv4Addr::from(four).into(),
        Err(_) => <[u8; 16]>::try_from(&address[..]).map(Ipv6Addr::from).map_err(|_| fault)?.into(),
    };
    Ok(SocketAddr::new(address.to_canonical(), u16::from_be_bytes(*port)))
}

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line that the protocol knows, with its end.
const LONGEST_LINE: usize = 107;
/// Addresses and appended values; more than any load balancer sends.
const LONGEST_BLOCK: usize = 4096;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(length: usize, source: Option<&str>) -> Result<Header, Fault> {
        Ok(Header { length, source: source.map(|source| source.parse().unwrap()) })
    }

    fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let length = u16::try_from(block.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family], &length, block].concat()
    }

    #[test]
    fn reads_lines() {
        for (line, source) in [
            ("PROXY TCP4 192.0.2.1 203.0.113.9 4711 443\r\n", Some("192.0.2.1:4711")),
            ("PROXY TCP6 2001:db8::1 2001:db8::2 4711 443\r\n", Some("[2001:db8::1]:4711")),
            ("PROXY TCP6 ::ffff:192.0.2.1 ::1 0 65535\r\n", Some("192.0.2.1:0")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
        ] {
            assert_eq!(parse(format!("{line}GET /").as_bytes()), header(line.len(), source), "{line}");
        }
    }

    #[test]
    fn reads_blocks() {
        let four = [192, 0, 2, 1, 203, 0, 113, 9, 0x12, 0x67, 1, 187];
        let six = [&Ipv6Addr::LOCALHOST.octets()[..], &[0; 16], &[0x12, 0x67, 1, 187]].concat();
        let appended = [&four[..], &[3, 0, 4, 1, 2, 3, 4]].concat();
        for (bytes, source) in [
            (v2(0x21, 0x11, &four), Some("192.0.2.1:4711")),
            (v2(0x21, 0x11, &appended), Some("192.0.2.1:4711")),
            (v2(0x21, 0x21, &six), Some("[::1]:4711")),
            (v2(0x21, 0x00, &[]), None),
            (v2(0x20, 0x11, &four), None),
            (v2(0x20, 0x00, &[]), None),
        ] {
            let whole = [&bytes[..], b"GET /"].concat();
            assert_eq!(parse(&whole), header(bytes.len(), source), "{bytes:?}");
        }
    }

    #[test]
    fn refuses_what_is_no_header() {
        let four = [192, 0, 2, 1, 203, 0, 113, 9, 0x12, 0x67, 1, 187];
        for bytes in [
            b"GET / HTTP/1.1\r\n".to_vec(),
            b"\x16\x03\x01".to_vec(),
            b"PROXY\tTCP4 192.0.2.1 203.0.113.9 4711 443\r\n".to_vec(),
            b"proxy TCP4 192.0.2.1 203.0.113.9 4711 443\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 203.0.113.9 4711 443\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 203.0.113.9 4711\r\n".to_vec(),
            b"PROXY TCP4  192.0.2.1 203.0.113.9 4711 443\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 203.0.113.9 4711 443 \r\n".to_vec(),
            b"PROXY TCP4 2001:db8::1 2001:db8::2 4711 443\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.01 203.0.113.9 4711 443\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 203.0.113.9 04711 443\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 203.0.113.9 +4711 443\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 203.0.113.9 65536 443\r\n".to_vec(),
            b"PROXY UDP4 192.0.2.1 203.0.113.9 1 443\r\n".to_vec(),
            [b"PROXY UNKNOWN ".to_vec(), vec![b'a'; 100]].concat(),
            v2(0x11, 0x11, &four),
            v2(0x22, 0x11, &four),
            v2(0x21, 0x12, &four),
            v2(0x21, 0x31, &[0; 216]),
            v2(0x21, 0x11, &four[..11]),
            v2(0x21, 0x21, &four),
            v2(0x21, 0x11, &[0; LONGEST_BLOCK + 1]),
        ] {
            let found = parse(&bytes);
            assert!(matches!(found, Err(Fault::Malformed(_))), "{:?} {found:?}", String::from_utf8_lossy(&bytes));
        }
    }

    proptest! {
        #[test]
        fn every_beginning_of_a_header_waits(appended in prop::collection::vec(any::<u8>(), 0..40), cut in any::<prop::sample::Index>()) {
            let block = [&[192, 0, 2, 1, 203, 0, 113, 9, 0x12, 0x67, 1, 187][..], &appended].concat();
            for bytes in [v2(0x21, 0x11, &block), b"PROXY TCP4 192.0.2.1 203.0.113.9 4711 443\r\n".to_vec()] {
                let at = cut.index(bytes.len());
                prop_assert_eq!(parse(&bytes[..at]), Err(Fault::Incomplete));
                prop_assert_eq!(parse(&bytes).map(|header| header.length), Ok(bytes.len()));
            }
        }

        #[test]
        fn never_claims_more_than_there_is(bytes in prop::collection::vec(any::<u8>(), 0..80), signed in any::<bool>()) {
            let bytes = if signed { [SIGNATURE, &bytes].concat() } else { bytes };
            if let Ok(header) = parse(&bytes) {
                prop_assert!(header.length <= bytes.len());
            }
        }
    }
}
