//! The lines that the reviewer recommends are lines that Palisade takes.

use palisade_contract::Contract;
use palisade_core::diagnostic::Source;
use palisade_gateway::config;
use palisade_review::Rule;
use toml::{Table, Value};

/// What every configuration needs besides.
const BASE: &str = r#"version = 1
[listen.public]
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

#[test]
fn every_line_for_the_policy_is_one_that_the_schema_knows() {
    let schema = config::json_schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let check = |config: &str| {
        let mut table: Table = toml::from_str(BASE).unwrap();
        merge(&mut table, toml::from_str(config).unwrap());
        let value = serde_json::to_value(&table).unwrap();
        validator.iter_errors(&value).map(|error| error.to_string()).collect::<Vec<_>>()
    };
    let mut with_lines = 0;
    for rule in Rule::ALL.iter().filter(|rule| !rule.detail().config.is_empty()) {
        assert_eq!(check(rule.detail().config), Vec::<String>::new(), "{}", rule.slug);
        with_lines += 1;
    }
    assert!(with_lines > 10, "{with_lines}");
    assert!(!check("[route.api]\nleak = \"enforce\"\n").is_empty(), "a key that is none is noticed");
}

#[test]
fn every_line_for_the_policy_is_one_that_the_gateway_reads() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../gateway/tests/fixtures");
    let read = |config: &str| {
        let mut table: Table = toml::from_str(BASE).unwrap();
        merge(&mut table, toml::from_str(config).unwrap());
        config::parse(&Source::new("palisade.toml", toml::to_string(&table).unwrap()), folder.as_ref())
    };
    for rule in Rule::ALL {
        if let Err(problems) = read(rule.detail().config) {
            panic!("{}: {problems:?}", rule.slug);
        }
    }
    assert!(read("[route.api]\nauthenticate = [\"bearer.other\"]\n").is_err(), "a name that is nobody's is noticed");
}

#[test]
fn every_line_for_the_contract_compiles() {
    let mut with_lines = 0;
    for rule in Rule::ALL.iter().filter(|rule| !rule.detail().contract.is_empty()) {
        let line = rule.detail().contract;
        let at_operation = line.starts_with("x-palisade:");
        let operation = if at_operation { line } else { "x-palisade: { roles: [a] }" };
        let property = if at_operation { "type: string" } else { line };
        let kind = match line.split(':').next().unwrap_or_default() {
            "additionalProperties" => "type: object, ",
            "maximum" | "minimum" => "type: integer, ",
            "pattern" | "maxLength" => "type: string, ",
            "x-palisade-destinations" => "type: string, format: uri, ",
            _ => "",
        };
        let text = format!(
            "openapi: 3.1.0\ninfo: {{ title: T, version: '1' }}\npaths:\n  /things/{{id}}:\n    get:\n      operationId: thing\n      \
             security: {}\n      {operation}\n      parameters: [{{ name: id, in: path, required: true, schema: {{ type: string }} }}]\n      \
             requestBody: {{ content: {{ application/json: {{ schema: {{ type: object, properties: {{ p: {{ {kind}{property} }} }} }} }} }} }}\n      \
             responses:\n        '200':\n          description: It.\n          content: {{ application/json: {{ schema: {{ type: object, properties: {{ owner: {{ type: string }} }} }} }} }}\n\
             components: {{ securitySchemes: {{ key: {{ type: http, scheme: bearer }} }} }}\n",
            if line.contains("public: true") { "[]" } else { "[{ key: [] }]" }
        );
        if let Err(problems) = Contract::compile(&Source::new("c.yaml", text.as_str())) {
            panic!("{}: {problems:?}\n{text}", rule.slug);
        }
        with_lines += 1;
    }
    assert!(with_lines > 10, "{with_lines}");
}

fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(known)), Value::Table(more)) => merge(known, more),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}
