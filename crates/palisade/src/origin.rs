//! A web origin: scheme, host and port in the one form that browsers send (RFC 6454 section 6.2).

use std::fmt;

use palisade_core::canon::host::CanonicalHost;

/// An origin such as `https://app.example.com`, compared byte for byte. `null` and wildcards are not origins.
///
/// ```
/// use palisade::origin::Origin;
///
/// assert_eq!(Origin::parse("https://app.example.com")?.as_str(), "https://app.example.com");
/// assert!(Origin::parse("https://app.example.com:443").is_err(), "browsers leave the port out");
/// assert!(Origin::parse("null").is_err());
/// # Ok::<(), palisade::origin::OriginError>(())
/// ```
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
///
/// ```
/// let error = palisade::origin::Origin::parse("app.example.com").unwrap_err();
/// assert_eq!(error.to_string(), "`app.example.com` is not an origin: it needs a scheme such as https://");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an origin: {reason}")]
pub struct OriginError {
    text: String,
    reason: &'static str,
}
