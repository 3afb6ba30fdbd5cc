//! From the text of a contract to a [`Contract`], gathering every problem on the way.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use http::Method;
use palisade_core::diagnostic::{Diagnostic, Source};
use palisade_core::id::OperationId;
use palisade_core::operation::{AccessRule, Audience, Lifecycle, Operation, Safety};
use serde_json::Value;

use crate::body::Body;
use crate::contract::{Contract, Loaded};
use crate::document::{Document, flag, join, members};
use crate::extension;
use crate::lint::{self, Facts};
use crate::notice::Notice;
use crate::operation::{ContractOperation, Parts};
use crate::parameter::{self, Location, Parameter};
use crate::path::{Router, TemplateFault};
use crate::report::Report;
use crate::response::Responses;
use crate::schema::definition::DefinitionId;
use crate::schema::engine::Schemas;
use crate::schema::translate::Translator;
use crate::security;

/// Compiles a contract.
pub(crate) fn compile(source: &Source) -> Result<Loaded, Vec<Diagnostic>> {
    let mut report = Report::new(source);
    let contract = compile_into(source, &mut report);
    match contract {
        Some(contract) if !report.has_errors() => Ok(Loaded { contract, diagnostics: report.finish() }),
        _ => Err(report.finish()),
    }
}

fn compile_into(source: &Source, report: &mut Report<'_>) -> Option<Contract> {
    let document = Document::read(source, report)?;
    document.check_references(report);
    let mut builder = Builder::new(&document, report);
    for (template, item) in members(&document.root, "paths") {
        if !template.starts_with("x-") {
            builder.path(template, item);
        }
    }
    let Builder { translator, drafts, router, facts, .. } = builder;
    let definitions = translator.finish();
    lint::contract(&facts, &definitions, report);
    let wanted = drafts.iter().flat_map(|draft| draft.wanted.iter().copied()).collect::<BTreeSet<DefinitionId>>();
    let schemas = Arc::new(Schemas::compile(&definitions, &wanted, report)?);
    let document = Arc::new(document);
    let operations = drafts.into_iter().map(|draft| {
        Arc::new(ContractOperation {
            operation: Arc::new(draft.operation),
            method: draft.method,
            template: draft.template,
            parts: draft.parts,
            schemas: Arc::clone(&schemas),
            document: Arc::clone(&document),
        })
    });
    let bases = crate::servers::bases(&document.root);
    let unsecured = facts.unsecured.into_iter().map(|(id, _)| OperationId::new(id)).collect();
    Some(Contract { unsecured, operations: operations.collect(), document: Arc::clone(&document), bases, router })
}

/// An operation before its schemas are compiled.
struct Draft {
    operation: Operation,
    method: Method,
    template: Box<str>,
    parts: Parts,
    wanted: Vec<DefinitionId>,
}

struct Builder<'d, 's> {
    document: &'d Document,
    translator: Translator<'d, 's>,
    drafts: Vec<Draft>,
    router: Router<Vec<usize>>,
    ids: HashMap<String, String>,
    facts: Facts,
}

impl<'d, 's> Builder<'d, 's> {
    fn new(document: &'d Document, report: &'d mut Report<'s>) -> Self {
        let translator = Translator::new(document, report);
        let (router, facts) = (Router::default(), Facts::default());
        Self { document, translator, drafts: Vec::new(), router, ids: HashMap::new(), facts }
    }

    fn refuse(&mut self, place: &str, code: &'static str, message: String, help: &str) {
        self.translator.report().add(place, Diagnostic::error(code, message).help(help));
    }

    fn path(&mut self, template: &str, item: &'d Value) {
        let written = join("/paths", template);
        let (item, parent) = self.document.resolve(item, &written);
        let first = self.drafts.len();
        let methods = METHODS.iter().filter(|(key, _)| item.get(key).is_some());
        let methods: Vec<&(&str, Method)> = methods.collect();
        let places = (first..first + methods.len()).collect();
        let names = match self.router.add(template, places) {
            Ok(names) => names,
            Err(TemplateFault::Conflict) => {
                let message = format!("`{template}` meets the same requests as another path");
                let help = "join both into one path; names of parameters do not tell paths apart";
                return self.refuse(&written, "path-conflict", message, help);
            }
            Err(TemplateFault::Malformed(reason)) => {
                let message = format!("`{template}` is not a path template: {reason}");
                return self.refuse(&written, "path-invalid", message, "write it as `/orders/{id}`");
            }
        };
        for (key, method) in methods {
            self.operation(template, &names, method, &parent, &join(&parent, key));
        }
    }

