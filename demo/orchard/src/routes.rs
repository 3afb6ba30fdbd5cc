//! The routes are every operation of the contract, and some that should have been taken down.

mod account;
mod admin;
mod coupons;
mod legacy;
mod orders;
mod photo;
mod products;
mod reviews;
mod shipping;
mod users;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post};
use axum::{Json, Router, middleware};
use serde_json::{Value, json};

use crate::guard;
use crate::shop::Shop;
use crate::weakness::Weakness;

/// Builds the service for a shop.
pub(crate) fn router(shop: &Arc<Shop>) -> Router {
    let mut router = Router::new()
        .route("/.well-known/jwks.json", get(account::keys))
        .route("/v1/health", get(health))
        .route("/v1/login", post(account::login))
        .route("/v1/products", get(products::search))
        .route("/v1/products/{product_id}", get(products::show))
        .route("/v1/products/{product_id}/reviews", get(reviews::list).post(reviews::write))
        .route("/v1/products/{product_id}/page", get(reviews::page))
        .route("/v1/products/{product_id}/shipping", get(shipping::quote))
        .route("/v1/products/{product_id}/photo", post(photo::request))
        .route("/v1/orders", get(orders::list).post(orders::place))
        .route("/v1/orders/{order_id}", get(orders::show))
        .route("/v1/users/{user_id}", get(users::show).patch(users::update))
        .route("/v1/users/{user_id}/orders/{order_id}", delete(orders::cancel))
        .route("/v1/coupons/redeem", post(coupons::redeem))
        .route("/v1/admin/users", get(admin::users))
        .route("/v1/admin/products/{product_id}/restock", post(admin::restock));
    if shop.has(Weakness::AdminSlashOpen) {
        router = router.route("/v1/admin/users/", get(admin::users_of_anybody));
    }
    if shop.has(Weakness::CouponsListed) {
        router = router.route("/v1/coupons/redeem", get(legacy::coupons));
    }
    if shop.has(Weakness::DebugPage) {
        router = router.route("/debug/vars", get(legacy::vars));
    }
    if shop.has(Weakness::MetricsPage) {
        router = router.route("/metrics", get(legacy::metrics));
    }
    if shop.has(Weakness::OldVersion) {
        router = router.route("/v0/users", get(legacy::users));
    }
    let body_limit = if shop.has(Weakness::PageUnbounded) {
        DefaultBodyLimit::disable()
    } else {
        DefaultBodyLimit::max(MAXIMUM_BODY_BYTES)
    };
    router
        .layer(body_limit)
        .layer(middleware::from_fn_with_state(Arc::clone(shop), guard::finish))
        .with_state(Arc::clone(shop))
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

const MAXIMUM_BODY_BYTES: usize = 64 * 1024;
