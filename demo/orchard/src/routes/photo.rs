//! A photo is asked for by its address, which is how a caller may send the shop on errands.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::failure::Failure;
use crate::input::{Input, check_length};
use crate::routes::products;
use crate::shop::Shop;
use crate::weakness::Weakness;
use crate::wire::RawPhoto;

/// `POST /v1/products/{product_id}/photo`
pub(crate) async fn request(
    State(shop): State<Arc<Shop>>,
    Path(product_id): Path<String>,
    _: Caller,
    Input(photo): Input<RawPhoto>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    check_length(&photo.source, MAXIMUM_SOURCE)?;
    products::find(&shop, &product_id).await?;
    let source: Uri = photo.source.parse().map_err(|_| Failure::BAD_REQUEST)?;
    let is_fetched = shop.has(Weakness::PhotoAnywhere)
        || shop.has(Weakness::PhotoForbiddenList) && !matches!(source.host(), Some("127.0.0.1" | "[::1]") | None);
    if is_fetched {
        // Blind on purpose: the answer tells nothing, yet the request was made.
        let _ = shop.fetcher.get(source).await;
    } else if !is_ours(&source) {
        return Err(Failure::BAD_REQUEST);
    }
    Ok((StatusCode::ACCEPTED, Json(json!({ "state": "queued" }))))
}

// The whole authority is compared, so neither a port nor a user before the host gets through.
fn is_ours(source: &Uri) -> bool {
    let authority = source.authority().map(http::uri::Authority::as_str);
    source.scheme_str() == Some("https") && authority == Some("images.orchard.example")
}

const MAXIMUM_SOURCE: usize = 300;
