//! The rules of the repository. Each is a pure function from data to the violations it finds.
//!
//! A rule's own file says why it exists. The tests of this crate run every rule against the repository, and against
//! made-up data that breaks it.

pub mod catalogue;
pub mod coverage;
pub mod doctest;
pub mod edge;
pub mod length;
pub mod link;
pub mod opening;
pub mod principal;
pub mod room;
mod source;
pub mod stage;
pub mod test_binary;
pub mod unsafety;
pub mod workplace;

use crate::workspace::Workspace;

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name, as `cargo xtask tidy` prints it.
    pub name: &'static str,
    /// What it finds in the repository.
    pub check: fn(&Workspace) -> Vec<String>,
}

/// All rules.
pub const RULES: &[Rule] = &[
    Rule { name: "catalogue", check: catalogue::check },
    Rule { name: "coverage", check: |workspace| coverage::violations(&workspace.files, &coverage::codes()) },
    Rule { name: "doctest", check: |workspace| doctest::violations(&workspace.files) },
    Rule { name: "edge", check: |workspace| edge::violations(&workspace.members) },
    Rule { name: "length", check: |workspace| length::violations(&workspace.files) },
    Rule { name: "link", check: |workspace| link::violations(&workspace.files, &|path| workspace.exists(path)) },
    Rule { name: "opening", check: |workspace| opening::violations(&workspace.files) },
    Rule { name: "principal", check: |workspace| principal::violations(&workspace.files) },
    Rule { name: "room", check: |workspace| room::violations(&workspace.members) },
    Rule { name: "stage", check: |workspace| stage::violations(&workspace.files) },
    Rule { name: "test_binary", check: |workspace| test_binary::violations(&workspace.files) },
    Rule { name: "unsafety", check: |workspace| unsafety::violations(&workspace.members, &workspace.files) },
    Rule { name: "workplace", check: |workspace| workplace::violations(&workspace.files) },
];
