//! Templates save repetition: what all identities have in common, and what environment variables hold.

use serde_json::Value;

/// An identity with what the template has and it has not.
pub(super) fn merged(written: &Value, template: Option<&Value>) -> Value {
    let mut value = written.clone();
    if let Some(template) = template {
        lay_under(&mut value, template);
    }
    value
}

fn lay_under(value: &mut Value, template: &Value) {
    let (Value::Object(members), Value::Object(common)) = (value, template) else { return };
    for (name, below) in common {
        match members.get_mut(name) {
            Some(member) => lay_under(member, below),
            None => {
                members.insert(name.clone(), below.clone());
            }
        }
    }
}

/// The text with variables replaced; `None` when it has none, and the name of the first that is not set.
pub(super) fn filled(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<String>, String> {
    if !text.contains("${") {
        return Ok(None);
    }
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        filled.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            rest = after;
            filled.push_str("${");
            continue;
        };
        filled.push_str(&variable(name).ok_or_else(|| name.to_owned())?);
        rest = behind;
    }
    filled.push_str(rest);
    Ok(Some(filled))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_identity_comes_before_the_template() {
        let merged = merged(&json!({ "a": { "b": 1 }, "c": 2 }), Some(&json!({ "a": { "b": 9, "d": 3 }, "e": 4 })));
        assert_eq!(merged, json!({ "a": { "b": 1, "d": 3 }, "c": 2, "e": 4 }));
    }

    #[test]
    fn variables_are_filled_in_once() {
        let variable = |name: &str| (name == "A").then(|| "${B}".to_owned());
        assert_eq!(filled("x${A}y", &variable), Ok(Some("x${B}y".to_owned())));
        assert_eq!(filled("x", &variable), Ok(None));
        assert_eq!(filled("${B}", &variable), Err("B".to_owned()));
        assert_eq!(filled("${A", &variable), Ok(Some("${A".to_owned())));
    }
}
