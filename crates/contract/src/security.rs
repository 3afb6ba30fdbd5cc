//! Who may call an operation, by its `security`.

use palisade_core::diagnostic::Diagnostic;
use serde_json::{Map, Value};

use crate::document::{Document, join, members};
use crate::report::{Report, did_you_mean};

/// The effective `security` of an operation.
#[derive(Debug, Default)]
pub(crate) struct Security {
    /// Whether the operation itself says `security: []`.
    pub(crate) public: bool,
    /// Whether neither the operation nor the document says anything, or nothing that needs a credential.
    pub(crate) missing: bool,
    /// The OAuth and OpenID Connect scopes of the first alternative.
    pub(crate) scopes: Vec<String>,
    /// Where API keys travel: `in` and `name`.
    pub(crate) keys: Vec<(String, String)>,
}

/// Reads the effective security of the operation at `pointer`.
pub(crate) fn read(document: &Document, operation: &Value, pointer: &str, report: &mut Report<'_>) -> Security {
    let own = operation.get("security");
    let place = if own.is_some() { join(pointer, "security") } else { "/security".to_owned() };
    let mut security = Security::default();
    let Some(alternatives) = own.or_else(|| document.root.get("security")).and_then(Value::as_array) else {
        security.missing = true;
        return security;
    };
    if alternatives.is_empty() {
        // OpenAPI 3.1 gives the empty list a meaning for an operation: it removes what the document says. At the top of the
        // document it removes nothing, and generators write it there without anybody's thought; an operation is public
        // where that is said of the operation.
        security.public = own.is_some();
        security.missing = own.is_none();
        return security;
    }
    let mut shared: Option<Vec<String>> = None;
    for (at, alternative) in alternatives.iter().enumerate() {
        let mut scopes = Vec::new();
        for (name, wanted) in alternative.as_object().into_iter().flatten() {
            let scheme = document.at(&join("/components/securitySchemes", name)).map(|scheme| document.follow(scheme));
            let Some(scheme) = scheme else {
                let known: Vec<&str> = document
                    .at("/components")
                    .into_iter()
                    .flat_map(|all| members(all, "securitySchemes"))
                    .map(|(name, _)| name.as_str())
                    .collect();
                let message = format!("the security scheme `{name}` is not declared");
                let mut diagnostic = Diagnostic::error("security-scheme-unresolved", message);
                if let Some(help) = did_you_mean(name, &known) {
                    diagnostic = diagnostic.help(help);
                }
                report.add(&format!("{place}/{at}{}", join("", name)), diagnostic);
                continue;
            };
            match scheme.get("type").and_then(Value::as_str) {
                Some("oauth2" | "openIdConnect") => {
                    scopes.extend(wanted.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
                }
                Some("apiKey") => {
                    let text = |key: &str| scheme.get(key).and_then(Value::as_str).map(str::to_owned);
                    security.keys.extend(text("in").zip(text("name")));
                }
                _ => {}
            }
        }
        security.missing |= alternative.as_object().is_none_or(Map::is_empty);
        // An operation has one set of scopes. Where alternatives differ the first decides: asking for none of them, or
        // for those that all share, would be weaker than any reading of the contract.
        shared.get_or_insert(scopes);
    }
    security.scopes = shared.unwrap_or_default();
    security
}
