//! A hello in an old version of TLS, written by hand: no library that is in its right mind would still say it.
//!
//! It is answered with a hello of the same version by a server that would go on, and with an alert by one that would
//! not (RFC 2246 section 7.4.1, RFC 4346, RFC 8996).

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A version that must not be spoken any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outdated {
    /// TLS 1.0, of 1999.
    Tls10,
    /// TLS 1.1, of 2006.
    Tls11,
}

impl Outdated {
    pub(crate) const ALL: [Self; 2] = [Self::Tls10, Self::Tls11];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tls10 => "TLS 1.0",
            Self::Tls11 => "TLS 1.1",
        }
    }

    fn code(self) -> [u8; 2] {
        match self {
            Self::Tls10 => [3, 1],
            Self::Tls11 => [3, 2],
        }
    }
}

/// Whether a server at the other end of a connection would speak a version.
pub(super) async fn is_spoken(stream: &mut TcpStream, host: &str, version: Outdated) -> std::io::Result<bool> {
    stream.write_all(&hello(host, version)).await?;
    let mut answer = [0; ANSWER];
    let mut length = 0;
    while let Some(rest) = answer.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match stream.read(rest).await? {
            0 => break,
            more => length += more,
        }
    }
    Ok(answer.get(..length).is_some_and(|answer| is_hello(answer, version)))
}

/// A record with a server's hello in this version.
fn is_hello(answer: &[u8], version: Outdated) -> bool {
    let [major, minor] = version.code();
    matches!(answer, [HANDSHAKE, 3, _, _, _, SERVER_HELLO, _, _, _, a, b, ..] if [*a, *b] == [major, minor])
}

/// A client's hello with the suites that such servers have.
fn hello(host: &str, version: Outdated) -> Vec<u8> {
    let mut extensions = Vec::new();
    // An address is no name.
    if host.parse::<std::net::IpAddr>().is_err() {
        let name = [vec![0], sized(host.as_bytes().to_vec())].concat();
        extensions.extend([vec![0, 0], sized(sized(name))].concat());
    }
    extensions.extend([vec![0, 10], sized(sized(vec![0, 23, 0, 24, 0, 29]))].concat());
    extensions.extend([0, 11, 0, 2, 1, 0]);
    let body = [
        version.code().to_vec(),
        // Nothing is kept secret by this handshake, which goes no further.
        (0..32).collect(),
        vec![0],
        sized(SUITES.iter().flat_map(|suite| suite.to_be_bytes()).collect()),
        vec![1, 0],
        sized(extensions),
    ]
    .concat();
    let handshake = [vec![CLIENT_HELLO, 0], sized(body)].concat();
    [vec![HANDSHAKE, 3, 1], sized(handshake)].concat()
}

/// Bytes with their length in two bytes before them.
fn sized(bytes: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [length.to_be_bytes().to_vec(), bytes].concat()
}

/// The head of a record and of a hello, with its version.
const ANSWER: usize = 11;
const CLIENT_HELLO: u8 = 1;
const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;
/// Elliptic curves with AES for both kinds of keys, RSA alone with AES and triple DES, and the mark of a safe renegotiation.
const SUITES: [u16; 8] = [0xc013, 0xc014, 0xc009, 0xc00a, 0x002f, 0x0035, 0x000a, 0x00ff];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_fit_and_names_are_told() {
        let text = hello("api.example", Outdated::Tls11);
        assert_eq!(usize::from(u16::from_be_bytes([text[3], text[4]])), text.len() - 5);
        assert_eq!(usize::from(u16::from_be_bytes([text[7], text[8]])), text.len() - 9);
        assert_eq!(text[9..11], [3, 2]);
        assert!(text.windows(11).any(|part| part == b"api.example"));
        assert!(hello("127.0.0.1", Outdated::Tls10).len() < text.len());
    }

    #[test]
    fn an_alert_or_another_version_is_no_hello() {
        let check = |answer: &[u8], expect: bool| assert_eq!(is_hello(answer, Outdated::Tls10), expect, "{answer:?}");
        check(&[22, 3, 1, 0, 61, 2, 0, 0, 57, 3, 1], true);
        check(&[22, 3, 3, 0, 61, 2, 0, 0, 57, 3, 3], false);
        check(&[21, 3, 1, 0, 2, 2, 70], false);
        check(&[], false);
    }
}
