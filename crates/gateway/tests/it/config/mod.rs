//! Configurations as texts: what they mean, and what is said about broken ones.

mod broken;
mod browser;
mod generated;
mod hostile;
mod meaning;
mod recorded;
mod rules;
mod stores;

use std::path::PathBuf;

use palisade_core::diagnostic::{Diagnostic, Source};
use palisade_gateway::config::{self, Loaded};

fn parse(text: &str) -> Result<Loaded, Vec<Diagnostic>> {
    config::parse(&Source::new("palisade.toml", text), &fixtures())
}

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The smallest configuration.
const SMALL: &str = r#"version = 1
[listen.main]
address = "127.0.0.1:8080"
[upstream.api]
url = "http://127.0.0.1:9000"
[contract.api]
openapi = "openapi.yaml"
[route.api]
path = "/**"
upstream = "api"
contract = "api"
"#;
