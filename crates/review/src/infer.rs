//! Inference is what legitimate use tells about an API whose contract says little: who somebody is, what is whose, what
//! is for administrators, which values work.
//!
//! What is inferred must carry a proof, so it rests on differences that were seen: a list that shows an object to one
//! identity and not to another, an operation that serves an administrator and refuses a customer. What only names
//! suggest is marked as a guess.

use palisade_core::operation::{Pointer, RequestOwner, ResponseOwner};
use serde_json::Value;

use crate::context::Context;
use crate::memory::is_envelope;
use crate::surface::schema::text_of;
use crate::surface::template::{is_person, plain, singular};
use crate::surface::{Access, Endpoint, Known, Parameter, Surface};

/// The surface with everything that legitimate use has shown. What the contract declares stays as it is.
pub(crate) fn learned(context: &mut Context<'_>) -> Surface {
    learn_claims(context);
    let mut surface = context.surface().clone();
    let privileged = privileged_roles(context);
    for endpoint in &mut surface.endpoints {
        learn_values(context, endpoint);
        if endpoint.access == Access::Unstated {
            let seen = context.memory.open.iter().find(|(id, _)| *id == endpoint.id);
            endpoint.is_public |= seen.is_some_and(|(_, is_open)| *is_open);
        }
        let is_silent = endpoint.owner.request.is_empty() && endpoint.owner.response.is_empty();
        if endpoint.roles.is_empty() && !endpoint.is_public && is_privileged(context, endpoint) {
            endpoint.roles.clone_from(&privileged);
        }
        if endpoint.roles.is_empty()
            && !endpoint.is_public
            && let Some((role, known)) = named_role(context, endpoint)
        {
            endpoint.roles = vec![role];
            endpoint.known = known;
        }
        if is_silent && !endpoint.is_public && endpoint.roles.is_empty() {
            learn_owner(context, endpoint);
        }
    }
    surface
}

/// Values that worked take the place of those that were made up.
fn learn_values(context: &Context<'_>, endpoint: &mut Endpoint) {
    let Some(served) = context.memory.served(&endpoint.id).next() else { return };
    for parameter in &mut endpoint.parameters {
        let given = served.values.path.iter().chain(&served.values.query).find(|(name, _)| *name == parameter.name);
        if let Some((_, value)) = given {
            parameter.example = Some(context.surface().typed(&parameter.schema, value));
        }
    }
    if let (Some(body), Some(sent)) = (&mut endpoint.body, &served.sent) {
        body.example = Some(sent.clone());
    }
}

/// Whether an operation is for administrators: its path or its description says so, or a customer was refused what an
/// administrator was served.
fn is_privileged(context: &Context<'_>, endpoint: &Endpoint) -> bool {
    let is_admin =
        |session: usize| context.sessions.get(session).is_some_and(|one| one.roles.iter().any(|role| is_power(role)));
    let served: Vec<usize> = context.memory.served(&endpoint.id).filter_map(|served| served.session).collect();
    let refused = |session: usize| context.memory.refused.contains(&(endpoint.id.clone(), session));
    let is_refused = (0..context.sessions.len()).any(|session| !is_admin(session) && refused(session));
    let is_observed = is_refused && !served.is_empty() && served.iter().all(|session| is_admin(*session));
    let is_named = endpoint.template.split('/').any(|segment| ["admin", "administration"].contains(&segment));
    let is_said = SAYINGS.iter().any(|saying| endpoint.words.contains(saying));
    let is_own = ["own", "yourself", "your"].iter().any(|word| endpoint.words.split(' ').any(|one| one == *word));
    is_observed || is_named || is_said && !is_own
}

