//! A link from one page of the repository to another leads somewhere.

use crate::workspace::File;

/// Links in the pages at the root and under `docs/` whose target `exists` does not find. Links to other sites and within
/// a page are not followed.
pub fn violations(files: &[File], exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let is_page =
        |file: &&File| file.path.ends_with(".md") && (!file.path.contains('/') || file.path.starts_with("docs/"));
    let mut found = Vec::new();
    for page in files.iter().filter(is_page) {
        for target in targets(&page.text) {
            let path = target.split('#').next().unwrap_or_default();
            let is_elsewhere = path.is_empty() || path.contains("://") || path.starts_with("mailto:");
            if !is_elsewhere && !resolve(&page.path, path).is_some_and(|path| exists(&path)) {
                found.push(format!("{}: the link to `{target}` leads nowhere", page.path));
            }
        }
    }
    found
}

/// What `[text](target)` and `[name]: target` point to, outside code.
fn targets(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_fence = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        } else if !in_fence {
            // Every other piece between backticks is code; a gap keeps its neighbors apart.
            let prose = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
            let inline = prose.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
            found.extend(inline.map(str::to_owned));
            if let Some((_, target)) = prose.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
                found.push(target.trim().to_owned());
            }
        }
    }
    found
}

/// The path from the root of a path written in a page; none where it leaves the repository.
fn resolve(page: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    if target.starts_with('/') {
        parts.clear();
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
