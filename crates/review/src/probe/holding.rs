//! Holdings: what is a session's own, where the contract does not say so.
//!
//! An id is somebody's by what was seen in legitimate use: in a list that shows it to one and not to the other, in an
//! object that names its owner, or in the account itself. Where nothing says so, an object may be meant for everybody.

use serde_json::Value;

use crate::context::Context;
use crate::likeness::texts;
use crate::memory::is_envelope;
use crate::probe::point::plain;
use crate::surface::schema::text_of;
use crate::surface::template::{is_person, singular, stem};
use crate::surface::{Endpoint, Parameter, Values};

/// What is known about an account: names and values that stand for it.
pub(crate) fn facts(context: &Context<'_>, session: usize) -> Vec<(String, String)> {
    let mut facts: Vec<(String, String)> = Vec::new();
    if let Some(session) = context.sessions.get(session) {
        let texts = session.keeper().identity.login.texts().into_iter();
        facts.extend(texts.filter(|(name, _)| !is_secret(name)).map(|(name, text)| (plain(&name), text)));
        let claims = ["sub", "id", "user_id", "userId", "uid", "username", "preferred_username", "email", "user"];
        facts.extend(claims.iter().filter_map(|name| Some((plain(name), session.claim(name)?))));
    }
    let known: Vec<String> = facts.iter().map(|(_, value)| value.clone()).collect();
    for served in context.memory.served.iter().filter(|served| served.session == Some(session)) {
        if let Some(Value::Object(members)) = served.body.as_ref() {
            own_ids(members, &known, 0, &mut facts);
        }
    }
    facts.retain(|(_, value)| !value.is_empty());
    facts.dedup();
    facts
}

/// The ids of an object that names the account.
fn own_ids(
    members: &serde_json::Map<String, Value>,
    known: &[String],
    depth: usize,
    facts: &mut Vec<(String, String)>,
) {
    let is_own = members.values().any(|value| value.as_str().is_some_and(|text| known.iter().any(|one| one == text)));
    for (name, value) in members {
        let is_id = ["id", "_id", "uuid", "userid", "uid", "username", "email"].contains(&plain(name).as_str())
            || stem(name).is_some_and(|stem| is_person(&stem) && stem != "account");
        match value {
            Value::String(_) | Value::Number(_) if is_own && is_id => facts.push((plain(name), text_of(value))),
            Value::Object(within) if depth < 2 => own_ids(within, known, depth + 1, facts),
            _ => {}
        }
    }
}

fn is_secret(name: &str) -> bool {
    ["pass", "pwd", "secret", "pin", "grant", "scope", "client"].iter().any(|word| plain(name).contains(word))
}

/// Whether a parameter names an account.
pub(crate) fn names_account(endpoint: &Endpoint, parameter: &Parameter) -> bool {
    let words = [
        "user", "account", "customer", "member", "owner", "profile", "email", "login", "person", "patient", "employee",
    ];
    let before = endpoint.template.split(&format!("{{{}}}", parameter.name)).next().unwrap_or_default();
    let collection = plain(before.trim_end_matches('/').rsplit('/').next().unwrap_or_default());
    let name = plain(&parameter.name);
    words
        .iter()
        .any(|word| name.contains(word) || collection.starts_with(word) || collection.ends_with(&format!("{word}s")))
}

/// Values for an operation that name what is a session's own, the likeliest first.
pub(crate) fn held(context: &Context<'_>, endpoint: &Endpoint, session: usize) -> Vec<Values> {
    let mut options: Vec<Values> = Vec::new();
    let mut add = |values: Values| {
        if !options.contains(&values) {
            options.push(values);
        }
    };
    if endpoint.is_owned() {
        context.values_of(endpoint, session).into_iter().for_each(&mut add);
        return options;
    }
    let sample = context.surface().sample_values(endpoint);
    let facts = facts(context, session);
    for at in 0..MAXIMUM_OPTIONS {
        let mut values = sample.clone();
        let mut is_own = false;
        for parameter in endpoint.path_parameters() {
            let mut found = Vec::new();
            if names_account(endpoint, parameter) {
                let name = plain(&parameter.name);
                found.extend(
                    facts.iter().filter(|(known, _)| name.ends_with(known.as_str())).map(|(_, value)| value.clone()),
                );
                found.extend(facts.iter().map(|(_, value)| value.clone()));
                found.dedup();
            }
            found.extend(context.memory.seen_by(session, endpoint, parameter));
            if let Some(value) = found.get(at).or(found.last()) {
                values = values.with_path(&parameter.name, value);
                is_own = true;
            }
        }
        if is_own {
            add(values);
        }
    }
    options
}

