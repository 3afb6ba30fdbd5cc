//! The diagnostics of one contract, gathered so that all of its problems are told at once.

use std::cell::OnceCell;
use std::ops::Range;

use palisade_core::diagnostic::{Diagnostic, Severity, Source};

use crate::locate::Locator;

/// Gathers diagnostics and finds their places.
#[derive(Debug)]
pub(crate) struct Report<'s> {
    source: &'s Source,
    locator: OnceCell<Locator>,
    found: Vec<(usize, Diagnostic)>,
}

impl<'s> Report<'s> {
    /// An empty report about a text.
    pub(crate) fn new(source: &'s Source) -> Self {
        Self { source, locator: OnceCell::new(), found: Vec::new() }
    }

    /// Adds a diagnostic about the value at a JSON pointer. The same schema is compiled for both directions, so the
    /// same diagnostic may come twice; it is told once.
    pub(crate) fn add(&mut self, pointer: &str, diagnostic: Diagnostic) {
        let place = self.locator.get_or_init(|| Locator::new(self.source.text())).find(pointer);
        self.add_at(place, diagnostic);
    }

    /// Adds a diagnostic about the key at a JSON pointer.
    pub(crate) fn add_key(&mut self, pointer: &str, diagnostic: Diagnostic) {
        let place = self.locator.get_or_init(|| Locator::new(self.source.text())).find_key(pointer);
        self.add_at(place, diagnostic);
    }

    /// Adds a diagnostic about a place in the text, or about all of it.
    pub(crate) fn add_at(&mut self, place: Option<Range<usize>>, diagnostic: Diagnostic) {
        let start = place.as_ref().map_or(0, |range| range.start);
        let diagnostic = match place {
            None => diagnostic.in_source(self.source),
            Some(range) => diagnostic.at(self.source, range),
        };
        let full = self.found.len() >= LIMIT && (diagnostic.severity() != Severity::Error || self.has_errors());
        if !full && !self.found.iter().any(|(_, other)| *other == diagnostic) {
            self.found.push((start, diagnostic));
        }
    }

    /// Whether there is a reason not to start.
    pub(crate) fn has_errors(&self) -> bool {
        self.found.iter().any(|(_, diagnostic)| diagnostic.severity() == Severity::Error)
    }

    /// All diagnostics in the order of the text.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|(start, _)| *start);
        self.found.into_iter().map(|(_, diagnostic)| diagnostic).collect()
    }
}

/// Nobody reads more; an error is always among them.
const LIMIT: usize = 300;

/// `did you mean` for a word that is not in `known`, when one of them is close.
pub(crate) fn did_you_mean(word: &str, known: &[&str]) -> Option<String> {
    let close = known.iter().map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate)).min()?;
    (close.0 <= 2.max(word.len() / 3)).then(|| format!("did you mean `{}`?", close.1))
}
