//! The fetcher makes the shop's own requests: to the shipping partner, and to wherever a photo is said to be.

use std::time::Duration;

use axum::http::{Request, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

/// A client for plain HTTP/1.1 that follows no redirects.
#[derive(Debug)]
pub(crate) struct Fetcher {
    client: Client<HttpConnector, Empty<Bytes>>,
}

impl Fetcher {
    pub(crate) fn new() -> Self {
        Self { client: Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http() }
    }

    /// The body of a 200 answer, if one came in time and in bounds.
    pub(crate) async fn get(&self, uri: Uri) -> Option<Bytes> {
        timeout(DEADLINE, self.fetch(uri)).await.ok()?
    }

    async fn fetch(&self, uri: Uri) -> Option<Bytes> {
        let request = Request::get(uri).header(header::USER_AGENT, "orchard").body(Empty::new()).ok()?;
        let response = self.client.request(request).await.ok()?;
        if response.status() != StatusCode::OK {
            return None;
        }
        let body = Limited::new(response.into_body(), MAXIMUM_BYTES).collect().await.ok()?;
        Some(body.to_bytes())
    }
}

const DEADLINE: Duration = Duration::from_secs(1);
const MAXIMUM_BYTES: usize = 256 * 1024;