/// Whether a list of such things shows a value to one session and not to the other, who was shown the list as well.
pub(crate) fn is_listed_for_one(context: &Context<'_>, noun: &str, value: &str, one: usize, other: usize) -> bool {
    // What was made later is in a later answer only.
    let shown = |session: usize, id: &str| {
        let own = context.memory.served(id).filter(move |served| served.session == Some(session));
        own.filter_map(|served| served.body.as_ref()).collect::<Vec<_>>()
    };
    let reads = context
        .surface()
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.is_read() && endpoint.path_parameters().next().is_none())
        .filter(|endpoint| endpoint.template.split('/').any(|segment| singular(segment) == singular(noun)));
    reads.into_iter().any(|list| {
        let (own, foreign) = (shown(one, &list.id), shown(other, &list.id));
        own.iter().any(|body| lists(body, value))
            && !foreign.is_empty()
            && !foreign.iter().any(|body| holds(body, value))
    })
}

/// Whether an answer is about the session: it names the account, and holds what is not for everybody.
pub(crate) fn is_personal(context: &Context<'_>, body: &Value, session: usize, about_account: bool) -> bool {
    names_owner(context, body, session) && holds_private(body, about_account)
}

/// Whether a value of an answer is the account's name, address or id.
pub(crate) fn names_owner(context: &Context<'_>, body: &Value, session: usize) -> bool {
    let facts = facts(context, session);
    let mut found = Vec::new();
    texts(body, &mut found);
    let is_text = found.iter().any(|text| facts.iter().any(|(_, value)| value == text));
    let words = ["owner", "user", "account", "author", "customer", "createdby"];
    let members = || body.as_object().into_iter().flatten();
    let wrapped = members().filter(|(name, _)| is_envelope(name)).filter_map(|(_, value)| value.as_object()).flatten();
    let is_number = members().chain(wrapped).any(|(name, value)| {
        let is_owner = words.iter().any(|word| plain(name).starts_with(word));
        is_owner && value.is_number() && facts.iter().any(|(_, known)| *known == text_of(value))
    });
    is_text || is_number
}

fn holds_private(body: &Value, about_account: bool) -> bool {
    match body {
        Value::Array(items) => items.iter().any(|item| holds_private(item, about_account)),
        Value::Object(members) => members.iter().any(|(name, value)| {
            let name = plain(name);
            let is_one = PRIVATE.iter().any(|word| name.contains(word)) || about_account && name.contains("email");
            is_one && !value.is_null() || holds_private(value, about_account)
        }),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => false,
    }
}

/// Whether a value is in a list: an account that shows itself is no list of what it owns.
fn lists(body: &Value, value: &str) -> bool {
    match body {
        Value::Array(_) => holds(body, value),
        Value::Object(members) => members.values().any(|member| lists(member, value)),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => false,
    }
}

pub(crate) fn holds(body: &Value, value: &str) -> bool {
    match body {
        Value::Array(items) => items.iter().any(|item| holds(item, value)),
        Value::Object(members) => members.values().any(|member| holds(member, value)),
        Value::Number(_) | Value::String(_) => text_of(body) == value,
        Value::Bool(_) | Value::Null => false,
    }
}

/// Whether a session is one of those who may see what is others'.
pub(crate) fn is_privileged(context: &Context<'_>, session: usize) -> bool {
    let Some(session) = context.sessions.get(session) else { return false };
    let words = ["admin", "root", "staff", "manager", "superuser", "support", "moderator", "operator", "auditor"];
    let is_one = |text: &String| words.iter().any(|word| text.to_ascii_lowercase().contains(word));
    let flags = ["is_admin", "isAdmin", "admin", "is_staff", "is_superuser"];
    is_one(&session.name)
        || session.roles.iter().any(is_one)
        || flags.iter().any(|name| session.claim(name).as_deref() == Some("true"))
}

/// Pairs of a victim and an attacker, neither of whom may see what is others'.
pub(crate) fn pairs(context: &Context<'_>, endpoint: &Endpoint) -> Vec<(usize, usize)> {
    let mut pairs = context.peers(endpoint);
    if !endpoint.is_owned() {
        pairs.retain(|(victim, attacker)| !is_privileged(context, *victim) && !is_privileged(context, *attacker));
    }
    pairs
}

const MAXIMUM_OPTIONS: usize = 4;
const PRIVATE: [&str; 24] = [
    "address",
    "amount",
    "balance",
    "birth",
    "card",
    "credit",
    "diagnos",
    "dob",
    "iban",
    "invoice",
    "medical",
    "passport",
    "password",
    "payment",
    "phone",
    "prescription",
    "private",
    "salary",
    "secret",
    "ssn",
    "taxid",
    "token",
    "total",
    "vin",
];
