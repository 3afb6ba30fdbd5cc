//! Matches with an engine that does not go back, and bounds the length before.

// In reports:
use regex::Regex;

/// The engine of `regex` takes time in proportion to the text, whatever the pattern.
fn is_mail(pattern: &Regex, text: &str) -> bool {
    text.len() <= 254 && pattern.is_match(text)
}
