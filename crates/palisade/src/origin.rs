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

/// A domain whose subdomains are meant, such as `https://*.example.com`: hosts below it at whole labels, over TLS and on
/// its usual port, and not the domain itself.
///
/// ```
/// use palisade::origin::ParentDomain;
///
/// let ours = ParentDomain::parse("https://*.example.com")?;
/// assert!(ours.is_above("https://app.example.com"));
/// assert!(!ours.is_above("https://evil-example.com"));
/// # Ok::<(), palisade::origin::OriginError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ParentDomain(Box<str>);

impl ParentDomain {
    /// Reads `https://*.example.com`. The domain has at least two labels: nobody trusts all of `com`.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let wrong = |reason| OriginError { text: text.to_owned(), reason };
        let domain = text.strip_prefix("https://*.").ok_or_else(|| wrong("write it like `https://*.example.com`"))?;
        let named = Origin::parse(&format!("https://{domain}"))?;
        let is_name = domain.bytes().any(|b| b.is_ascii_lowercase()) && !domain.contains([':', '[']);
        if !is_name || !named.as_str().contains('.') || domain.ends_with('.') {
            return Err(wrong("the domain must be a name of at least two labels, without a port"));
        }
        Ok(Self(domain.into()))
    }

    /// Whether an origin is of a host below the domain.
    pub fn is_above(&self, origin: &str) -> bool {
        let below = || origin.strip_prefix("https://")?.strip_suffix(&*self.0)?.strip_suffix('.');
        // What a browser did not write is no origin at all.
        below().is_some_and(|label| !label.is_empty()) && Origin::parse(origin).is_ok()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn subdomains_begin_at_labels() {
        let parent = ParentDomain::parse("https://*.example.com").unwrap();
        for (origin, expect) in [
            ("https://app.example.com", true),
            ("https://a.b.example.com", true),
            ("https://example.com", false),
            ("https://.example.com", false),
            ("https://evilexample.com", false),
            ("https://evil-example.com", false),
            ("https://app.example.com.evil.example", false),
            ("http://app.example.com", false),
            ("https://app.example.com:8443", false),
            ("https://evil.example/.example.com", false),
            ("https://evil.example#.example.com", false),
            ("https://a@b.example.com", false),
            ("https://APP.example.com", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(parent.is_above(origin), expect, "{origin}");
        }
        for text in [
            "https://*.com",
            "http://*.example.com",
            "https://*.example.com:8443",
            "https://*.",
            "https://*",
            "https://*.*.example.com",
            "https://a*.example.com",
            "https://*.10.0.0.1",
            "*.example.com",
            "https://*.example.com/",
            "https://*.Example.com",
        ] {
            assert!(ParentDomain::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_but_a_host_below_it_matches(origin in "(https?://)?[a-z.@/#:-]{0,10}example\\.com[a-z.]{0,4}") {
            let parent = ParentDomain::parse("https://*.example.com").unwrap();
            if parent.is_above(&origin) {
                prop_assert!(Origin::parse(&origin).is_ok() && origin.ends_with(".example.com"));
            }
        }
    }
}