/// A role that only some identities have, and that an operation names: in words that say so, or in its path.
fn named_role(context: &Context<'_>, endpoint: &Endpoint) -> Option<(String, Known)> {
    let mut roles: Vec<&String> = context.sessions.iter().flat_map(|session| &session.roles).collect();
    roles.sort();
    roles.dedup();
    let is_of_all = |role: &String| context.sessions.iter().all(|session| session.roles.contains(role));
    let words: Vec<String> = endpoint.words.split(|one: char| !one.is_alphanumeric()).map(str::to_owned).collect();
    let said = words.join(" ");
    // What comes after the role keeps a collection apart, such as the `/sellers` that everybody may look at.
    let segments: Vec<&str> = endpoint.template.split('/').collect();
    let followed = segments.iter().zip(segments.iter().skip(1)).filter(|(_, next)| !next.contains('{'));
    let followed: Vec<String> = followed.map(|(segment, _)| plain(segment)).collect();
    let known = |role: &String| {
        let name = role.to_lowercase();
        if is_of_all(role) || ORDINARY.contains(&plain(role).as_str()) || name.len() < 3 {
            return None;
        }
        let sayings = ["for NAMEs", "NAMEs only", "NAME only", "only NAMEs", "NAME role", "requires NAME", "as NAME"];
        let is_said = sayings.iter().any(|saying| {
            let saying = saying.replace("NAME", &name);
            format!(" {said} ").contains(&format!(" {saying} "))
        });
        let is_placed = followed.contains(&plain(role));
        match (is_said || is_placed && is_power(role), is_placed) {
            (true, _) => Some((role.clone(), Known::Inferred)),
            (false, true) => Some((role.clone(), Known::Guessed)),
            (false, false) => None,
        }
    };
    roles.into_iter().find_map(known)
}

/// The roles of administrators among the identities.
fn privileged_roles(context: &Context<'_>) -> Vec<String> {
    let mut roles: Vec<String> = context.sessions.iter().flat_map(|session| session.roles.clone()).collect();
    roles.retain(|role| is_power(role));
    roles.sort();
    roles.dedup();
    roles
}

pub(crate) fn is_power(role: &str) -> bool {
    let role = role.to_lowercase();
    ["admin", "manager", "moderator", "operator", "owner", "root", "staff", "super"]
        .iter()
        .any(|word| role.contains(word))
}

/// Finds out what is whose for an operation with an id in its path.
fn learn_owner(context: &Context<'_>, endpoint: &mut Endpoint) {
    let parameters: Vec<Parameter> = endpoint.path_parameters().cloned().collect();
    let Some(last) = parameters.last() else { return };
    let body = context.memory.served(&endpoint.id).find_map(|served| served.body.clone()).unwrap_or_default();
    let holds_secrets = has_private(&body, 0);
    // A person's own id, name or address in the path.
    for parameter in &parameters {
        let noun = endpoint.noun_of(&parameter.name);
        let claim = claim_in(context, endpoint, parameter).filter(|_| is_person(&noun));
        let Some(claim) = claim else { continue };
        let is_below = parameter.name != last.name || !endpoint.template.ends_with(&format!("{{{}}}", parameter.name));
        let is_sure = !endpoint.is_read() || holds_secrets || is_below && !is_shared(&endpoint.noun());
        endpoint.owner.request =
            [RequestOwner { parameter: parameter.name.as_str().into(), claim: claim.into() }].into();
        endpoint.known = if is_sure { Known::Inferred } else { Known::Guessed };
        return;
    }
    let noun = endpoint.noun_of(&last.name);
    let exclusive = exclusive(context, endpoint, last);
    if let Some((pointer, claim)) = owner_field(context, endpoint) {
        let is_sure = exclusive == Exclusive::Listed || holds_secrets || !endpoint.is_read();
        endpoint.owner.response = Pointer::parse(&pointer)
            .map(|pointer| ResponseOwner { pointer, claim: claim.as_str().into() })
            .into_iter()
            .collect();
        endpoint.is_personal = true;
        endpoint.known = if is_sure { Known::Inferred } else { Known::Guessed };
        return;
    }
    match exclusive {
        Exclusive::Listed if !is_person(&noun) => {
            endpoint.is_personal = true;
            endpoint.known = Known::Inferred;
        }
        Exclusive::Listed | Exclusive::Made => {
            endpoint.is_personal = true;
            endpoint.known = if holds_secrets { Known::Inferred } else { Known::Guessed };
        }
        Exclusive::No => {}
    }
}

/// How sure it is that somebody alone has something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exclusive {
    /// Nothing that only one identity has seen.
    No,
    /// One identity has made it, or was shown it where others were shown nothing of the kind.
    Made,
    /// A list of such things shows it to one identity, and was served to another one without it.
    Listed,
}

