//! Refuses requests that another site makes a browser send with the user's own credential.
//!
//! The rule, in this order (the algorithm of Go 1.25's `CrossOriginProtection`, made to fail closed):
//!
//! 1. A request without an ambient credential passes: nothing was added by the browser. Cookies, Basic and Digest
//!    credentials and client certificates are ambient; a bearer token or an API key is not. On the paths of
//!    [`CsrfSettings::login`] every request is judged: signing a victim in as the attacker needs no credential.
//! 2. GET, HEAD and OPTIONS pass, except for what other sites embed without asking: an image, a script, a plugin
//!    (resource isolation). Following a link passes.
//! 3. An `Origin` among the trusted ones passes, compared byte for byte.
//! 4. `Sec-Fetch-Site: same-origin` or `none` passes; `same-site`, `cross-site` and anything else is refused.
//! 5. Without that header an `Origin` is refused, since it is not trusted; our own is to be listed. It is never compared
//!    with `Host`, which proxies rewrite.
//! 6. With neither header the request is refused, unless it has a valid token of its session: a browser of the last years
//!    sends at least one of the headers.
//! 7. Where [`TokenRule::demand`] says so, what passes rule 3 or 4 needs a token as well.
//! 8. Opening a WebSocket is judged by rules 3 to 5 whenever it has an `Origin` or a credential: no CORS protects it.
//!
//! Tokens are issued here, too: a session without one gets it in a cookie that scripts of the own pages can read, with
//! the next answer. See [`crate::csrf`].
//!
//! Caveat: this does not help against a script on the same site; see the Content-Security-Policy of `finish`.
//!
//! ```
//! use axum::{Router, routing::post};
//! use palisade::stage::{StageLayer, csrf::Csrf};
//!
//! let csrf = Csrf::default().trusting("https://app.example.com").unwrap();
//! let app: Router = Router::new().route("/transfer", post(|| async { "done" })).layer(StageLayer::new(csrf));
//! ```

use std::sync::Arc;

use http::header::{CACHE_CONTROL, ORIGIN, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;

use super::{Head, Stage, Verdict};
use crate::cookie::{Cookies, SetCookie};
use crate::csrf::Tokens;
use crate::origin::{Origin, OriginError};
use crate::settings::PerRoute;

const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The header in which scripts send their token back.
pub const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");

/// The cookie in which scripts find their token.
pub const TOKEN_COOKIE: &str = "__Host-csrf";

/// The cookie that tells visitors apart who have no session yet.
pub const VISITOR_COOKIE: &str = "__Host-visitor";

/// The stage; trusts no origin by default.
#[derive(Clone, Debug, Default)]
pub struct Csrf {
    settings: PerRoute<CsrfSettings>,
}

/// Which other origins may send requests on a user's behalf, and what a request has to prove.
///
/// ```
/// use std::sync::Arc;
/// use palisade::core::secret::Secret;
/// use palisade::csrf::{TokenKey, Tokens};
/// use palisade::origin::Origin;
/// use palisade::settings::PerRoute;
/// use palisade::stage::Stage;
/// use palisade::stage::csrf::{Csrf, CsrfSettings, Demand, Embedding, Siblings, TokenRule};
/// use palisade::testing::SeededEntropy;
///
/// let key = TokenKey::derived(&Secret::new("a secret of at least 32 bytes ..."))?;
/// let tokens = Arc::new(Tokens::new(key, Arc::new(SeededEntropy::new(1))));
/// let settings = CsrfSettings {
///     trusted: vec![Origin::parse("https://app.example.com")?],
///     tokens: Some(TokenRule { tokens, session: "__Host-sid".into(), demand: Demand::Always }),
///     ..CsrfSettings::default()
/// };
/// assert_eq!((settings.siblings, settings.embedding), (Siblings::Refused, Embedding::Refused));
/// assert!(Csrf::new(PerRoute::same(settings)).dangers().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct CsrfSettings {
    /// The trusted origins, the application's own among them where browsers without `Sec-Fetch-Site` matter.
    pub trusted: Vec<Origin>,
    /// Whether pages of other hosts of the same site are trusted.
    pub siblings: Siblings,
    /// Whether other sites may embed answers to a user's own requests.
    pub embedding: Embedding,
    /// Canonical paths where somebody signs in or comes back from signing in elsewhere: judged without a credential.
    pub login: Vec<Box<str>>,
    /// Tokens, where they are wanted.
    pub tokens: Option<TokenRule>,
}

/// Pages of other hosts of the same site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Siblings {
    /// They may send requests on a user's behalf: whoever takes over a forgotten subdomain may, too.
    DangerTrusted,
    /// They are other sites.
    #[default]
    Refused,
}