    fn operation(&mut self, template: &str, names: &[Box<str>], method: &Method, parent: &str, pointer: &str) {
        let document = self.document;
        let Some(written) = document.at(pointer) else { return };
        let id = written.get("operationId").and_then(Value::as_str);
        let id = id.map_or_else(|| format!("{method} {template}"), str::to_owned);
        if let Some(other) = self.ids.insert(id.clone(), format!("{method} {template}")) {
            let message = format!("the operation `{id}` is declared twice");
            let help = format!("`{other}` has the same name; rename one of them");
            self.refuse(&join(pointer, "operationId"), "operation-id-duplicate", message, &help);
        }
        let parameters = parameter::compile(&mut self.translator, parent, pointer);
        self.check_path_parameters(names, &parameters, pointer);
        let body = Body::compile(&mut self.translator, pointer);
        let responses = Responses::compile(&mut self.translator, pointer);
        let extension = extension::read(written, pointer, self.translator.report());
        let security = security::read(document, written, pointer, self.translator.report());
        for owner in &extension.owner.request {
            let known =
                |p: &&Parameter| matches!(p.location, Location::Path | Location::Query) && p.name == owner.parameter;
            if !parameters.iter().any(|p| known(&p)) {
                let message = format!("the owner's parameter `{}` is not declared", owner.parameter);
                let names: Vec<&str> = parameters.iter().map(|p| p.name.as_ref()).collect();
                let help = crate::report::did_you_mean(&owner.parameter, &names);
                let help = help.unwrap_or_else(|| "name a path or query parameter of this operation".to_owned());
                self.refuse(&format!("{pointer}/x-palisade/owner"), "owner-unresolved", message, &help);
            }
        }
        let public = security.public || extension.public;
        if security.missing && !public {
            self.facts.unsecured.push((id.clone(), pointer.to_owned()));
        }
        if responses.leaves_content_open() {
            self.facts.undescribed.push((id.clone(), pointer.to_owned()));
        }
        let takes_object = parameters.iter().any(|p| p.location == Location::Path);
        if Safety::of(method) != Safety::Safe
            && takes_object
            && extension.owner.request.is_empty()
            && !extension.owner.response.is_empty()
        {
            self.facts.owner_late.push((id.clone(), pointer.to_owned()));
        }
        let notice = Notice::of(extension.deprecated_since, extension.sunset);
        let deprecated = flag(written, "deprecated") || notice != Notice::default();
        if deprecated && notice.deprecation.is_none() {
            self.facts.undated.push((id.clone(), pointer.to_owned()));
        }
        let scopes = security.scopes.iter().chain(&extension.scopes).filter(|_| !public).cloned();
        let access = AccessRule {
            audience: if public { Audience::Public } else { Audience::Authenticated },
            level: extension.level.unwrap_or_default(),
            max_age: extension.max_age,
            scopes: scopes.collect(),
            roles: extension.roles.clone(),
            claims: extension.claims.clone().into(),
            owner: extension.owner.clone(),
        };
        let operation = Operation {
            id: OperationId::new(id),
            safety: Safety::of(method),
            access,
            limits: extension.limits.clone().into(),
            lifecycle: if deprecated { Lifecycle::Deprecated } else { Lifecycle::Active },
        };
        let keys = security.keys.iter().filter(|(place, _)| place == "query").map(|(_, name)| name.as_str().into());
        let parts = Parts { query_keys: keys.collect(), parameters, body, responses, extension, notice };
        let wanted = parts.definitions();
        self.drafts.push(Draft { operation, method: method.clone(), template: template.into(), parts, wanted });
    }

    /// Every parameter of the template is declared, and every declared path parameter is in the template.
    fn check_path_parameters(&mut self, names: &[Box<str>], parameters: &[Parameter], pointer: &str) {
        let declared = |name: &str| parameters.iter().any(|p| p.location == Location::Path && *p.name == *name);
        for name in names.iter().filter(|name| !declared(name)) {
            let message = format!("the path parameter `{name}` is not declared");
            let help = "declare it under `parameters` with `in: path` and a schema";
            self.refuse(pointer, "parameter-unresolved", message, help);
        }
        for parameter in parameters.iter().filter(|p| p.location == Location::Path && !names.contains(&p.name)) {
            let message = format!("the path has no parameter `{}`", parameter.name);
            self.refuse(pointer, "parameter-unresolved", message, "remove it, or correct the template");
        }
    }
}

impl Parts {
    /// The definitions that are checked from their roots.
    fn definitions(&self) -> Vec<DefinitionId> {
        let bodies = self.body.iter().flat_map(Body::rules).filter_map(|(_, rule)| rule.definition);
        let parameters = self.parameters.iter().map(|parameter| parameter.definition);
        bodies.chain(parameters).chain(self.responses.definitions()).collect()
    }
}

const METHODS: [(&str, Method); 8] = [
    ("get", Method::GET),
    ("put", Method::PUT),
    ("post", Method::POST),
    ("delete", Method::DELETE),
    ("options", Method::OPTIONS),
    ("head", Method::HEAD),
    ("patch", Method::PATCH),
    ("trace", Method::TRACE),
];
