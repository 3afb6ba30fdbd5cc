//! Every entry of a catalogue has its place in the reference pages.

use palisade_core::denial::DenialCode;
use palisade_core::event::EventKind;
use palisade_core::stage::StageId;

use crate::workspace::{File, Workspace};

/// What is missing in the pages of the repository.
pub fn check(workspace: &Workspace) -> Vec<String> {
    let codes: Vec<&str> = DenialCode::ALL.iter().map(|code| code.slug()).collect();
    let kinds: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let stages: Vec<&str> = StageId::ALL.iter().map(|stage| stage.as_str()).collect();
    let pages = [("denials", codes), ("events", kinds), ("stages", stages)];
    pages.iter().flat_map(|(page, entries)| violations(&workspace.files, page, entries)).collect()
}

/// The entries that have neither a heading nor a row of a table in `docs/reference/{page}.md`, and the headings that are
/// no entries any more.
pub fn violations(files: &[File], page: &str, entries: &[&str]) -> Vec<String> {
    let path = format!("docs/reference/{page}.md");
    let Some(file) = files.iter().find(|file| file.path == path) else {
        return vec![format!("{path} is missing: run `cargo xtask generate`")];
    };
    let places: Vec<&str> = file.text.lines().filter(|line| line.starts_with(['#', '|'])).collect();
    let missing = entries.iter().filter(|entry| !places.iter().any(|line| line.contains(&format!("`{entry}`"))));
    let missing = missing.map(|entry| format!("{path} does not describe `{entry}`"));
    let headings = places.iter().filter_map(|line| line.strip_prefix("## `")?.strip_suffix('`'));
    let stale = headings.filter(|heading| !entries.contains(heading));
    missing.chain(stale.map(|heading| format!("{path} describes `{heading}`, which does not exist"))).collect()
}
