//! What a preset can be told about browsers: policies of pages, cookies, tokens against cross-site requests, reports.

use std::sync::Arc;

use super::{Preset, World};
use crate::csp::Policy;
use crate::csrf::{TokenKey, Tokens};
use crate::settings::PerRoute;
use crate::stage::csrf::{Csrf, CsrfSettings, Demand, TOKEN_COOKIE, TokenRule};
use crate::stage::finish::{Finish, FinishSettings, Tls};
use crate::stage::report::{PathError, Report, ReportPath};

/// What a preset knows about browsers.
#[derive(Clone, Debug, Default)]
pub(super) struct Browser {
    headers: FinishSettings,
    /// Whether handlers may ask for a nonce.
    has_pages: bool,
    tokens: Option<(TokenKey, Box<str>, Demand)>,
    reports: Option<ReportPath>,
}

impl Browser {
    pub(super) fn with_pages() -> Self {
        Self { has_pages: true, ..Self::default() }
    }

    pub(super) fn stages(self, csrf: CsrfSettings, world: &World) -> (Finish, Csrf, Option<Report>) {
        let Self { mut headers, has_pages, tokens, reports } = self;
        if tokens.is_some() {
            headers.cookies.readable.push(TOKEN_COOKIE.into());
        }
        headers.reports = reports.as_ref().map(|path| path.as_str().into());
        let finish = Finish::new(PerRoute::same(headers));
        let finish = if has_pages { finish.minting(Arc::clone(&world.entropy)) } else { finish };
        let rule = tokens.map(|(key, session, demand)| {
            let tokens = Arc::new(Tokens::new(key, Arc::clone(&world.entropy)));
            TokenRule { tokens, session, demand }
        });
        let csrf = CsrfSettings { tokens: rule.or(csrf.tokens), ..csrf };
        let report = reports.map(|path| Report::new(path, Arc::clone(&world.counters)));
        (finish, Csrf::new(PerRoute::same(csrf)), report)
    }
}

impl Preset {
    /// Says what pages may load and run beyond the strictest policy.
    #[must_use]
    pub fn page_policy(mut self, policy: Policy) -> Self {
        self.browser.headers.page = policy;
        self
    }

    /// Says that a proxy in front speaks TLS, so that browsers are told to insist on it.
    #[must_use]
    pub fn behind_tls(mut self) -> Self {
        self.browser.headers.tls = Tls::InFront;
        self
    }

    /// Lets scripts of the own pages read a cookie of the application; all others are out of their reach.
    #[must_use]
    pub fn readable_cookie(mut self, name: &str) -> Self {
        self.browser.headers.cookies.readable.push(name.into());
        self
    }

    /// Decides in detail what responses say about themselves, in place of all that was said before.
    #[must_use]
    pub fn headers(mut self, settings: FinishSettings) -> Self {
        self.browser.headers = settings;
        self
    }

    /// Decides in detail which requests of browsers are refused, in place of [`Preset::trusting`].
    #[must_use]
    pub fn csrf(mut self, settings: CsrfSettings) -> Self {
        self.csrf = settings;
        self
    }

    /// Asks for a token with every request that changes something: bound to the session whose cookie has this name, such
    /// as `__Host-sid`, found by scripts in the cookie `__Host-csrf` and sent in the header `X-CSRF-Token`.
    #[must_use]
    pub fn csrf_tokens(mut self, key: TokenKey, session: &str) -> Self {
        self.browser.tokens = Some((key, session.into(), Demand::Always));
        self
    }

    /// Judges requests to this path even without a credential: somebody signs in there.
    #[must_use]
    pub fn login(mut self, path: &str) -> Self {
        self.csrf.login.push(path.into());
        self
    }

    /// Has browsers report to this path what a policy of a page has blocked, as events of the kind `browser_report`.
    pub fn reports_at(mut self, path: &str) -> Result<Self, PathError> {
        self.browser.reports = Some(ReportPath::parse(path)?);
        Ok(self)
    }
}
