//! The surface is the API as an attacker reads its contract: operations, where values go in, and what comes back.
//!
//! The reader is tolerant on purpose: what it does not understand it leaves out, because an API with a sloppy contract
//! needs a review more than one whose contract compiles.

pub(crate) mod read;
pub(crate) mod schema;

use http::Method;
use palisade_core::operation::{Limit, LimitBy, Ownership};
use serde_json::Value;

/// Every operation of a contract.
#[derive(Clone, Debug)]
pub(crate) struct Surface {
    /// The whole document, into which the schemas refer.
    pub(crate) root: Value,
    pub(crate) endpoints: Vec<Endpoint>,
}

/// One operation.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) id: String,
    pub(crate) method: Method,
    pub(crate) template: String,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<Body>,
    pub(crate) responses: Vec<ResponseForm>,
    pub(crate) is_public: bool,
    pub(crate) is_third_party: bool,
    pub(crate) roles: Vec<String>,
    pub(crate) owner: Ownership,
    pub(crate) limits: Vec<Limit>,
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
    Header,
    Path,
    Query,
}

/// A JSON body that an operation takes.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) schema: Value,
    pub(crate) example: Option<Value>,
}

/// One declared answer.
#[derive(Clone, Debug)]
pub(crate) struct ResponseForm {
    pub(crate) status: String,
    pub(crate) media: String,
    pub(crate) schema: Value,
}

impl Surface {
    /// The endpoint with an id.
    pub(crate) fn endpoint(&self, id: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.id == id)
    }
}

impl Endpoint {
    pub(crate) fn is_read(&self) -> bool {
        self.method == Method::GET
    }

    /// Whether the contract ties it to the caller.
    pub(crate) fn is_owned(&self) -> bool {
        !self.owner.request.is_empty() || !self.owner.response.is_empty()
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
}

/// Percent-encodes everything but the unreserved characters (RFC 3986 section 2.3).
pub(crate) fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, RESERVED).to_string()
}

const RESERVED: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
