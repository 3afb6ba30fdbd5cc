//! One integration binary for each crate, because every further one links the whole world again.

use std::collections::BTreeSet;

use crate::workspace::File;

/// Test files outside `tests/it/`, and folders of tests without `main.rs`. What `trybuild` compiles lives in
/// `tests/ui/`.
pub fn violations(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    let mut crates = BTreeSet::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let Some((folder, test)) = file.path.split_once("/tests/") else { continue };
        // Inside `src` a folder named `tests` is a module.
        if folder.split('/').count() != 2 {
            continue;
        }
        crates.insert(folder);
        if !test.starts_with("it/") && !test.starts_with("ui/") {
            found.push(format!("{}: tests belong to `tests/it/`, as modules of its `main.rs`", file.path));
        }
    }
    for folder in crates {
        let main = format!("{folder}/tests/it/main.rs");
        if !files.iter().any(|file| file.path == main) {
            found.push(format!("{main} is missing"));
        }
    }
    found
}
