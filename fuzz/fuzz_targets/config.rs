//! Every text is a configuration or a list of what is wrong with it.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use palisade_core::diagnostic::Source;
use palisade_gateway::config;

fuzz_target!(|text: &str| {
    // The folder does not exist, so that no file of this machine is read.
    if let Err(problems) = config::parse(&Source::new("palisade.toml", text), Path::new("/nonexistent")) {
        assert!(!problems.is_empty(), "a refusal says why");
        for problem in problems {
            let _ = problem.to_string();
        }
    }
});
