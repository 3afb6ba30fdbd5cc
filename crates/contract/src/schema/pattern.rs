//! Patterns must run on a linear engine: a backtracking one lets a caller stop the process with 40 characters.

use std::collections::HashSet;

use palisade_core::diagnostic::Diagnostic;
use serde_json::{Map, Value, json};

use crate::document::join;
use crate::report::Report;
use crate::schema::engine::options;

/// Reports every pattern of a schema that the engine cannot take; whether there is none. `seen` are good ones.
pub(crate) fn check(schema: &Value, pointer: &str, seen: &mut HashSet<String>, report: &mut Report<'_>) -> bool {
    let mut sound = true;
    match schema {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                sound &= check(item, &format!("{pointer}/{at}"), seen, report);
            }
        }
        Value::Object(object) => {
            for (key, value) in object {
                let place = join(pointer, key);
                match (key.as_str(), value) {
                    ("const" | "enum", _) => {}
                    ("pattern", Value::String(pattern)) => sound &= check_one(pattern, &place, seen, report),
                    ("patternProperties", Value::Object(patterns)) => {
                        for (pattern, member) in patterns {
                            let place = join(&place, pattern);
                            sound &= check_one(pattern, &place, seen, report);
                            sound &= check(member, &place, seen, report);
                        }
                    }
                    _ => sound &= check(value, &place, seen, report),
                }
            }
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
    }
    sound
}

/// `^[class]{m,n}$` as a pattern of any length together with the lengths. Repeating a class of thousands of letters
/// (`\\p{L}`) some hundred times makes an automaton of megabytes, which counting does not need.
pub(crate) fn simplify(pattern: &str) -> Option<(String, Value)> {
    let rest = pattern.strip_prefix("^[")?;
    let mut escaped = false;
    let mut end = None;
    for (at, letter) in rest.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => return None,
            ']' if at == 0 || rest.get(..at) == Some("^") => return None,
            ']' => {
                end = Some(at);
                break;
            }
            _ => {}
        }
    }
    let (class, counts) = rest.split_at_checked(end?)?;
    if ["&&", "--", "~~"].iter().any(|operator| class.contains(operator)) {
        return None;
    }
    let counts = counts.strip_prefix("]{")?.strip_suffix("}$")?;
    let (least, most) = counts.split_once(',').map_or((counts, None), |(least, most)| (least, Some(most)));
    let least: u64 = least.parse().ok()?;
    let mut lengths = Map::new();
    lengths.insert("minLength".to_owned(), json!(least));
    match most {
        None => lengths.insert("maxLength".to_owned(), json!(least)),
        Some("") => None,
        Some(most) => lengths.insert("maxLength".to_owned(), json!(most.parse::<u64>().ok()?)),
    };
    Some((format!("^[{class}]*$"), Value::Object(lengths)))
}

fn check_one(pattern: &str, place: &str, seen: &mut HashSet<String>, report: &mut Report<'_>) -> bool {
    if seen.contains(pattern) || options().build(&json!({"pattern": pattern})).is_ok() {
        seen.insert(pattern.to_owned());
        return true;
    }
    let message = format!("the pattern `{pattern}` cannot be checked in linear time and bounded memory");
    let help = "write it without look-around, back-references and high counts, or use `enum`, `format` and lengths";
    report.add(place, Diagnostic::error("pattern-unsupported", message).help(help));
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_instead_of_repeating() {
        let check = |pattern: &str, expect: Option<(&str, Value)>| {
            let expect = expect.map(|(pattern, lengths)| (pattern.to_owned(), lengths));
            assert_eq!(simplify(pattern), expect, "{pattern}");
        };
        check(r"^[\p{L} -]{1,40}$", Some((r"^[\p{L} -]*$", json!({"minLength": 1, "maxLength": 40}))));
        check(r"^[^\]a]{3}$", Some((r"^[^\]a]*$", json!({"minLength": 3, "maxLength": 3}))));
        check("^[a]{2,}$", Some(("^[a]*$", json!({"minLength": 2}))));
        for pattern in [
            "^[a]+$",
            "[a]{1,2}$",
            "^[a]{1,2}",
            "^[]a]{1,2}$",
            "^[a][b]{2}$",
            "^[a]{1}b{2}$",
            "^[a-z&&[b]]{1,2}$",
            "^[a]{1,2}|b$",
        ] {
            check(pattern, None);
        }
    }
}
