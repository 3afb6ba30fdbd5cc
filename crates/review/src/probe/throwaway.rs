//! A throw-away account is made in the run, so that what is destroyed is nobody's.

use serde_json::Value;

use crate::context::Context;
use crate::docket::Trail;
use crate::exchange::Call;
use crate::finding::Label;
use crate::identity::Identity;
use crate::login::{Login, SignIn, fresh_password, is_password};
use crate::plan::Mode;
use crate::probe::point::{is_registration, plain};
use crate::scope::SendError;
use crate::session::Session;
use crate::surface::Endpoint;

/// An account that nobody will miss.
pub(crate) struct Throwaway {
    pub(crate) session: Session,
    pub(crate) identity: Identity,
    pub(crate) registration: Value,
    pub(crate) login: SignIn,
    /// What it is called, by the name of the property; nobody else is.
    names: Vec<(String, String)>,
}

impl Throwaway {
    /// Registers an account with these properties beside the ordinary ones, and signs in. `None` where that is not
    /// possible.
    pub(crate) async fn make(
        context: &Context<'_>,
        trail: &mut Trail,
        label: Label,
        extra: &[(String, Value)],
    ) -> Result<Option<Self>, SendError> {
        let Some((endpoint, template)) = registration(context).zip(sign_in(context)) else { return Ok(None) };
        let (registration, mut names) = body(context, endpoint, extra);
        let values = context.surface().sample_values(endpoint);
        let session = context.caller(endpoint);
        let made = context.call(endpoint, &values, Some(registration.clone()), session);
        if !context.send(trail, label, &made).await?.is_success() {
            return Ok(None);
        }
        let (way, template) = template;
        let body = credentials(&template.body, &registration);
        let login = template.with_body(body);
        let identity = Identity::new("throwaway", way.with_members(&login.body));
        let Ok(session) = Session::open(&context.client, &identity, true).await else { return Ok(None) };
        let claims = ["sub", "id", "user_id", "userId", "uid"];
        names.extend(claims.iter().filter_map(|name| Some((plain(name), session.claim(name)?))));
        Ok(Some(Self { session, identity, registration, login, names }))
    }

    /// A sign-in with this password.
    pub(crate) fn sign_in(&self, password: &str) -> Call {
        let mut body = self.login.body.clone();
        for (name, value) in body.as_object_mut().into_iter().flatten() {
            if is_password(name) {
                *value = Value::from(password);
            }
        }
        self.login.call(&body)
    }

    /// What the account is called, by the name of the property.
    pub(crate) fn names(&self) -> &[(String, String)] {
        &self.names
    }
}

/// The operation that makes accounts, where the plan allows to make some.
pub(crate) fn registration<'c>(context: &Context<'c>) -> Option<&'c Endpoint> {
    let mut makers: Vec<&Endpoint> = context
        .surface()
        .endpoints
        .iter()
        .filter(|one| is_registration(context.surface(), one) && !one.is_limited() && context.plan.mode > Mode::Safe)
        .collect();
    // An administrator's way to make accounts may be beside the public one.
    makers.sort_by_key(|one| (!one.is_public, !one.template.contains("regist") && !one.template.contains("sign")));
    makers.first().copied()
}

fn sign_in(context: &Context<'_>) -> Option<(Login, SignIn)> {
    context.plan.identities.iter().find_map(|identity| Some((identity.login.clone(), identity.login.sign_in()?)))
}

/// What is registered, and what of it is a name that nobody else has.
fn body(context: &Context<'_>, endpoint: &Endpoint, extra: &[(String, Value)]) -> (Value, Vec<(String, String)>) {
    let mut names = Vec::new();
    let mut body = context.surface().sample_body(endpoint).unwrap_or_default();
    let schema = endpoint.body.as_ref().map(|body| &body.schema);
    let declared = schema.map(|schema| context.surface().properties(schema)).unwrap_or_default();
    if !body.is_object() {
        body = Value::Object(serde_json::Map::new());
    }
    let mark = context.marker();
    if let Value::Object(members) = &mut body {
        for (name, schema) in declared {
            let plain = plain(name);
            if is_password(name) {
                let password = fresh_password(context.surface(), schema, "Zq9!", &mark);
                members.insert(name.to_owned(), Value::from(password));
                continue;
            }
            let fresh = if plain.contains("email") {
                format!("{mark}@example.com")
            } else if ["username", "login", "user", "name", "handle"].contains(&plain.as_str()) {
                mark.clone()
            } else if plain.contains("phone") && context.surface().is_string(schema) {
                // The last of a mark is what it alone has.
                mark.bytes().rev().map(|byte| char::from(b'0' + byte % 10)).take(10).collect()
            } else {
                continue;
            };
            names.push((plain, fresh.clone()));
            members.insert(name.to_owned(), Value::from(fresh));
        }
        members.extend(extra.iter().cloned());
    }
    (body, names)
}

/// The sign-in of another account with the names that were registered.
fn credentials(template: &Value, registration: &Value) -> Value {
    let find = |wanted: &dyn Fn(&str) -> bool| {
        let mut members = registration.as_object().into_iter().flatten();
        members.find(|(name, value)| value.is_string() && wanted(&plain(name))).map(|(_, value)| value.clone())
    };
    let mut body = template.clone();
    for (name, value) in body.as_object_mut().into_iter().flatten() {
        let own = plain(name);
        let found = if is_password(name) {
            find(&|known| is_password(known))
        } else if value.as_str().is_some_and(|text| text.contains('@')) {
            find(&|known| known.contains("email"))
        } else {
            find(&|known| known == own).or_else(|| {
                let is_name = ["user", "username", "login", "identifier", "name"].contains(&own.as_str());
                find(&|known| ["username", "login", "user", "name"].contains(&known)).filter(|_| is_name)
            })
        };
        if let Some(found) = found {
            *value = found;
        }
    }
    body
}
