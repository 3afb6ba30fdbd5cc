//! A plain document is YAML or JSON that is no contract, read under the same bounds, with the places of its keys.

use std::ops::Range;

use palisade_core::diagnostic::Source;
use serde_json::Value;

use crate::document::{read_json, read_yaml};
use crate::locate::Locator;

/// A document that knows where its keys stand.
///
/// ```
/// use palisade_contract::Plain;
/// use palisade_core::diagnostic::Source;
///
/// let plain = Plain::read(&Source::new("users.yaml", "users:\n  - name: ann\n")).unwrap();
/// assert_eq!(plain.root["users"][0]["name"], "ann");
/// assert_eq!(plain.find("/users/0/name"), Some(17..20));
/// ```
#[derive(Debug)]
pub struct Plain {
    /// What it holds.
    pub root: Value,
    locator: Locator,
}

impl Plain {
    /// Reads a text as JSON when it starts like it, else as YAML.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and where that is known.
    pub fn read(source: &Source) -> Result<Self, (Option<Range<usize>>, String)> {
        let text = source.text();
        let root = if text.trim_start().starts_with(['{', '[']) { read_json(text) } else { read_yaml(text) }?;
        Ok(Self { root, locator: Locator::new(text) })
    }

    /// The bytes of the value at a JSON pointer when it is a scalar, else of its key; of the nearest ancestor where the
    /// pointer leads nowhere.
    pub fn find(&self, pointer: &str) -> Option<Range<usize>> {
        self.locator.find(pointer)
    }

    /// The bytes of the key at a JSON pointer.
    pub fn find_key(&self, pointer: &str) -> Option<Range<usize>> {
        self.locator.find_key(pointer)
    }
}
