//! The text as a tree in which every key and value knows where it stands.

use std::collections::BTreeMap;
use std::ops::Range;

use palisade_core::diagnostic::{Diagnostic, Source};
use toml::de::{DeTable, DeValue};

/// Where each key path of a file stands, as `["route", "api", "upstream"]`; the elements of a list are counted from
/// `"0"`.
#[derive(Clone, Debug, Default)]
pub struct Located(BTreeMap<Vec<String>, Place>);

#[derive(Clone, Debug)]
struct Place {
    key: Range<usize>,
    value: Range<usize>,
}

impl Located {
    pub(crate) fn of(root: &DeTable<'_>) -> Self {
        let mut located = Self::default();
        located.add_table(&mut Vec::new(), root);
        located
    }

    /// The bytes of the value at a path, or of its header where the value is a section.
    pub fn span(&self, path: &[&str]) -> Option<Range<usize>> {
        self.place(path).map(|place| place.value.clone())
    }

    /// The bytes of the key at a path.
    pub fn key_span(&self, path: &[&str]) -> Option<Range<usize>> {
        self.place(path).map(|place| place.key.clone())
    }

    /// The value at a path, else the nearest thing around it that the file does contain.
    pub(crate) fn nearest(&self, path: &[String]) -> Option<Range<usize>> {
        (1..=path.len()).rev().find_map(|len| self.0.get(path.get(..len)?).map(|place| place.value.clone()))
    }

    fn place(&self, path: &[&str]) -> Option<&Place> {
        let path: Vec<String> = path.iter().map(|&key| key.to_owned()).collect();
        self.0.get(&path)
    }

    fn add_table(&mut self, path: &mut Vec<String>, table: &DeTable<'_>) {
        for (key, value) in table {
            path.push(key.get_ref().to_string());
            self.0.insert(path.clone(), Place { key: key.span(), value: value.span() });
            self.add_inside(path, value.get_ref());
            path.pop();
        }
    }

    fn add_inside(&mut self, path: &mut Vec<String>, value: &DeValue<'_>) {
        match value {
            DeValue::Table(table) => self.add_table(path, table),
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    path.push(index.to_string());
                    self.0.insert(path.clone(), Place { key: item.span(), value: item.span() });
                    self.add_inside(path, item.get_ref());
                    path.pop();
                }
            }
            _ => {}
        }
    }
}

/// What is wrong with the text as TOML, every problem with its place.
pub(crate) fn syntax(errors: &[toml::de::Error], source: &Source) -> Vec<Diagnostic> {
    errors
        .iter()
        .map(|error| {
            let diagnostic = match error.message() {
                "duplicate key" => Diagnostic::error("duplicate-key", "this key or section has been given before")
                    .help("a name stands for one thing: merge the two, or give one another name"),
                message => Diagnostic::error("syntax", format!("not valid TOML: {message}"))
                    .help("text values stand in double quotes; see https://toml.io for the syntax"),
            };
            match error.span() {
                None => diagnostic.in_source(source),
                Some(span) => diagnostic.at(source, span),
            }
        })
        .collect()
}
