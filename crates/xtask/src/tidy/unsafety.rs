//! No crate contains `unsafe`, and none can begin to without saying so here.

use crate::workspace::{File, Member};

/// Crates that do not inherit the lints of the workspace, and a workspace that does not forbid `unsafe`.
pub fn violations(members: &[Member], files: &[File]) -> Vec<String> {
    let text = |path: &str| files.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str());
    let mut found = Vec::new();
    if !section(text("Cargo.toml"), "[workspace.lints.rust]").any(|line| line == "unsafe_code = \"forbid\"") {
        found.push("Cargo.toml: the workspace must forbid `unsafe_code`".to_owned());
    }
    for member in members {
        let manifest = format!("{}/Cargo.toml", member.folder);
        if !section(text(&manifest), "[lints]").any(|line| line == "workspace = true") {
            found.push(format!("{manifest}: `[lints] workspace = true` is missing"));
        }
    }
    found
}

/// The lines between a heading and the next one.
fn section<'a>(manifest: &'a str, heading: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = manifest.lines().map(str::trim).skip_while(move |line| *line != heading).skip(1);
    lines.take_while(|line| !line.starts_with('['))
}
