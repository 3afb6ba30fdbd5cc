//! What responses tell browsers, how long TLS is insisted on, where reports go.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::FileRef;

/// What responses tell browsers, where it is to be looser than the strictest.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawHeaders {
    /// What pages may load and run besides nothing and their own images, styles, fonts and connections, by directive:
    /// `{ script-src = ["self"], img-src = ["https://images.example.com"] }`. Also `sandbox` and `trusted-types`.
    pub(crate) csp: BTreeMap<String, Vec<String>>,
    /// A policy in the same form that browsers report breaches of without enforcing it.
    pub(crate) csp_report_only: Option<BTreeMap<String, Vec<String>>>,
    /// Sends the backend's own Content-Security-Policy in place of ours and not beside it.
    pub(crate) danger_backend_csp: bool,
    /// Lets every style in a page apply, injected ones included.
    pub(crate) danger_inline_styles: bool,
    /// Lets scripts of pages write text where it becomes markup or script: no Trusted Types.
    pub(crate) danger_text_in_sinks: bool,
    /// What links and requests of a page tell about where they come from.
    pub(crate) referrer: RawReferrer,
    /// Which sites may embed responses.
    pub(crate) resource: RawResource,
    /// Which windows pages share their process with.
    pub(crate) opener: RawOpener,
    /// Lets pages share their process with any window.
    pub(crate) danger_any_opener: bool,
    /// What pages may embed.
    pub(crate) embedder: RawEmbedder,
    /// Features of the browser that pages may use, with `self` or the origins of frames:
    /// `{ camera = ["self"] }`.
    pub(crate) permissions: BTreeMap<String, Vec<String>>,
    /// Lets browsers look up the hosts of links before they are followed.
    pub(crate) dns_prefetch: bool,
    /// Lets the browser of a known principal keep answers that the backend marks as `private`.
    pub(crate) private_cache: bool,
    /// Cookies of the backend that scripts of its own pages read; all others get `HttpOnly`.
    pub(crate) readable_cookies: Vec<String>,
    /// Cookies of the backend that are sent with the requests of other sites; all others get `SameSite=Lax` at least.
    pub(crate) cross_site_cookies: Vec<String>,
    /// Leaves cookies of the backend without `Secure`, for an application that nobody reaches over TLS.
    pub(crate) danger_insecure_cookies: bool,
}

/// What links and requests of a page tell about where they come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawReferrer {
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

/// Which sites may embed responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawResource {
    /// Every site.
    CrossOrigin,
    /// Pages of the same origin.
    #[default]
    SameOrigin,
    /// Pages of the same site.
    SameSite,
}

/// Which windows pages share their process with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawOpener {
    /// Those of the same origin.
    #[default]
    SameOrigin,
    /// Also those that they open themselves.
    SameOriginAllowPopups,
}

/// What pages may embed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawEmbedder {
    /// What agrees to it, and the rest without its cookies.
    Credentialless,
    /// Only what agrees to it.
    RequireCorp,
    /// Everything that `csp` allows.
    Unsaid,
    /// Only what agrees to it, unless `csp` names other origins.
    #[default]
    WhereSafe,
}

/// How long browsers insist on TLS once they have been here over TLS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawHsts {
    /// A number of days from `180d` on.
    pub(crate) max_age: String,
    /// Whether browsers may ship with the host in their list. It takes years to get out of it again.
    pub(crate) preload: bool,
    /// Leaves subdomains out: whoever sits on the network can pretend to be one and plant cookies.
    pub(crate) danger_host_only: bool,
}

impl Default for RawHsts {
    fn default() -> Self {
        Self { max_age: "730d".to_owned(), preload: false, danger_host_only: false }
    }
}

/// Where browsers report what a policy has blocked.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawReports {
    /// A path of this gateway that no contract declares, such as `/.well-known/palisade/reports`. Reports become events of
    /// the kind `browser_report`. Without it browsers are not asked to report.
    pub(crate) path: Option<String>,
}

/// Which requests of browsers are refused, and what they have to prove.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawCsrf {
    /// Origins whose pages may send requests that change something, the application's own among them where old browsers
    /// matter.
    pub(crate) trusted_origins: Vec<String>,
    /// Paths where somebody signs in: judged even without a credential.
    pub(crate) login_paths: Vec<String>,
    /// Tokens that are issued to sessions and asked for with requests.
    pub(crate) tokens: Option<RawCsrfTokens>,
    /// Trusts pages of every host of the same site, forgotten ones included.
    pub(crate) danger_trust_siblings: bool,
    /// Lets other sites embed, as images or scripts, what a user's credential opens.
    pub(crate) danger_embedding: bool,
}

/// Tokens against cross-site requests: in the cookie `__Host-csrf`, sent back by scripts in `X-CSRF-Token`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCsrfTokens {
    /// The file with the key, at least 32 bytes: `openssl rand -base64 32`.
    pub(crate) key: FileRef,
    /// The file with the key before it, whose tokens are still believed.
    pub(crate) former_key: Option<FileRef>,
    /// The name of the backend's session cookie, which tokens are bound to.
    pub(crate) session_cookie: String,
    /// When a request needs a token.
    #[serde(default)]
    pub(crate) demand: RawDemand,
}

/// When a request needs a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawDemand {
    /// Always, beside what the browser says.
    #[default]
    Always,
    /// Where the browser does not say where the request comes from.
    WithoutHeaders,
}
