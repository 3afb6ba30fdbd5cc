//! What the other test modules share.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use palisade_contract::{Contract, ContractOperation, Found, PathValues, Revealed, Violation};
use palisade_core::diagnostic::Source;

/// Compiles a contract that must be good.
pub(crate) fn contract(yaml: &str) -> Contract {
    match Contract::compile(&Source::new("openapi.yaml", yaml)) {
        Ok(loaded) => loaded.contract,
        Err(problems) => panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

/// All diagnostics of a contract, good or bad, as the terminal shows them.
pub(crate) fn diagnostics(yaml: &str) -> String {
    let diagnostics = match Contract::compile(&Source::new("openapi.yaml", yaml)) {
        Ok(loaded) => loaded.diagnostics,
        Err(problems) => problems,
    };
    diagnostics.iter().map(|diagnostic| format!("{diagnostic}\n")).collect()
}

/// A contract with one `POST /things` whose JSON body and 200 answer have the schema `Thing` of `components`.
pub(crate) fn thing(version: &str, schemas: &str) -> Contract {
    let schemas: String = schemas.trim_matches('\n').lines().map(|line| format!("    {line}\n")).collect();
    contract(&format!(
        "openapi: {version}
info: {{ title: Things, version: '1' }}
security: []
paths:
  /things:
    post:
      operationId: makeThing
      security: []
      requestBody:
        required: true
        content: {{ application/json: {{ schema: {{ $ref: '#/components/schemas/Thing' }} }} }}
      responses:
        200:
          description: The thing.
          content: {{ application/json: {{ schema: {{ $ref: '#/components/schemas/Thing' }} }} }}
components:
  schemas:
{schemas}"
    ))
}

/// The operation that a method and path mean.
pub(crate) fn operation(contract: &Contract, method: &Method, path: &str) -> (Arc<ContractOperation>, PathValues) {
    match contract.find(method, path) {
        Found::Operation(operation, values) => (Arc::clone(operation), values),
        other => panic!("{method} {path}: {other:?}"),
    }
}

/// The only operation.
pub(crate) fn only(contract: &Contract) -> &ContractOperation {
    contract.operations().first().unwrap()
}

/// Sends a JSON body; `ok`, or the violations as `pointer code`.
pub(crate) fn send(contract: &Contract, body: &str) -> String {
    let json = HeaderValue::from_static("application/json");
    told(only(contract).check_body(Some(&json), body.as_bytes()))
}

/// Lets a JSON answer through.
pub(crate) fn reveal(contract: &Contract, body: &str) -> String {
    let json = HeaderValue::from_static("application/json");
    match only(contract).reveal(StatusCode::OK, Some(&json), body.as_bytes()) {
        Revealed::Malformed(violation) => format!("malformed: {violation}"),
        Revealed::Pass(_) => "pass".to_owned(),
        Revealed::Stripped { body, removed, .. } => {
            format!("{} without {}", String::from_utf8(body).unwrap(), removed.join(" "))
        }
        Revealed::Violates { violations, .. } => format!("violates: {}", told::<()>(Err(violations))),
    }
}

/// `ok`, or the violations as `pointer code`, sorted.
pub(crate) fn told<T>(result: Result<T, Vec<Violation>>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(violations) => {
            let mut told: Vec<String> =
                violations.iter().map(|v| format!("{} {}", v.pointer, v.code.as_str())).collect();
            told.sort_unstable();
            told.join(", ")
        }
    }
}

/// Headers from pairs.
pub(crate) fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}
