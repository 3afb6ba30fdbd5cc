//! Compares scheme, host and port of an address with a list, before anything is fetched.

// In reports:
use axum::http::Uri;

fn is_ours(address: &str) -> bool {
    let Ok(uri) = address.parse::<Uri>() else { return false };
    // The whole authority: `images.example.com@evil.example` and other ports are others.
    let hosts = ["images.example.com", "cdn.example.com"];
    uri.scheme_str() == Some("https") && uri.authority().is_some_and(|authority| hosts.contains(&authority.as_str()))
}
