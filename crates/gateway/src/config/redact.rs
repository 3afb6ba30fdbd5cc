//! Keeps credentials that somebody wrote into the file out of the messages that quote it.

use std::ops::Range;

use palisade_core::diagnostic::Source;
use toml::de::{DeTable, DeValue};

/// The source with every value masked that may be a credential. Masked bytes stay as many, so that spans hold.
pub(crate) fn redacted(source: &Source, root: &DeTable<'_>, is_broken: bool) -> Source {
    let mut spans = Vec::new();
    in_table(root, &mut spans);
    if is_broken {
        // Without a whole tree the key that a text belongs to is uncertain: lines that speak of secrets are masked.
        spans.extend(lines_about_secrets(source.text()));
    }
    if spans.is_empty() {
        return source.clone();
    }
    let masked = source.text().bytes().enumerate().map(|(at, byte)| {
        let is_secret = byte != b'\n' && spans.iter().any(|span| span.contains(&at));
        if is_secret { b'*' } else { byte }
    });
    // Spans of values begin and end between characters, so that what remains is UTF-8.
    String::from_utf8(masked.collect())
        .map_or_else(|_| Source::new(source.name(), ""), |text| Source::new(source.name(), text))
}

/// Whether a value in this place is a credential itself and not a reference to one.
pub(crate) fn is_literal_secret(key: &str, value: &str) -> bool {
    let is_reference = match key {
        "secret" | "key" | "password" | "token" => value.starts_with("file:"),
        "hash" => value.starts_with("sha256:"),
        _ => true,
    };
    !is_reference || value.contains("-----BEGIN") || user_info(value).is_some()
}

/// The `user:password` of a URL.
fn user_info(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    authority.rsplit_once('@').map(|(user, _)| user)
}

fn in_table(table: &DeTable<'_>, spans: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        in_value(key.get_ref(), value.get_ref(), value.span(), spans);
    }
}

fn in_value(key: &str, value: &DeValue<'_>, span: Range<usize>, spans: &mut Vec<Range<usize>>) {
    match value {
        DeValue::Array(items) => {
            for item in items {
                in_value(key, item.get_ref(), item.span(), spans);
            }
        }
        DeValue::String(text) if is_literal_secret(key, text) => spans.push(span),
        DeValue::Table(table) => in_table(table, spans),
        _ => {}
    }
}

fn lines_about_secrets(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    let mut spans = Vec::new();
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        if ["secret", "hash", "password"].iter().any(|word| line.contains(word)) {
            spans.extend(line.find('=').map(|at| start + at + 1..end));
        }
        start = end;
    }
    spans
}
