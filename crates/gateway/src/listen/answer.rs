//! Turns a request into its answer on a connection: the service behind the HTTP parser.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum_core::body::Body;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, Version};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::service::Service;

use super::activity::{Activity, Begun, Debt};
use super::strict::Verdict;
use super::takeover::Pending;
use super::unread::{After, Unread};
use super::{Connection, Handler};

/// The handler, as one connection calls it.
#[derive(Clone)]
pub(super) struct Answers {
    pub(super) handler: Arc<dyn Handler>,
    pub(super) connection: Arc<Connection>,
    pub(super) activity: Arc<Activity>,
    pub(super) verdict: Arc<Verdict>,
    pub(super) pending: Pending,
}

impl Service<Request<Incoming>> for Answers {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let begun = self.activity.begin();
        let is_http2 = request.version() == Version::HTTP_2;
        let (request, unread) = if is_http2 { (request.map(Body::new), None) } else { Unread::lend(request) };
        let answer = match self.verdict.of_next() {
            None => self.handler.handle(request, &self.connection),
            Some(malformed) => self.handler.refuse(malformed, request, &self.connection),
        };
        Answering { answer, ready: None, unread, begun: Some(begun), answers: self.clone(), is_http2 }
    }
}

/// An answer that is being made.
pub(super) struct Answering {
    answer: BoxFuture<'static, Response<Body>>,
    /// The answer, while what is left of the request is read away.
    ready: Option<Response<Body>>,
    unread: Option<Unread>,
    begun: Option<Begun>,
    answers: Answers,
    is_http2: bool,
}

impl Future for Answering {
    type Output = Result<Response<Answer>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.ready.is_none() {
            this.ready = Some(ready!(this.answer.as_mut().poll(cx)));
        }
        let after = match &mut this.unread {
            None => After::Another,
            Some(unread) => ready!(unread.poll_rest(cx)),
        };
        let mut response = this.ready.take().unwrap_or_default();
        let activity = &self.answers.activity;
        if self.answers.pending.take_from(&mut response) {
            self.answers.verdict.leave_http();
        } else if (activity.is_last() || after == After::Close) && !self.is_http2 {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        // In HTTP/1 the socket itself says when the client takes nothing; in HTTP/2 each body waits for its own client.
        let is_owed = self.is_http2 && !response.body().is_end_stream();
        let debt = is_owed.then(|| Debt::new(activity));
        let begun = self.begun.take();
        Poll::Ready(Ok(response.map(|body| Answer { body, debt, _begun: begun })))
    }
}

/// The body of an answer; the request is under way until it is dropped.
pub(super) struct Answer {
    body: Body,
    debt: Option<Debt>,
    _begun: Option<Begun>,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum_core::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Some(debt) = &self.debt {
            match frame {
                Poll::Ready(_) => debt.renew(),
                Poll::Pending => debt.settle(),
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
