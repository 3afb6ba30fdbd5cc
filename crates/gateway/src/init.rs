//! Writes a first policy for an API from its contract: everything is denied that the contract does not name.
//!
//! The policy starts at once and changes nothing for callers with a valid request: where the contract asks for a
//! credential the backend goes on verifying it, and what the contract leaves open is listed by name, so that opening it
//! was somebody's decision. Keys with a default are there as comments, with the default as their value.

use std::fmt::{Display, Write as _};

use palisade_contract::{Contract, ContractOperation};
use palisade_core::diagnostic::{Diagnostic, Source};
use serde_json::{Value, json};

use crate::config;

/// The text of a policy for one contract and one backend. `contract_file` is the path that the policy will name, and
/// has to be relative to where it will be stored.
///
/// ```
/// use palisade_core::diagnostic::Source;
/// use palisade_gateway::init;
///
/// let contract = Source::new("notes.json", r#"{
///     "openapi": "3.1.0",
///     "info": { "title": "Notes", "version": "1" },
///     "paths": { "/notes": { "get": { "operationId": "listNotes", "responses": { "200": { "description": "Notes." } } } } }
/// }"#);
/// let policy = init::policy("notes", "notes.json", &contract, "http://127.0.0.1:9000").unwrap();
/// assert!(policy.contains("public = [\n  \"listNotes\",\n]"));
/// ```
pub fn policy(
    contract_name: &str,
    contract_file: &str,
    contract_source: &Source,
    upstream: &str,
) -> Result<String, Vec<Diagnostic>> {
    config::check_name(contract_name).map_err(|diagnostic| vec![diagnostic])?;
    config::check_upstream(upstream).map_err(|diagnostic| vec![diagnostic])?;
    let contract = Contract::compile(contract_source)?.contract;
    let (open, closed): (Vec<_>, Vec<_>) =
        contract.operations().iter().filter(|one| !one.is_public()).partition(|one| !needs_credential(&contract, one));
    let open: Vec<&str> = open.iter().map(|one| one.operation.id.as_str()).collect();
    let mut text = Text(String::new());
    text.head(contract.title());
    text.upstream(contract_name, upstream);
    text.line(format_args!("\n# What a valid request is. Whatever this document does not describe is refused."));
    text.line(format_args!("[contract.{contract_name}]\nopenapi = {}", quoted(contract_file)));
    text.route(contract_name, &open, !closed.is_empty());
    if !closed.is_empty() {
        text.bearer();
    }
    text.defaults("limits", &["max_uri", "max_headers", "max_concurrent"]);
    text.defaults("store", &["url"]);
    text.defaults("events", &["output"]);
    Ok(text.0)
}

/// Whether the contract asks for a credential: the operation's own `security`, else that of the document, has
/// alternatives, and none of them is empty.
fn needs_credential(contract: &Contract, operation: &ContractOperation) -> bool {
    let template = operation.template.replace('~', "~0").replace('/', "~1");
    let method = operation.method.as_str().to_ascii_lowercase();
    let path = json!({ "$ref": format!("#/paths/{template}") });
    let document = json!({ "$ref": "#/security" });
    let own = contract.follow(&path).get(&method).and_then(|operation| operation.get("security"));
    let alternatives = own.unwrap_or_else(|| contract.follow(&document)).as_array();
    let is_none = |alternative: &Value| alternative.as_object().is_none_or(serde_json::Map::is_empty);
    alternatives.is_some_and(|alternatives| !alternatives.is_empty() && !alternatives.iter().any(is_none))
}

/// The policy so far. A comment in prose begins with `# `, a key that can be switched on with `#`.
struct Text(String);

impl Text {
    fn line(&mut self, line: impl Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{line}");
    }

    fn head(&mut self, title: &str) {
        let title: String = title.chars().filter(|c| !c.is_control()).collect();
        self.line(format_args!("# The policy of a Palisade gateway for {title}."));
        self.line(
            "# `palisade check` reads it, `palisade run` enforces it. A # directly before a key shows the default.",
        );
        self.line("version = 1");
        self.line("#preset = \"public-api\"");
        self.line("\n# Where requests arrive. For other machines, add a certificate and listen on 0.0.0.0.");
        self.line("[listen.main]\naddress = \"127.0.0.1:8080\"");
        self.line("# tls = { cert = \"file:cert.pem\", key = \"file:key.pem\" }");
    }

    fn upstream(&mut self, name: &str, url: &str) {
        self.line("\n# The backend. Nothing but the gateway should be able to reach it.");
        self.line(format_args!("[upstream.{name}]\nurl = {}", quoted(url)));
        self.keys("upstream", &["connect_timeout", "failures", "pause"]);
    }

    fn route(&mut self, name: &str, open: &[&str], has_closed: bool) {
        self.line(format_args!("\n[route.{name}]\npath = \"/**\"\nupstream = \"{name}\"\ncontract = \"{name}\""));
        if has_closed {
            self.line(
                "# The backend goes on verifying credentials; a request without any does not reach it, unless the",
            );
            self.line("# operation is public. To verify tokens here, fill in [bearer.main] below and write:");
            self.line("# authenticate = [\"bearer.main\"]");
            self.line("authenticate = \"backend\"");
        } else {
            self.line(
                "# The contract asks nobody for a credential. To verify tokens, add a section [bearer.main] and write:",
            );
            self.line("# authenticate = [\"bearer.main\"]");
        }
        if !open.is_empty() {
            self.line("# The contract declares no security for these: remove a line to require a credential.");
            self.line("public = [");
            for id in open {
                self.line(format_args!("  {},", quoted(id)));
            }
            self.line("]");
        }
        self.keys("route", &["responses", "timeout", "body_timeout", "max_body"]);
        self.line("#throttle = { requests = 100, per = \"1s\" }");
    }

    fn bearer(&mut self) {
        self.line("\n# The issuer of the tokens, once the gateway is to verify them.");
        self.line("# [bearer.main]");
        self.line("# issuer = \"https://id.example.com\"");
        self.line("# audience = \"the name of this API at the issuer\"");
        self.line("# jwks = \"https://id.example.com/jwks\"");
    }

    /// A section in which every key has its default.
    fn defaults(&mut self, section: &str, keys: &[&str]) {
        self.line(format_args!("\n[{section}]"));
        self.keys(section, keys);
    }

    /// Keys with their defaults, which are taken from the schema so that they are true.
    fn keys(&mut self, section: &str, keys: &[&str]) {
        let schema = config::json_schema();
        let inside = schema.pointer(&format!("/properties/{section}"));
        let named = inside.and_then(|one| one.get("additionalProperties")).filter(|others| others.is_object());
        for key in keys {
            let property = named.or(inside).and_then(|one| one.get("properties")?.get(key));
            if let Some(default) = property.and_then(|property| property.get("default")) {
                self.line(format_args!("#{key} = {default}"));
            }
        }
    }
}

/// A text as a TOML value.
fn quoted(text: &str) -> toml::Value {
    toml::Value::from(text)
}
