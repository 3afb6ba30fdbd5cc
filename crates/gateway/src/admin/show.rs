//! What was asked for and what was refused, as JSON.

use std::collections::BTreeMap;

use palisade::observe::to_json;
use palisade_core::operation::Lifecycle;
use serde_json::{Value, json};

use super::Office;
use crate::inventory::Counts;

/// Every operation of the policy in force and every other one that was seen: how often, since when, by what kind of
/// caller.
pub(super) fn inventory(office: &Office) -> Value {
    let policy = office.live.policy.load();
    let mut seen = office.seen.operations();
    let mut rows = Vec::new();
    for (route, contract) in policy.loaded.settings.routes.iter().zip(&policy.contracts) {
        for declared in contract.operations() {
            let operation = &declared.operation;
            let counts = seen.remove(&(Some(route.name.clone()), Some(operation.id.clone())));
            let mut row = json!({
                "route": route.name.as_str(),
                "operation": operation.id.as_str(),
                "method": declared.method.as_str(),
                "template": &*declared.template,
                "declared": true,
                "deprecated": operation.lifecycle == Lifecycle::Deprecated,
            });
            add(&mut row, counts.as_deref());
            rows.push(row);
        }
    }
    // What was declared before a reload, and requests that reached a route or nothing at all.
    for ((route, operation), counts) in seen {
        let mut row = json!({
            "route": route.map(|route| route.as_str().to_owned()),
            "operation": operation.map(|operation| operation.as_str().to_owned()),
            "declared": false,
        });
        add(&mut row, Some(&counts));
        rows.push(row);
    }
    let (undeclared, lost) = office.seen.undeclared();
    let undeclared: Vec<Value> = undeclared
        .iter()
        .map(|(asked, row)| {
            let (first, last) = (row.first.to_string(), row.last.to_string());
            json!({"asked": asked, "count": row.count, "first": first, "last": last})
        })
        .collect();
    json!({"operations": rows, "undeclared": undeclared, "undeclared_not_remembered": lost})
}

fn add(row: &mut Value, counts: Option<&Counts>) {
    let Value::Object(row) = row else { return };
    row.insert("requests".to_owned(), counts.map_or(0, Counts::total).into());
    let Some((counts, (first, last))) = counts.and_then(|counts| Some((counts, counts.times()?))) else { return };
    row.insert("first".to_owned(), first.to_string().into());
    row.insert("last".to_owned(), last.to_string().into());
    row.insert("callers".to_owned(), counts.kinds().into());
    let callers: BTreeMap<String, String> =
        counts.callers().into_iter().map(|(who, at)| (who, at.to_string())).collect();
    if !callers.is_empty() {
        row.insert("callers_of_deprecated".to_owned(), json!(callers));
    }
}

/// The last refusals, the latest first, with everything that explains them.
pub(super) fn refusals(office: &Office) -> Value {
    office.seen.refusals().iter().map(to_json).collect()
}
