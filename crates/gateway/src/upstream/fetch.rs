//! Gets a key set from its issuer.

use async_trait::async_trait;
use axum_core::body::Body;
use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use palisade::token::remote::{Fetch, MAX_BODY};

use super::Pool;

/// Gets one document over a pool. Redirects are not followed: the address in the configuration is the one that is
/// trusted.
#[derive(Clone, Debug)]
pub struct PoolFetch {
    pool: Pool,
    path: Uri,
}

impl PoolFetch {
    /// Gets `url`, for which the pool was made.
    pub fn new(pool: Pool, url: &Uri) -> Self {
        let path = url.path_and_query().map_or("/", |path| path.as_str()).parse().unwrap_or_default();
        Self { pool, path }
    }
}

#[async_trait]
impl Fetch for PoolFetch {
    async fn fetch(&self) -> Result<Bytes, String> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = self.path.clone();
        let response = self.pool.send(request).await.map_err(|error| error.to_string())?;
        if response.status() != StatusCode::OK {
            return Err(format!("the issuer answered with status {}", response.status()));
        }
        let body = Limited::new(response.into_body(), MAX_BODY).collect().await;
        body.map(|body| body.to_bytes()).map_err(|error| error.to_string())
    }
}
