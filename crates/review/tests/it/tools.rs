//! Programs and schemas of other people that judge what we write; `./test` installs them under `target/formats`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The folder of modules, and nothing else will do.
pub(crate) fn modules() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/formats/node_modules");
    assert!(folder.is_dir(), "`{}` is missing: run `./test peers`", folder.display());
    folder.canonicalize().unwrap()
}

/// A schema of a module.
pub(crate) fn schema(path: &str) -> Value {
    let path = modules().join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// What a value breaks of a schema.
pub(crate) fn breaches(schema: &Value, value: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(schema).unwrap();
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Runs one of our scripts with the modules.
pub(crate) fn script(name: &str, arguments: &[&str], input: &str) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let mut command = Command::new("node");
    command.arg(script).arg(modules()).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("`node` cannot be run: {error}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}
