//! The memory holds what legitimate requests have shown: which ids exist, and who has seen them.

use std::collections::BTreeSet;

use http::Method;
use serde_json::Value;

use crate::surface::schema::text_of;
use crate::surface::template::{fit, is_generic, plain, singular, stem};
use crate::surface::{Endpoint, Parameter, Surface, Values};

/// What legitimate requests have shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    known: Vec<Known>,
    pub(crate) served: Vec<Served>,
    /// Operations of which the contract does not say who may call them, and whether nobody in particular may.
    pub(crate) open: Vec<(String, bool)>,
    /// Operations that were refused to an identity as such.
    pub(crate) refused: Vec<(String, usize)>,
    /// What each identity is known by.
    pub(crate) names: Vec<Vec<String>>,
    /// The kinds of things of which one was made since they were last listed.
    pub(crate) stale: BTreeSet<String>,
}

/// A value in an answer.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// The `$ref` of its schema.
    reference: Option<String>,
    pub(crate) name: String,
    /// Of the operation that showed it.
    template: String,
    /// What the object around it is: `order` for what `/orders` lists, and for what stands below `order`.
    noun: String,
    pub(crate) value: String,
    pub(crate) session: Option<usize>,
    /// The operation that showed it.
    pub(crate) endpoint: String,
    /// Whom the object around it names as its owner.
    owner: Option<String>,
    /// Whether it was shown without having been asked for by name: in a list, or as the answer to making it.
    pub(crate) is_direct: bool,
}

/// A legitimate request that was answered with success.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub(crate) endpoint: String,
    pub(crate) session: Option<usize>,
    pub(crate) values: Values,
    /// What was sent.
    pub(crate) sent: Option<Value>,
    /// What came back.
    pub(crate) body: Option<Value>,
}

impl Memory {
    /// Remembers an answer and every scalar in it.
    pub(crate) fn learn(&mut self, surface: &Surface, endpoint: &Endpoint, served: Served) {
        if let Some(body) = &served.body {
            let schema = endpoint.success("application/json").map_or(&Value::Null, |form| &form.schema);
            let mut walk = Walk { surface, found: Vec::new() };
            walk.enter(schema, body, &endpoint.noun(), 0);
            for found in walk.found {
                // An address among the values names an object, too.
                let is_address = found.value.starts_with('/') || found.value.starts_with("http");
                if !(is_address && self.learn_address(surface, endpoint, &found.value, served.session)) {
                    self.add(endpoint, found, served.session);
                }
            }
        }
        for link in &endpoint.links {
            let value = served.body.as_ref().and_then(|body| body.pointer(&link.pointer)).map(text_of);
            if let Some((value, user)) = value.zip(surface.endpoint(&link.operation)) {
                let (name, noun) = (link.parameter.clone(), user.noun_of(&link.parameter));
                self.add(endpoint, Found { reference: None, name, noun, value, owner: None }, served.session);
            }
        }
        // What was asked for and given is known to exist.
        for (name, value) in &served.values.path {
            let found = Found {
                reference: None,
                name: name.clone(),
                noun: endpoint.noun_of(name),
                value: value.clone(),
                owner: None,
            };
            let is_new = !self.known.iter().any(|known| known.value == *value && known.session == served.session);
            if is_new {
                self.add(endpoint, found, served.session);
            }
        }
        self.served.push(served);
    }

    /// Remembers what an address names: that of a new object, or one in an answer. Whether it names anything.
    pub(crate) fn learn_address(
        &mut self,
        surface: &Surface,
        shown: &Endpoint,
        address: &str,
        session: Option<usize>,
    ) -> bool {
        let path = match address.split_once("://") {
            Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default(),
            None => address,
        };
        let mut is_one = false;
        for endpoint in &surface.endpoints {
            for (name, value) in fit(&endpoint.template, path).unwrap_or_default() {
                is_one = true;
                let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned();
                let found =
                    Found { reference: None, name: name.to_owned(), noun: endpoint.noun_of(name), value, owner: None };
                let is_known = self.known.iter().any(|known| known.value == found.value && known.noun == found.noun);
                if !is_known {
                    self.add(shown, found, session);
                }
            }
        }
        is_one
    }

