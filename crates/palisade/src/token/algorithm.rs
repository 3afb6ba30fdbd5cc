//! The signature algorithms a token may use: a closed list, so that what is not on it cannot be asked for.

use std::fmt;

/// A signature algorithm of RFC 7518 and RFC 8037.
///
/// There is no `none`, and nothing weaker than SHA-256.
///
/// ```
/// use palisade::token::algorithm::Algorithm;
///
/// assert_eq!(Algorithm::parse("Ed25519"), Some(Algorithm::EdDsa));
/// assert_eq!(Algorithm::parse("nOnE"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519, fast and without options to get wrong (RFC 8037; RFC 9864 calls it `Ed25519`).
    EdDsa,
    /// ECDSA on P-256 with SHA-256: what every library can do.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// HMAC with SHA-256: one secret both makes and checks a token.
    Hs256,
    /// RSA-PSS with SHA-256.
    Ps256,
    /// RSA with PKCS #1 v1.5 padding and SHA-256, for issuers that offer nothing newer.
    Rs256,
}

impl Algorithm {
    /// The algorithm a header or a key names, compared exactly (RFC 7515 section 4.1.1).
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            "ES256" => Some(Self::Es256),
            "ES384" => Some(Self::Es384),
            "HS256" => Some(Self::Hs256),
            "PS256" => Some(Self::Ps256),
            "RS256" => Some(Self::Rs256),
            _ => None,
        }
    }

    /// The name to write; `EdDSA` for Ed25519, which more readers know than its newer name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Hs256 => "HS256",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
        }
    }

    /// Whether whoever can check a signature can also make one.
    pub fn is_symmetric(self) -> bool {
        self == Self::Hs256
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for name in ["EdDSA", "ES256", "ES384", "HS256", "PS256", "RS256"] {
            assert_eq!(Algorithm::parse(name).map(Algorithm::as_str), Some(name));
        }
    }

    #[test]
    fn nothing_else_has_a_name() {
        for name in [
            "none", "None", "NONE", "nOnE", "", "es256", "ES256 ", "RS1", "HS384", "RS512", "ES256K", "Ed448",
            "RSA-OAEP",
        ] {
            assert_eq!(Algorithm::parse(name), None, "{name}");
        }
    }
}
