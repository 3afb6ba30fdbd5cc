//! What reads the bytes of strangers, for fuzz targets only: nothing here is an interface.

use crate::exchange::Answer;
use crate::page::Page;
use crate::scope::Offer;

/// Reads a page to sign in as HTML; returns how many bytes its fields have.
pub fn page(html: &str) -> usize {
    let mut headers = http::HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/html"));
    let page = Page::read(&Answer::new(http::StatusCode::OK, headers, html.as_bytes()));
    page.hidden.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// Reads a look-up of a name; returns the answer to it.
pub fn look_up(message: &[u8]) -> Option<Vec<u8>> {
    crate::name_server::answer(message)
}

/// Reads the answer to a hello; whether one of the weak offers was taken.
pub fn hello(answer: &[u8]) -> bool {
    Offer::VERSIONS.into_iter().chain(Offer::SUITES).any(|offer| offer.is_taken(answer))
}

/// Reads a certificate; returns its last second.
pub fn certificate(der: &[u8]) -> Option<i64> {
    crate::scope::ends(der)
}
