//! Made-up data that breaks one rule each; a rule that finds nothing here would find nothing anywhere.

use xtask::tidy::coverage::Code;
use xtask::tidy::{
    catalogue, coverage, doctest, edge, length, link, opening, principal, room, stage, test_binary, unsafety, workplace,
};
use xtask::workspace::{File, Member, Need, When};

fn member(name: &str, needs: &[(&str, When)]) -> Member {
    let folder = if name == "orchard" { "demo/orchard".to_owned() } else { format!("crates/{name}") };
    let needs = needs.iter().map(|(name, when)| Need { name: (*name).to_owned(), when: *when }).collect();
    Member { name: name.to_owned(), folder, needs }
}

/// Runs a rule that looks at one file, and compares the file with what is found in it.
fn check(rule: impl Fn(&[File]) -> Vec<String>, path: &str, text: &str, expect: &[&str]) {
    assert_eq!(rule(&[File::new(path, text)]), expect, "{path}: {text}");
}

#[test]
fn edges_outside_the_table() {
    use When::{Always, Optional};
    let members = [
        member("palisade-core", &[("palisade-store", Always)]),
        member("palisade-store", &[("palisade-core", Always), ("sqlx", Optional)]),
        member("palisade-contract", &[("palisade-core", Always)]),
        member("palisade", &[("palisade-core", Always), ("palisade-contract", Always), ("palisade-store", Optional)]),
        member("palisade-helpers", &[]),
    ];
    assert_eq!(
        edge::violations(&members),
        [
            "`palisade-core` must not depend on `palisade-store`",
            "`palisade` may depend on `palisade-contract` behind a feature only",
            "`palisade` must not depend on `palisade-store`",
            "`palisade-helpers` has no row in the table of allowed edges",
        ]
    );
    let allowed = member("palisade", &[("palisade-core", Always), ("palisade-contract", Optional)]);
    let members = [member("palisade-core", &[]), member("palisade-contract", &[]), allowed];
    assert!(edge::violations(&members).is_empty());
}

#[test]
fn dependencies_outside_their_room() {
    use When::{Always, Optional};
    let members = [
        member("palisade-gateway", &[("sqlx", Optional), ("toml", Always), ("hyper-rustls", Always)]),
        member("palisade-review", &[("hyper-rustls", Always)]),
        member("palisade-store", &[("sqlx", Optional)]),
        member("orchard", &[("sqlx", Always), ("aws-lc-rs", Always)]),
    ];
    assert_eq!(
        room::violations(&members),
        [
            "`palisade-gateway` must not depend on `sqlx`: ask palisade-store",
            "`palisade-review` must not depend on `hyper-rustls`: ask palisade-gateway",
        ]
    );
}

#[test]
fn files_that_are_too_long() {
    let lines = |count: usize| "x\n".repeat(count);
    check(length::violations, "crates/a/src/b.rs", &lines(600), &[]);
    check(length::violations, "crates/a/src/b.md", &lines(2000), &[]);
    let long = "crates/a/src/b.rs has 601 lines, more than 600: split it by idea";
    check(length::violations, "crates/a/src/b.rs", &lines(601), &[long]);
    check(length::violations, "crates/a/src/b/tests.rs", &lines(1000), &[]);
    let long = "crates/a/tests/it/b.rs has 1001 lines, more than 1000: split it by idea";
    check(length::violations, "crates/a/tests/it/b.rs", &lines(1001), &[long]);
}

#[test]
fn files_that_do_not_say_what_they_are() {
    let expect = "crates/a/src/b.rs: the first line must be `//! ` and a sentence";
    for text in ["", "use a::b;", "// Counts requests.", "//! (being written)", "//!\n//! Counts what comes.", "//! B."]
    {
        check(opening::violations, "crates/a/src/b.rs", text, &[expect]);
    }
    check(opening::violations, "crates/a/src/b.rs", "//! Counts requests\n//! per caller.\n", &[]);
    check(opening::violations, "crates/a/tests/ui/b.rs", "fn main() {}", &[]);
}

