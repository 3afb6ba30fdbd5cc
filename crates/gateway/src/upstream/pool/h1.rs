//! One HTTP/1 connection, driven by whoever uses it.
//!
//! hyper leaves it to its user who polls a connection. The usual way is a task for each, which costs two changes of task
//! for every request. Here the task that waits for the answer polls the connection itself, and so does whoever reads the
//! answer's body; between two requests nobody does. That is enough: what the backend does meanwhile, such as closing the
//! connection, is found out by one poll before the next request, and costs no system call when nothing has happened.
//! Nothing is left behind when a request is given up: the connection is closed with it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use axum_core::body::Body;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use tokio::time::Instant;

use super::super::failure::{Failure, Unanswered};
use super::wire::Wire;

/// A connection.
pub(super) struct Connection {
    sender: SendRequest<Body>,
    /// Absent once it has ended.
    driver: Option<Driver>,
    /// Whether it has had a request.
    pub(super) used: bool,
    /// Since when it is idle.
    pub(super) idle: Instant,
}

impl Connection {
    /// Over a new socket.
    pub(super) async fn open(wire: Wire) -> Result<Self, Failure> {
        // hyper refuses more than a hundred headers. To say so would make it write a list of that length for each answer.
        let made = Builder::new().handshake(wire).await;
        let (sender, driver) = made.map_err(Failure::Handshake)?;
        let driver: Option<Driver> = Some(Box::pin(driver.with_upgrades()));
        Ok(Self { sender, driver, used: false, idle: Instant::now() })
    }

    /// Whether the next request can be sent: the last exchange is complete, and the backend has not closed.
    pub(super) fn is_ready(&mut self) -> bool {
        // Nobody waits: whoever sends the next request polls again.
        self.drive(&mut Context::from_waker(Waker::noop())).is_pending() && self.sender.is_ready()
    }

    /// Sends a request and waits for the head of the answer. A request that was not sent comes back.
    pub(super) async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>, Unanswered> {
        self.used = true;
        let mut answer = std::pin::pin!(self.sender.try_send_request(request));
        let answer = std::future::poll_fn(|cx| {
            let driven = self.drive(cx);
            // The answer is set by polling the connection and by nothing else, so that it needs no waker of its own.
            match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                // A connection that is gone has answered or failed, both of which are seen at the next poll at the latest.
                Poll::Pending if driven.is_ready() => answer.as_mut().poll(cx),
                poll => poll,
            }
        });
        match answer.await {
            Ok(answer) => {
                if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
                    // Hands the socket to whoever asked for the upgrade.
                    std::future::poll_fn(|cx| self.drive(cx)).await;
                }
                Ok(answer)
            }
            Err(mut error) => {
                let unsent = error.take_message().map(Box::new);
                Err(Unanswered { failure: Failure::Broken(error.into_error()), unsent })
            }
        }
    }

    /// Moves bytes in both directions. Ready when the connection has ended, whose error whoever waits gets from hyper.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(driver) = &mut self.driver else { return Poll::Ready(()) };
        if driver.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.driver = None;
        Poll::Ready(())
    }
}

/// hyper's connection, whose type has no name.
type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;
