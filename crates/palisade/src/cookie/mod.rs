//! Cookies in both directions: read strictly, made safely, and corrected where an application made them unsafely.
//!
//! - [`Cookies`] reads a request's `Cookie` header. A name that occurs twice has no value: one of the two was planted by
//!   a neighbor of the same site, and nobody can tell which.
//! - [`SetCookie`] makes a cookie by its kind; unsafe combinations do not build.
//! - `finish` corrects the cookies of the application behind it by the rules of [`CookieSettings`].

mod correct;
mod read;
mod removal;
mod write;

pub use correct::CookieSettings;
pub(crate) use correct::{Corrected, correct};
pub use read::Cookies;
pub(crate) use removal::remove;
pub use write::{CookieError, SetCookie};

/// Whether a text can be the name of a cookie.
pub fn is_cookie_name(text: &str) -> bool {
    is_name(text)
}

/// A token of RFC 9110 section 5.6.2, which is what the name of a cookie is.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// The value of a cookie without its quotes, if it holds nothing but the octets of RFC 6265 section 4.1.1.
fn plain_value(text: &str) -> Option<&str> {
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let plain = |b: u8| matches!(b, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e);
    bare.bytes().all(plain).then_some(bare)
}
