//! Tells product code from tests and comments, by the layout that every file here has: tests at the end.

use crate::workspace::File;

/// Whether the whole file is test code.
pub(super) fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// The lines of product code with their numbers: without comment lines and without what follows `#[cfg(test)]` on a
/// module.
pub(super) fn product(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let end = if is_test(&file.path) { 0 } else { test_line(&file.text) };
    numbered(&file.text).take(end).filter(|(_, line)| !is_comment(line))
}

/// The lines of test code, without comment lines.
pub(super) fn tests(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let start = if is_test(&file.path) { 0 } else { test_line(&file.text) };
    numbered(&file.text).skip(start).filter(|(_, line)| !is_comment(line))
}

/// The places where `path` is written as a whole path segment, each with what is named behind it: one name, or those of
/// a group in braces.
pub(super) fn named_behind<'a>(code: &'a str, path: &str) -> Vec<&'a str> {
    let mut names = Vec::new();
    let mut rest = code;
    let mut before = None;
    while let Some(at) = rest.find(path) {
        let (head, tail) = rest.split_at(at);
        let is_whole = !head.chars().next_back().or(before).is_some_and(is_word);
        let behind = tail.strip_prefix(path).unwrap_or_default();
        if is_whole {
            match behind.strip_prefix('{') {
                Some(group) => names.extend(group_names(group)),
                None => names.push(first_word(behind)),
            }
        }
        before = path.chars().next_back();
        rest = behind;
    }
    names
}

/// The words of a line: letters, digits and underscores that stand together.
pub(super) fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|character| !is_word(character)).filter(|word| !word.is_empty())
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines())
}

/// How many lines stand before the test module.
fn test_line(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let starts =
        |pair: &[&str]| matches!(pair, ["#[cfg(test)]", next] if next.starts_with("mod ") && next.ends_with('{'));
    lines.windows(2).position(starts).unwrap_or(lines.len())
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn first_word(text: &str) -> &str {
    text.split(|character| !is_word(character)).next().unwrap_or_default()
}

/// The names at the top level of `a::B, c::{D, E}}`, up to the brace that closes the group.
fn group_names(group: &str) -> Vec<&str> {
    let (mut depth, mut names, mut expects_name) = (0_u32, Vec::new(), true);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' => expects_name |= depth == 0,
            _ if expects_name && is_word(character) => {
                names.push(first_word(group.get(at..).unwrap_or_default()));
                expects_name = false;
            }
            _ => {}
        }
    }
    names
}
