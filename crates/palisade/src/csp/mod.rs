//! Content-Security-Policies that cannot be made unsafe by mistake: a builder whose dangerous results do not build.
//!
//! A page starts from a policy under which only its own images, fonts and connections load and no script runs but those
//! that carry the nonce of this very response. What a page needs beyond that is named, one source at a time; what would
//! let an injected script run is refused, with the attack that it would allow.
//!
//! ```
//! use palisade::csp::Policy;
//!
//! let policy = Policy::page().allow("img-src", "https://images.example.com")?.allow("connect-src", "wss://live.example.com")?;
//! assert!(policy.text().contains("img-src 'self' https://images.example.com"));
//!
//! let error = Policy::page().allow("script-src", "'unsafe-inline'").unwrap_err();
//! assert!(error.to_string().contains("injected"));
//! # Ok::<(), palisade::csp::CspError>(())
//! ```
//!
//! Browsers enforce every policy that a response carries (CSP level 3 section 4.2), so a second policy can only tighten
//! the first. That is why `finish` adds its policy to one that the application sends, instead of choosing between them.

mod nonce;
mod source;

use std::fmt::Write as _;

pub use nonce::Nonce;
pub(crate) use nonce::{NonceSlot, NonceTemplate};
use source::Source;

/// The policy of an answer to a program: nothing runs, loads or frames.
pub(crate) const API: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the page of an application may load and run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What is allowed beyond the defaults, in the order in which it was named.
    allowed: Vec<(Directive, Source)>,
    styles: Styles,
    sinks: Sinks,
    sandbox: Option<Vec<&'static str>>,
    /// The path to which browsers send what they have blocked.
    reports: Option<Box<str>>,
}

/// Which styles a page may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Styles {
    DangerInline,
    Named,
}

/// What may be written to the places of a page where text becomes script (Trusted Types).
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sinks {
    DangerText,
    /// Values of policies with these names; of any name where there is none.
    TrustedTypes(Vec<Box<str>>),
}

impl Default for Policy {
    fn default() -> Self {
        Self::page()
    }
}

impl Policy {
    /// The strict policy that every page starts from.
    pub fn page() -> Self {
        let (styles, sinks) = (Styles::Named, Sinks::TrustedTypes(Vec::new()));
        Self { allowed: Vec::new(), styles, sinks, sandbox: None, reports: None }
    }

    /// Allows one source for one kind of thing: `("img-src", "https://images.example.com")`, `("script-src", "self")`.
    pub fn allow(mut self, directive: &str, source: &str) -> Result<Self, CspError> {
        let wrong = |attack| CspError { directive: directive.to_owned(), text: source.to_owned(), attack };
        let directive = Directive::parse(directive).map_err(wrong)?;
        let source = Source::parse(directive, source).map_err(wrong)?;
        if !directive.own().contains(&source.text()) && !self.allowed.contains(&(directive, source.clone())) {
            self.allowed.push((directive, source));
        }
        Ok(self)
    }

