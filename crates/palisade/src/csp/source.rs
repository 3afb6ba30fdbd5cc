//! One source of a Content-Security-Policy, and in which directives it is safe.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Directive;
use crate::origin::Origin;

/// A source expression (CSP level 3 section 2.3.1) that was checked for its directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source(Box<str>);

impl Source {
    /// Reads `self`, an origin, `https://*.example.com`, a hash such as `sha256-...`, `data:` or `blob:`. The error is
    /// the attack that the source would allow.
    pub(super) fn parse(directive: Directive, text: &str) -> Result<Self, &'static str> {
        let bare = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).unwrap_or(text);
        match bare {
            "self" => return Ok(Self("'self'".into())),
            "unsafe-inline" | "unsafe-hashes" => return Err("every injected script or style would run"),
            "unsafe-eval" | "wasm-unsafe-eval" => return Err("text that reaches `eval` or a module would run"),
            "strict-dynamic" => return Err("it comes with the nonce by itself, and without one it blocks everything"),
            "none" => return Err("leave it out: what is not named is not allowed"),
            "*" | "http:" | "https:" | "ws:" | "wss:" => return Err("an attacker's own server is a source, too"),
            _ if bare.starts_with("nonce-") => return Err("a nonce that is known beforehand is on injected scripts"),
            "data:" => return Self::data(directive),
            "blob:" => {
                let safe = matches!(directive, Directive::Image | Directive::Media | Directive::Worker);
                return if safe { Ok(Self(bare.into())) } else { Err("a page could be made to build its own attack") };
            }
            _ => {}
        }
        if let Some((size, digest)) = hash(bare) {
            let known = STANDARD.decode(digest).is_ok_and(|bytes| bytes.len() == size);
            return match directive {
                Directive::Script | Directive::Style if known => Ok(Self(format!("'{bare}'").into())),
                Directive::Script | Directive::Style => Err("this is not the base64 of a hash of that size"),
                _ => Err("hashes are of scripts and styles"),
            };
        }
        Self::origin(directive, text)
    }

    fn data(directive: Directive) -> Result<Self, &'static str> {
        match directive {
            Directive::Font | Directive::Image | Directive::Media => Ok(Self("data:".into())),
            _ => Err("an injected URL would hold the whole attack"),
        }
    }

    fn origin(directive: Directive, text: &str) -> Result<Self, &'static str> {
        const SHAPE: &str = "write `self`, an origin such as `https://cdn.example.com`, or a hash such as `sha256-...`";
        let (scheme, host) = text.split_once("://").ok_or(SHAPE)?;
        match scheme {
            "https" => {}
            "wss" if directive == Directive::Connect => {}
            "http" | "ws" => return Err("whoever sits on the network could replace what comes from there"),
            _ => return Err(SHAPE),
        }
        let parent = host.strip_prefix("*.");
        let named = Origin::parse(&format!("https://{}", parent.unwrap_or(host))).map_err(|_| SHAPE)?;
        let runs = matches!(directive, Directive::Script | Directive::Worker | Directive::FrameAncestors);
        match parent {
            Some(parent) if runs || !parent.contains('.') => {
                Err("a forgotten subdomain that an attacker takes over would be trusted")
            }
            Some(_) => Ok(Self(text.into())),
            None => {
                let host = named.as_str().strip_prefix("https://").unwrap_or_default();
                Ok(Self(format!("{scheme}://{host}").into()))
            }
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// Whether it names another origin.
    pub(super) fn is_foreign(&self) -> bool {
        self.0.contains("://")
    }
}

/// The size in bytes and the base64 of a hash source.
fn hash(text: &str) -> Option<(usize, &str)> {
    let sizes = [("sha256-", 32), ("sha384-", 48), ("sha512-", 64)];
    sizes.into_iter().find_map(|(prefix, size)| text.strip_prefix(prefix).map(|digest| (size, digest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_forms_that_are_safe_where_they_stand() {
        let digest = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='";
        for (directive, text, expect) in [
            (Directive::Script, "self", "'self'"),
            (Directive::Script, "'self'", "'self'"),
            (Directive::Script, "https://cdn.example.com:8443", "https://cdn.example.com:8443"),
            (Directive::Script, digest, digest),
            (Directive::Style, digest.trim_matches('\''), digest),
            (Directive::Image, "https://*.images.example", "https://*.images.example"),
            (Directive::Image, "data:", "data:"),
            (Directive::Worker, "blob:", "blob:"),
            (Directive::Connect, "wss://live.example.com", "wss://live.example.com"),
        ] {
            assert_eq!(Source::parse(directive, text).unwrap().text(), expect);
        }
        for (directive, text) in [
            (Directive::Image, digest),
            (Directive::Image, "wss://live.example.com"),
            (Directive::Image, "https://*.com"),
            (Directive::Image, "https://a.example/path"),
            (Directive::Connect, "ws://live.example.com"),
            (Directive::Script, "https://CDN.example.com"),
        ] {
            assert!(Source::parse(directive, text).is_err(), "{text}");
        }
    }
}
