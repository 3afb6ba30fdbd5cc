//! The nonce of one response: a random text that only the scripts of the page carry.

use std::fmt;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use palisade_core::port::Entropy;

/// The nonce of this response, to stand in its `<script nonce="...">` and `<style nonce="...">`.
///
/// A handler that has one as a parameter answers under a policy in which scripts with this nonce run and no others, and
/// its answer is not stored by any cache. It holds 144 random bits and only characters that need no escaping.
///
/// ```
/// use axum::response::Html;
/// use palisade::csp::Nonce;
///
/// async fn page(nonce: Nonce) -> Html<String> {
///     Html(format!("<!doctype html><title>Hello</title><script nonce=\"{nonce}\">/* ... */</script>"))
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Nonce(Arc<str>);

impl Nonce {
    /// A fresh nonce.
    pub(crate) fn mint(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 18];
        entropy.fill(&mut bytes);
        Self(STANDARD.encode(bytes).into())
    }

    /// The nonce as the attribute has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Nonce {
    /// Not the text: a log is not the place for what lets scripts run.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(..)")
    }
}

/// Where a request's nonce will be, once somebody asks for it.
pub(crate) struct NonceSlot {
    entropy: Arc<dyn Entropy>,
    minted: OnceLock<Nonce>,
}

impl NonceSlot {
    pub(crate) fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self { entropy, minted: OnceLock::new() }
    }

    /// The nonce; the first who asks has it minted.
    pub(crate) fn nonce(&self) -> &Nonce {
        self.minted.get_or_init(|| Nonce::mint(self.entropy.as_ref()))
    }

    /// The nonce, if anybody has asked.
    pub(crate) fn minted(&self) -> Option<&Nonce> {
        self.minted.get()
    }
}

/// A policy with the places of the nonce left open.
#[derive(Clone, Debug)]
pub(crate) struct NonceTemplate(Vec<Box<str>>);

impl NonceTemplate {
    /// What stands for the nonce: no policy contains it otherwise.
    pub(super) const PLACE: char = '\u{1}';

    pub(super) fn new(text: &str) -> Self {
        Self(text.split(Self::PLACE).map(Into::into).collect())
    }

    pub(crate) fn fill(&self, nonce: &Nonce) -> String {
        self.0.join(nonce.as_str())
    }

    /// The policy of one response. A policy and a nonce hold nothing that a header could not.
    pub(crate) fn header(&self, nonce: &Nonce) -> Option<HeaderValue> {
        HeaderValue::try_from(self.fill(nonce)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FixedEntropy;

    #[test]
    fn is_minted_once_and_only_when_asked() {
        let slot = NonceSlot::new(Arc::new(FixedEntropy(7)));
        assert!(slot.minted().is_none());
        let first = slot.nonce().clone();
        assert_eq!(first.as_str(), "BwcHBwcHBwcHBwcHBwcHBwcHBwcH".get(..24).unwrap());
        assert_eq!((slot.nonce(), slot.minted()), (&first, Some(&first)));
        assert_eq!(format!("{first:?}"), "Nonce(..)");
    }
}
