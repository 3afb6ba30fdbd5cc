//! OpenAPI Overlay 1.0, as far as [`super::patch`] writes it: targets that name one place, updates and removals.

use serde_json::Value;

/// Why an overlay cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OverlayFault {
    /// It is not an overlay.
    #[error("this is not an overlay with `actions`")]
    NotAnOverlay,
    /// A target names nothing in the document.
    #[error("`{0}` names nothing in the contract")]
    NoTarget(String),
    /// A target is written in a way that is not supported.
    #[error("`{0}` is not a target of the form `$['name'][0]`")]
    Unsupported(String),
}

/// Applies an overlay to a document, whole or not at all.
///
/// ```
/// use palisade_contract::drift::{OverlayFault, apply};
/// use serde_json::json;
///
/// let overlay = json!({"overlay": "1.0.0", "actions": [
///     {"target": "$['a'][0]", "update": {"b": 2}},
///     {"target": "$['a'][0]['required'][?@=='x']", "remove": true},
/// ]});
/// let document = json!({"a": [{"b": 1, "required": ["x", "y"]}]});
/// assert_eq!(apply(&document, &overlay).unwrap(), json!({"a": [{"b": 2, "required": ["y"]}]}));
/// assert_eq!(apply(&document, &document), Err(OverlayFault::NotAnOverlay));
/// ```
pub fn apply(document: &Value, overlay: &Value) -> Result<Value, OverlayFault> {
    let mut changed = document.clone();
    let actions = overlay.get("actions").and_then(Value::as_array).ok_or(OverlayFault::NotAnOverlay)?;
    for action in actions {
        act(&mut changed, action)?;
    }
    Ok(changed)
}

/// Does one action.
pub(super) fn act(document: &mut Value, action: &Value) -> Result<(), OverlayFault> {
    let target = action.get("target").and_then(Value::as_str).ok_or(OverlayFault::NotAnOverlay)?;
    let missing = || OverlayFault::NoTarget(target.to_owned());
    let mut steps = steps(target).ok_or_else(|| OverlayFault::Unsupported(target.to_owned()))?;
    if action.get("remove") == Some(&Value::Bool(true)) {
        let last = steps.pop().ok_or_else(missing)?;
        return remove(find(document, &steps).ok_or_else(missing)?, &last).ok_or_else(missing);
    }
    let update = action.get("update").ok_or(OverlayFault::NotAnOverlay)?;
    match find(document, &steps).ok_or_else(missing)? {
        // An update of a list is one more of its items (Overlay 1.0, section 4.4.3).
        Value::Array(items) => items.push(update.clone()),
        place => merge(place, update),
    }
    Ok(())
}

/// One step of a target.
enum Step {
    /// `[?@=='name']`
    Equal(String),
    /// `[0]`
    Index(usize),
    /// `['name']`
    Name(String),
}

fn steps(target: &str) -> Option<Vec<Step>> {
    let mut rest = target.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        rest = rest.strip_prefix('[')?;
        if let Some((index, behind)) =
            rest.split_once(']').filter(|(index, _)| index.bytes().all(|b| b.is_ascii_digit()))
        {
            steps.push(Step::Index(index.parse().ok()?));
            rest = behind;
            continue;
        }
        let (is_filter, quoted) = rest.strip_prefix("?@==").map_or((false, rest), |quoted| (true, quoted));
        let (name, behind) = unquote(quoted)?;
        steps.push(if is_filter { Step::Equal(name) } else { Step::Name(name) });
        rest = behind.strip_prefix(']')?;
    }
    Some(steps)
}

/// The text in single quotes at the beginning, and what is behind it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let text = text.strip_prefix('\'')?;
    let (mut name, mut escaped) = (String::new(), false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => {
                name.push(letter);
                escaped = false;
            }
            '\\' => escaped = true,
            '\'' => return Some((name, text.get(at + 1..)?)),
            _ => name.push(letter),
        }
    }
    None
}