    fn add(&mut self, endpoint: &Endpoint, found: Found, session: Option<usize>) {
        let Found { reference, name, noun, value, owner } = found;
        let is_direct = endpoint.path_parameters().next().is_none() || endpoint.method == Method::POST;
        let is_old = |known: &Known| {
            known.value == value && known.name == name && known.session == session && known.endpoint == endpoint.id
        };
        let has_room = self.known.len() < MAXIMUM_KNOWN && !value.is_empty() && value.len() < MAXIMUM_VALUE;
        if has_room && !self.known.iter().any(is_old) {
            let (template, endpoint) = (endpoint.template.clone(), endpoint.id.clone());
            self.known.push(Known { reference, name, template, noun, value, session, endpoint, owner, is_direct });
        }
    }

    /// The values that a session has seen for a parameter: what fits best first, and what nobody else has seen.
    pub(crate) fn seen_by(&self, session: usize, endpoint: &Endpoint, parameter: &Parameter) -> Vec<String> {
        let is_shared = |known: &Known| {
            self.known.iter().any(|other| {
                other.is_direct
                    && other.session != Some(session)
                    && other.value == known.value
                    && other.noun == known.noun
            })
        };
        let mut ranked = self.ranked(endpoint, parameter, |known| known.session == Some(session));
        let names = self.names.get(session).map(Vec::as_slice).unwrap_or_default();
        let is_foreign = |known: &Known| known.owner.as_ref().is_none_or(|owner| !names.contains(owner));
        ranked.sort_by_key(|(rank, known)| (std::cmp::Reverse(*rank), is_foreign(known), is_shared(known)));
        distinct(ranked)
    }

    /// The values that anybody has seen for a parameter, what fits best first.
    pub(crate) fn seen(&self, endpoint: &Endpoint, parameter: &Parameter) -> Vec<String> {
        distinct(self.ranked(endpoint, parameter, |_| true))
    }

    /// What is known that names what a parameter names, beyond doubt.
    pub(crate) fn known(&self, endpoint: &Endpoint, parameter: &Parameter) -> Vec<&Known> {
        let ranked = self.ranked(endpoint, parameter, |_| true);
        ranked.into_iter().filter(|(rank, _)| *rank >= Rank::Noun).map(|(_, known)| known).collect()
    }

    /// Only the best rank counts: a guess is no alternative to what is known.
    fn ranked(&self, endpoint: &Endpoint, parameter: &Parameter, may: impl Fn(&Known) -> bool) -> Vec<(Rank, &Known)> {
        let fits = self.known.iter().filter(|known| may(known));
        let mut ranked: Vec<(Rank, &Known)> =
            fits.filter_map(|known| Some((known.fits(endpoint, parameter)?, known))).collect();
        ranked.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        let is_sure = ranked.first().is_some_and(|(rank, _)| *rank > Rank::Name);
        ranked.retain(|(rank, _)| !is_sure || *rank > Rank::Name);
        ranked
    }

    /// Whether an operation has been served to anybody, and how.
    pub(crate) fn served(&self, endpoint: &str) -> impl Iterator<Item = &Served> {
        self.served.iter().filter(move |served| served.endpoint == endpoint)
    }
}

fn distinct(ranked: Vec<(Rank, &Known)>) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    for (_, known) in ranked {
        if !values.contains(&known.value) {
            values.push(known.value.clone());
        }
    }
    values
}

/// How well a known value fits a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// The same name, which says little: an `id` of something.
    Name,
    /// A name that ends in the parameter's: `book_title` for `title`.
    Ending,
    /// The id, slug or name of the same kind of thing.
    Noun,
    /// The same telling name, or the `id` in an answer of the collection.
    Exact,
    /// The same schema.
    Schema,
}