/// What other sites embed without asking, such as images and scripts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Embedding {
    /// They may embed what a user's credential opens, and measure what they cannot read.
    DangerAllowed,
    /// Refused.
    #[default]
    Refused,
}

/// Which tokens are issued and when they are asked for.
#[derive(Clone, Debug)]
pub struct TokenRule {
    /// Issues and verifies.
    pub tokens: Arc<Tokens>,
    /// The name of the session's cookie.
    pub session: Box<str>,
    /// When a request needs one.
    pub demand: Demand,
}

/// When a request needs a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Demand {
    /// Always, beside the headers of the browser.
    Always,
    /// Where the browser does not say where the request comes from.
    #[default]
    WithoutHeaders,
}

impl Csrf {
    /// The stage with settings by route.
    pub fn new(settings: PerRoute<CsrfSettings>) -> Self {
        Self { settings }
    }

    /// The same stage on every route, trusting one more origin: `https://app.example.com`.
    pub fn trusting(self, origin: &str) -> Result<Self, OriginError> {
        let mut settings = self.settings.into_base();
        settings.trusted.push(Origin::parse(origin)?);
        Ok(Self { settings: PerRoute::same(settings) })
    }
}

impl Stage for Csrf {
    fn id(&self) -> StageId {
        StageId::Csrf
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        head.plan.vary(SEC_FETCH_SITE);
        let settings = self.settings.of(head);
        if let Some(reason) = verify(head, settings) {
            let denial = Denial::new(DenialCode::CrossSiteRequest, StageId::Csrf).because("reason", reason);
            return Err(denial.because("origin", head.text(ORIGIN).unwrap_or("-"))).into();
        }
        if let Some(rule) = settings.tokens.as_ref().filter(|_| is_safe(&head.parts.method)) {
            issue(head, rule, is_login(head, settings));
        }
        Verdict::PASS
    }

    fn dangers(&self) -> Vec<String> {
        self.settings.distinct(|settings| {
            let siblings = (settings.siblings == Siblings::DangerTrusted)
                .then(|| "pages of other hosts of the site may act for users".to_owned());
            let embedding = (settings.embedding == Embedding::DangerAllowed)
                .then(|| "other sites may embed what a user's credential opens".to_owned());
            siblings.into_iter().chain(embedding).collect()
        })
    }
}

/// The rule that the request breaks, if any.
fn verify(head: &Head, settings: &CsrfSettings) -> Option<&'static str> {
    let headers = &head.parts.headers;
    if head.facts.certificate.is_none() && settings.login.is_empty() && !headers.iter().any(concerns) {
        return None;
    }
    let origin = the_one(headers, &ORIGIN);
    let is_ours = origin.is_some_and(|origin| settings.trusted.iter().any(|o| o.as_str().as_bytes() == origin));
    let judged = carries_ambient_credential(head) || is_login(head, settings);
    if opens_websocket(headers) {
        return (judged || origin.is_some()).then(|| source(headers, origin, is_ours, settings).err()).flatten();
    }
    if !judged {
        return None;
    }
    if is_safe(&head.parts.method) {
        return embedded(headers, is_ours, settings).then_some("embedded_by_another_site");
    }
    match (source(headers, origin, is_ours, settings), &settings.tokens) {
        (Ok(()), Some(rule)) if rule.demand == Demand::Always => token(headers, rule).err(),
        (Err(NO_INFORMATION), Some(rule)) => token(headers, rule).err(),
        (result, _) => result.err(),
    }
}

/// Whether a header can be a reason to judge a request: an ambient credential, or what opens a WebSocket.
fn concerns((name, value): (&HeaderName, &HeaderValue)) -> bool {
    *name == header::COOKIE || *name == header::UPGRADE || (*name == header::AUTHORIZATION && is_ambient(value))
}

fn is_ambient(authorization: &HeaderValue) -> bool {
    let scheme = authorization.as_bytes().split(|byte| *byte == b' ').next().unwrap_or_default();
    AMBIENT_SCHEMES.iter().any(|ambient| scheme.eq_ignore_ascii_case(ambient.as_bytes()))
}

/// Where the request comes from, as far as the browser says.
fn source(
    headers: &HeaderMap,
    origin: Option<&[u8]>,
    is_ours: bool,
    settings: &CsrfSettings,
) -> Result<(), &'static str> {
    if is_ours {
        return Ok(());
    }
    match the_one(headers, &SEC_FETCH_SITE) {
        Some(b"same-origin" | b"none") => Ok(()),
        Some(b"same-site") if settings.siblings == Siblings::DangerTrusted => Ok(()),
        Some(b"same-site") => Err("same_site_not_trusted"),
        Some(_) => Err("cross_site"),
        None if origin.is_some() => Err("origin_not_trusted"),
        None => Err(NO_INFORMATION),
    }
}