/// The target of the value at a JSON pointer (RFC 9535, normalized path).
pub(super) fn target(document: &Value, pointer: &str) -> String {
    let (mut path, mut value) = ("$".to_owned(), Some(document));
    for name in pointer.split('/').skip(1) {
        let name = name.replace("~1", "/").replace("~0", "~");
        match value {
            Some(Value::Array(items)) => {
                path.push_str(&format!("[{name}]"));
                value = name.parse().ok().and_then(|at: usize| items.get(at));
            }
            other => {
                path.push_str(&format!("[{}]", quote(&name)));
                value = other.and_then(|value| value.get(&name));
            }
        }
    }
    path
}

pub(super) fn quote(name: &str) -> String {
    format!("'{}'", name.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn find<'v>(document: &'v mut Value, steps: &[Step]) -> Option<&'v mut Value> {
    steps.iter().try_fold(document, |value, step| match step {
        Step::Equal(wanted) => value.as_array_mut()?.iter_mut().find(|item| item.as_str() == Some(wanted)),
        Step::Index(at) => value.as_array_mut()?.get_mut(*at),
        Step::Name(name) => value.as_object_mut()?.get_mut(name),
    })
}

fn remove(holder: &mut Value, last: &Step) -> Option<()> {
    match (holder, last) {
        (Value::Object(members), Step::Name(name)) => members.shift_remove(name).map(drop),
        (Value::Array(items), Step::Index(at)) if *at < items.len() => {
            items.remove(*at);
            Some(())
        }
        (Value::Array(items), Step::Equal(wanted)) => {
            let before = items.len();
            items.retain(|item| item.as_str() != Some(wanted));
            (items.len() < before).then_some(())
        }
        _ => None,
    }
}

fn merge(place: &mut Value, update: &Value) {
    match (place, update) {
        (Value::Object(members), Value::Object(update)) => {
            for (name, value) in update {
                match members.get_mut(name) {
                    Some(member) => merge(member, value),
                    None => {
                        members.insert(name.clone(), value.clone());
                    }
                }
            }
        }
        (Value::Array(items), Value::Array(update)) => items.extend(update.iter().cloned()),
        (place, update) => *place = update.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn targets_lead_back_to_their_pointers() {
        let document = json!({"paths": {"/a/{b}": {"get": {"parameters": [{"it's": {"a\\b": 1}}]}}}});
        let pointer = "/paths/~1a~1{b}/get/parameters/0/it's/a\\b";
        let path = target(&document, pointer);
        assert_eq!(path, r"$['paths']['/a/{b}']['get']['parameters'][0]['it\'s']['a\\b']");
        let overlay = json!({"actions": [{"target": path, "update": 2}]});
        assert_eq!(apply(&document, &overlay).unwrap().pointer(pointer), Some(&json!(2)));
    }

    #[test]
    fn what_cannot_be_done_is_an_error() {
        let document = json!({"a": {"list": ["x"]}});
        for (overlay, expect) in [
            (json!({}), OverlayFault::NotAnOverlay),
            (json!({"actions": [{"target": "$['b']", "update": 1}]}), OverlayFault::NoTarget("$['b']".to_owned())),
            (json!({"actions": [{"target": "$.a", "update": 1}]}), OverlayFault::Unsupported("$.a".to_owned())),
            (json!({"actions": [{"target": "$['a", "update": 1}]}), OverlayFault::Unsupported("$['a".to_owned())),
            (json!({"actions": [{"target": "$", "remove": true}]}), OverlayFault::NoTarget("$".to_owned())),
            (
                json!({"actions": [{"target": "$['a']['list'][?@=='y']", "remove": true}]}),
                OverlayFault::NoTarget("$['a']['list'][?@=='y']".to_owned()),
            ),
        ] {
            assert_eq!(apply(&document, &overlay), Err(expect), "{overlay}");
        }
        let more = json!({"actions": [{"target": "$['a']['list']", "update": "y"}]});
        assert_eq!(apply(&document, &more).unwrap(), json!({"a": {"list": ["x", "y"]}}));
    }
}
