//! The wire types are the request bodies and the query, as the contract gives them.

use serde::Deserialize;

/// `POST /v1/login`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawLogin {
    pub(crate) username: String,
    pub(crate) password: String,
}

/// `POST /v1/products/{product_id}/reviews`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawReview {
    /// Taken with `review-author-assignable` only.
    pub(crate) author: Option<String>,
    pub(crate) text: String,
}

/// `POST /v1/products/{product_id}/photo`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawPhoto {
    pub(crate) source: String,
}

/// `POST /v1/orders`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawOrder {
    /// Taken with `order-status-assignable` only.
    pub(crate) status: Option<String>,
    /// Taken with `order-total-assignable` only.
    pub(crate) total_cents: Option<i64>,
    pub(crate) product_id: String,
    pub(crate) quantity: i64,
    pub(crate) address: String,
}

/// `POST /v1/coupons/redeem`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCoupon {
    pub(crate) code: String,
}

/// `POST /v1/admin/products/{product_id}/restock`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRestock {
    pub(crate) quantity: i64,
}

/// `GET /v1/products`
#[derive(Debug, Deserialize)]
pub(crate) struct RawSearch {
    pub(crate) q: Option<String>,
    pub(crate) limit: Option<i64>,
    pub(crate) offset: Option<i64>,
}

/// What the shipping partner answers.
#[derive(Debug, Deserialize)]
pub(crate) struct RawQuote {
    pub(crate) carrier: String,
    pub(crate) cost_cents: i64,
    pub(crate) days: i64,
}