/// Whether another site embeds the answer without asking: neither a script that CORS judges nor a link.
fn embedded(headers: &HeaderMap, is_ours: bool, settings: &CsrfSettings) -> bool {
    if is_ours || settings.embedding == Embedding::DangerAllowed {
        return false;
    }
    let foreign = match the_one(headers, &SEC_FETCH_SITE) {
        None | Some(b"same-origin" | b"none") => false,
        Some(b"same-site") => settings.siblings == Siblings::Refused,
        Some(_) => true,
    };
    let asks = match the_one(headers, &SEC_FETCH_MODE) {
        Some(b"cors") => true,
        Some(b"navigate") => !matches!(the_one(headers, &SEC_FETCH_DEST), Some(b"object" | b"embed")),
        // Browsers send the three together.
        None => true,
        Some(_) => false,
    };
    foreign && !asks
}

/// Whether the request has a token of its own session.
fn token(headers: &HeaderMap, rule: &TokenRule) -> Result<(), &'static str> {
    let session = session(headers, rule).ok_or("token_without_session")?;
    let token = the_one(headers, &TOKEN_HEADER).ok_or("token_missing")?;
    let token = std::str::from_utf8(token).map_err(|_| "token_malformed")?;
    rule.tokens.verify(session, token).map_err(|fault| fault.reason())
}

/// Gives a session that has no valid token a new one. Who is about to sign in gets an id first.
fn issue(head: &mut Head, rule: &TokenRule, is_login: bool) {
    let cookies = Cookies::of(&head.parts.headers);
    let visitor;
    let (session, is_new) = match session(&head.parts.headers, rule) {
        Some(session) => (session, false),
        None if is_login => {
            visitor = rule.tokens.visitor();
            (visitor.as_str(), true)
        }
        None => return,
    };
    let has_token = cookies.get(TOKEN_COOKIE).is_some_and(|token| rule.tokens.verify(session, token).is_ok());
    if has_token {
        return;
    }
    let token = rule.tokens.issue(session);
    let made = [is_new.then(|| SetCookie::session("visitor", session)), Some(SetCookie::csrf("csrf", &token))];
    let made: Vec<HeaderValue> = made.into_iter().flatten().filter_map(|made| made.ok()?.header()).collect();
    made.into_iter().for_each(|cookie| head.plan.append(SET_COOKIE, cookie));
    head.plan.set(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// What a token is bound to: the session, or the visit of somebody who has none yet.
fn session<'h>(headers: &'h HeaderMap, rule: &TokenRule) -> Option<&'h str> {
    let cookies = Cookies::of(headers);
    let id = cookies.get(&rule.session).or_else(|| cookies.get(VISITOR_COOKIE));
    id.filter(|id| !id.is_empty())
}

/// Whether the browser may have added a credential by itself.
fn carries_ambient_credential(head: &Head) -> bool {
    let headers = &head.parts.headers;
    let by_browser = headers.get_all(header::AUTHORIZATION).iter().any(is_ambient);
    // A certificate comes from a browser or from a program; only a browser says from where it was sent.
    let by_page = headers.contains_key(ORIGIN) || headers.contains_key(SEC_FETCH_SITE);
    by_browser || headers.contains_key(header::COOKIE) || (head.facts.certificate.is_some() && by_page)
}

fn is_login(head: &Head, settings: &CsrfSettings) -> bool {
    if settings.login.is_empty() {
        return false;
    }
    let path = head.facts.path.as_ref().map_or(head.parts.uri.path(), |path| path.as_str());
    settings.login.iter().any(|login| **login == *path)
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn opens_websocket(headers: &HeaderMap) -> bool {
    headers.get_all(header::UPGRADE).iter().any(|protocols| {
        let mut protocols = protocols.as_bytes().split(|byte| *byte == b',');
        protocols.any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(b"websocket"))
    })
}

/// The value of a header that browsers send once. Where it stands several times it is nobody's.
fn the_one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h [u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    Some(if values.next().is_some() { b"" } else { first.as_bytes() })
}

/// The schemes of credentials that browsers remember and add (RFC 7617, RFC 7616, RFC 4559).
const AMBIENT_SCHEMES: &[&str] = &["basic", "digest", "negotiate", "ntlm"];

const NO_INFORMATION: &str = "no_origin_information";

#[cfg(test)]
mod tests;
