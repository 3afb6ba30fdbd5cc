//! A web origin: scheme, host and port in the one form that browsers send (RFC 6454 section 6.2).

use std::fmt;

use palisade_core::canon::host::CanonicalHost;

/// An origin such as `https://app.example.com`, compared byte for byte. `null` and wildcards are not origins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin(Box<str>);

impl Origin {
    /// Reads an origin as it stands in an `Origin` header: lower case, without a path and without the scheme's own port.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let wrong = |reason| OriginError { text: text.to_owned(), reason };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("it needs a scheme such as https://"))?;
        let own_port = match scheme {
            "https" => 443,
            "http" => 80,
            _ => return Err(wrong("the scheme must be https or http")),
        };
        let host = CanonicalHost::parse(rest)
            .map_err(|_| wrong("what follows the scheme must be a host and perhaps a port"))?;
        if host.to_string() != rest {
            return Err(wrong("the host must be in lower case"));
        }
        if host.port() == Some(own_port) {
            return Err(wrong("browsers leave the scheme's own port out"));
        }
        Ok(Self(text.into()))
    }

    /// The origin as browsers send it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an origin: {reason}")]
pub struct OriginError {
    text: String,
    reason: &'static str,
}
