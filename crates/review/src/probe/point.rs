//! A point is a place in a request where a value goes in, with a request around it that is served.
//!
//! It is chosen by what the contract says only: path segments, query parameters, declared headers and properties of the
//! body. What deletes, signs out or uses up a budget has no points, because it cannot be tried twice.

use http::Method;
use serde_json::Value;

use crate::context::Context;
use crate::exchange::{Answer, Call};
use crate::plan::Mode;
use crate::session::Session;
use crate::surface::schema::text_of;
pub(crate) use crate::surface::template::plain;
use crate::surface::{Endpoint, Place, Surface, Values};
use crate::throwaway::is_registration;

/// Where a value goes in.
pub(crate) struct Point<'p> {
    pub(crate) endpoint: &'p Endpoint,
    pub(crate) spot: Spot,
    /// The name of the parameter, or of the property; a property of an object within the body has the object's before.
    pub(crate) name: String,
    /// What an ordinary request has there.
    pub(crate) seed: Value,
    pub(crate) schema: &'p Value,
    pub(crate) base: Base,
}

/// The kind of place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    Body,
    Cookie,
    Header,
    Path,
    Query,
}

impl Spot {
    /// Whether it is part of what a request asks, and not of what is said beside it.
    pub(crate) fn is_plain(self) -> bool {
        matches!(self, Self::Body | Self::Path | Self::Query)
    }
}

/// An ordinary request: what was served before, or what the contract gives as an example.
#[derive(Clone)]
pub(crate) struct Base {
    pub(crate) values: Values,
    pub(crate) body: Option<Value>,
    pub(crate) session: Option<usize>,
}

impl Base {
    pub(crate) fn of(context: &Context<'_>, endpoint: &Endpoint) -> Self {
        let body = login_body(context, endpoint).or_else(|| context.surface().sample_body(endpoint));
        if let Some(served) = context.memory.served(&endpoint.id).next() {
            return Self { values: served.values.clone(), body, session: served.session };
        }
        let session = context.caller(endpoint);
        let own = session.and_then(|session| context.values_of(endpoint, session).into_iter().next());
        let values = own.unwrap_or_else(|| context.surface().sample_values(endpoint));
        Self { values, body, session }
    }

    pub(crate) fn call(&self, context: &Context<'_>, endpoint: &Endpoint) -> Call {
        context.call(endpoint, &self.values, self.body.clone().map(|body| fresh(context, endpoint, body)), self.session)
    }
}

impl Point<'_> {
    /// The ordinary request with another value here.
    pub(crate) fn call(&self, context: &Context<'_>, value: &Value) -> Call {
        self.call_by(context, value, self.base.session)
    }

    /// The same, made by somebody else.
    pub(crate) fn call_by(&self, context: &Context<'_>, value: &Value, session: Option<usize>) -> Call {
        let mut base = Base { session, ..self.base.clone() };
        match self.spot {
            Spot::Body => {
                let body = base.body.take().map(|body| fresh(context, self.endpoint, body));
                let mut body = body.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
                put(&mut body, &self.name, value.clone());
                return context.call(self.endpoint, &base.values, Some(body), base.session);
            }
            Spot::Cookie => base.values = base.values.with_cookie(&self.name, &text_of(value)),
            Spot::Header => base.values = base.values.with_header(&self.name, &text_of(value)),
            Spot::Path => base.values = base.values.with_path(&self.name, &text_of(value)),
            Spot::Query => base.values = base.values.with_query(&self.name, &text_of(value)),
        }
        base.call(context, self.endpoint)
    }

    /// The same, for a text.
    pub(crate) fn text(&self, context: &Context<'_>, text: &str) -> Call {
        self.call(context, &Value::from(text))
    }

    pub(crate) fn insertion(&self) -> String {
        let place = match self.spot {
            Spot::Body => "body",
            Spot::Cookie => "cookie",
            Spot::Header => "header",
            Spot::Path => "path",
            Spot::Query => "query",
        };
        format!("{place}/{}", self.name)
    }

    /// The last part of the name, in lower case and without separators.
    pub(crate) fn plain_name(&self) -> String {
        plain(self.name.rsplit('/').next().unwrap_or_default())
    }

    pub(crate) fn is_named(&self, words: &[&str]) -> bool {
        let name = self.plain_name();
        words.iter().any(|word| name.contains(word))
    }

    pub(crate) fn seed_text(&self) -> String {
        text_of(&self.seed)
    }

    /// Whether it takes any text: not a number, not one of a list.
    pub(crate) fn is_text(&self, surface: &Surface) -> bool {
        let schema = surface.resolve(self.schema);
        let is_untyped = schema.get("type").is_none() && self.seed.is_string();
        (surface.is_string(schema) || is_untyped) && schema.get("enum").is_none()
    }

    pub(crate) fn is_number(&self, surface: &Surface) -> bool {
        surface.resolve(self.schema).get("type").is_some_and(|kind| kind == "integer" || kind == "number")
    }
}

