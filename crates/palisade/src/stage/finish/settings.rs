//! What may differ from the strictest headers: each looseness has a name, and what weakens is told.

use std::time::Duration;

use crate::cookie::CookieSettings;
use crate::csp::Policy;
use crate::origin::Origin;

/// What the responses of a route say about themselves. The defaults are the strictest; a route is loosened here and
/// nowhere else.
///
/// ```
/// use palisade::stage::finish::{
///     ApplicationPolicy, Cache, DnsPrefetch, Embedder, FinishSettings, Opener, Referrer, Resource, Tls,
/// };
///
/// // Pages that sign in in a window of another origin, behind a proxy that ends TLS.
/// let settings = FinishSettings {
///     opener: Opener::SameOriginAllowPopups,
///     referrer: Referrer::SameOrigin,
///     embedder: Embedder::Credentialless,
///     dns_prefetch: DnsPrefetch::On,
///     tls: Tls::InFront,
///     ..FinishSettings::default()
/// };
/// assert!(settings.dangers().is_empty());
/// let loose = FinishSettings {
///     application_policy: ApplicationPolicy::DangerReplaces,
///     resource: Resource::CrossOrigin,
///     cache: Cache::Private,
///     ..settings
/// };
/// assert_eq!(loose.dangers().len(), 3);
/// ```
#[derive(Clone, Debug, Default)]
pub struct FinishSettings {
    /// What pages may load and run. Answers to programs may never load or run anything.
    pub page: Policy,
    /// A policy that browsers report breaches of without enforcing it: to try a stricter one.
    pub page_report_only: Option<Policy>,
    /// Whether a policy that the application sends itself stands beside ours or in its place.
    pub application_policy: ApplicationPolicy,
    /// What links and requests of a page tell about where they come from.
    pub referrer: Referrer,
    /// Which sites may embed the responses.
    pub resource: Resource,
    /// Which windows a page shares its process with.
    pub opener: Opener,
    /// What a page may embed.
    pub embedder: Embedder,
    /// What pages may use of the browser, beyond nothing.
    pub permissions: Permissions,
    /// Whether browsers may look up the hosts of links before they are followed.
    pub dns_prefetch: DnsPrefetch,
    /// Who may keep answers to a known principal.
    pub cache: Cache,
    /// How long browsers insist on TLS.
    pub hsts: Hsts,
    /// Whether TLS ends here or in front of us.
    pub tls: Tls,
    /// Which cookies of the application may be looser than the rule.
    pub cookies: CookieSettings,
    /// The path of this origin to which browsers send what a policy has blocked.
    pub reports: Option<Box<str>>,
}

impl FinishSettings {
    /// Where the settings are weaker than the defaults, in sentences without an end.
    pub fn dangers(&self) -> Vec<String> {
        let mut dangers = self.page.dangers();
        if self.application_policy == ApplicationPolicy::DangerReplaces {
            dangers.push("the application's own Content-Security-Policy replaces ours".to_owned());
        }
        match self.resource {
            Resource::CrossOrigin => dangers.push("every site may embed responses".to_owned()),
            Resource::SameOrigin | Resource::SameSite => {}
        }
        if self.opener == Opener::DangerAny {
            dangers.push("pages share windows with whoever opens them".to_owned());
        }
        if self.cache == Cache::Private {
            dangers.push("browsers may keep answers to known principals".to_owned());
        }
        if self.hsts.reach == Reach::DangerHostOnly {
            dangers.push("subdomains may be reached without TLS".to_owned());
        }
        dangers.extend(self.cookies.dangers());
        dangers
    }
}

/// What becomes of a policy that the application sends itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApplicationPolicy {
    /// Browsers get both and enforce both: the application can tighten, and what it loosens has no effect.
    #[default]
    Both,
    /// Browsers get the application's alone, however weak it is.
    DangerReplaces,
}

/// What links and requests of a page tell about where they come from (`Referrer-Policy`), the strictest first. Whole
/// addresses, queries included, are never sent to other origins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Referrer {
    /// Nothing.
    #[default]
    NoReferrer,
    /// The whole address to the own origin, nothing to others.
    SameOrigin,
    /// The origin, to everybody reached over TLS.
    StrictOrigin,
    /// The whole address to the own origin, the origin to others.
    StrictOriginWhenCrossOrigin,
}