impl Known {
    fn fits(&self, endpoint: &Endpoint, parameter: &Parameter) -> Option<Rank> {
        let reference = parameter.schema.get("$ref").and_then(Value::as_str);
        if reference.is_some() && self.reference.as_deref() == reference {
            return Some(Rank::Schema);
        }
        let (own, asked) = (plain(&self.name), plain(&parameter.name));
        let noun = endpoint.noun_of(&parameter.name);
        let is_same_noun = !noun.is_empty() && self.noun == noun;
        // What may be named by an id: `id`, `orderId`, and `order` below `/orders`.
        let takes_id = is_generic(&asked) || stem(&asked).is_some() || asked == noun;
        let is_id = ["id", "uid", "uuid", "guid", "slug", "key"].contains(&own.as_str());
        if own == asked && !is_generic(&asked) {
            return Some(Rank::Exact);
        }
        let collection = endpoint.template.split(&format!("/{{{}}}", parameter.name)).next();
        let is_collection = is_same_noun || noun.is_empty() && collection == Some(self.template.as_str());
        if own == asked && is_collection {
            return Some(Rank::Exact);
        }
        if is_id && reference.is_none() && is_collection {
            // An id is asked for, and this is one; for a `username` it is not.
            return takes_id.then_some(Rank::Noun);
        }
        if stem(&own).is_some_and(|stem| stem == noun) && takes_id {
            return Some(Rank::Noun);
        }
        if is_same_noun && asked.len() > 3 && own.ends_with(&asked)
            || own.len() > 3 && is_same_noun && asked.ends_with(&own)
        {
            return Some(Rank::Ending);
        }
        (own == asked).then_some(Rank::Name)
    }
}

/// An operation whose answer names what a parameter of another operation takes.
#[derive(Clone, Copy)]
pub(crate) struct Link<'l> {
    pub(crate) surface: &'l Surface,
    pub(crate) creator: &'l Endpoint,
    pub(crate) user: &'l Endpoint,
    pub(crate) parameter: &'l Parameter,
}

impl Link<'_> {
    /// Whether the contract says that there is such a name, or the paths do.
    pub(crate) fn exists(&self) -> bool {
        let collection = self.user.template.split(&format!("/{{{}}}", self.parameter.name)).next();
        let Some(form) = self.creator.success("application/json") else {
            return collection == Some(self.creator.template.as_str());
        };
        self.surface.properties(&form.schema).into_iter().any(|(name, schema)| {
            let reference = schema.get("$ref").and_then(Value::as_str).map(str::to_owned);
            let noun = self.creator.noun();
            name != self.parameter.name
                && self.fits(Found { reference, name: name.to_owned(), noun, value: String::new(), owner: None })
        }) || collection == Some(self.creator.template.as_str())
    }

    /// The name in an answer.
    pub(crate) fn id_in(&self, body: &Value) -> Option<String> {
        let schema = self.creator.success("application/json").map_or(&Value::Null, |form| &form.schema);
        let mut walk = Walk { surface: self.surface, found: Vec::new() };
        walk.enter(schema, body, &self.creator.noun(), 0);
        let ranked = walk.found.into_iter().filter_map(|found| Some((self.rank(found.clone())?, found)));
        // The first of those that fit best: what is asked for by its slug has an id as well.
        let best = ranked.min_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        best.map(|(_, found)| found.value)
    }

    fn fits(&self, found: Found) -> bool {
        self.rank(found).is_some()
    }

    fn rank(&self, found: Found) -> Option<Rank> {
        let (template, endpoint) = (self.creator.template.clone(), self.creator.id.clone());
        let Found { reference, name, noun, value, owner } = found;
        let known = Known { reference, name, template, noun, value, session: None, endpoint, owner, is_direct: true };
        known.fits(self.user, self.parameter).filter(|rank| *rank >= Rank::Noun)
    }
}

/// A scalar in an answer.
#[derive(Clone, Debug)]
struct Found {
    reference: Option<String>,
    name: String,
    noun: String,
    value: String,
    owner: Option<String>,
}

/// Goes through an answer and its schema side by side, and collects every scalar.
struct Walk<'w> {
    surface: &'w Surface,
    found: Vec<Found>,
}

