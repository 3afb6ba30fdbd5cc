//! Where an operation stands in the text of its contract.
//!
//! The reader of contracts is tolerant and keeps no places, so the text is searched: for the operation's id, or for its
//! path and the method below it.

use palisade_core::diagnostic::Source;

/// The line of an operation, counted from one; an operation is named by its id or as `GET /path`.
pub(crate) fn line_of(contract: &Source, operation: &str) -> Option<usize> {
    if operation.is_empty() {
        return None;
    }
    let lines = || contract.text().lines().zip(1..);
    let by_id = lines().find(|(line, _)| is_id(line, operation)).map(|(_, number)| number);
    by_id.or_else(|| {
        let (method, path) = operation.split_once(' ').unwrap_or(("", operation));
        let (_, start) = lines().find(|(line, _)| key_of(line) == Some(path))?;
        let below = lines().skip(start).take_while(|(line, _)| !key_of(line).is_some_and(|key| key.starts_with('/')));
        let method = method.to_ascii_lowercase();
        let own = below.into_iter().find(|(line, _)| !method.is_empty() && key_of(line) == Some(method.as_str()));
        Some(own.map_or(start, |(_, number)| number))
    })
}

/// Whether a line says that this is the operation's id, in YAML or JSON.
fn is_id(line: &str, operation: &str) -> bool {
    let Some((_, value)) = line.split_once("operationId") else { return false };
    let value = value.trim_start_matches(['"', '\'', ' ', ':']);
    let behind = value.strip_prefix(operation);
    behind.is_some_and(|behind| {
        !behind.starts_with(|next: char| next.is_alphanumeric() || matches!(next, '_' | '-' | '.'))
    })
}

/// The key that a line begins with.
fn key_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    match line.strip_prefix('"') {
        Some(quoted) => {
            quoted.split_once('"').filter(|(_, behind)| behind.trim_start().starts_with(':')).map(|(key, _)| key)
        }
        None => {
            let (key, _) = line.split_once(": ").or_else(|| line.strip_suffix(':').map(|key| (key, "")))?;
            Some(key.trim_end().trim_matches('\''))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_found_by_id_or_by_path_and_method() {
        let yaml = Source::new(
            "c.yaml",
            "paths:\n  /notes:\n    get:\n      operationId: listNotes\n    post:\n      operationId: listNotesToo\n  '/notes/{id}':\n    parameters: []\n    delete:\n      responses: {}\n  /other: { get: { operationId: other, responses: {} } }\n",
        );
        let check =
            |operation: &str, expect: Option<usize>| assert_eq!(line_of(&yaml, operation), expect, "{operation}");
        check("listNotes", Some(4));
        check("listNotesToo", Some(6));
        check("DELETE /notes/{id}", Some(9));
        check("GET /notes/{id}", Some(7));
        check("/notes", Some(2));
        check("other", Some(11));
        check("GET /missing", None);
        check("", None);
        let json =
            Source::new("c.json", "{\n \"paths\": {\n  \"/a\": {\n   \"get\": { \"operationId\": \"readA\" }\n } } }");
        assert_eq!(line_of(&json, "readA"), Some(4));
        assert_eq!(line_of(&json, "GET /a"), Some(4));
    }
}
