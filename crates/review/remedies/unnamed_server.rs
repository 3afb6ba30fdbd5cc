//! Takes headers that name products and versions out of every answer.

// In reports:
use axum::Router;
use axum::middleware::map_response;
use axum::response::Response;

fn unnamed(routes: Router) -> Router {
    routes.layer(map_response(async |mut response: Response| {
        for name in ["server", "x-powered-by"] {
            response.headers_mut().remove(name);
        }
        response
    }))
}
