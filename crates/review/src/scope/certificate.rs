//! The certificate that a server shows: whether it proves anything, and for how long.
//!
//! It is looked at in a handshake of its own that goes no further, and that ends well whatever the certificate is worth:
//! a library that checks would break off before anybody could say what is wrong.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What a server's certificate is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// It is good, and ends in so many days.
    Good { days: Option<i64> },
    /// What is wrong with it.
    Nothing { why: String },
}

/// Believes everything, and remembers what was wrong. What it lets through proves nothing about who is there.
pub(super) struct Believing {
    strict: Arc<WebPkiServerVerifier>,
    /// What was wrong first.
    fault: OnceLock<String>,
    /// How many days the certificate is good for, as far as that can be read.
    days: OnceLock<i64>,
}

impl Believing {
    pub(super) fn new(strict: Arc<WebPkiServerVerifier>) -> Self {
        Self { strict, fault: OnceLock::new(), days: OnceLock::new() }
    }

    fn note(&self, error: &Error) {
        let fault = match error {
            Error::InvalidCertificate(error) => error.to_string(),
            other => other.to_string(),
        };
        let _ = self.fault.set(fault);
    }

    fn worth(&self) -> Worth {
        match self.fault.get() {
            Some(why) => Worth::Nothing { why: why.clone() },
            None => Worth::Good { days: self.days.get().copied() },
        }
    }
}

impl fmt::Debug for Believing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Believing")
    }
}

impl ServerCertVerifier for Believing {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        status: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Err(error) = self.strict.verify_server_cert(end, between, name, status, now) {
            self.note(&error);
        }
        if let Some((end, now)) = ends(end).zip(i64::try_from(now.as_secs()).ok()) {
            let _ = self.days.set(end.saturating_sub(now).div_euclid(DAY));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if let Err(error) = self.strict.verify_tls12_signature(message, certificate, signed) {
            self.note(&error);
        }
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if let Err(error) = self.strict.verify_tls13_signature(message, certificate, signed) {
            self.note(&error);
        }
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.strict.supported_verify_schemes()
    }
}

/// Looks at the certificate of the server at the other end of a connection.
pub(super) async fn look(
    stream: TcpStream,
    name: ServerName<'static>,
    mut config: ClientConfig,
    strict: Arc<WebPkiServerVerifier>,
) -> std::io::Result<Worth> {
    let believing = Arc::new(Believing::new(strict));
    config.dangerous().set_certificate_verifier(Arc::clone(&believing) as Arc<dyn ServerCertVerifier>);
    // A certificate that belongs to a resumed session would not be shown.
    config.resumption = rustls::client::Resumption::disabled();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    Ok(believing.worth())
}

/// When a certificate ends, in seconds of Unix time (RFC 5280 section 4.1). `None` where it cannot be read.
pub(crate) fn ends(certificate: &[u8]) -> Option<i64> {
    let (_, body) = value(certificate, SEQUENCE)?.0;
    let ((_, mut fields), _) = value(body, SEQUENCE)?;
    if let Some((_, rest)) = value(fields, VERSION) {
        fields = rest;
    }
    // The number, the algorithm and the issuer stand before the time.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        fields = value(fields, tag)?.1;
    }
    let ((_, times), _) = value(fields, SEQUENCE)?;
    let (_, rest) = next(times)?;
    let ((tag, text), _) = next(rest)?;
    moment(tag, text)
}

/// A time as certificates write it: two digits of the year until 2049, four from then on.
fn moment(tag: u8, text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match tag {
        UTC_TIME => {
            let year: i64 = text.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text.get(2..)?)
        }
        GENERAL_TIME => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    if rest.len() != 10 {
        return None;
    }
    let part = |at: usize| rest.get(at..at + 2)?.parse::<i64>().ok();
    let [month, day, hour, minute, second] = [part(0)?, part(2)?, part(4)?, part(6)?, part(8)?];
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Years are counted from March, so that the day that some of them have more is their last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = year * 365 + leaps + (month * 153 + 2) / 5 + day - 1 - EPOCH;
    Some(days * DAY + hour * 3600 + minute * 60 + second)
}

/// A tag with its content, and what is behind it.
type Read<'b> = ((u8, &'b [u8]), &'b [u8]);

fn value(bytes: &[u8], tag: u8) -> Option<Read<'_>> {
    next(bytes).filter(|((found, _), _)| *found == tag)
}

/// One value of the distinguished encoding (X.690 section 8.1).
fn next(bytes: &[u8]) -> Option<Read<'_>> {
    let [tag, first, rest @ ..] = bytes else { return None };
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (written, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (written.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some(((*tag, content), rest))
}

const DAY: i64 = 86_400;
/// The days from March of the year 0 to 1970.
const EPOCH: i64 = 719_468;
const GENERAL_TIME: u8 = 0x18;
const INTEGER: u8 = 2;
const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const VERSION: u8 = 0xa0;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        let check =
            |tag: u8, text: &str, expect: Option<i64>| assert_eq!(moment(tag, text.as_bytes()), expect, "{text}");
        check(UTC_TIME, "700101000000Z", Some(0));
        check(UTC_TIME, "261122165735Z", Some(1_795_366_655));
        check(GENERAL_TIME, "20000301000000Z", Some(951_868_800));
        check(GENERAL_TIME, "20000229235959Z", Some(951_868_799));
        check(GENERAL_TIME, "99991231235959Z", Some(253_402_300_799));
        for none in ["", "Z", "261122165735", "261322165735Z", "2611221657é5Z", "+61122165735Z"] {
            check(UTC_TIME, none, None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_left_alone(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = ends(&bytes);
            let _ = moment(GENERAL_TIME, &bytes);
        }

        #[test]
        fn days_follow_each_other(day in 0..3_000_000_i64) {
            // The first of each month is a day after the last of the month before, in every year.
            let (year, month) = (1 + day % 9_998, 1 + day / 9_998 % 12);
            let at = |year: i64, month: i64| moment(GENERAL_TIME, format!("{year:04}{month:02}01000000Z").as_bytes());
            let (this, next) = (at(year, month).unwrap(), if month == 12 { at(year + 1, 1) } else { at(year, month + 1) }.unwrap());
            prop_assert!((28..=31).contains(&((next - this) / DAY)) && (next - this) % DAY == 0);
        }
    }
}