    /// Names a Trusted Types policy that the page's scripts may create (W3C Trusted Types section 3.5).
    pub fn trusted_type(mut self, name: &str) -> Result<Self, CspError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-#=_/@.%".contains(&b);
        if name.is_empty() || !name.bytes().all(plain) {
            let attack = "the name of a Trusted Types policy is made of letters, digits and `-#=_/@.%`; `*` is any";
            return Err(CspError { directive: "trusted-types".to_owned(), text: name.to_owned(), attack });
        }
        if let Sinks::TrustedTypes(names) = &mut self.sinks {
            names.push(name.into());
        }
        Ok(self)
    }

    /// Puts the page into a sandbox with these exceptions, such as `allow-forms`; without any it is the strictest.
    pub fn sandboxed(mut self, allow: &[&str]) -> Result<Self, CspError> {
        let known = |text: &&str| {
            let attack = "this is no flag of a sandbox: write one such as `allow-forms` or `allow-scripts`";
            let found = SANDBOX.iter().find(|flag| *flag == text);
            found.copied().ok_or(CspError { directive: "sandbox".to_owned(), text: (*text).to_owned(), attack })
        };
        self.sandbox = Some(allow.iter().map(known).collect::<Result<_, _>>()?);
        Ok(self)
    }

    /// Lets every style in the page apply, injected ones included: they can read what a page shows, by loading images.
    #[must_use]
    pub fn danger_inline_styles(mut self) -> Self {
        self.styles = Styles::DangerInline;
        self
    }

    /// Lets scripts write plain text where it becomes markup or script: the sinks of DOM-based cross-site scripting.
    #[must_use]
    pub fn danger_text_in_sinks(mut self) -> Self {
        self.sinks = Sinks::DangerText;
        self
    }

    /// Asks browsers to report to this path of the same origin what they have blocked.
    #[must_use]
    pub(crate) fn reporting_to(mut self, path: Option<&str>) -> Self {
        self.reports = path.map(Into::into);
        self
    }

    /// The policy as a header has it, for a page whose scripts and styles carry no nonce.
    pub fn text(&self) -> String {
        self.render(None)
    }

    /// The policy for a page whose scripts and styles carry a nonce, with `nonce` in its place.
    fn render(&self, nonce: Option<char>) -> String {
        let mut text = "default-src 'none'".to_owned();
        for directive in Directive::ALL.iter().copied() {
            let mut sources: Vec<String> = match (directive, nonce) {
                (Directive::Script, Some(nonce)) => vec![format!("'nonce-{nonce}'"), "'strict-dynamic'".to_owned()],
                // Beside a nonce browsers would ignore it.
                (Directive::Style, _) if self.styles == Styles::DangerInline => vec!["'unsafe-inline'".to_owned()],
                (Directive::Style, Some(nonce)) => vec![format!("'nonce-{nonce}'")],
                _ => Vec::new(),
            };
            if !(directive == Directive::Style && nonce.is_some() && self.styles == Styles::Named) {
                sources.extend(directive.own().iter().map(|own| (*own).to_owned()));
            }
            sources.extend(self.of(directive).map(Source::text).map(str::to_owned));
            if directive == Directive::FrameAncestors && sources.is_empty() {
                sources.push("'none'".to_owned());
            }
            if !sources.is_empty() {
                // Writing to a String cannot fail.
                let _ = write!(text, "; {} {}", directive.name(), sources.join(" "));
            }
        }
        text.push_str("; object-src 'none'; base-uri 'none'");
        if let Sinks::TrustedTypes(names) = &self.sinks {
            text.push_str("; require-trusted-types-for 'script'");
            if !names.is_empty() {
                let _ = write!(text, "; trusted-types {}", names.join(" "));
            }
        }
        if let Some(flags) = &self.sandbox {
            text.push_str("; sandbox");
            flags.iter().for_each(|flag| text.extend([" ", flag]));
        }
        if let Some(path) = &self.reports {
            let _ = write!(text, "; report-to {GROUP}; report-uri {path}");
        }
        text
    }

    /// The policy with the nonce of each response to be filled in.
    pub(crate) fn template(&self) -> NonceTemplate {
        NonceTemplate::new(&self.render(Some(NonceTemplate::PLACE)))
    }

    fn of(&self, directive: Directive) -> impl Iterator<Item = &Source> {
        self.allowed.iter().filter(move |(of, _)| *of == directive).map(|(_, source)| source)
    }

    /// Who may show the page in a frame, beyond nobody.
    pub(crate) fn framed_by(&self) -> impl Iterator<Item = &str> {
        self.of(Directive::FrameAncestors).map(Source::text)
    }

    /// Whether everything that the page loads is of its own origin.
    pub(crate) fn is_own(&self) -> bool {
        self.allowed.iter().all(|(directive, source)| !directive.loads() || !source.is_foreign())
    }

    /// Where the policy is weaker than the one that every page starts from, in sentences without an end.
    pub fn dangers(&self) -> Vec<String> {
        let weakening = |(directive, source): &(Directive, Source)| {
            let source = source.text();
            match directive {
                Directive::Script if source.starts_with("'sha") => None,
                Directive::Script => Some(format!("pages run every script of {source}")),
                Directive::FrameAncestors if source != "'self'" => Some(format!("{source} may show pages in a frame")),
                _ => None,
            }
        };
        let mut dangers: Vec<String> = self.allowed.iter().filter_map(weakening).collect();
        if self.styles == Styles::DangerInline {
            dangers.push("injected styles apply to pages".to_owned());
        }
        if self.sinks == Sinks::DangerText {
            dangers.push("scripts of pages may turn text into script".to_owned());
        }
        dangers
    }
}

