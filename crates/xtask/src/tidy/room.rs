//! Heavy dependencies have a room: the one crate, or the few, that may know them.
//!
//! Whoever needs what such a dependency does asks the crate that has it. That keeps the builds of the others short and
//! makes replacing it a matter of one crate. The demo is somebody else's backend and may use what it likes.

use crate::workspace::Member;

/// Each dependency, and the crates that may have it.
const ROOMS: &[(&str, &[&str])] = &[
    ("aws-lc-rs", &["palisade", "palisade-review"]),
    ("clap", &["palisade-cli"]),
    ("hyper-rustls", &["palisade-gateway"]),
    ("jsonschema", &["palisade-contract"]),
    ("redis", &["palisade-store"]),
    ("serde-saphyr", &["palisade-contract"]),
    ("sqlx", &["palisade-store"]),
    ("toml", &["palisade-gateway", "palisade-review"]),
];

/// Dependencies that have left their room.
pub fn violations(members: &[Member]) -> Vec<String> {
    let mut found = Vec::new();
    for member in members.iter().filter(|member| !member.folder.starts_with("demo/")) {
        for need in &member.needs {
            let room = ROOMS.iter().find(|(name, _)| *name == need.name);
            if let Some((name, crates)) = room
                && !crates.contains(&member.name.as_str())
            {
                found.push(format!("`{}` must not depend on `{name}`: ask {}", member.name, crates.join(" or ")));
            }
        }
    }
    found
}
