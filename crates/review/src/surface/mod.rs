//! The surface is the API as an attacker reads its contract: operations, where values go in, and what comes back.
//!
//! The reader is tolerant on purpose: what it does not understand it leaves out and notes as a defect, because an API
//! with a sloppy contract needs a review more than one whose contract compiles.

mod body;
pub(crate) mod dictionary;
mod faults;
mod openapi;
pub(crate) mod read;
pub(crate) mod schema;
mod swagger;
pub(crate) mod template;

pub(crate) use faults::join;
use http::Method;
use palisade_core::operation::{Limit, LimitBy, Ownership};
use serde_json::Value;

/// Every operation of a contract.
#[derive(Clone, Debug)]
pub(crate) struct Surface {
    /// The whole document, into which the schemas refer.
    pub(crate) root: Value,
    pub(crate) endpoints: Vec<Endpoint>,
    /// The path of the contract's first server: what a base URL without a path may lack. Its host is never used.
    pub(crate) base: Option<String>,
    pub(crate) defects: Vec<Defect>,
}

/// Something in a contract that is wrong, and was read around.
///
/// ```
/// use palisade_core::diagnostic::Source;
/// use palisade_review::{Identity, Login, Plan};
///
/// let contract = Source::new("c.yaml", "openapi: 3.1.0\npaths:\n  /notes/{id}: { get: { responses: {} } }\n");
/// let alice = Identity::new("alice", Login::Token("eyJhbGci".to_owned()));
/// let plan = Plan::new(&contract, vec![alice]).unwrap();
/// assert_eq!(plan.defects()[0].message, "the path parameter `id` is not declared");
/// assert_eq!(plan.defects()[0].line, Some(3));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    /// Where it is in the document, as a JSON pointer.
    pub pointer: String,
    /// The line, from one, where that is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

/// One operation.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) id: String,
    pub(crate) method: Method,
    pub(crate) template: String,
    /// The line of the operation in the contract, from one.
    pub(crate) line: Option<usize>,
    /// Everything the contract says about it in words, in lower case: id, tags, summary, description.
    pub(crate) words: String,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<Body>,
    pub(crate) responses: Vec<ResponseForm>,
    pub(crate) links: Vec<Link>,
    pub(crate) access: Access,
    /// Whether nobody in particular may call it: because the contract says so or, where it says nothing, because the
    /// API served nobody in particular.
    pub(crate) is_public: bool,
    pub(crate) is_third_party: bool,
    pub(crate) roles: Vec<String>,
    pub(crate) owner: Ownership,
    /// Whether what it serves has been seen to differ from one identity to the next.
    pub(crate) is_personal: bool,
    /// How `roles`, `owner` and `is_personal` are known.
    pub(crate) known: Known,
    pub(crate) limits: Vec<Limit>,
    /// What is sent, for an operation of a GraphQL API.
    pub(crate) graphql: Option<GraphQl>,
}

/// An operation of a GraphQL API.
#[derive(Clone, Debug)]
pub(crate) struct GraphQl {
    /// The query or mutation, its arguments as variables.
    pub(crate) text: String,
    /// What it is about.
    pub(crate) noun: String,
}

/// What a contract says about who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// A credential is asked for.
    Declared,
    /// It is said that none is needed.
    Open,
    /// Nothing is said. Answers tell.
    Unstated,
}

/// How a fact about an operation is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// The contract says so.
    Declared,
    /// The API has shown it: good enough for a proof.
    Inferred,
    /// Names suggest it: good enough for a question.
    Guessed,
}

/// A value in the path, the query or elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) is_required: bool,
    /// As written, so that the name of a referenced schema can be seen.
    pub(crate) schema: Value,
    pub(crate) example: Option<Value>,
}

/// Where a parameter goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Cookie,
    Header,
    Path,
    Query,
}

/// A body that an operation takes.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) form: BodyForm,
    pub(crate) schema: Value,
    pub(crate) example: Option<Value>,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyForm {
    Json,
    Multipart,
    Text,
    UrlEncoded,
    Xml,
}

/// One declared answer.
#[derive(Clone, Debug)]
pub(crate) struct ResponseForm {
    pub(crate) status: String,
    pub(crate) media: String,
    pub(crate) schema: Value,
}

/// What a contract says about where a value of an answer is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The id of the operation that takes it.
    pub(crate) operation: String,
    pub(crate) parameter: String,
    /// Where it is in the answer, as a JSON pointer.
    pub(crate) pointer: String,
}