/// The name of the group of endpoints that reports go to.
pub(crate) const GROUP: &str = "palisade";

macro_rules! directives {
    ($($variant:ident $name:literal [$($own:literal)*])*) => {
        /// The directives to which sources can be added, with what they hold from the start.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Directive {
            $($variant,)*
        }

        impl Directive {
            const ALL: &'static [Self] = &[$(Self::$variant,)*];

            fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            fn own(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($own,)*],)* }
            }
        }
    };
}

directives! {
    Script "script-src" []
    Style "style-src" ["'self'"]
    Image "img-src" ["'self'"]
    Font "font-src" ["'self'"]
    Connect "connect-src" ["'self'"]
    Media "media-src" []
    Frame "frame-src" []
    Manifest "manifest-src" []
    Worker "worker-src" []
    FormAction "form-action" ["'self'"]
    FrameAncestors "frame-ancestors" []
}

impl Directive {
    fn parse(name: &str) -> Result<Self, &'static str> {
        if let Some(found) = Self::ALL.iter().find(|directive| directive.name() == name) {
            return Ok(*found);
        }
        Err(match name {
            "base-uri" => "an injected `<base>` would send every relative script of the page to an attacker",
            "default-src" => "it would open every kind at once: name the kinds that you mean",
            "object-src" => "a plugin runs outside of every other rule of the policy",
            "script-src-attr" | "script-src-elem" => "the stricter of the two is easily missed: write `script-src`",
            "style-src-attr" | "style-src-elem" => "the stricter of the two is easily missed: write `style-src`",
            "child-src" => "it stands for two others: write `frame-src` or `worker-src`",
            _ => "there is no such directive to add sources to",
        })
    }

    /// Whether its sources are parts of the page, which its embedder policy concerns.
    fn loads(self) -> bool {
        !matches!(self, Self::Connect | Self::FormAction | Self::FrameAncestors)
    }
}

/// Why a policy is not built: which attack it would allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot stand in `{directive}`: {attack}")]
pub struct CspError {
    directive: String,
    text: String,
    attack: &'static str,
}

impl CspError {
    /// What would be possible.
    pub fn attack(&self) -> &'static str {
        self.attack
    }
}

