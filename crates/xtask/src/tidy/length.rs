//! A file holds one idea, so it ends: past six hundred lines it holds several.

use super::source;
use crate::workspace::File;

/// The most lines of a source file.
pub const LONGEST: usize = 600;

/// The most lines of a file that holds tests only.
pub const LONGEST_TEST: usize = 1000;

/// Source files that are too long.
pub fn violations(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let (lines, most) =
            (file.text.lines().count(), if source::is_test(&file.path) { LONGEST_TEST } else { LONGEST });
        if lines > most {
            found.push(format!("{} has {lines} lines, more than {most}: split it by idea", file.path));
        }
    }
    found
}
