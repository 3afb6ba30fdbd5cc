//! The schema and the reference are generated; the files in the repository are what the code says.

use std::path::PathBuf;

use expect_test::expect_file;
use palisade_gateway::config;

#[test]
fn schema_file_is_current() {
    let schema = serde_json::to_string_pretty(&config::json_schema()).unwrap() + "\n";
    expect_file![root().join("schema/palisade.schema.json")].assert_eq(&schema);
}

#[test]
fn reference_is_current() {
    expect_file![root().join("docs/reference/config.md")].assert_eq(&config::reference());
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}
