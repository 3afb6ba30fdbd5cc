//! Reading a document that has faults, for readers who would rather know most of it than nothing.
//!
//! A line that cannot be read is left out and noted, and the rest is read again. Of keys that are there twice the first
//! counts. A document that is mostly faults is no document.

use palisade_core::diagnostic::Source;
use serde_json::Value;

use crate::document::yaml_options;
use crate::locate::Locator;

/// A document, and what had to be left out of it.
///
/// ```
/// use palisade_contract::{Lenient, read_leniently};
///
/// let Lenient { root, faults } = read_leniently("a: 1\nb: @\n").unwrap();
/// assert_eq!((root["a"].as_i64(), faults.len()), (Some(1), 1));
/// ```
#[derive(Clone, Debug)]
pub struct Lenient {
    /// The document.
    pub root: Value,
    /// The lines that were left out, from one, and what was wrong with each.
    pub faults: Vec<(usize, String)>,
}

/// Reads YAML or JSON, leaving out the lines that cannot be read. `None` when nothing worth reading is left.
///
/// ```
/// let text = "paths:\n  /a: { get: {} }\n   /b: { get: {} }\n  /c: { get: {} }\n";
/// let read = palisade_contract::read_leniently(text).unwrap();
/// assert!(read.root["paths"]["/a"].is_object() && read.root["paths"]["/c"].is_object());
/// assert_eq!(read.faults[0].0, 3);
/// ```
pub fn read_leniently(text: &str) -> Option<Lenient> {
    if let Ok(root) = serde_json::from_str(text) {
        return Some(Lenient { root, faults: Vec::new() });
    }
    let options = || {
        let mut options = yaml_options();
        options.duplicate_keys = serde_saphyr::DuplicateKeyPolicy::FirstWins;
        options
    };
    // A tab cannot indent in YAML, and people try.
    let mut lines: Vec<String> = text.lines().map(untabbed).collect();
    let mut faults = Vec::new();
    while faults.len() <= MAX_FAULTS {
        match serde_saphyr::from_str_with_options::<Value>(&lines.join("\n"), options()) {
            Ok(root) if root.is_object() => return Some(Lenient { root, faults }),
            Ok(_) => return None,
            Err(error) => {
                let number = usize::try_from(error.location()?.line()).ok()?;
                // The parser may notice only behind the line that is at fault, where nothing is left.
                let at = (0..number.min(lines.len()))
                    .rev()
                    .find(|at| lines.get(*at).is_some_and(|line| !line.trim().is_empty()))?;
                let message = error.without_snippet().to_string();
                let message = message.lines().next().unwrap_or_default();
                let message = message.split(" at line ").next().unwrap_or_default().to_owned();
                if let Some(line) = lines.get_mut(at) {
                    line.clear();
                }
                faults.push((at + 1, message));
            }
        }
    }
    None
}

fn untabbed(line: &str) -> String {
    let body = line.trim_start_matches([' ', '\t']);
    let indent = line.strip_suffix(body).unwrap_or_default();
    format!("{}{body}", indent.replace('\t', "  "))
}

/// The lines of a document, for pointing into it.
#[derive(Debug)]
pub struct Lines {
    locator: Locator,
    starts: Vec<usize>,
}

impl Lines {
    /// The lines of a text. Of one that cannot be read with positions nothing is found.
    ///
    /// ```
    /// # use palisade_core::diagnostic::Source;
    /// let lines = palisade_contract::Lines::new(&Source::new("c.yaml", "paths:\n  /a:\n    get: {}\n"));
    /// assert_eq!(lines.of("/paths/~1a/get"), Some(3));
    /// ```
    pub fn new(source: &Source) -> Self {
        let text = source.text();
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { locator: Locator::new(text), starts }
    }

    /// The line, from one, of the key that a JSON pointer leads to, or of the nearest ancestor's.
    pub fn of(&self, pointer: &str) -> Option<usize> {
        let place = self.locator.find_key(pointer)?;
        Some(self.starts.partition_point(|start| *start <= place.start))
    }
}

/// More than that, and the text is something else.
const MAX_FAULTS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let check = |text: &str, expect: Option<usize>| {
            assert_eq!(read_leniently(text).map(|read| read.faults.len()), expect, "{text}");
        };
        check("{\"a\": 1}", Some(0));
        check("a: 1\na: 2\n", Some(0));
        check("a:\n\tb: 1\n", Some(0));
        check("a: 1\nb: @x\nc: 2\n", Some(1));
        check("a: [", None);
        check("just words", None);
        check("", None);
    }
}
