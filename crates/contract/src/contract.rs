//! A whole contract, ready to be asked.

use std::sync::Arc;

use http::Method;
use palisade_core::diagnostic::{Diagnostic, Source};
use palisade_core::id::OperationId;
use palisade_core::operation::{AccessRule, Audience, Operation};
use serde_json::Value;

use crate::compile::compile;
use crate::document::Document;
use crate::operation::ContractOperation;
use crate::parameter::Location;
use crate::path::{PathValues, Router};

/// A compiled OpenAPI contract. It never changes; a new version of a contract is another value.
///
/// ```
/// use http::Method;
/// use palisade_contract::{Contract, Found, Loaded};
/// use palisade_core::diagnostic::Source;
///
/// let source = Source::new("openapi.yaml", "
/// openapi: 3.1.0
/// info: { title: Notes, version: '1' }
/// paths:
///   /notes:
///     get:
///       operationId: listNotes
///       security: []
///       responses: { 204: { description: None. } }
/// ");
/// let Loaded { contract, .. } = Contract::compile(&source).unwrap();
/// assert!(matches!(contract.find(&Method::GET, "/notes"), Found::Operation(..)));
/// assert!(matches!(contract.find(&Method::GET, "/admin"), Found::Unknown));
/// ```
#[derive(Debug)]
pub struct Contract {
    pub(crate) document: Arc<Document>,
    pub(crate) operations: Vec<Arc<ContractOperation>>,
    pub(crate) bases: Vec<String>,
    pub(crate) unsecured: Vec<OperationId>,
    /// The operations of each path, as places in `operations`.
    pub(crate) router: Router<Vec<usize>>,
}

/// A contract that can be used, and what its author should know about it.
#[derive(Debug)]
pub struct Loaded {
    /// The contract.
    pub contract: Contract,
    /// Warnings and notes.
    pub diagnostics: Vec<Diagnostic>,
}

/// What a request meets.
#[derive(Debug)]
pub enum Found<'c> {
    /// The path is declared, the method is not.
    MethodUndeclared {
        /// The methods that are, for `Allow`.
        allow: Vec<Method>,
    },
    /// An operation.
    Operation(&'c Arc<ContractOperation>, PathValues),
    /// No path.
    Unknown,
}

impl Contract {
    /// Reads and compiles a contract. All of its problems are told at once: `Err` when at least one is an error.
    pub fn compile(source: &Source) -> Result<Loaded, Vec<Diagnostic>> {
        compile(source)
    }

    /// Lets everyone call these operations, whatever the contract says about credentials; a configuration may do so
    /// for a contract that it does not own. Gives back the names that the contract does not have.
    pub fn declare_public(&mut self, names: &[OperationId]) -> Vec<OperationId> {
        let mut unknown = names.to_vec();
        for operation in self.operations.iter_mut().filter_map(Arc::get_mut) {
            if names.contains(&operation.operation.id) {
                unknown.retain(|name| *name != operation.operation.id);
                let access = AccessRule { audience: Audience::Public, ..operation.operation.access.clone() };
                operation.operation = Arc::new(Operation { access, ..Operation::clone(&operation.operation) });
            }
        }
        unknown
    }

    /// `info.title`.
    pub fn title(&self) -> &str {
        self.info("title")
    }

    /// `info.version`.
    pub fn version(&self) -> &str {
        self.info("version")
    }

    /// All operations in the order of the contract.
    pub fn operations(&self) -> &[Arc<ContractOperation>] {
        &self.operations
    }

    /// What a method and a canonical, still percent-encoded path mean. HEAD is GET where it is not declared itself
    /// (RFC 9110 section 9.3.2). Paths of operations are relative to [`Contract::bases`].
    pub fn find(&self, method: &Method, path: &str) -> Found<'_> {
        let mut below = self.bases.iter().filter_map(|base| path.strip_prefix(base.as_str()));
        let Some((places, values)) = below.find_map(|rest| self.router.find(rest)) else { return Found::Unknown };
        let declared = || places.iter().filter_map(|place| self.operations.get(*place));
        let named = |wanted: &Method| declared().find(|operation| operation.method == *wanted);
        let as_get = || (method == Method::HEAD).then(|| named(&Method::GET)).flatten();
        match named(method).or_else(as_get) {
            Some(operation) => Found::Operation(operation, values),
            None => {
                let mut allow: Vec<Method> = declared().map(|operation| operation.method.clone()).collect();
                if allow.contains(&Method::GET) && !allow.contains(&Method::HEAD) {
                    allow.push(Method::HEAD);
                }
                Found::MethodUndeclared { allow }
            }
        }
    }

    /// What a schema of this contract stands for: itself, or what its `$ref` leads to.
    pub fn follow<'c>(&'c self, schema: &'c Value) -> &'c Value {
        self.document.follow(schema)
    }

    /// The operations about whose credentials the contract says nothing; they need one.
    pub fn unsecured(&self) -> &[OperationId] {
        &self.unsecured
    }

    /// The paths under which the operations are: those of the contract's `servers`, or what
    /// [`Contract::place_under`] has said. Each is without a slash at its end; the empty one is the root.
    pub fn bases(&self) -> &[String] {
        &self.bases
    }

    /// Places the operations under this path, whatever the contract's `servers` say.
    pub fn place_under(&mut self, base: &str) {
        self.bases = vec![base.trim_end_matches('/').to_owned()];
    }

    /// Where callers put API keys, by the contract's security schemes.
    pub fn key_places(&self) -> Vec<(Location, String)> {
        let schemes = self.document.at("/components/securitySchemes").and_then(Value::as_object);
        let place = |scheme: &Value| {
            let text = |key: &str| scheme.get(key).and_then(Value::as_str);
            let location = match text("in")? {
                "cookie" => Location::Cookie,
                "header" => Location::Header,
                "query" => Location::Query,
                _ => return None,
            };
            Some((location, text("name")?.to_owned()))
        };
        schemes
            .into_iter()
            .flat_map(|all| all.values())
            .filter_map(|scheme| place(self.document.follow(scheme)))
            .collect()
    }

    fn info(&self, key: &str) -> &str {
        self.document.root.get("info").and_then(|info| info.get(key)).and_then(Value::as_str).unwrap_or_default()
    }
}
