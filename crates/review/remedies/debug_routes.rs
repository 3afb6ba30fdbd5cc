//! Has routes for developers in builds for developers only.

// In reports:
use axum::Router;
use axum::routing::get;

fn routes() -> Router {
    let routes = Router::new().route("/orders", get(|| async { "orders" }));
    #[cfg(debug_assertions)]
    let routes = routes.route("/debug/state", get(|| async { "state" }));
    routes
}
