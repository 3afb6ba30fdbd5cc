//! What bodies have in common, and what is in them, whatever their form.

use serde_json::Value;

use crate::exchange::Answer;

/// Whether two answers say the same: by the leaves of their JSON, of which so many of a hundred are alike, else by text.
pub(crate) fn says_same(one: &Answer, other: &Answer, least: usize) -> bool {
    match (one.json(), other.json()) {
        (Some(one), Some(other)) => one == other || likeness(one, other) >= least,
        _ => one.text == other.text,
    }
}

/// Whether two answers are the same success.
pub(crate) fn is_same_success(one: &Answer, other: &Answer, least: usize) -> bool {
    one.is_success() && other.is_success() && says_same(one, other, least)
}

/// So many leaves of a hundred are alike in two answers of which one may have a new number or a new time.
pub(crate) const ALIKE: usize = 90;

/// How many leaves of two values are the same, of a hundred.
pub(crate) fn likeness(left: &Value, right: &Value) -> usize {
    let (mut same, mut all) = (0, 0);
    compare(left, right, &mut same, &mut all);
    (same * 100).checked_div(all).unwrap_or(0)
}

fn compare(left: &Value, right: &Value, same: &mut usize, all: &mut usize) {
    match (left, right) {
        (Value::Object(members), Value::Object(_)) => {
            *all += object_len(right).saturating_sub(members.len());
            for (name, member) in members {
                compare(member, right.get(name).unwrap_or(&Value::Null), same, all);
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            *all += right.len().saturating_sub(left.len());
            for (at, item) in left.iter().enumerate() {
                compare(item, right.get(at).unwrap_or(&Value::Null), same, all);
            }
        }
        _ => {
            *all += 1;
            *same += usize::from(left == right);
        }
    }
}

fn object_len(value: &Value) -> usize {
    value.as_object().map_or(0, serde_json::Map::len)
}

/// Every text in a value.
pub(crate) fn texts<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => members.values().for_each(|member| texts(member, found)),
        Value::String(text) => found.push(text),
        Value::Bool(_) | Value::Null | Value::Number(_) => {}
    }
}

/// The longest list in a value.
pub(crate) fn longest_list(value: &Value) -> Option<usize> {
    match value {
        Value::Array(items) => items.iter().filter_map(longest_list).chain([items.len()]).max(),
        Value::Object(members) => members.values().filter_map(longest_list).max(),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn likeness_counts_leaves() {
        let check =
            |left: Value, right: Value, expect: usize| assert_eq!(likeness(&left, &right), expect, "{left} {right}");
        check(json!({ "a": 1, "b": [1, 2] }), json!({ "a": 1, "b": [1, 2] }), 100);
        check(json!({ "a": 1, "b": 2 }), json!({ "a": 1, "b": 3 }), 50);
        check(json!({ "a": 1 }), json!({ "a": 1, "b": 3 }), 50);
        check(json!({}), json!({}), 0);
        check(json!([1]), json!({ "a": 1 }), 0);
    }

    #[test]
    fn the_longest_list_may_be_anywhere() {
        assert_eq!(longest_list(&json!({ "a": [1], "b": { "c": [1, 2, 3] } })), Some(3));
        assert_eq!(longest_list(&json!({ "a": 1 })), None);
    }
}