fn exclusive(context: &Context<'_>, endpoint: &Endpoint, parameter: &Parameter) -> Exclusive {
    let known = context.memory.known(endpoint, parameter);
    let noun = endpoint.noun_of(&parameter.name);
    let mut best = Exclusive::No;
    for one in known.iter().filter(|known| known.is_direct) {
        let Some(session) = one.session else { continue };
        let is_seen_by_others =
            known.iter().any(|other| other.is_direct && other.value == one.value && other.session != Some(session));
        if is_seen_by_others {
            continue;
        }
        let list = context.surface().endpoint(&one.endpoint).filter(|list| list.is_read());
        let is_list = list.is_some_and(|list| list.noun() == noun && list.path_parameters().next().is_none());
        let is_served_to_others =
            context.memory.served(&one.endpoint).any(|served| served.session.is_some_and(|other| other != session));
        if is_list && is_served_to_others {
            return Exclusive::Listed;
        }
        best = Exclusive::Made;
    }
    best
}

/// The claim that a parameter of the path is, for an identity that was served with it or that is known by it.
fn claim_in(context: &Context<'_>, endpoint: &Endpoint, parameter: &Parameter) -> Option<String> {
    let used: Vec<&str> =
        context.memory.served(&endpoint.id).filter_map(|served| served.values.in_path(&parameter.name)).collect();
    let known = context.memory.known(endpoint, parameter);
    let is_value = |value: &str| used.contains(&value) || known.iter().any(|known| known.value == value);
    let has = |claim: &str| {
        let mut values = context.sessions.iter().filter_map(|session| session.claim(claim));
        values.any(|value| is_value(&value))
    };
    let asked = plain(&parameter.name);
    // The claim of the same name before others that have the same value.
    let same = CLAIMS.iter().find(|claim| plain(claim) == asked && has(claim));
    same.or_else(|| CLAIMS.iter().find(|claim| has(claim))).map(|claim| (*claim).to_owned())
}

/// Where answers name an identity as their owner, and by which claim.
fn owner_field(context: &Context<'_>, endpoint: &Endpoint) -> Option<(String, String)> {
    for served in context.memory.served(&endpoint.id) {
        let Some(body) = served.body.as_ref() else { continue };
        let mut fields = Vec::new();
        owners(body, "", &mut fields, 0);
        for (pointer, value) in fields {
            let is_claim = |claim: &&&str| {
                let mut values = context.sessions.iter().filter_map(|session| session.claim(claim));
                values.any(|known| known == value)
            };
            if let Some(claim) = CLAIMS.iter().find(is_claim) {
                return Some((pointer, (*claim).to_owned()));
            }
        }
    }
    None
}

fn owners(value: &Value, pointer: &str, fields: &mut Vec<(String, String)>, depth: usize) {
    for (name, member) in value.as_object().into_iter().flatten() {
        let below = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        match member {
            Value::Object(_) if depth < 2 => owners(member, &below, fields, depth + 1),
            Value::String(_) | Value::Number(_) if is_owner(&plain(name), pointer) => {
                fields.push((below, text_of(member)))
            }
            _ => {}
        }
    }
}