/// Which sites may embed the responses (`Cross-Origin-Resource-Policy`), the strictest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// Pages of the same origin.
    #[default]
    SameOrigin,
    /// Pages of the same site.
    SameSite,
    /// All pages: for images and files that are public anyway.
    CrossOrigin,
}

/// Which windows a page shares its process with (`Cross-Origin-Opener-Policy`), the strictest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Opener {
    /// Those of the same origin.
    #[default]
    SameOrigin,
    /// Also those that it opens itself, as signing in with another provider needs.
    SameOriginAllowPopups,
    /// Any.
    DangerAny,
}

/// What a page may embed (`Cross-Origin-Embedder-Policy`), the strictest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Embedder {
    /// Only what agrees to it, on pages that load nothing of other origins; on others nothing is said.
    #[default]
    WhereSafe,
    /// Only what agrees to it.
    RequireCorp,
    /// What agrees to it, and the rest without its cookies.
    Credentialless,
    /// Everything that the Content-Security-Policy allows.
    Unsaid,
}

/// Whether hosts of links are looked up beforehand (`X-DNS-Prefetch-Control`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DnsPrefetch {
    /// They are not.
    #[default]
    Off,
    /// They are: whoever answers for a name sees which pages are read.
    On,
}

/// Who may keep answers to a known principal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cache {
    /// Nobody.
    #[default]
    NoStore,
    /// The principal's own browser, where the application says `private`.
    Private,
}

/// How a response knows that it goes over TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// The listener says so.
    #[default]
    AsConnected,
    /// Always: a proxy in front speaks it, and nobody reaches the application without.
    InFront,
}

/// How long browsers insist on TLS (RFC 6797). Sent over TLS only.
///
/// ```
/// use std::time::Duration;
/// use palisade::stage::finish::{Hsts, HstsError, Reach};
///
/// let day = Duration::from_secs(86_400);
/// assert_eq!(Hsts::new(day * 730, Reach::Subdomains), Ok(Hsts::default()));
/// assert_eq!(Hsts::new(day * 180, Reach::SubdomainsAndPreload), Err(HstsError::ShortForPreload));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hsts {
    max_age: Duration,
    reach: Reach,
}

/// For which hosts browsers insist on TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// This one, not those below it: whoever sits on the network can pretend to be one of them and plant cookies.
    DangerHostOnly,
    /// This one and all below it.
    #[default]
    Subdomains,
    /// The same, and it may be put into the list that browsers ship with; years pass until one is out of it again.
    SubdomainsAndPreload,
}

impl Default for Hsts {
    /// Two years, subdomains included.
    fn default() -> Self {
        Self { max_age: Duration::from_secs(63_072_000), reach: Reach::default() }
    }
}

impl Hsts {
    /// Another time or reach. Half a year is the least: what is shorter runs out between two visits, and then somebody
    /// on the network can answer in our place.
    pub fn new(max_age: Duration, reach: Reach) -> Result<Self, HstsError> {
        let day = Duration::from_secs(86_400);
        match reach {
            _ if max_age < day * 180 => Err(HstsError::Short),
            Reach::SubdomainsAndPreload if max_age < day * 365 => Err(HstsError::ShortForPreload),
            _ => Ok(Self { max_age, reach }),
        }
    }

    pub(super) fn text(self) -> String {
        let reach = match self.reach {
            Reach::DangerHostOnly => "",
            Reach::Subdomains => "; includeSubDomains",
            Reach::SubdomainsAndPreload => "; includeSubDomains; preload",
        };
        format!("max-age={}{reach}", self.max_age.as_secs())
    }
}

/// Why a time is not one to insist on TLS for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HstsError {
    /// It is shorter than half a year.
    #[error(
        "less than 180 days runs out between two visits, and then an attacker on the network can answer without TLS"
    )]
    Short,
    /// The lists that browsers ship with want a year.
    #[error("hosts that insist on TLS for less than 365 days are not taken into the preload list")]
    ShortForPreload,
}

/// What pages may use of the browser (`Permissions-Policy`), beyond nothing.
///
/// ```
/// use palisade::stage::finish::{PermissionError, Permissions};
///
/// let meeting = Permissions::default().allow("camera", "self")?.allow("camera", "https://meet.example.com")?;
/// assert_ne!(meeting, Permissions::default());
/// assert!(matches!(meeting.allow("camera", "*"), Err(PermissionError::Receiver { .. })));
/// # Ok::<(), PermissionError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions(Vec<(Box<str>, Vec<Box<str>>)>);

