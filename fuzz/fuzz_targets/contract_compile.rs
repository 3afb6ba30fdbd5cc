//! Every text is a contract or a list of what is wrong with it, and a contract finds its own operations.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palisade_contract::{Contract, Found};
use palisade_core::diagnostic::Source;

fuzz_target!(|text: &str| {
    match Contract::compile(&Source::new("openapi.yaml", text)) {
        Err(problems) => {
            assert!(!problems.is_empty(), "a refusal says why");
            for problem in problems {
                let _ = problem.to_string();
            }
        }
        Ok(loaded) => {
            for operation in loaded.contract.operations() {
                // A template without parameters is a path.
                if !operation.template.contains(['{', '%']) {
                    let found = loaded.contract.find(&operation.method, &operation.template);
                    let same = |found: &_| std::sync::Arc::ptr_eq(found, operation);
                    assert!(matches!(found, Found::Operation(found, _) if same(found)), "{}", operation.template);
                }
            }
        }
    }
});
