//! Which properties a direction hides: `readOnly` ones do not go in, `writeOnly` ones do not come out.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::document::{Document, flag, items, members};

/// The properties that a schema and its parts hide by a keyword. They cannot be required either.
pub(crate) fn collect(document: &Document, schema: &Value, keyword: &str, hidden: &mut BTreeSet<String>) {
    collect_below(document, schema, keyword, hidden, &mut BTreeSet::new());
}

/// Whether the schema of a property has a keyword, itself or behind a reference.
pub(crate) fn hides(document: &Document, schema: &Value, keyword: &str) -> bool {
    hides_below(document, schema, keyword, &mut BTreeSet::new())
}

/// `seen` are the references that were followed: each is followed once.
fn collect_below<'d>(
    document: &'d Document,
    schema: &'d Value,
    keyword: &str,
    hidden: &mut BTreeSet<String>,
    seen: &mut BTreeSet<&'d str>,
) {
    for (name, member) in members(schema, "properties") {
        if hides(document, member, keyword) {
            hidden.insert(name.clone());
        }
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str)
        && seen.insert(reference)
    {
        collect_below(document, document.follow(schema), keyword, hidden, seen);
    }
    for part in ["allOf", "anyOf", "oneOf"].iter().flat_map(|key| items(schema, key)) {
        collect_below(document, part, keyword, hidden, seen);
    }
}

fn hides_below<'d>(document: &'d Document, schema: &'d Value, keyword: &str, seen: &mut BTreeSet<&'d str>) -> bool {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str)
        && !seen.insert(reference)
    {
        return false;
    }
    let resolved = document.follow(schema);
    flag(schema, keyword)
        || flag(resolved, keyword)
        || items(resolved, "allOf").any(|part| hides_below(document, part, keyword, seen))
}