/// `owner`, `user_id`, and the `id` within an `owner`.
pub(crate) fn is_owner(name: &str, pointer: &str) -> bool {
    let within = pointer.rsplit('/').next().map(plain).unwrap_or_default();
    let stem = ["uuid", "id", "name", "email"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    OWNERS.contains(&stem)
        || stem.is_empty() && OWNERS.contains(&within.as_str())
        || name == "username"
        || name == "createdby"
}

/// What identities are known by: what they sign in with, and what the API calls them.
pub(crate) fn learn_claims(context: &mut Context<'_>) {
    let mut claims: Vec<(usize, String, Value)> = Vec::new();
    for (at, session) in context.sessions.iter().enumerate() {
        for (name, text) in session.keeper().identity.login.texts() {
            if matches!(plain(&name).as_str(), "email" | "login" | "name" | "user" | "username") {
                let name = if text.contains('@') { "email" } else { "username" };
                claims.push((at, name.to_owned(), Value::from(text)));
            }
        }
    }
    for served in &context.memory.served {
        let Some((session, body)) = served.session.zip(served.body.as_ref()) else { continue };
        let Some(endpoint) = context.surface().endpoint(&served.endpoint) else { continue };
        let is_plain = endpoint.is_read() && endpoint.path_parameters().next().is_none();
        if is_plain && is_person(&endpoint.noun()) {
            let others: Vec<&Value> = context
                .memory
                .served(&served.endpoint)
                .filter(|other| other.session != Some(session))
                .filter_map(|other| other.body.as_ref())
                .collect();
            if let Some(me) = itself(body).filter(|_| !others.contains(&body)) {
                claims.extend(facts(me).map(|(name, value)| (session, name, value)));
            }
        }
        // An entry of a list that has the name of an identity.
        if is_person(&endpoint.noun()) {
            for (at, name) in claims
                .clone()
                .iter()
                .filter(|(_, name, _)| name == "username" || name == "email")
                .map(|(at, _, value)| (*at, value.clone()))
            {
                if let Some(entry) = entry_of(body, &name, 0) {
                    claims.extend(facts(entry).map(|(name, value)| (at, name, value)));
                }
            }
        }
    }
    for (at, name, value) in claims {
        if let Some(session) = context.sessions.get_mut(at) {
            session.learn(&name, value);
        }
    }
    let names = context.sessions.iter().map(|session| CLAIMS.iter().filter_map(|claim| session.claim(claim)).collect());
    context.memory.names = names.collect();
}

/// The object that an answer is about, out of its envelopes.
fn itself(body: &Value) -> Option<&Value> {
    let members = body.as_object()?;
    let inner =
        members.iter().find(|(name, member)| member.is_object() && (is_envelope(name) || is_person(&singular(name))));
    match inner {
        Some((_, inner)) => itself(inner),
        None => Some(body),
    }
}

fn facts(me: &Value) -> impl Iterator<Item = (String, Value)> {
    let members = me.as_object().into_iter().flatten();
    members.filter_map(|(name, value)| {
        let claim = match plain(name).as_str() {
            "id" | "userid" => "id",
            "uid" | "uuid" | "guid" => "uuid",
            "email" => "email",
            "login" | "username" => "username",
            "role" | "roles" => "role",
            "admin" | "isadmin" | "issuperuser" | "isstaff" if *value == Value::Bool(true) => {
                return Some(("role".to_owned(), Value::from("admin")));
            }
            _ => return None,
        };
        (!value.is_null() && !value.is_object()).then(|| (claim.to_owned(), value.clone()))
    })
}

/// The object in a list of people that has a name or an address.
fn entry_of<'v>(body: &'v Value, name: &Value, depth: usize) -> Option<&'v Value> {
    match body {
        Value::Array(items) => items.iter().take(200).find_map(|item| entry_of(item, name, depth + 1)),
        Value::Object(members) => {
            let is_it = members
                .iter()
                .any(|(key, value)| matches!(plain(key).as_str(), "email" | "login" | "username") && value == name);
            let below = || members.values().find_map(|member| entry_of(member, name, depth + 1));
            if is_it {
                Some(body)
            } else if depth < 4 {
                below()
            } else {
                None
            }
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => None,
    }
}

/// Whether a value holds what nobody shares.
fn has_private(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(items) => depth < 4 && items.iter().take(20).any(|item| has_private(item, depth + 1)),
        Value::Object(members) => members.iter().any(|(name, member)| {
            let name = plain(name);
            let is_private = PRIVATE.iter().any(|word| name.contains(word));
            is_private && !member.is_null() || depth < 4 && has_private(member, depth + 1)
        }),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => false,
    }
}

/// What people usually show to each other.
pub(crate) fn is_shared(noun: &str) -> bool {
    ["article", "badge", "comment", "follower", "following", "photo", "post", "rating", "review"].contains(&noun)
}

const CLAIMS: [&str; 8] = ["sub", "id", "uuid", "username", "email", "user_id", "uid", "preferred_username"];
/// Roles that everybody has who is somebody.
const ORDINARY: [&str; 10] =
    ["account", "basic", "client", "customer", "default", "guest", "member", "person", "standard", "user"];
const OWNERS: [&str; 12] = [
    "account",
    "author",
    "buyer",
    "creator",
    "customer",
    "member",
    "owner",
    "patient",
    "seller",
    "tenant",
    "user",
    "createdby",
];
const PRIVATE: [&str; 12] = [
    "balance",
    "cardnumber",
    "creditcard",
    "cvv",
    "iban",
    "medical",
    "otp",
    "passw",
    "salary",
    "secret",
    "ssn",
    "token",
];
const SAYINGS: [&str; 8] = [
    "admin only",
    "admins only",
    "administrator",
    "for admins",
    "only admin",
    "requires admin",
    "admin role",
    "as admin",
];
