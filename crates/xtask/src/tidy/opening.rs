//! Every source file opens with one sentence that a newcomer understands.

use crate::workspace::File;

/// Source files whose first line is not `//! ` and a sentence.
pub fn violations(files: &[File]) -> Vec<String> {
    let is_ours = |file: &&File| file.is_rust() && (file.path.starts_with("crates/") || file.path.starts_with("demo/"));
    // What the compiler is expected to refuse is shown as users would write it.
    let is_case = |file: &&File| file.path.contains("/tests/ui/");
    let opening = |file: &&File| !opens_with_sentence(&file.text);
    let files = files.iter().filter(is_ours).filter(|file| !is_case(file)).filter(opening);
    files.map(|file| format!("{}: the first line must be `//! ` and a sentence", file.path)).collect()
}

/// The sentence may go on in the next lines, up to the first empty one.
fn opens_with_sentence(text: &str) -> bool {
    let comment = text.lines().map_while(|line| line.strip_prefix("//! "));
    let sentence = comment.collect::<Vec<_>>().join(" ");
    sentence.contains(' ') && sentence.contains(['.', ':', '?']) && !sentence.starts_with(' ')
}
