//! Which crate may depend on which: the floors of the house.
//!
//! A new edge needs a decision record (`docs/adr/`), because each one lets a lower floor learn of a higher one. Only what
//! is built into a product counts; tests may use what they need.

use crate::workspace::{Member, When};

/// Each crate, and the crates of this workspace that it may depend on.
const ALLOWED: &[(&str, &[&str])] = &[
    ("orchard", &[]),
    ("palisade", &["palisade-core"]),
    ("palisade-cli", &["orchard", "palisade-core", "palisade-gateway", "palisade-review"]),
    ("palisade-contract", &["palisade-core"]),
    ("palisade-core", &[]),
    ("palisade-gateway", &["palisade", "palisade-contract", "palisade-core", "palisade-store"]),
    ("palisade-review", &["palisade-contract", "palisade-core"]),
    ("palisade-store", &["palisade-core"]),
    ("palisade-testkit", &["palisade-core"]),
    ("xtask", &["palisade", "palisade-core", "palisade-gateway", "palisade-review"]),
];

/// Edges that are allowed as an optional dependency only, so that a feature can leave them out.
const OPTIONAL: &[(&str, &str)] = &[("palisade", "palisade-contract")];

/// Edges between crates of the workspace that are not in the table, and crates that have no row.
pub fn violations(members: &[Member]) -> Vec<String> {
    let mut found = Vec::new();
    for member in members {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == member.name) else {
            found.push(format!("`{}` has no row in the table of allowed edges", member.name));
            continue;
        };
        let inner = member.needs.iter().filter(|need| members.iter().any(|other| other.name == need.name));
        for need in inner {
            let optional = OPTIONAL.contains(&(member.name.as_str(), need.name.as_str()));
            if optional && need.when == When::Always {
                found.push(format!("`{}` may depend on `{}` behind a feature only", member.name, need.name));
            } else if !optional && !allowed.contains(&need.name.as_str()) {
                found.push(format!("`{}` must not depend on `{}`", member.name, need.name));
            }
        }
    }
    found
}