const SANDBOX: &[&str] = &[
    "allow-downloads",
    "allow-forms",
    "allow-modals",
    "allow-popups",
    "allow-popups-to-escape-sandbox",
    "allow-presentation",
    "allow-same-origin",
    "allow-scripts",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pages_start_from_nothing_but_their_own() {
        assert_eq!(
            Policy::page().text(),
            "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; \
             form-action 'self'; frame-ancestors 'none'; object-src 'none'; base-uri 'none'; \
             require-trusted-types-for 'script'"
        );
        let nonce = Nonce::mint(&crate::testing::FixedEntropy(0));
        assert_eq!(
            Policy::page().template().fill(&nonce),
            "default-src 'none'; script-src 'nonce-AAAAAAAAAAAAAAAAAAAAAAAA' 'strict-dynamic'; \
             style-src 'nonce-AAAAAAAAAAAAAAAAAAAAAAAA'; img-src 'self'; font-src 'self'; connect-src 'self'; \
             form-action 'self'; frame-ancestors 'none'; object-src 'none'; base-uri 'none'; \
             require-trusted-types-for 'script'"
        );
    }

    #[test]
    fn what_is_named_is_added_and_what_is_dangerous_is_told() {
        let policy = Policy::page()
            .allow("script-src", "self")
            .and_then(|policy| policy.allow("img-src", "data:"))
            .and_then(|policy| policy.allow("img-src", "self"))
            .and_then(|policy| policy.allow("frame-ancestors", "https://portal.example.com"))
            .and_then(|policy| policy.trusted_type("app-html"))
            .and_then(|policy| policy.sandboxed(&["allow-scripts", "allow-forms"]))
            .unwrap()
            .danger_inline_styles()
            .reporting_to(Some("/reports"));
        assert_eq!(
            policy.text(),
            "default-src 'none'; script-src 'self'; style-src 'unsafe-inline' 'self'; img-src 'self' data:; \
             font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors https://portal.example.com; \
             object-src 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types app-html; \
             sandbox allow-scripts allow-forms; report-to palisade; report-uri /reports"
        );
        assert_eq!(
            policy.dangers(),
            [
                "pages run every script of 'self'",
                "https://portal.example.com may show pages in a frame",
                "injected styles apply to pages"
            ]
        );
        assert!(Policy::page().dangers().is_empty());
        assert!(!Policy::page().danger_text_in_sinks().text().contains("trusted-types"));
    }

    #[test]
    fn what_would_let_an_injected_script_run_does_not_build() {
        for (directive, source) in [
            ("script-src", "'unsafe-inline'"),
            ("script-src", "'unsafe-eval'"),
            ("script-src", "unsafe-inline"),
            ("script-src", "'unsafe-hashes'"),
            ("script-src", "'nonce-fixed'"),
            ("script-src", "'strict-dynamic'"),
            ("script-src", "*"),
            ("script-src", "data:"),
            ("script-src", "blob:"),
            ("script-src", "https:"),
            ("script-src", "http://cdn.example.com"),
            ("script-src", "https://*.example.com"),
            ("script-src", "cdn.example.com"),
            ("script-src", "'sha256-short'"),
            ("script-src", "https://a.example; script-src *"),
            ("script-src", "https://a.example, default-src *"),
            ("script-src", ""),
            ("style-src", "'unsafe-inline'"),
            ("worker-src", "data:"),
            ("frame-src", "data:"),
            ("frame-ancestors", "*"),
            ("frame-ancestors", "https://*.example.com"),
            ("form-action", "https:"),
            ("img-src", "*"),
            ("img-src", "http:"),
            ("base-uri", "self"),
            ("object-src", "self"),
            ("default-src", "self"),
            ("script-src-attr", "self"),
            ("report-uri", "https://evil.example"),
        ] {
            let error = Policy::page().allow(directive, source).unwrap_err();
            assert!(error.to_string().contains(error.attack()), "{directive} {source}");
        }
        assert!(Policy::page().trusted_type("*").is_err() && Policy::page().trusted_type("a; b").is_err());
        assert!(Policy::page().sandboxed(&["allow-top-navigation"]).is_err());
    }

    proptest! {
        #[test]
        fn no_source_adds_a_directive_or_opens_scripts(name in "[a-z-]{1,16}", source in "\\PC{0,40}", shaped in "(https|wss|http)://[a-z.*:;, ']{1,12}") {
            for source in [source, shaped] {
                for directive in [name.as_str(), "script-src", "img-src", "connect-src", "frame-ancestors"] {
                    let Ok(policy) = Policy::page().allow(directive, &source) else { continue };
                    let text = policy.text();
                    let parts = |text: &str| text.split(';').count();
                    prop_assert!(parts(&text) <= parts(&Policy::page().text()) + 1, "{text}");
                    prop_assert!(!text.contains(',') && !text.contains("unsafe") && http::HeaderValue::from_str(&text).is_ok(), "{text}");
                }
            }
        }
    }
}
