//! Redirects to paths of the own site only.

// In reports:
use axum::response::Redirect;

fn onwards(next: &str) -> Redirect {
    // `//host` and `/\host` are addresses of others.
    let is_path = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n', '\t']);
    Redirect::to(if is_path { next } else { "/" })
}
