//! Signed tokens: reading a JWT so that nothing about it is believed before it is proven, and making one.
//!
//! The way of a token through [`jwt::Verifier`] is always the same: size, shape ([`jws`]), header, key ([`jwks`]),
//! signature, claims ([`claims`]). Each step either proves something or ends in one [`error::TokenError`].
//!
//! What is missing is missing on purpose (RFC 8725): there is no `none`, no encryption, no compression, no key taken
//! from a header, no claim that is guessed at.
//!
//! ```
//! use palisade::token::algorithm::Algorithm;
//! use palisade::token::jwt::Rules;
//!
//! let rules = Rules::new("https://id.example.com", "https://api.example.com", [Algorithm::Es256])?;
//! # Ok::<(), palisade::token::jwt::RulesError>(())
//! ```

pub mod algorithm;
pub mod claims;
pub mod dpop;
pub mod error;
pub mod identity;
pub mod issue;
pub mod jwk;
pub mod jwks;
pub mod jws;
pub mod jwt;
pub mod keyring;
pub mod lifecycle;
pub mod opaque;
pub mod refresh;
pub mod remote;
pub mod revocation;
pub mod revocation_feed;
pub mod sign;

pub(crate) mod base64url;
pub(crate) mod cache;
mod json;
pub(crate) mod pem;
mod rsa;

#[cfg(test)]
mod tests;
