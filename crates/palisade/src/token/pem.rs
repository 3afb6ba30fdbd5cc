//! A public key in PEM, as key tools write it (RFC 7468 section 13), taken apart down to its numbers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::algorithm::Algorithm;
use super::jwk::KeyError;

/// The key bits of the one `PUBLIC KEY` in `pem`, whose type must be that of `algorithm`.
pub(super) fn key_bits(algorithm: Algorithm, pem: &str) -> Result<Vec<u8>, KeyError> {
    let label = algorithm_identifier(algorithm).ok_or_else(|| KeyError::Unsupported(algorithm.as_str().to_owned()))?;
    if pem.contains("PRIVATE KEY-----") {
        return Err(KeyError::Private);
    }
    let body = pem.trim().strip_prefix("-----BEGIN PUBLIC KEY-----");
    let body = body.and_then(|rest| rest.strip_suffix("-----END PUBLIC KEY-----")).ok_or(KeyError::Malformed("PEM"))?;
    let base64: String = body.split_ascii_whitespace().collect();
    let der = STANDARD.decode(base64).map_err(|_| KeyError::Malformed("PEM"))?;
    let bits = subject_public_key_info(&der, label).ok_or(KeyError::Malformed("PEM"))?;
    bits.map(<[u8]>::to_vec).ok_or(KeyError::OtherAlgorithm)
}

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017 appendix A.1.1), without the zero DER puts before a high bit.
pub(super) fn rsa_numbers(bits: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, rest) = element(SEQUENCE, bits)?;
    let (modulus, sequence) = element(INTEGER, sequence)?;
    let (exponent, end) = element(INTEGER, sequence)?;
    (rest.is_empty() && end.is_empty()).then_some(())?;
    Some((positive(modulus)?, positive(exponent)?))
}

/// The bits of a `SubjectPublicKeyInfo` (RFC 5280 section 4.1): `Some(None)` where it is a key of another type.
fn subject_public_key_info<'a>(der: &'a [u8], label: &[u8]) -> Option<Option<&'a [u8]>> {
    let (info, rest) = element(SEQUENCE, der)?;
    let (identifier, info) = element(SEQUENCE, info)?;
    let (bits, end) = element(BIT_STRING, info)?;
    let (unused, bits) = bits.split_first()?;
    (rest.is_empty() && end.is_empty() && *unused == 0).then_some((identifier == label).then_some(bits))
}

/// The contents of one DER element and what follows it. Lengths must be the shortest, and below 64 KiB.
pub(crate) fn element(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, input) = input.split_first()?;
    let (first, input) = input.split_first()?;
    let (length, input) = match first {
        0..=0x7f => (usize::from(*first), input),
        0x81 => {
            let (length, input) = input.split_first()?;
            (usize::from(*length).max(0x80), input)
        }
        0x82 => {
            let (length, input) = input.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)).max(0x100), input)
        }
        _ => return None,
    };
    (*found == tag).then(|| input.split_at_checked(length))?
}

/// The magnitude of a DER integer that is not negative.
fn positive(integer: &[u8]) -> Option<&[u8]> {
    match integer {
        [0, rest @ ..] if rest.first().is_some_and(|byte| *byte >= 0x80) => Some(rest),
        [0x01..=0x7f, ..] => Some(integer),
        _ => None,
    }
}

/// The contents of the `AlgorithmIdentifier` for keys of `algorithm` (RFC 3279, RFC 5480, RFC 8410).
fn algorithm_identifier(algorithm: Algorithm) -> Option<&'static [u8]> {
    match algorithm {
        Algorithm::EdDsa => Some(b"\x06\x03\x2b\x65\x70"),
        Algorithm::Es256 => Some(b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"),
        Algorithm::Es384 => Some(b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22"),
        Algorithm::Hs256 => None,
        Algorithm::Ps256 | Algorithm::Rs256 => Some(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"),
    }
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_elements_strictly() {
        assert_eq!(element(2, b"\x02\x01\x05\x06"), Some((&b"\x05"[..], &b"\x06"[..])));
        for input in [&b""[..], b"\x02", b"\x02\x02\x05", b"\x03\x01\x05", b"\x02\x81\x01\x05", b"\x02\x80\x05\x00\x00"]
        {
            assert_eq!(element(2, input), None, "{input:?}");
        }
        for (integer, expect) in [
            (&b"\x05"[..], Some(&b"\x05"[..])),
            (b"\x00\x80", Some(b"\x80")),
            (b"\x00\x05", None),
            (b"\x80", None),
            (b"", None),
        ] {
            assert_eq!(positive(integer), expect, "{integer:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = rsa_numbers(&bytes);
            let _ = subject_public_key_info(&bytes, b"");
        }
    }
}
