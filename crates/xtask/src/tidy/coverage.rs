//! Every denial code has a test that provokes it, or it is a promise that nobody has seen kept.

use palisade_core::denial::DenialCode;

use super::source;
use crate::workspace::File;

/// A code, as source spells it and as answers do.
#[derive(Clone, Debug)]
pub struct Code {
    /// `BodyTooLarge`.
    pub variant: String,
    /// `body-too-large`.
    pub slug: String,
}

/// All codes.
pub fn codes() -> Vec<Code> {
    DenialCode::ALL.iter().map(|code| Code { variant: format!("{code:?}"), slug: code.slug().to_owned() }).collect()
}

/// Codes that no test names, neither as `DenialCode::Variant` nor as a quoted slug.
pub fn violations(files: &[File], codes: &[Code]) -> Vec<String> {
    let tests: Vec<String> = files.iter().filter(|file| counts(file)).map(test_code).collect();
    let named = |code: &&Code| {
        let quoted = format!("\"{}\"", code.slug);
        tests.iter().any(|test| {
            test.contains(&quoted) || source::named_behind(test, "DenialCode::").contains(&code.variant.as_str())
        })
    };
    let unnamed = codes.iter().filter(|code| !named(code));
    unnamed.map(|code| format!("no test provokes `{}` (`DenialCode::{}`)", code.slug, code.variant)).collect()
}

/// Tests of the catalogue and of its rendering name codes without provoking them.
fn counts(file: &File) -> bool {
    const CATALOGUE: &[&str] = &["crates/core/src/denial", "crates/core/src/problem", "crates/xtask/"];
    file.is_rust()
        && file.path.starts_with("crates/")
        && !CATALOGUE.iter().any(|catalogue| file.path.starts_with(catalogue))
}

fn test_code(file: &File) -> String {
    source::tests(file).map(|(_, line)| line).collect::<Vec<_>>().join("\n")
}
