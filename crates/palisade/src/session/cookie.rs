//! The cookie that carries a session's id.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use http::{HeaderMap, HeaderValue};
use palisade_core::port::Entropy;
use palisade_core::port::session::SessionHash;
use palisade_core::secret::Secret;

use crate::cookie::{CookieError, Cookies, SetCookie};
use crate::token::base64url;

/// The id of a session: 256 random bits. Whoever has it is signed in, so that it cannot be printed.
///
/// ```
/// use palisade::session::SessionId;
/// use palisade::testing::SeededEntropy;
///
/// let id = SessionId::generate(&SeededEntropy::new(1));
/// assert_eq!(format!("{id:?}"), "SessionId(..)");
/// assert_eq!(SessionId::parse(id.expose()).unwrap().hash(), id.hash());
/// assert!(SessionId::parse("chosen-by-somebody-else").is_none());
/// ```
#[derive(Clone)]
pub struct SessionId(Secret);

impl SessionId {
    /// Makes an id. There is no other way to one that opens anything.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; LENGTH];
        entropy.fill(&mut bytes);
        Self(Secret::new(base64url::encode(&bytes)))
    }

    /// Reads what may be an id: 43 characters, in the one spelling that there is.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = base64url::decode(text).filter(|bytes| bytes.len() == LENGTH)?;
        drop(Secret::new(bytes));
        Some(Self(Secret::new(text)))
    }

    /// The id itself, for the cookie.
    pub fn expose(&self) -> &str {
        std::str::from_utf8(self.0.expose()).unwrap_or_default()
    }

    /// What a store keeps of it.
    pub fn hash(&self) -> SessionHash {
        let mut hash = [0; 32];
        hash.iter_mut().zip(digest(&SHA256, self.0.expose()).as_ref()).for_each(|(to, from)| *to = *from);
        SessionHash(hash)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}

/// The cookie of sessions: `__Host-session`, unless it has another name; for TLS only, for no script, for no neighbor of
/// the same site. It ends with the browser: when the session ends is not the cookie's to say.
///
/// ```
/// use palisade::session::{CookieSite, Presented, SessionCookie, SessionId};
/// use palisade::testing::{SeededEntropy, request};
///
/// let cookie = SessionCookie::new("sid", CookieSite::Strict)?;
/// assert_eq!(cookie.name(), "__Host-sid");
/// let id = SessionId::generate(&SeededEntropy::new(1));
/// assert!(cookie.carrying(&id).text().ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict"));
/// assert!(matches!(cookie.read(request("GET /\ncookie: __Host-sid=planted").headers()), Presented::Malformed));
/// # Ok::<(), palisade::cookie::CookieError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SessionCookie {
    /// The cookie with an empty value.
    empty: SetCookie,
    removal: HeaderValue,
}

/// With which requests of other sites the browser sends the cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CookieSite {
    /// With those that follow a link.
    #[default]
    Lax,
    /// With none: who follows a link of another site arrives signed out.
    Strict,
}

/// What a request has of a session.
#[derive(Clone, Debug)]
pub enum Presented {
    /// No cookie.
    Absent,
    /// An id.
    Id(SessionId),
    /// Several cookies of the name, or one that was not made here.
    Malformed,
}

impl SessionCookie {
    /// The cookie `__Host-NAME`.
    pub fn new(name: &str, site: CookieSite) -> Result<Self, CookieError> {
        let empty = match site {
            CookieSite::Lax => SetCookie::session(name, "")?,
            CookieSite::Strict => SetCookie::strict_session(name, "")?,
        };
        Ok(Self::of(empty))
    }

    fn of(empty: SetCookie) -> Self {
        let removal = empty.clone().removed().header().unwrap_or(const { HeaderValue::from_static("") });
        Self { empty, removal }
    }

    /// The name as browsers send it.
    pub fn name(&self) -> &str {
        self.empty.name()
    }

    /// The cookie with this id.
    pub fn carrying(&self, id: &SessionId) -> SetCookie {
        self.empty.carrying(id.expose())
    }

    /// What makes the browser forget the id.
    pub fn removal(&self) -> SetCookie {
        self.empty.clone().removed()
    }

    /// The same as a header.
    pub(crate) fn removal_header(&self) -> HeaderValue {
        self.removal.clone()
    }

    /// Whether a request has a cookie of the name, whatever it is.
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        Cookies::of(headers).has(self.name())
    }

    /// What a request has of a session.
    pub fn read(&self, headers: &HeaderMap) -> Presented {
        if !self.is_in(headers) {
            return Presented::Absent;
        }
        let id = Cookies::of(headers).get(self.name()).and_then(SessionId::parse);
        id.map_or(Presented::Malformed, Presented::Id)
    }
}

impl Default for SessionCookie {
    fn default() -> Self {
        Self::of(SetCookie::empty_session())
    }
}

/// How many random bytes an id has.
const LENGTH: usize = 32;
