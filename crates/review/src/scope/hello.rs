//! A hello that offers only what is weak, written by hand: no library that is in its right mind would still say it.
//!
//! It is answered with a hello of the same version and one of its suites by a server that would go on, and with an alert
//! by one that would not (RFC 2246 section 7.4.1, RFC 4346, RFC 5246, RFC 8996).

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a server must not go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// TLS 1.0, of 1999.
    Tls10,
    /// TLS 1.1, of 2006.
    Tls11,
    /// TLS 1.2 with suites that encrypt and authenticate one after the other (RFC 7525 section 4.2).
    Unauthenticated,
    /// TLS 1.2 with suites in which the server's key opens every recording (RFC 9325 section 4.1).
    Unforward,
}

impl Offer {
    /// The versions alone.
    pub(crate) const VERSIONS: [Self; 2] = [Self::Tls10, Self::Tls11];
    /// Suites of a version that is fine.
    pub(crate) const SUITES: [Self; 2] = [Self::Unforward, Self::Unauthenticated];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tls10 => "TLS 1.0",
            Self::Tls11 => "TLS 1.1",
            Self::Unauthenticated => "TLS 1.2 without authenticated encryption",
            Self::Unforward => "TLS 1.2 without forward secrecy",
        }
    }

    fn version(self) -> [u8; 2] {
        match self {
            Self::Tls10 => [3, 1],
            Self::Tls11 => [3, 2],
            Self::Unauthenticated | Self::Unforward => [3, 3],
        }
    }

    fn suites(self) -> &'static [u16] {
        match self {
            // Elliptic curves with AES for both kinds of keys, RSA alone with AES and triple DES.
            Self::Tls10 | Self::Tls11 => &[0xc013, 0xc014, 0xc009, 0xc00a, 0x002f, 0x0035, 0x000a],
            // The same exchanges in both kinds, and those on finite fields, with AES in chains of blocks.
            Self::Unauthenticated => {
                &[0xc027, 0xc028, 0xc023, 0xc024, 0xc013, 0xc014, 0xc009, 0xc00a, 0x0067, 0x006b, 0x0033, 0x0039]
            }
            // RSA alone, with whatever encryption.
            Self::Unforward => &[0x009c, 0x009d, 0x003c, 0x003d, 0x002f, 0x0035, 0x000a],
        }
    }

    /// Whether an answer goes on with what was offered: a record with a server's hello in the version, with a suite.
    pub(crate) fn is_taken(self, answer: &[u8]) -> bool {
        let [HANDSHAKE, 3, _, _, _, SERVER_HELLO, _, _, _, a, b, rest @ ..] = answer else { return false };
        // Its random bytes, the name of a session, the suite.
        let suite = rest.get(RANDOM).and_then(|length| {
            let at = RANDOM + 1 + usize::from(*length);
            Some(u16::from_be_bytes([*rest.get(at)?, *rest.get(at + 1)?]))
        });
        [*a, *b] == self.version() && suite.is_some_and(|suite| self.suites().contains(&suite))
    }
}

/// Whether a server at the other end of a connection would go on with an offer.
pub(super) async fn is_spoken(stream: &mut TcpStream, host: &str, offer: Offer) -> std::io::Result<bool> {
    stream.write_all(&hello(host, offer)).await?;
    let mut answer = [0; ANSWER];
    let mut length = 0;
    while let Some(rest) = answer.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match stream.read(rest).await {
            Ok(0) => break,
            Ok(more) => length += more,
            // What came before the connection was broken off still counts.
            Err(_) if length > 0 => break,
            Err(error) => return Err(error),
        }
        let is_known =
            answer.get(..length).is_some_and(|answer| offer.is_taken(answer) || answer.first() == Some(&ALERT));
        if is_known {
            break;
        }
    }
    Ok(answer.get(..length).is_some_and(|answer| offer.is_taken(answer)))
}

