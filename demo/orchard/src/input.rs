//! The input is a JSON body read as a wire type, and the small checks on what it holds.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::shop::Shop;

/// A JSON body.
#[derive(Debug)]
pub(crate) struct Input<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<Shop>> for Input<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, shop: &Arc<Shop>) -> Result<Self, Self::Rejection> {
        let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = media_type.and_then(|value| value.split(';').next()).map(str::trim);
        if !essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) {
            return Err(Failure::Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let body =
            Bytes::from_request(request, shop).await.map_err(|rejection| Failure::Refusal(rejection.status()))?;
        serde_json::from_slice(&body).map(Self).map_err(|error| Failure::malformed(&error))
    }
}

/// Refuses text that is empty or longer than the maximum, in characters.
pub(crate) fn check_length(text: &str, maximum: usize) -> Result<(), Failure> {
    if text.is_empty() || text.chars().count() > maximum { Err(Failure::BAD_REQUEST) } else { Ok(()) }
}

/// Refuses a number out of range.
pub(crate) fn check_range(number: i64, minimum: i64, maximum: i64) -> Result<(), Failure> {
    if (minimum..=maximum).contains(&number) { Ok(()) } else { Err(Failure::BAD_REQUEST) }
}