impl Surface {
    /// The endpoint with an id.
    pub(crate) fn endpoint(&self, id: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.id == id)
    }

    /// The same operations below a path.
    pub(crate) fn below(&self, base: &str) -> Self {
        let mut surface = self.clone();
        for endpoint in &mut surface.endpoints {
            endpoint.template = format!("{base}{}", endpoint.template);
        }
        surface
    }
}

impl Endpoint {
    /// Whether it only reads.
    pub(crate) fn is_read(&self) -> bool {
        self.method == Method::GET || self.graphql.as_ref().is_some_and(|graphql| graphql.text.starts_with("query"))
    }

    /// What it is about: `order` for everything below `/orders`.
    pub(crate) fn noun(&self) -> String {
        self.graphql.as_ref().map_or_else(|| template::noun(&self.template), |graphql| graphql.noun.clone())
    }

    /// What a parameter of the path names.
    pub(crate) fn noun_of(&self, parameter: &str) -> String {
        match &self.graphql {
            Some(graphql) => template::stem(parameter).unwrap_or_else(|| graphql.noun.clone()),
            None => template::noun_of(&self.template, parameter),
        }
    }

    /// Whether it is tied to the caller, by the contract or by what the API has shown.
    pub(crate) fn is_owned(&self) -> bool {
        let is_tied = !self.owner.request.is_empty() || !self.owner.response.is_empty() || self.is_personal;
        is_tied && self.known != Known::Guessed
    }

    /// Whether calling it uses up a budget, so that only the probe that is about budgets may call it often.
    pub(crate) fn is_limited(&self) -> bool {
        !self.limits.is_empty()
    }

    pub(crate) fn limit_by(&self, by: LimitBy) -> Option<Limit> {
        self.limits.iter().copied().find(|limit| limit.by == by)
    }

    pub(crate) fn path_parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|parameter| parameter.place == Place::Path)
    }

    /// The claim that a parameter must equal.
    pub(crate) fn owning_claim(&self, parameter: &str) -> Option<&str> {
        self.owner.request.iter().find(|owner| &*owner.parameter == parameter).map(|owner| &*owner.claim)
    }

    /// The form of a successful answer of a media type.
    pub(crate) fn success(&self, media: &str) -> Option<&ResponseForm> {
        self.responses.iter().find(|form| form.status.starts_with('2') && form.media == media)
    }

    /// The path with a value for each parameter; a parameter without a value keeps its name.
    pub(crate) fn path(&self, values: &Values) -> String {
        let mut path = self.template.clone();
        if self.graphql.is_some() {
            return path;
        }
        for (name, value) in &values.path {
            path = path.replace(&format!("{{{name}}}"), &encode(value));
        }
        let query: Vec<String> =
            values.query.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
    }
}

/// The values for one request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Values {
    pub(crate) path: Vec<(String, String)>,
    pub(crate) query: Vec<(String, String)>,
    /// Headers and, as one header, cookies.
    pub(crate) headers: Vec<(String, String)>,
}

impl Values {
    pub(crate) fn in_path(&self, name: &str) -> Option<&str> {
        self.path.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The same values with another one in the path.
    pub(crate) fn with_path(mut self, name: &str, value: &str) -> Self {
        self.path.retain(|(known, _)| known != name);
        self.path.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same values with another one in the query.
    pub(crate) fn with_query(mut self, name: &str, value: &str) -> Self {
        self.query.retain(|(known, _)| known != name);
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same values with another cookie.
    pub(crate) fn with_cookie(mut self, name: &str, value: &str) -> Self {
        let at = self.headers.iter().position(|(known, _)| known == "cookie");
        let old = at.map(|at| self.headers.swap_remove(at).1).unwrap_or_default();
        let is_other = |pair: &&str| !pair.is_empty() && pair.split('=').next() != Some(name);
        let mut pairs: Vec<&str> = old.split("; ").filter(is_other).collect();
        let own = format!("{name}={value}");
        pairs.push(&own);
        self.headers.push(("cookie".to_owned(), pairs.join("; ")));
        self
    }

    /// The same values with another one in a header.
    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Percent-encodes everything but the unreserved characters (RFC 3986 section 2.3).
pub(crate) fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, RESERVED).to_string()
}

const RESERVED: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
