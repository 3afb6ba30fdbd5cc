//! Tests the contract together with the code, so that the two cannot part.

// In reports:
use palisade_contract::Contract;
use palisade_core::diagnostic::{Diagnostic, Source};

/// For a test: every defect of the contract, with its line.
fn defects(contract: &str) -> Vec<Diagnostic> {
    Contract::compile(&Source::new("openapi.yaml", contract)).err().unwrap_or_default()
}