/// Every point of an operation that may be tried often in the plan's mode.
pub(crate) fn points<'p>(context: &Context<'p>, endpoint: &'p Endpoint) -> Vec<Point<'p>> {
    let is_allowed = endpoint.is_read() || context.plan.mode > Mode::Safe;
    if endpoint.is_limited() || !is_allowed || is_final(endpoint) || changes_credentials(context.surface(), endpoint) {
        return Vec::new();
    }
    places(context, endpoint)
}

/// Every point of an operation, whether or not it may be tried often.
pub(crate) fn places<'p>(context: &Context<'p>, endpoint: &'p Endpoint) -> Vec<Point<'p>> {
    let surface = context.surface();
    let base = Base::of(context, endpoint);
    let mut points = Vec::new();
    for parameter in &endpoint.parameters {
        let spot = match parameter.place {
            Place::Cookie => Spot::Cookie,
            Place::Header => Spot::Header,
            Place::Path => Spot::Path,
            Place::Query => Spot::Query,
        };
        let used = match spot {
            Spot::Path => base.values.in_path(&parameter.name).map(str::to_owned),
            Spot::Query => {
                base.values.query.iter().find(|(name, _)| *name == parameter.name).map(|(_, one)| one.clone())
            }
            Spot::Body | Spot::Cookie | Spot::Header => None,
        };
        let seed = Value::from(used.unwrap_or_else(|| surface.sample(parameter)));
        let (name, schema) = (parameter.name.clone(), &parameter.schema);
        points.push(Point { endpoint, spot, name, seed, schema, base: base.clone() });
    }
    if let Some(body) = &endpoint.body {
        let is_change = matches!(endpoint.method, Method::PATCH | Method::PUT);
        members(surface, &body.schema, "", 0, &mut |name, schema| {
            // What an account is known by stays, or the reviewer would lock itself out.
            if is_change && ["username", "email", "login", "role"].contains(&plain(&name).as_str()) {
                return;
            }
            let sample = base.body.as_ref().and_then(|body| body.pointer(&format!("/{name}"))).cloned();
            let seed = sample.unwrap_or_else(|| surface.value_for(schema));
            points.push(Point { endpoint, spot: Spot::Body, name, seed, schema, base: base.clone() });
        });
    }
    points
}

/// Every point of every operation.
pub(crate) fn all_points<'p>(context: &Context<'p>) -> Vec<Point<'p>> {
    context.surface().endpoints.iter().flat_map(|endpoint| points(context, endpoint)).collect()
}

/// Where an account of the run's own can try its address: what is not an address changes nothing, and who loses one
/// is nobody.
pub(crate) fn address_points<'p>(context: &Context<'p>) -> Vec<Point<'p>> {
    let mut points = Vec::new();
    for endpoint in &context.surface().endpoints {
        let is_change = matches!(endpoint.method, Method::PATCH | Method::PUT) && !endpoint.is_limited();
        if !is_change || changes_credentials(context.surface(), endpoint) {
            continue;
        }
        let mut base = Base::of(context, endpoint);
        let is_own = |at: &usize| context.sessions.get(*at).is_some_and(Session::is_throwaway);
        base.session = base.session.filter(is_own).or_else(|| context.eligible(endpoint).into_iter().find(is_own));
        let Some(body) = endpoint.body.as_ref().filter(|_| base.session.is_some()) else { continue };
        members(context.surface(), &body.schema, "", 0, &mut |name, schema| {
            if plain(&name).contains("email") {
                let seed = context.surface().value_for(schema);
                points.push(Point { endpoint, spot: Spot::Body, name, seed, schema, base: base.clone() });
            }
        });
    }
    points
}

/// What cannot be tried twice: deleting, signing out, resetting everything.
pub(crate) fn is_final(endpoint: &Endpoint) -> bool {
    let path = plain(&endpoint.template);
    endpoint.method == Method::DELETE
        || ["logout", "signout", "revoke", "createdb", "shutdown"].iter().any(|word| path.contains(word))
}

/// Whether an operation changes what somebody signs in with: it takes a password, and makes no account or session.
pub(crate) fn changes_credentials(surface: &Surface, endpoint: &Endpoint) -> bool {
    let path = plain(&endpoint.template);
    let is_entry = ["login", "signin", "token", "session", "auth"].iter().any(|word| path.ends_with(word));
    let takes = endpoint.body.as_ref().is_some_and(|body| {
        let mut names = surface.properties(&body.schema).into_iter().map(|(name, _)| plain(name));
        names.any(|name| ["password", "passwd", "pwd"].iter().any(|word| name.contains(word)))
    });
    !endpoint.is_read() && !is_entry && !is_registration(surface, endpoint) && (takes || path.ends_with("password"))
}