#[test]
fn public_types_without_an_example() {
    let path = "crates/palisade/src/a.rs";
    let check = |text: &str, expect: &[&str]| {
        let found = doctest::violations(&[File::new(path, text)]);
        let names: Vec<&str> = found.iter().filter_map(|line| line.split('`').nth(1)).collect();
        assert_eq!(names, expect, "{text}");
    };
    check("/// One.\npub struct A;\n\n/// Two.\npub enum B {}\n\npub trait C: Send {}", &["A", "B", "C"]);
    check("/// One.\n/// ```text\n/// A\n/// ```\npub struct A<T>(T);", &["A"]);
    check("/// One.\n/// ```\n/// // A is great.\n/// Ab::new();\n/// ```\npub struct Ab;\n\npub struct A;", &["A"]);
    check("/// ```\n/// f();\n/// ```\npub fn f() {}\n\n#[derive(Debug)]\npub struct A;", &["A"]);
    check("/// ```\n/// f();\n/// ```\n#[derive(\n    Debug,\n)]\npub struct A;", &[]);
    check("//! ```\n//! a::A::new();\n//! ```\npub struct A;\nstruct B;\npub(crate) struct C;", &[]);
    check(
        "impl A {\n    /// ```\n    /// A::new(B::C);\n    /// ```\n    pub fn new() {}\n}\npub struct A;\npub enum B {}",
        &[],
    );
    assert_eq!(
        doctest::violations(&[
            File::new(path, "//! A.\n\npub struct A;"),
            File::new("crates/cli/src/a.rs", "pub struct A;")
        ]),
        ["crates/palisade/src/a.rs:3: no example shows `A`"]
    );
}

#[test]
fn crates_that_could_contain_unsafe_code() {
    let members = [member("a", &[]), member("b", &[])];
    let inherits = "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n";
    let forgets = "[package]\nversion.workspace = true\n[lints]\n[dependencies]\nworkspace = true\n";
    let files = [
        File::new("Cargo.toml", "[workspace.lints.rust]\nunsafe_code = \"warn\"\n"),
        File::new("crates/a/Cargo.toml", inherits),
        File::new("crates/b/Cargo.toml", forgets),
    ];
    assert_eq!(
        unsafety::violations(&members, &files),
        [
            "Cargo.toml: the workspace must forbid `unsafe_code`",
            "crates/b/Cargo.toml: `[lints] workspace = true` is missing",
        ]
    );
}

#[test]
fn second_test_binaries() {
    let files = [
        File::new("crates/a/tests/it/main.rs", ""),
        File::new("crates/a/tests/more.rs", ""),
        File::new("crates/a/tests/ui/forged.rs", ""),
        File::new("crates/b/tests/it/only.rs", ""),
        File::new("crates/c/src/tests/module.rs", ""),
    ];
    assert_eq!(
        test_binary::violations(&files),
        [
            "crates/a/tests/more.rs: tests belong to `tests/it/`, as modules of its `main.rs`",
            "crates/b/tests/it/main.rs is missing",
        ]
    );
}

#[test]
fn stages_that_name_another() {
    let names = |other: &str| format!("crates/palisade/src/stage/csrf.rs: stage `csrf` names stage `{other}`");
    for (text, others) in [
        ("use super::cors::Cors;", vec!["cors"]),
        ("use super::{Head, cors::{Cors, quota}, Stage};", vec!["cors"]),
        ("use crate::stage::{\n    cors,\n    route::Route,\n};", vec!["cors", "route"]),
        ("let id = palisade_core::stage::StageId::Authenticate;", vec!["authenticate"]),
        ("fn f() { crate::stage::size::limit() }", vec!["size"]),
        ("use super::{Head, Stage}; use crate::stage::csrf::Csrf; const ID: StageId = StageId::Csrf;", vec![]),
        ("//! See [`super::cors`].\n/// Runs behind `stage::cors`.\n    // As super::cors does.", vec![]),
        ("use crate::upstage::cors; mysuper::cors();", vec![]),
        ("#[cfg(test)]\nmod tests {\n    use crate::stage::cors::Cors;\n}", vec![]),
    ] {
        let expect: Vec<String> = others.into_iter().map(names).collect();
        let file = File::new("crates/palisade/src/stage/csrf.rs", text);
        assert_eq!(stage::violations(&[file]), expect, "{text}");
    }
    check(stage::violations, "crates/palisade/src/stage/layer.rs", "use super::rescue::Rescue;", &[]);
    check(stage::violations, "crates/palisade/src/stage/authenticate/key.rs", "use super::client;", &[]);
    let nested = "crates/palisade/src/stage/authenticate/key.rs: stage `authenticate` names stage `client`";
    check(stage::violations, "crates/palisade/src/stage/authenticate/key.rs", "use super::super::client;", &[nested]);
}

#[test]
fn stages_that_make_an_answer() {
    let text = "*response.status_mut() = StatusCode::FORBIDDEN;";
    let expect = "crates/palisade/src/stage/csrf.rs: stage `csrf` makes an answer with `status_mut(`: return a denial";
    check(stage::violations, "crates/palisade/src/stage/csrf.rs", text, &[expect]);
    check(stage::violations, "crates/palisade/src/stage/run.rs", text, &[]);
    check(stage::violations, "crates/palisade/src/stage/rescue.rs", text, &[]);
}

