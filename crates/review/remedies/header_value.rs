//! Makes header values with a type that refuses control characters.

// In reports:
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

async fn download(name: String) -> Result<HeaderMap, StatusCode> {
    let shown: String = name.chars().filter(|one| one.is_ascii_alphanumeric() || "-_. ".contains(*one)).collect();
    let value = HeaderValue::from_str(&format!("attachment; filename=\"{shown}\""));
    Ok(HeaderMap::from_iter([(header::CONTENT_DISPOSITION, value.map_err(|_| StatusCode::BAD_REQUEST)?)]))
}
