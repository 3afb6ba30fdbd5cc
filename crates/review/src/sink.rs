//! A sink is a server of the reviewer's own that remembers what it was asked for.
//!
//! It proves that the target made a request: a path that nobody else knows was asked for.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::serve::serve;

/// A running sink; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Sink {
    address: SocketAddr,
    arrivals: Arc<Arrivals>,
    _tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Arrivals {
    paths: Mutex<BTreeSet<String>>,
    changed: Notify,
}

impl Sink {
    /// Opens a sink on a free loopback port.
    pub(crate) async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let arrivals = Arc::new(Arrivals::default());
        let mut tasks = JoinSet::new();
        let seen = Arc::clone(&arrivals);
        let service = service_fn(move |request: Request<Incoming>| {
            let seen = Arc::clone(&seen);
            async move {
                seen.paths.lock().unwrap_or_else(PoisonError::into_inner).insert(request.uri().path().to_owned());
                seen.changed.notify_waiters();
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"ok"))))
            }
        });
        tasks.spawn(serve(listener, service));
        Ok(Self { address, arrivals, _tasks: tasks })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether a path was asked for.
    pub(crate) fn has_seen(&self, path: &str) -> bool {
        self.arrivals.paths.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    /// Whether a path was asked for, or is before the time is over.
    pub(crate) async fn sees(&self, path: &str, patience: Duration) -> bool {
        let wait = async {
            loop {
                let change = self.arrivals.changed.notified();
                tokio::pin!(change);
                // Listening begins before looking, so that nothing arrives unheard in between.
                change.as_mut().enable();
                if self.has_seen(path) {
                    return;
                }
                change.await;
            }
        };
        timeout(patience, wait).await.is_ok()
    }
}