#[test]
fn principals_out_of_nothing() {
    let call = "//! A file.\nlet p = Principal::establish(subject, assurance);";
    let expect = "crates/palisade/src/session.rs:2: only the `authenticate` stage states who somebody is";
    check(principal::violations, "crates/palisade/src/session.rs", call, &[expect]);
    check(principal::violations, "crates/palisade/src/session.rs", "/// See [`Principal::establish`].", &[]);
    check(principal::violations, "crates/palisade/src/stage/authenticate.rs", call, &[]);
    check(principal::violations, "crates/palisade/tests/it/session.rs", call, &[]);
    check(principal::violations, "crates/core/src/principal.rs", call, &[]);
}

#[test]
fn catalogue_entries_without_a_paragraph() {
    let rule = |files: &[File]| catalogue::violations(files, "denials", &["internal", "throttled"]);
    let text = "# Codes\n\nNot only `throttled`.\n\n## `internal`\n\n## `retired`\n";
    let missing = "docs/reference/denials.md does not describe `throttled`";
    let stale = "docs/reference/denials.md describes `retired`, which does not exist";
    check(rule, "docs/reference/denials.md", text, &[missing, stale]);
    check(rule, "docs/reference/denials.md", "## `internal`\n| 1 | `throttled` |\n", &[]);
    let absent = "docs/reference/denials.md is missing: run `cargo xtask generate`";
    check(rule, "docs/reference/events.md", text, &[absent]);
}

#[test]
fn codes_without_a_test() {
    let codes = [Code { variant: "UriTooLong".to_owned(), slug: "uri-too-long".to_owned() }];
    let rule = |files: &[File]| coverage::violations(files, &codes);
    let expect = "no test provokes `uri-too-long` (`DenialCode::UriTooLong`)";
    for (path, text) in [
        ("crates/palisade/src/stage/size.rs", "Denial::new(DenialCode::UriTooLong, StageId::Size)"),
        ("crates/palisade/tests/it/size.rs", "// DenialCode::UriTooLong comes later"),
        ("crates/palisade/tests/it/size.rs", "assert_eq!(code, DenialCode::UriTooLongAgain);"),
        ("crates/core/src/problem.rs", "#[cfg(test)]\nmod tests {\n    let code = DenialCode::UriTooLong;\n}"),
        ("docs/reference/denials.md", "## \"uri-too-long\""),
    ] {
        check(rule, path, text, &[expect]);
    }
    for (path, text) in [
        ("crates/palisade/tests/it/size.rs", "assert_eq!(denial.code(), DenialCode::UriTooLong);"),
        ("crates/gateway/tests/it/size.rs", "assert_eq!(problem[\"code\"], \"uri-too-long\");"),
        ("crates/palisade/src/stage/size.rs", "#[cfg(test)]\nmod tests {\n    let code = DenialCode::UriTooLong;\n}"),
        ("crates/palisade/src/stage/size/tests.rs", "let code = DenialCode::UriTooLong;"),
    ] {
        check(rule, path, text, &[]);
    }
}

#[test]
fn places_of_one_machine() {
    // The names are put together here as well, or this file would break the rule.
    for name in [["/wo", "rk/"].concat(), ["Arti", "factory"].concat(), [".lib", "rary"].concat()] {
        let expect = format!("docs/a.md:2: names `{}`, which belongs to one machine", name.to_lowercase());
        check(workplace::violations, "docs/a.md", &format!("first\nsee {name} there"), &[&expect]);
    }
    check(workplace::violations, "docs/a.md", "the work/life of a library", &[]);
}

#[test]
fn links_that_lead_nowhere() {
    let rule = |files: &[File]| link::violations(files, &|path| ["README.md", "docs/guides/a.md"].contains(&path));
    let text = "[a](a.md) [up](../../README.md#top) [site](https://example.com/x) [here](#here) `[code](code.md)`\n\
                ```\n[fenced](fenced.md)\n```\n[root](/README.md)\n[out](../../../etc)\n[gone](gone.md \"title\")\n\
                [named]: ../b.md\n";
    let expect = |target: &str| format!("docs/guides/a.md: the link to `{target}` leads nowhere");
    let found = rule(&[File::new("docs/guides/a.md", text)]);
    assert_eq!(found, [expect("../../../etc"), expect("gone.md"), expect("../b.md")]);
}
