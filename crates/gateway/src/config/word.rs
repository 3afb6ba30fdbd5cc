//! The closed lists of words that the file chooses from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of API is protected; it sets the defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// For web pages, which load many parts at once: 300 requests a second for each client.
    BrowserApp,
    /// For programs of the same organization, which may share an address: 1000 requests a second for each client.
    Internal,
    /// For programs of anybody: 100 requests a second for each client.
    #[default]
    PublicApi,
}

/// What becomes of the caller's credential on the way to the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Credentials {
    /// The backend sees it.
    Forward,
    /// It ends at the gateway.
    Strip,
}

/// What happens to a response that the contract does not describe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Responses {
    /// Undeclared properties are taken out, and what still breaks the contract is withheld; either makes an event.
    #[default]
    Enforce,
    /// Responses are not compared with the contract. Owners and server errors are looked at all the same.
    Off,
    /// Everything passes, and an event says what would have been refused.
    Report,
}

/// What happens to what departs from a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is refused, with an event.
    #[default]
    Enforce,
    /// Nobody looks.
    Off,
    /// It passes, and an event says what would have been refused.
    Report,
}

/// What becomes of properties of an answer that the contract does not declare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Undeclared {
    /// The answer is refused.
    Refuse,
    /// They are taken out.
    #[default]
    Strip,
}

/// What happens to requests while their counter cannot be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// They pass uncounted.
    Allow,
    /// They are refused.
    #[default]
    Deny,
}

/// How a token is signed (RFC 7518 section 3.1, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Algorithm {
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// ECDSA with P-256 and SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// HMAC with SHA-256, for a shared secret only.
    #[serde(rename = "HS256")]
    Hs256,
    /// RSA-PSS with SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSA PKCS#1 v1.5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
}

impl Algorithm {
    /// Those that verify with a public key.
    pub const ASYMMETRIC: [Self; 4] = [Self::EdDsa, Self::Es256, Self::Ps256, Self::Rs256];

    /// The name in a token's header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Hs256 => "HS256",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
        }
    }
}

/// Which `typ` a token must carry, so that a token made for another purpose is not accepted (RFC 8725 section 3.11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum TokenType {
    /// An access token of RFC 9068.
    #[default]
    #[serde(rename = "at+jwt")]
    AccessToken,
    /// Any, or none: only for an issuer that signs nothing but access tokens with these keys.
    #[serde(rename = "any")]
    Any,
    /// The general `JWT`.
    #[serde(rename = "jwt")]
    Jwt,
}