/// The body of a legitimate change of a password: to the one that the identity has.
pub(crate) fn with_own_password(
    context: &Context<'_>,
    endpoint: &Endpoint,
    session: Option<usize>,
    mut body: Value,
) -> Value {
    if !changes_credentials(context.surface(), endpoint) {
        return body;
    }
    let identity = session.and_then(|session| context.plan.identities.get(session));
    let Some(login) = identity.and_then(|identity| identity.login.as_json()) else { return body };
    let is_password = |name: &str| ["pass", "pwd"].iter().any(|word| plain(name).contains(word));
    let own = login.body.as_object().into_iter().flatten().find(|(name, _)| is_password(name)).map(|(_, value)| value);
    for (name, value) in body.as_object_mut().into_iter().flatten() {
        if is_password(name) {
            *value = own.cloned().unwrap_or_default();
        }
    }
    body
}

/// An answer without what was sent: an echo is no reaction.
pub(crate) fn without_echo(answer: &Answer, sent: &str) -> String {
    without(answer.text.clone(), sent)
}

/// The same, and without what an ordinary request has there: what is found by its name shows it.
pub(crate) fn without_echo_of(point: &Point<'_>, answer: &Answer, sent: &str) -> String {
    without(without_echo(answer, sent), &point.seed_text())
}

fn without(mut text: String, sent: &str) -> String {
    if sent.is_empty() {
        return text;
    }
    let quoted = Value::from(sent).to_string();
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(&quoted);
    let html = sent
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('\'', "&#39;")
        .replace('"', "&quot;");
    let numeric = sent.replace('\'', "&#x27;").replace('"', "&#34;");
    for form in [inner, sent, &html, &numeric, &crate::surface::encode(sent)] {
        text = text.replace(form, "");
    }
    text
}

/// The sign-in's own body, for the operation that is the sign-in of an identity.
fn login_body(context: &Context<'_>, endpoint: &Endpoint) -> Option<Value> {
    let mut logins = context.plan.identities.iter().filter_map(|identity| identity.login.as_json());
    logins.find(|login| login.path == endpoint.template && endpoint.method == Method::POST).map(|login| login.body)
}

/// A registration's body with a name and an address that nobody has.
fn fresh(context: &Context<'_>, endpoint: &Endpoint, mut body: Value) -> Value {
    if is_registration(context.surface(), endpoint)
        && let Value::Object(members) = &mut body
    {
        let marker = context.marker();
        for (name, value) in members.iter_mut().filter(|(_, value)| value.is_string()) {
            let name = plain(name);
            if name.contains("email") {
                *value = Value::from(format!("{marker}@example.com"));
            } else if ["username", "login", "user"].contains(&name.as_str()) {
                *value = Value::from(marker.clone());
            }
        }
    }
    body
}

fn members<'s>(
    surface: &'s Surface,
    schema: &'s Value,
    above: &str,
    depth: usize,
    visit: &mut dyn FnMut(String, &'s Value),
) {
    for (name, member) in surface.properties(schema) {
        let name = if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") };
        let resolved = surface.resolve(member);
        match resolved.get("type").and_then(Value::as_str) {
            Some("object") if depth < MAXIMUM_DEPTH => members(surface, resolved, &name, depth + 1, visit),
            Some("array") if depth < MAXIMUM_DEPTH => {
                // The first of a list of objects stands for all of them.
                let item = surface.resolve(resolved.get("items").unwrap_or(&Value::Null));
                if !surface.properties(item).is_empty() {
                    members(surface, item, &format!("{name}/0"), depth + 1, visit);
                }
            }
            Some("array") | Some("object") => {}
            _ => visit(name, member),
        }
    }
}

/// Puts a value at a path of names, making the objects on the way. In a list, a name is a place.
fn put(body: &mut Value, path: &str, value: Value) {
    let mut place = body;
    for name in path.split('/') {
        if let (Value::Array(_), Ok(at)) = (&*place, name.parse::<usize>()) {
            let Value::Array(items) = place else { return };
            if items.is_empty() {
                items.push(Value::Null);
            }
            let Some(item) = items.get_mut(at) else { return };
            place = item;
            continue;
        }
        if !place.is_object() {
            *place = Value::Object(serde_json::Map::new());
        }
        let Value::Object(members) = place else { return };
        place = members.entry(name.to_owned()).or_insert(Value::Null);
    }
    *place = value;
}

const MAXIMUM_DEPTH: usize = 2;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_put_into_objects_within() {
        let mut body = json!({ "a": 1, "b": "text" });
        put(&mut body, "b/c/d", json!(7));
        put(&mut body, "e", json!("x"));
        assert_eq!(body, json!({ "a": 1, "b": { "c": { "d": 7 } }, "e": "x" }));
        let mut body = json!({ "list": [{ "a": 1, "b": 2 }] });
        put(&mut body, "list/0/a", json!("x"));
        assert_eq!(body, json!({ "list": [{ "a": "x", "b": 2 }] }));
    }

    #[test]
    fn an_echo_is_taken_out_of_an_answer() {
        let check = |text: &str, sent: &str| {
            let answer = Answer::new(http::StatusCode::OK, http::HeaderMap::new(), text.as_bytes());
            assert_eq!(without_echo(&answer, sent), "<>", "{text}");
        };
        check("<a'b>", "a'b");
        check("<a&#39;b>", "a'b");
        check("<a%27b>", "a'b");
        check(r#"<say \"x\">"#, "say \"x\"");
    }
}
