//! Who somebody is, is stated in one place: where a credential was verified.
//!
//! `Principal::establish` makes a principal out of nothing. Any call of it elsewhere would be a way around
//! authentication, so there is none.

use super::source;
use crate::workspace::File;

/// The files that may state who somebody is.
const ALLOWED: &[&str] = &[
    "crates/palisade/src/stage/authenticate.rs",
    "crates/palisade/src/stage/authenticate/bearer.rs",
    "crates/palisade/src/stage/authenticate/session.rs",
    "crates/palisade/src/stage/authenticate/stored_key.rs",
    "crates/palisade/src/testing/inner.rs",
];

/// Calls of `Principal::establish` in product code outside the core and the files allowed.
pub fn violations(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    let is_bound = |file: &&File| {
        file.is_rust()
            && file.path.starts_with("crates/")
            && !file.path.starts_with("crates/core/")
            && !ALLOWED.contains(&file.path.as_str())
    };
    // The needle is put together so that this file does not hold it.
    let needle = concat!("::", "establish");
    for file in files.iter().filter(is_bound) {
        for (number, _) in source::product(file).filter(|(_, line)| line.contains(needle)) {
            found.push(format!("{}:{number}: only the `authenticate` stage states who somebody is", file.path));
        }
    }
    found
}
