//! What the user names by a URL of its own, outside of any run: documents, and the hook that resets a target.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Uri, header};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use super::SendError;
use super::attempt::{AGENT, exchange, malformed};
use super::wire::{Connector, Trust};

/// Gets a document, such as a contract, from a URL that the user named. Redirects are not followed.
///
/// # Errors
///
/// When the URL is not one of HTTP, or what it names does not answer with success.
pub async fn fetch(url: &Uri, trust: &Trust) -> Result<String, SendError> {
    one_off(Method::GET, url, trust).await
}

/// Asks a URL that the user named for something to be done.
pub(crate) async fn one_off(method: Method, url: &Uri, trust: &Trust) -> Result<String, SendError> {
    let client = Client::builder(TokioExecutor::new()).build(Connector::new(url.scheme(), trust));
    let request = Request::builder().method(method).uri(url.clone()).header(header::USER_AGENT, AGENT);
    let request = request.body(Full::new(Bytes::new())).map_err(malformed)?;
    let answer = timeout(ONE_OFF, exchange(&client, request, MAXIMUM_DOCUMENT)).await;
    let answer = answer.map_err(|_| SendError::Timeout(ONE_OFF))??;
    if answer.is_success() {
        return Ok(answer.text);
    }
    Err(SendError::Unreachable(format!("`{url}` answers with {}", answer.status.as_u16())))
}

const MAXIMUM_DOCUMENT: usize = 8 * 1024 * 1024;
const ONE_OFF: Duration = Duration::from_secs(20);
