//! Why a backend gave no answer, and which refusal that is.

use std::error::Error;
use std::io;
use std::time::Duration;

use axum_core::body::Body;
use http::Request;
use palisade::body::{BodyFault, fault_of};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The connection broke before the answer.
    #[error("the connection broke before the answer")]
    Broken(#[source] hyper::Error),
    /// Every connection is in use, and enough requests wait for one.
    #[error("all connections are in use")]
    Busy,
    /// Nobody takes connections.
    #[error("no connection")]
    Connect(#[source] io::Error),
    /// The backend does not speak the protocol.
    #[error("no common protocol")]
    Handshake(#[source] hyper::Error),
    /// There is no endpoint.
    #[error("there is no endpoint")]
    Nobody,
    /// More requests are under way than the backend can work on.
    #[error("the backend has as much to do as it can")]
    Overloaded,
    /// The name has no address.
    #[error("the name cannot be resolved")]
    Resolve(#[source] io::Error),
    /// The request's body broke off before it was sent.
    #[error("the request's body broke off")]
    Sender(#[source] axum_core::Error),
    /// No connection within `connect_timeout`.
    #[error("no connection within {0:?}")]
    Slow(Duration),
    /// No answer within `retry.try_timeout`.
    #[error("no answer within {0:?}")]
    TryTimeout(Duration),
    /// It cannot prove to be the backend, or does not believe that we are who we say.
    #[error("TLS failed")]
    Tls(#[source] io::Error),
}

impl Failure {
    /// The refusal that it is. A request body that broke off is its sender's fault, whatever it did to the connection.
    pub(crate) fn denial(&self) -> Denial {
        let code = match self {
            Self::Busy | Self::Overloaded => DenialCode::Overloaded,
            Self::TryTimeout(_) => DenialCode::DeadlineExceeded,
            Self::Sender(_) => self.fault().map_or(DenialCode::PayloadInvalid, BodyFault::code),
            _ => self.fault().map_or(DenialCode::UpstreamUnreachable, BodyFault::code),
        };
        let denial = Denial::new(code, StageId::Forward).because("error", self.reason());
        match code {
            DenialCode::Overloaded => denial.retry_after(COME_AGAIN),
            _ => denial,
        }
    }

    /// Whether this says something about the backend, and not about us or the sender of the request.
    pub(crate) fn is_the_backends(&self) -> bool {
        !matches!(self, Self::Busy | Self::Nobody | Self::Overloaded | Self::Sender(_)) && self.fault().is_none()
    }

    /// The whole chain of causes.
    pub(crate) fn reason(&self) -> String {
        let mut reason = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            reason = format!("{reason}: {error}");
            cause = error.source();
        }
        reason
    }

    fn fault(&self) -> Option<BodyFault> {
        fault_of(self)
    }
}

/// A request that has no answer. It comes back if not a byte of it was sent.
#[derive(Debug)]
pub(crate) struct Unanswered {
    pub(crate) failure: Failure,
    pub(crate) unsent: Option<Box<Request<Body>>>,
}

impl Unanswered {
    /// What was sent is gone.
    pub(crate) fn of(failure: Failure) -> Self {
        Self { failure, unsent: None }
    }

    /// Nothing was sent.
    pub(crate) fn unsent(failure: Failure, request: Request<Body>) -> Self {
        Self { failure, unsent: Some(Box::new(request)) }
    }
}

/// Overload is over soon or not at all.
const COME_AGAIN: Duration = Duration::from_secs(1);
