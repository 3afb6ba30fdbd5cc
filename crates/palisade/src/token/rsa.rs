//! Whether an RSA public key is strong enough to be believed (RFC 7518 section 3.3).

use aws_lc_rs::signature::{ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};

use super::jwk::KeyError;

/// The key of a modulus and an exponent, both big-endian without a leading zero (RFC 7518 section 6.3.1).
pub(super) fn key(modulus: &[u8], exponent: &[u8], rules: &'static RsaParameters) -> Result<ParsedPublicKey, KeyError> {
    let bits = bit_length(modulus).ok_or(KeyError::Malformed("n"))?;
    bit_length(exponent).ok_or(KeyError::Malformed("e"))?;
    if bits < 2048 {
        return Err(KeyError::Weak("the RSA modulus has fewer than 2048 bits"));
    }
    if bits > 8192 {
        return Err(KeyError::Weak("the RSA modulus has more than 8192 bits, which costs more than it gives"));
    }
    if is_even(modulus) {
        return Err(KeyError::Weak("the RSA modulus is even"));
    }
    if is_even(exponent) || exponent == [1] || exponent.len() > 4 {
        return Err(KeyError::Weak("the RSA exponent is even, one, or longer than 32 bits"));
    }
    if is_roca(modulus) {
        return Err(KeyError::Weak("the RSA key comes from a generator whose keys can be factored (CVE-2017-15361)"));
    }
    RsaPublicKeyComponents { n: modulus, e: exponent }.to_parsed_public_key(rules).map_err(|_| KeyError::Malformed("n"))
}

/// The number of significant bits, or `None` where the first byte is zero or missing.
fn bit_length(number: &[u8]) -> Option<u64> {
    let first = number.first().filter(|byte| **byte != 0)?;
    let bytes = u64::try_from(number.len()).ok()?;
    Some(bytes * 8 - u64::from(first.leading_zeros()))
}

fn is_even(number: &[u8]) -> bool {
    number.last().is_some_and(|byte| byte % 2 == 0)
}

/// The fingerprint of CVE-2017-15361: Infineon's generator made primes `k * M + (65537^a mod M)` with `M` a product of
/// small primes, so that its moduli are powers of 65537 modulo each of them. Only primes where those powers are few are
/// worth asking; a sound key passes for a weak one once in 240 million.
fn is_roca(modulus: &[u8]) -> bool {
    TELLING_PRIMES.iter().all(|prime| {
        let rest = modulus.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        let generator = 65_537 % prime;
        let powers = std::iter::successors(Some(1), |power| Some(power * generator % prime));
        rest != 0 && powers.take(usize::try_from(*prime).unwrap_or(0)).any(|power| power == rest)
    })
}

/// Primes modulo which 65537 does not generate everything.
const TELLING_PRIMES: &[u32] = &[11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;

    use super::*;

    #[test]
    fn refuses_weak_keys() {
        let odd = |bytes: usize, first: u8| {
            let mut number = vec![0xa7; bytes];
            number[0] = first;
            number[bytes - 1] = 1;
            number
        };
        for (modulus, exponent, accept) in [
            (odd(256, 0x80), &[1, 0, 1][..], true),
            (odd(256, 0x80), &[3], true),
            (odd(256, 0x7f), &[1, 0, 1], false),
            (odd(128, 0xff), &[1, 0, 1], false),
            (odd(1025, 0xff), &[1, 0, 1], false),
            (odd(256, 0), &[1, 0, 1], false),
            (odd(256, 0x80), &[1], false),
            (odd(256, 0x80), &[2], false),
            (odd(256, 0x80), &[0, 1, 0, 1], false),
            (odd(256, 0x80), &[1, 0, 0, 0, 1], false),
            (odd(256, 0x80), &[], false),
            (vec![], &[1, 0, 1], false),
            (vec![0xff; 256].into_iter().chain([0]).collect(), &[1, 0, 1], false),
        ] {
            let outcome = key(&modulus, exponent, &RSA_PKCS1_2048_8192_SHA256);
            assert_eq!(outcome.is_ok(), accept, "{} bytes, e {exponent:?}: {outcome:?}", modulus.len());
        }
    }

    #[test]
    fn refuses_the_roca_fingerprint() {
        // One is a power of 65537 modulo every prime, and so is a multiple of all of them plus one.
        let product = TELLING_PRIMES.iter().fold(1u128, |product, prime| product * u128::from(*prime));
        let mut number = vec![0; 240];
        number.extend((product * 3 + 1).to_be_bytes());
        assert!(is_roca(&number));
        number.pop();
        assert!(!is_roca(&number));
    }
}
