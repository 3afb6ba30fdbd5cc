//! The repository as it is keeps every rule.

use std::sync::LazyLock;

use xtask::tidy::RULES;
use xtask::workspace::Workspace;

static WORKSPACE: LazyLock<Workspace> = LazyLock::new(|| Workspace::read().unwrap());

fn keeps(name: &str) {
    let rule = RULES.iter().find(|rule| rule.name == name).unwrap();
    let violations = (rule.check)(&WORKSPACE);
    assert!(violations.is_empty(), "{} violations of rule `{name}`:\n{}", violations.len(), violations.join("\n"));
}

macro_rules! rules {
    ($($name:ident)*) => {
        $(#[test] fn $name() { keeps(stringify!($name)); })*

        #[test]
        fn every_rule_is_tested() {
            let tested = [$(stringify!($name)),*];
            assert_eq!(RULES.iter().map(|rule| rule.name).collect::<Vec<_>>(), tested);
        }
    };
}

rules! {
    catalogue
    coverage
    doctest
    edge
    length
    link
    opening
    principal
    room
    stage
    test_binary
    unsafety
    workplace
}

#[test]
fn the_repository_was_really_read() {
    assert!(WORKSPACE.members.iter().any(|member| member.name == "palisade-core"));
    assert!(WORKSPACE.files.iter().any(|file| file.path == "crates/xtask/tests/it/repository.rs"));
    assert!(WORKSPACE.files.iter().all(|file| !file.path.starts_with("target/")));
}
