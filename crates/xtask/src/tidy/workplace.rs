//! The repository belongs to whoever clones it: no file speaks of the machine it was written on.

use crate::workspace::File;

/// Put together from halves, so that this file does not hold them.
const NAMES: &[&str] = &[concat!("/wo", "rk/"), concat!("arti", "factory"), concat!(".lib", "rary")];

/// Lines that name a place only one machine has.
pub fn violations(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        for (number, line) in (1..).zip(file.text.lines()) {
            let line = line.to_lowercase();
            for name in NAMES.iter().filter(|name| line.contains(**name)) {
                found.push(format!("{}:{number}: names `{name}`, which belongs to one machine", file.path));
            }
        }
    }
    found
}