impl Permissions {
    /// Lets the page, with `self`, or frames of an origin in it use a feature such as `camera`.
    pub fn allow(mut self, feature: &str, to: &str) -> Result<Self, PermissionError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !feature.starts_with(|first: char| first.is_ascii_lowercase()) || !feature.bytes().all(plain) {
            return Err(PermissionError::Feature { feature: feature.to_owned() });
        }
        let to: Box<str> = match to {
            "self" => to.into(),
            _ => match Origin::parse(to) {
                Ok(origin) if origin.as_str().starts_with("https://") => format!("\"{origin}\"").into(),
                _ => return Err(PermissionError::Receiver { to: to.to_owned() }),
            },
        };
        match self.0.iter_mut().find(|(known, _)| **known == *feature) {
            Some((_, list)) => list.push(to),
            None => self.0.push((feature.into(), vec![to])),
        }
        Ok(self)
    }

    /// The header (a dictionary of RFC 8941): all powerful features are denied but those that were allowed.
    pub(super) fn text(&self) -> String {
        let denied = DENIED.iter().filter(|feature| !self.0.iter().any(|(allowed, _)| **allowed == ***feature));
        let denied = denied.map(|feature| format!("{feature}=()"));
        let allowed = self.0.iter().map(|(feature, to)| format!("{feature}=({})", to.join(" ")));
        denied.chain(allowed).collect::<Vec<_>>().join(", ")
    }
}

/// Why a permission cannot be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PermissionError {
    /// It is not the name of a feature.
    #[error("`{feature}` cannot be a feature of the browser: write a name such as `camera`")]
    Feature {
        /// What was written.
        feature: String,
    },
    /// Not the page itself and not an origin.
    #[error(
        "`{to}` cannot be given a feature: every frame, or whoever sits on the network, could use it; write `self` or an origin such as `https://meet.example.com`"
    )]
    Receiver {
        /// What was written.
        to: String,
    },
}

/// What a page can do to or learn about its visitor, as far as browsers know these names.
const DENIED: [&str; 26] = [
    "accelerometer",
    "autoplay",
    "bluetooth",
    "browsing-topics",
    "camera",
    "clipboard-read",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "gamepad",
    "geolocation",
    "gyroscope",
    "hid",
    "idle-detection",
    "local-fonts",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "screen-wake-lock",
    "serial",
    "usb",
    "web-share",
    "window-management",
    "xr-spatial-tracking",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_insisted_on_for_long_or_not_at_all() {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        for (age, reach, expect) in [
            (days(180), Reach::Subdomains, Ok("max-age=15552000; includeSubDomains")),
            (days(365), Reach::SubdomainsAndPreload, Ok("max-age=31536000; includeSubDomains; preload")),
            (days(730), Reach::DangerHostOnly, Ok("max-age=63072000")),
            (days(179), Reach::Subdomains, Err(HstsError::Short)),
            (Duration::ZERO, Reach::Subdomains, Err(HstsError::Short)),
            (days(364), Reach::SubdomainsAndPreload, Err(HstsError::ShortForPreload)),
        ] {
            assert_eq!(Hsts::new(age, reach).map(Hsts::text), expect.map(str::to_owned));
        }
        assert_eq!(Hsts::default().text(), "max-age=63072000; includeSubDomains");
    }

    #[test]
    fn features_are_denied_until_named() {
        let none = Permissions::default().text();
        assert!(none.contains("camera=(), ") && !none.contains('"'), "{none}");
        let some = Permissions::default()
            .allow("camera", "self")
            .and_then(|some| some.allow("camera", "https://meet.example.com"))
            .and_then(|some| some.allow("publickey-credentials-get", "self"))
            .unwrap()
            .text();
        assert!(
            some.ends_with(", camera=(self \"https://meet.example.com\"), publickey-credentials-get=(self)"),
            "{some}"
        );
        assert!(!some.contains("camera=()"), "{some}");
        for (feature, to) in [
            ("camera", "*"),
            ("camera", "http://meet.example.com"),
            ("camera", "https://meet.example.com), usb=(*"),
            ("camera=*, usb", "self"),
            ("", "self"),
            ("Camera", "self"),
        ] {
            assert!(Permissions::default().allow(feature, to).is_err(), "{feature} {to}");
        }
    }
}
