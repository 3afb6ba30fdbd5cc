//! Every public type of the library has an example, or is used in one in the file that declares it.
//!
//! A type that no example names is one that a reader has to guess the use of, and one whose documentation can go stale
//! without a test noticing. One example may show several types that belong together, such as settings and their choices.

use super::source;
use crate::workspace::File;

/// The crates whose types users write down.
const LIBRARIES: &[&str] = &["crates/contract/src/", "crates/core/src/", "crates/palisade/src/", "crates/store/src/"];

/// Public types without an example that no other example of their file names either.
pub fn violations(files: &[File]) -> Vec<String> {
    let is_library = |file: &&File| {
        file.is_rust() && LIBRARIES.iter().any(|folder| file.path.starts_with(folder)) && !source::is_test(&file.path)
    };
    let mut found = Vec::new();
    for file in files.iter().filter(is_library) {
        let shown = examples(&file.text);
        let lines: Vec<&str> = file.text.lines().collect();
        let is_shown = |name: &str| shown.iter().any(|line| source::words(line).any(|word| word == name));
        for (number, line) in source::product(file) {
            let has_own = || has_example(lines.get(..number.saturating_sub(1)).unwrap_or_default());
            if let Some(name) = declared(line).filter(|name| !is_shown(name) && !has_own()) {
                found.push(format!("{}:{number}: no example shows `{name}`", file.path));
            }
        }
    }
    found
}

/// The name of the public type that a line declares.
fn declared(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub ")?;
    let name = ["struct ", "enum ", "trait "].iter().find_map(|kind| rest.strip_prefix(kind))?;
    source::words(name).next()
}

/// Whether the documentation at the end of these lines, which stands above a declaration, has an example. What is no
/// documentation there is an attribute or part of one: items end with an empty line.
fn has_example(above: &[&str]) -> bool {
    let start = above.iter().rposition(|line| line.is_empty()).map_or(0, |at| at + 1);
    !examples(&above.get(start..).unwrap_or_default().join("\n")).is_empty()
}

/// The lines of the examples that are compiled: what stands in code blocks of documentation. Comments in them use
/// nothing.
fn examples(text: &str) -> Vec<&str> {
    let documentation = text.lines().map(|line| {
        let line = line.trim_start();
        line.strip_prefix("///").or_else(|| line.strip_prefix("//!")).map(str::trim)
    });
    let mut fence = None;
    let mut lines = Vec::new();
    for line in documentation {
        match (line, fence) {
            // Outside documentation no block is open.
            (None, _) => fence = None,
            (Some(line), None) => fence = line.strip_prefix("```").map(is_compiled),
            (Some(line), Some(_)) if line.starts_with("```") => fence = None,
            (Some(line), Some(true)) if !line.starts_with("//") => lines.push(line),
            (Some(_), Some(_)) => {}
        }
    }
    lines
}

fn is_compiled(language: &str) -> bool {
    matches!(language, "" | "rust" | "no_run" | "should_panic")
}
