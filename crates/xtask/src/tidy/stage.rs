//! No stage names another, and none chooses a status: what passes between stages are facts and denials.
//!
//! A stage that knows its neighbor cannot be moved, left out or used alone.

use palisade_core::stage::StageId;

use super::source;
use crate::workspace::File;

const FOLDER: &str = "crates/palisade/src/stage/";

/// Ways to make an answer by hand. Denials are rendered by `palisade_core::problem`, the few other answers by
/// [`RENDERER`].
const ANSWERS: &[&str] = &["Response::builder(", "status_mut("];

/// The one stage that turns what the others return into an answer.
const RENDERER: StageId = StageId::Rescue;

/// Stage files that name another stage or make an answer. The modules beside the stages (`mod`, `layer`, `run`,
/// `settings`) belong to no stage and are free.
pub fn violations(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_rust() && !source::is_test(&file.path)) {
        let Some(place) = file.path.strip_prefix(FOLDER) else { continue };
        let (module, is_nested) = match place.split_once('/') {
            Some((module, _)) => (module, true),
            None => (place.trim_end_matches(".rs"), false),
        };
        let Some(own) = StageId::ALL.iter().find(|stage| stage.as_str() == module) else { continue };
        let lines: Vec<&str> = source::product(file).map(|(_, line)| line).collect();
        let code = lines.join("\n");
        for other in others(&code, *own, is_nested) {
            found.push(format!("{}: stage `{own}` names stage `{other}`", file.path));
        }
        for answer in ANSWERS.iter().filter(|answer| *own != RENDERER && code.contains(**answer)) {
            found.push(format!("{}: stage `{own}` makes an answer with `{answer}`: return a denial", file.path));
        }
    }
    found
}

/// The other stages that the code names: as a module or by their id.
fn others(code: &str, own: StageId, is_nested: bool) -> Vec<StageId> {
    // From a file in a stage's own folder, `super` is that stage.
    let parent = if is_nested { "super::super::" } else { "super::" };
    let modules = ["stage::", parent].into_iter().flat_map(|path| source::named_behind(code, path));
    let ids = source::named_behind(code, "StageId::");
    let named = |stage: &StageId| {
        modules.clone().any(|module| module == stage.as_str()) || ids.iter().any(|id| *id == format!("{stage:?}"))
    };
    StageId::ALL.iter().copied().filter(|stage| *stage != own && named(stage)).collect()
}
