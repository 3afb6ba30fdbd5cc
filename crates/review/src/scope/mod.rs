//! The scope is what a run may touch, and its client is the only place that opens sockets.
//!
//! A run that leaves its target attacks somebody who did not ask for it. So the host never comes from the contract or
//! from an answer: every request goes to the authority of the base URL, redirects are reported and not followed, and
//! the number of requests, their rate, their time and the size of their answers are bounded.

mod attempt;
mod certificate;
mod client;
mod document;
mod guard;
mod hello;
mod wire;

use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, Scheme};

pub(crate) use certificate::{Worth, ends};
pub(crate) use client::ScopedClient;
pub use document::fetch;
pub(crate) use document::one_off;
pub(crate) use guard::{Guard, is_dangerous, is_reset};
pub(crate) use hello::Offer;
pub use wire::{Protocol, Trust, TrustError};

/// What is attacked, and how hard.
///
/// ```
/// use palisade_review::Target;
///
/// let target = Target::new("http://127.0.0.1:9000".parse().unwrap()).unwrap();
/// assert_eq!(target.scope.authority.as_str(), "127.0.0.1:9000");
/// assert!(Target::new("ftp://api.example".parse().unwrap()).is_err());
/// ```
#[derive(Clone, Debug)]
pub struct Target {
    /// The base URL; paths of the contract are put behind it.
    pub base: Uri,
    /// What the run may touch.
    pub scope: Scope,
    /// Who must vouch for a target in TLS.
    pub trust: Trust,
    /// Whether a certificate that proves nothing is a finding and not the end: whoever is on the way then reads the
    /// credentials of the identities.
    pub danger_accept_certificate: bool,
    /// How it is spoken to.
    pub protocol: Protocol,
}

impl Target {
    /// A target with the default scope.
    ///
    /// # Errors
    ///
    /// When the URL is not one of HTTP, has no host, or has a query.
    pub fn new(base: Uri) -> Result<Self, TargetError> {
        let authority = base.authority().cloned().ok_or(TargetError::NotAbsolute)?;
        if base.scheme() != Some(&Scheme::HTTP) && base.scheme() != Some(&Scheme::HTTPS) {
            return Err(TargetError::NotHttp);
        }
        if base.query().is_some() || authority.as_str().contains('@') {
            return Err(TargetError::NotBase);
        }
        Ok(Self {
            base,
            scope: Scope::new(authority),
            trust: Trust::default(),
            danger_accept_certificate: false,
            protocol: Protocol::default(),
        })
    }
}

/// The bounds of a run.
///
/// ```
/// let scope = palisade_review::Scope::new("127.0.0.1:9000".parse().unwrap());
/// assert_eq!((scope.budget, scope.rate), (2_000, None));
/// ```
#[derive(Clone, Debug)]
pub struct Scope {
    /// The only host and port that is sent anything.
    pub authority: Authority,
    /// How many requests may be made.
    pub budget: u32,
    /// How many requests may be made in a second; `None` for as many as are answered.
    pub rate: Option<NonZeroU32>,
    /// How long one answer may take.
    pub deadline: Duration,
    /// How long the run may take; `None` for as long as it needs.
    pub duration: Option<Duration>,
    /// What ends the run from outside.
    pub stop: Stop,
}

impl Scope {
    /// 2,000 requests without a rate, ten seconds each.
    #[must_use]
    pub fn new(authority: Authority) -> Self {
        let deadline = Duration::from_secs(10);
        Self { authority, budget: 2_000, rate: None, deadline, duration: None, stop: Stop::default() }
    }
}

/// Ends a run from outside: no new attack begins, and what was begun is put back.
///
/// ```
/// let stop = palisade_review::Stop::default();
/// let other = stop.clone();
/// other.stop("Ctrl-C");
/// assert_eq!(stop.why().as_deref(), Some("Ctrl-C"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<OnceLock<String>>);

impl Stop {
    /// Ends the run; the first reason counts.
    pub fn stop(&self, why: impl Into<String>) {
        self.0.get_or_init(|| why.into());
    }

    /// Why the run was ended, when it was.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        self.0.get().cloned()
    }
}

/// Why something is not a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// There is no host.
    #[error("the base URL must name a host")]
    NotAbsolute,
    /// There is more than scheme, host, port and path.
    #[error("the base URL must have no query and no user")]
    NotBase,
    /// It is not HTTP.
    #[error("the base URL must begin with `http://` or `https://`")]
    NotHttp,
}

/// Why a request was not made or not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The run has made all the requests it may.
    #[error("the budget of {0} requests is used up")]
    Budget(u32),
    /// The request cannot be written as HTTP.
    #[error("the request cannot be written: {0}")]
    Malformed(String),
    /// The request would go to somebody else.
    #[error("`{0}` is outside the scope of this run")]
    OutOfScope(String),
    /// The run was told to stop.
    #[error("the run was stopped: {0}")]
    Stopped(String),
    /// The answer took too long.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The target cannot be reached, or broke off.
    #[error("the target did not answer: {0}")]
    Unreachable(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_of_http() {
        let check = |base: &str, expect: Option<TargetError>| {
            assert_eq!(Target::new(base.parse().unwrap()).err(), expect, "{base}");
        };
        check("http://127.0.0.1:1/api", None);
        check("https://127.0.0.1", None);
        check("ftp://127.0.0.1", Some(TargetError::NotHttp));
        check("/v1", Some(TargetError::NotAbsolute));
        check("http://a?b", Some(TargetError::NotBase));
        check("http://user@a/", Some(TargetError::NotBase));
    }
}
