//! Throw-away accounts are made in the run and for the run, so that what could lock somebody out is tried on nobody.

use http::Method;
use serde_json::{Map, Value};

use crate::context::Context;
use crate::creation;
use crate::identity::Identity;
use crate::login::{Account, Grant, Login, fresh_password, is_password};
use crate::scope::SendError;
use crate::session::{Session, granted};
use crate::surface::template::plain;
use crate::surface::{Endpoint, Surface};

/// The operation by which anybody can make an account.
pub(crate) fn registration(surface: &Surface) -> Option<&Endpoint> {
    let rank = |endpoint: &&Endpoint| {
        let text = format!("{} {}", endpoint.id, endpoint.template).to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if has(&["login", "signin", "sign-in", "token", "reset", "forgot", "password", "admin", "verify"]) {
            return 0;
        }
        let last = endpoint.template.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        match has(&["register", "registration", "signup", "sign-up", "sign_up"]) {
            true => 2,
            false => u8::from(["accounts", "customers", "members", "users"].contains(&last.as_str())),
        }
    };
    let takes_password = |endpoint: &&Endpoint| {
        let body = endpoint.body.as_ref();
        body.is_some_and(|body| surface.properties(&body.schema).iter().any(|(name, _)| is_password(name)))
    };
    let candidates = surface.endpoints.iter().filter(|endpoint| endpoint.method == Method::POST);
    let candidates = candidates.filter(takes_password).filter(|endpoint| rank(endpoint) > 0);
    candidates.max_by_key(|endpoint| (rank(endpoint), endpoint.is_public))
}

/// Makes an account and signs it in. `None` when the API does not let us.
pub(crate) async fn make(context: &Context<'_>, number: usize) -> Result<Option<Session>, SendError> {
    let name = format!("throwaway-{number}");
    if let Some(told) = context.plan.identities.iter().find(|identity| identity.creation.is_some()) {
        let Ok(made) = creation::make(&context.client, told, &context.marker()).await else { return Ok(None) };
        return Ok(Session::open(&context.client, &Identity { name, ..made }, true).await.ok());
    }
    let surface = context.surface();
    let Some(endpoint) = registration(surface) else { return Ok(None) };
    let marker = context.marker();
    let schema = endpoint.body.as_ref().map(|body| surface.properties(&body.schema)).unwrap_or_default();
    let schema = schema.into_iter().find(|(name, _)| is_password(name)).map_or(&Value::Null, |(_, schema)| schema);
    let password = fresh_password(surface, schema, "Aa1!", &marker);
    let mut names = Vec::new();
    let body = body(surface, endpoint, &marker, &password, &mut names);
    let call = context.call(endpoint, &surface.sample_values(endpoint), Some(body), None);
    let answer = context.client.send(&call).await?;
    if !answer.is_success() {
        return Ok(None);
    }
    let account = Account { names, password };
    // It has what the least of the given identities has, for more than that nobody is given who registers.
    let models = context.plan.identities.iter().zip(&context.sessions);
    let model = models.min_by_key(|(_, session)| session.roles.iter().filter(|role| is_high(role)).count());
    let Some((model, session)) = model else { return Ok(None) };
    let login = context.plan.identities.iter().find_map(|identity| identity.login.for_account(&account));
    let login = match login {
        Some(login) => login,
        None => match granted(&Grant::Found, &answer, "") {
            Ok(credential) => Login::Fixed(credential.into_parts()),
            Err(_) => return Ok(None),
        },
    };
    let mut identity = Identity::new(name, login);
    let is_told = !session.roles.is_empty() && model.roles.is_empty();
    identity.roles = if is_told { Vec::new() } else { session.roles.clone() };
    Ok(Session::open(&context.client, &identity, true).await.ok())
}

/// What the contract asks for, with names that nobody has.
fn body(
    surface: &Surface,
    endpoint: &Endpoint,
    marker: &str,
    password: &str,
    names: &mut Vec<(String, String)>,
) -> Value {
    let mut members = match surface.sample_body(endpoint) {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    };
    let schema = endpoint.body.as_ref().map(|body| &body.schema);
    for (name, schema) in schema.map(|schema| surface.properties(schema)).unwrap_or_default() {
        let is_known = members.contains_key(name);
        let plain = plain(name);
        let value = if is_password(name) {
            password.to_owned()
        } else if plain.contains("mail") {
            format!("{marker}@example.com")
        } else if NAMES.contains(&plain.as_str()) || is_known && plain == "name" {
            marker.to_owned()
        } else if is_known && (plain.contains("phone") || plain.contains("mobile")) {
            let digits = marker.bytes().rev().map(|byte| char::from(b'0' + byte % 10));
            digits.take(10).collect()
        } else {
            continue;
        };
        // A number stays what the contract says it is.
        if surface.is_string(schema) || !is_known {
            if !is_password(name) {
                names.push((name.to_owned(), value.clone()));
            }
            members.insert(name.to_owned(), Value::from(value));
        }
    }
    Value::Object(members)
}

/// Whether a role is one that nobody gets by registering.
fn is_high(role: &str) -> bool {
    let role = role.to_ascii_lowercase();
    ["admin", "manager", "moderator", "operator", "owner", "root", "staff", "super"]
        .iter()
        .any(|word| role.contains(word))
}

/// Properties by which an account is called.
const NAMES: [&str; 6] = ["handle", "login", "nickname", "user", "userid", "username"];
