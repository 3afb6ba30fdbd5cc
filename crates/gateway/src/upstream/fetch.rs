//! Gets a key set from its issuer.

use std::time::Duration;

use async_trait::async_trait;
use axum_core::body::Body;
use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use palisade::token::remote::{Fetch, MAX_BODY};

use super::backend::Call;
use super::{Upstream, UpstreamError, UpstreamSettings};

/// Gets one document from an upstream. Redirects are not followed: the address in the configuration is the one that is
/// trusted.
#[derive(Clone, Debug)]
pub struct PoolFetch {
    upstream: Upstream,
    path: Uri,
}

impl PoolFetch {
    /// Gets `url`, whose server has three seconds to take a connection.
    pub fn new(url: &Uri) -> Result<Self, UpstreamError> {
        let (Some(scheme), Some(authority)) = (url.scheme().cloned(), url.authority().cloned()) else {
            return Err(UpstreamError::Name(url.to_string().into()));
        };
        let connect_timeout = Duration::from_secs(3);
        let settings = UpstreamSettings { connect_timeout, ..UpstreamSettings::one(scheme, authority) };
        let upstream = Upstream::new(settings)?;
        let path = url.path_and_query().map_or("/", |path| path.as_str()).parse().unwrap_or_default();
        Ok(Self { upstream, path })
    }
}

#[async_trait]
impl Fetch for PoolFetch {
    async fn fetch(&self) -> Result<Bytes, String> {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = self.path.clone();
        let response = self.upstream.send(request, &Call::default()).await.map_err(|failure| failure.reason())?;
        if response.status() != StatusCode::OK {
            return Err(format!("the issuer answered with status {}", response.status()));
        }
        let body = Limited::new(response.into_body(), MAX_BODY).collect().await;
        body.map(|body| body.to_bytes()).map_err(|error| error.to_string())
    }
}
