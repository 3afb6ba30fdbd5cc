//! One operation of a contract with everything that is checked about its messages.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use palisade_core::operation::{Audience, Operation};
use serde_json::Value;

use crate::body::{Body, BodyRule, Handling, Payload};
use crate::document::Document;
use crate::extension::Extension;
use crate::json::Caps;
use crate::media::Reading;
use crate::notice::Notice;
use crate::parameter::{Keys, Parameter, Parameters, Sent, example, read};
use crate::path::PathValues;
use crate::response::{ResponseRule, Responses, Revealed};
use crate::schema::engine::Schemas;
use crate::violation::{Violation, ViolationCode as Code};

/// One compiled operation.
///
/// The checks are pure: they read a request or a response and say what is wrong with it, or what may pass.
///
/// ```
/// use palisade_contract::ContractOperation;
/// # use palisade_contract::Contract;
/// # use palisade_core::diagnostic::Source;
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
/// let contract = Contract::compile(&source).unwrap().contract;
/// let operation = &contract.operations()[0];
/// let ContractOperation { method, template, .. } = &**operation;
/// assert_eq!((method, &**template, operation.is_public()), (&http::Method::GET, "/notes", true));
/// ```
#[derive(Debug)]
pub struct ContractOperation {
    /// What Palisade's policies know about it.
    pub operation: Arc<Operation>,
    /// Its method.
    pub method: Method,
    /// Its path as the contract writes it: `/orders/{id}`.
    pub template: Box<str>,
    pub(crate) parts: Parts,
    pub(crate) schemas: Arc<Schemas>,
    pub(crate) document: Arc<Document>,
}

/// The compiled parts of an operation.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<Body>,
    pub(crate) responses: Responses,
    pub(crate) extension: Extension,
    pub(crate) query_keys: Keys,
    pub(crate) notice: Notice,
}

impl ContractOperation {
    /// Reads and checks the parameters. `query` is without its `?`.
    pub fn check_parameters(
        &self,
        path: &PathValues,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<Parameters<'_>, Vec<Violation>> {
        self.check_parameters_within(&Caps::default(), path, query, headers)
    }

    /// The same under caps of one's own, for parameters that are written as JSON.
    pub fn check_parameters_within(
        &self,
        caps: &Caps,
        path: &PathValues,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<Parameters<'_>, Vec<Violation>> {
        let sent = Sent { path, query, headers, caps };
        read(sent, &self.parts.parameters, &self.parts.query_keys, &self.schemas)
    }

    /// Whether a request has a body, and how it has to be read.
    pub fn request_body(&self) -> BodyRule {
        self.parts.body.as_ref().map_or(BodyRule::None, Body::rule)
    }

    /// How a body of this type has to be read; refuses one whose type is not declared.
    pub fn body_handling(&self, content_type: Option<&HeaderValue>) -> Result<Handling, Violation> {
        match &self.parts.body {
            None => Err(Violation::new("/body", Code::Undeclared, "is not declared")),
            Some(rule) => rule.handling(content_type),
        }
    }

    /// Reads and checks a body.
    pub fn check_body(&self, content_type: Option<&HeaderValue>, body: &[u8]) -> Result<Payload, Vec<Violation>> {
        self.check_body_within(&Caps::default(), content_type, body)
    }

    /// The same under caps of one's own.
    pub fn check_body_within(
        &self,
        caps: &Caps,
        content_type: Option<&HeaderValue>,
        body: &[u8],
    ) -> Result<Payload, Vec<Violation>> {
        match &self.parts.body {
            None if body.is_empty() => Ok(Payload::default()),
            None => Err(vec![Violation::new("/body", Code::Undeclared, "is not declared")]),
            Some(rule) => rule.check(content_type, body, caps, &self.schemas),
        }
    }

    /// What has to be done with an answer. An answer to HEAD has no body, whatever this says.
    pub fn response_rule(&self, status: StatusCode, content_type: Option<&HeaderValue>) -> ResponseRule {
        self.parts.responses.rule(status, content_type)
    }

    /// Takes out of an answer what the contract does not declare, and checks the rest.
    pub fn reveal(&self, status: StatusCode, content_type: Option<&HeaderValue>, body: &[u8]) -> Revealed {
        self.parts.responses.reveal(status, content_type, body, &self.schemas)
    }

    /// The declared parameters.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parts.parameters
    }

    /// The preferred request body: its media type, its schema after following a `$ref`, and whether it is required.
    /// Further references lead into the contract; [`crate::Contract::follow`] resolves them.
    pub fn body_schema(&self) -> Option<(&str, &Value, bool)> {
        let body = self.parts.body.as_ref()?;
        let read = |reading: Reading| body.rules().find(move |(media, _)| media.reading() == reading);
        let (_, rule) = read(Reading::Json).or_else(|| read(Reading::Form)).or_else(|| body.rules().next())?;
        let schema = self.document.follow(self.document.at(rule.schema.as_deref()?)?);
        Some((&rule.name, schema, body.is_required()))
    }

    /// The example that the contract gives for the preferred request body.
    pub fn body_example(&self) -> Option<&Value> {
        let (name, schema, _) = self.body_schema()?;
        let (_, rule) = self.parts.body.as_ref()?.rules().find(|(_, rule)| *rule.name == *name)?;
        let entry = self.document.at(&rule.place).and_then(example);
        entry.or_else(|| example(schema)).map(|found| self.document.follow(found))
    }

    /// The JSON schema of an answer, after following a `$ref`.
    pub fn response_schema(&self, status: StatusCode) -> Option<&Value> {
        let rule = self.parts.responses.json(status)?;
        Some(self.document.follow(self.document.at(rule.schema.as_deref()?)?))
    }

    /// Whether an ordinary success is JSON with a schema, and so has to be read.
    pub fn has_json_answer(&self) -> bool {
        self.parts.responses.json(StatusCode::OK).is_some_and(|rule| rule.definition.is_some())
    }

    /// Whether it is a WebSocket: it declares that it changes the protocol.
    pub fn is_websocket(&self) -> bool {
        self.parts.responses.switches_protocol()
    }

    /// What its answers say about its end, where it is deprecated.
    pub fn notice(&self) -> &Notice {
        &self.parts.notice
    }

    /// Its `x-palisade`, as written.
    pub fn extension(&self) -> &Extension {
        &self.parts.extension
    }

    /// Whether everyone may call it.
    pub fn is_public(&self) -> bool {
        self.operation.access.audience == Audience::Public
    }
}