impl Walk<'_> {
    fn enter(&mut self, schema: &Value, value: &Value, noun: &str, depth: usize) {
        if depth > MAXIMUM_DEPTH {
            return;
        }
        match value {
            Value::Array(items) => {
                let of_item = self.surface.resolve(schema).get("items").unwrap_or(&Value::Null);
                for item in items.iter().take(MAXIMUM_ITEMS) {
                    // A list of bare names is a list of what it is about.
                    if item.is_object() || item.is_array() {
                        self.enter(of_item, item, noun, depth + 1);
                    } else {
                        let name = "id".to_owned();
                        self.found.push(Found {
                            reference: None,
                            name,
                            noun: noun.to_owned(),
                            value: text_of(item),
                            owner: None,
                        });
                    }
                }
            }
            Value::Object(members) => {
                let surface = self.surface;
                let declared = surface.properties(schema);
                let owner = members.iter().find(|(name, member)| is_owner(name) && !member.is_null());
                let owner = owner.map(|(_, member)| match member {
                    Value::Object(person) => {
                        ["username", "id", "email"].iter().find_map(|key| person.get(*key)).map(text_of)
                    }
                    member => Some(text_of(member)),
                });
                let owner = owner.flatten();
                for (name, member) in members {
                    let known = declared.iter().find(|(known, _)| known == name);
                    let schema = known.map_or(&Value::Null, |(_, schema)| schema);
                    if member.is_object() || member.is_array() {
                        let below = if is_envelope(name) { noun.to_owned() } else { singular(name) };
                        self.enter(schema, member, &below, depth + 1);
                    } else {
                        let reference = schema.get("$ref").and_then(Value::as_str).map(str::to_owned);
                        let (noun, value) = (noun.to_owned(), text_of(member));
                        self.found.push(Found { reference, name: name.clone(), noun, value, owner: owner.clone() });
                    }
                }
            }
            Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// Whether a property says whose an object is.
fn is_owner(name: &str) -> bool {
    let name = plain(name);
    let stem = ["uuid", "id", "name", "email"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    ["account", "author", "buyer", "createdby", "creator", "customer", "member", "owner", "tenant", "user"]
        .contains(&stem)
}

/// Whether a property is only wrapped around what an answer is about.
pub(crate) fn is_envelope(name: &str) -> bool {
    ENVELOPES.contains(&plain(name).as_str())
}

/// The schema of a property that an object's schema declares.
pub(crate) fn declared<'v>(surface: &'v Surface, schema: &'v Value, name: &str) -> Option<&'v Value> {
    surface.properties(schema).into_iter().find(|(known, _)| *known == name).map(|(_, schema)| schema)
}

const ENVELOPES: [&str; 15] = [
    "attributes",
    "body",
    "content",
    "data",
    "edges",
    "embedded",
    "hits",
    "items",
    "node",
    "payload",
    "records",
    "response",
    "result",
    "results",
    "rows",
];
const MAXIMUM_DEPTH: usize = 8;
const MAXIMUM_ITEMS: usize = 20;
const MAXIMUM_KNOWN: usize = 20_000;
const MAXIMUM_VALUE: usize = 200;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_find_their_parameters() {
        let contract = "
openapi: 3.0.0
paths:
  /orders: { get: { responses: { 200: { links: { x: { operationId: track, parameters: { path.code: '$response.body#/data/0/tracking' } } } } } } }
  /orders/{id}: { get: {} }
  /orders/{orderId}/items: { get: {} }
  /products/{id}: { get: {} }
  /users/{username}: { get: {} }
  /books/{title}: { get: {} }
  /invoices/{invoice}: { get: {} }
  /parcels/{code}: { get: { operationId: track } }
";
        let source = palisade_core::diagnostic::Source::new("c", contract);
        let surface = Surface::read(&source).unwrap();
        let mut memory = Memory::default();
        let list = surface.endpoint("GET /orders").unwrap();
        let body = json!({ "data": [{
            "id": 41, "user": { "username": "ann", "id": 7 }, "product_id": "p-1", "book_title": "Figs",
            "invoice": "/invoices/i-9?full=1", "tracking": "T-5"
        }] });
        let served = Served {
            endpoint: list.id.clone(),
            session: Some(0),
            values: Values::default(),
            sent: None,
            body: Some(body),
        };
        memory.learn(&surface, list, served);
        let check = |id: &str, expect: &[&str]| {
            let endpoint = surface.endpoint(id).unwrap();
            let parameter = endpoint.path_parameters().next().unwrap();
            assert_eq!(memory.seen_by(0, endpoint, parameter), expect, "{id}");
            assert!(memory.seen_by(1, endpoint, parameter).is_empty());
        };
        check("GET /orders/{id}", &["41"]);
        check("GET /orders/{orderId}/items", &["41"]);
        check("GET /products/{id}", &["p-1"]);
        check("GET /users/{username}", &["ann"]);
        check("GET /invoices/{invoice}", &["i-9"]);
        check("track", &["T-5"]);
    }
}
