//! What a caller proves itself with, other than a token that somebody else signed.

pub mod api_key;
