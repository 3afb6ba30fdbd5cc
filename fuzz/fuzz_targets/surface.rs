//! Whatever describes an API is read as far as it goes: contracts, recordings, commands, introspections.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palisade_core::diagnostic::Source;
use palisade_review::{Identity, Login, Plan};

fuzz_target!(|text: &str| {
    let nobody = Identity::new("nobody", Login::Token("t".to_owned()));
    if let Ok(plan) = Plan::new(&Source::new("input", text), vec![nobody]) {
        let lines = text.lines().count();
        assert!(plan.estimate().operations > 0);
        assert!(plan.defects().iter().all(|defect| defect.line.is_none_or(|line| line <= lines.max(1))));
    }
});
