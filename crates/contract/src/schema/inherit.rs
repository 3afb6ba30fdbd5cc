//! Which schemas inherit from which by naming them in `allOf`, as a discriminator without `oneOf` means it.

use serde_json::Value;

use crate::document::{Document, items, join, members, target};

/// The pointers of all schemas that have the one at `pointer` among their `allOf`, directly or by another.
pub(crate) fn heirs(document: &Document, pointer: &str) -> Vec<String> {
    const PLACE: &str = "/components/schemas";
    let mut found: Vec<String> = vec![pointer.to_owned()];
    let mut next = 0;
    while let Some(parent) = found.get(next).cloned() {
        next += 1;
        let Some(components) = document.at("/components") else { break };
        for (name, schema) in members(components, "schemas") {
            let names_parent = |part: &Value| {
                let reference = part.get("$ref").and_then(Value::as_str).map(target);
                matches!(reference, Some(Ok(target)) if target == parent)
            };
            let heir = join(PLACE, name);
            if !found.contains(&heir) && items(schema, "allOf").any(names_parent) {
                found.push(heir);
            }
        }
    }
    found.remove(0);
    found
}
