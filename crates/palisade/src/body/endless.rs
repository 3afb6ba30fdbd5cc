//! Which bodies may go on for ever where their route lets them, and how much of one may still be held whole.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};

/// Whether nothing says where a body ends. A declared length is an end, and what a decoder makes of a compressed body has
/// to stay bounded.
pub(crate) fn is_endless(headers: &HeaderMap) -> bool {
    !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(CONTENT_ENCODING)
}

/// The most that anybody may hold of an endless body, in bytes. It goes with the request: whoever reads such a body whole
/// has to put this bound around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LongestWhole(pub(crate) usize);