/// A client's hello with nothing but the offer.
fn hello(host: &str, offer: Offer) -> Vec<u8> {
    let mut extensions = Vec::new();
    // An address is no name.
    if host.parse::<std::net::IpAddr>().is_err() {
        let name = [vec![0], sized(host.as_bytes().to_vec())].concat();
        extensions.extend([vec![0, 0], sized(sized(name))].concat());
    }
    extensions.extend([vec![0, 10], sized(sized(vec![0, 23, 0, 24, 0, 29]))].concat());
    extensions.extend([0, 11, 0, 2, 1, 0]);
    if offer.version() == [3, 3] {
        extensions.extend([vec![0, 13], sized(sized(SIGNATURES.to_vec()))].concat());
    }
    let suites = offer.suites().iter().chain([&SAFE_RENEGOTIATION]);
    let body = [
        offer.version().to_vec(),
        // Nothing is kept secret by this handshake, which goes no further.
        (0..32).collect(),
        vec![0],
        sized(suites.flat_map(|suite| suite.to_be_bytes()).collect()),
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

/// The head of a record and of a hello, with the longest name of a session, and its suite.
const ANSWER: usize = 11 + RANDOM + 1 + 32 + 2;
const RANDOM: usize = 32;
const ALERT: u8 = 21;
const CLIENT_HELLO: u8 = 1;
const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;
/// The mark of a safe renegotiation (RFC 5746 section 3.3).
const SAFE_RENEGOTIATION: u16 = 0x00ff;
/// ECDSA, RSA-PSS and RSA with SHA-2, and RSA with SHA-1 for servers that have nothing newer.
const SIGNATURES: [u8; 18] = [4, 3, 5, 3, 6, 3, 8, 4, 8, 5, 8, 6, 4, 1, 5, 1, 2, 1];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_fit_and_names_are_told() {
        for offer in Offer::VERSIONS.into_iter().chain(Offer::SUITES) {
            let text = hello("api.example", offer);
            assert_eq!(usize::from(u16::from_be_bytes([text[3], text[4]])), text.len() - 5);
            assert_eq!(usize::from(u16::from_be_bytes([text[7], text[8]])), text.len() - 9);
            assert_eq!(text[9..11], offer.version());
            assert!(text.windows(11).any(|part| part == b"api.example"));
            assert!(hello("127.0.0.1", offer).len() < text.len());
        }
    }

    /// A server's hello, with a session of so many bytes.
    fn answer(version: [u8; 2], session: u8, suite: u16) -> Vec<u8> {
        let mut answer = vec![22, 3, 3, 0, 61, 2, 0, 0, 57, version[0], version[1]];
        answer.extend([7; 32]);
        answer.push(session);
        answer.extend(vec![9; usize::from(session)]);
        answer.extend(suite.to_be_bytes());
        answer
    }

    #[test]
    fn an_alert_another_version_or_another_suite_is_no_such_hello() {
        let check =
            |answer: &[u8], offer: Offer, expect: bool| assert_eq!(offer.is_taken(answer), expect, "{answer:?}");
        check(&answer([3, 1], 32, 0xc013), Offer::Tls10, true);
        check(&answer([3, 3], 0, 0x002f), Offer::Unforward, true);
        check(&answer([3, 3], 32, 0xc027), Offer::Unauthenticated, true);
        check(&answer([3, 3], 32, 0xc013), Offer::Tls10, false);
        check(&answer([3, 3], 32, 0xc02f), Offer::Unauthenticated, false);
        check(&[21, 3, 1, 0, 2, 2, 70], Offer::Tls10, false);
        check(&[], Offer::Tls10, false);
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_left_alone(answer in proptest::collection::vec(any::<u8>(), 0..120)) {
            for offer in Offer::VERSIONS.into_iter().chain(Offer::SUITES) {
                prop_assert!(!offer.is_taken(&answer) || answer.len() >= 46);
            }
        }

        #[test]
        fn a_hello_that_is_cut_short_is_none(session in 0..=32_u8, cut in 0..46_usize) {
            let whole = answer([3, 3], session, 0x009c);
            prop_assert!(Offer::Unforward.is_taken(&whole));
            prop_assert!(!Offer::Unforward.is_taken(&whole[..cut]));
        }
    }
}
