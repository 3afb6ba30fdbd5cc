//! The guard knows which operation a request is for, keeps the run's own identities whole, and gives up on operations
//! that do not answer.
//!
//! A run that changes the password of the user it was given, or deletes the account, has destroyed what it tests with.
//! So operations that can do that are only asked of accounts that the run has made for itself, and never about a
//! given account, whoever asks.

use std::sync::{Mutex, MutexGuard, PoisonError};

use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::exchange::{Call, Payload};
use crate::keeper::{Keeper, Standing};
use crate::surface::template::plain;
use crate::surface::{Endpoint, Surface};

/// What watches over every request.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    routes: Vec<Route>,
    /// How the given accounts are named, and in which fields they say so when they sign in.
    names: Mutex<Vec<String>>,
    fields: Mutex<Vec<String>>,
    trouble: Mutex<Vec<Trouble>>,
}

#[derive(Debug)]
struct Route {
    id: String,
    method: Method,
    /// `None` for a parameter.
    segments: Vec<Option<String>>,
    danger: bool,
    resets: bool,
}

/// An operation that has not answered.
#[derive(Debug)]
struct Trouble {
    route: String,
    failures: u32,
}

impl Guard {
    pub(crate) fn new(surface: &Surface) -> Self {
        // Which of the two places the operations are at is found out on the way.
        let below = surface.base.as_ref().map(|base| surface.below(base));
        let all = surface.endpoints.iter().chain(below.iter().flat_map(|below| &below.endpoints));
        let mut routes: Vec<Route> = all.map(Route::new).collect();
        // What is written out comes before what a parameter matches.
        routes.sort_by_key(|route| route.segments.iter().filter(|segment| segment.is_none()).count());
        Self { routes, ..Self::default() }
    }

    /// From now on an account is protected.
    pub(crate) fn protect(&self, names: Vec<String>, fields: &[String]) {
        lock(&self.names).extend(names);
        lock(&self.fields).extend(fields.iter().map(|field| plain(field)));
    }

    /// Why a call must not be made, when it must not.
    pub(crate) fn objection(&self, call: &Call, keepers: &[std::sync::Arc<Keeper>]) -> Option<String> {
        let route = self.route(call);
        if let Some(route) = route
            && self.is_open(&route.id)
        {
            return Some(format!("`{}` was left alone after it had not answered {PATIENCE} times in a row", route.id));
        }
        if let Some(route) = route.filter(|route| route.resets) {
            return Some(format!("`{}` could reset the target, and with it what is tested", route.id));
        }
        let is_dangerous = route.is_some_and(|route| route.danger) || self.deletes_account(call);
        if !is_dangerous && !self.changes_account(call) {
            return None;
        }
        let is_given = |keeper: &&std::sync::Arc<Keeper>| {
            !keeper.is_throwaway && keeper.standing(&call.credential) != Standing::Unknown
        };
        let named = self.named(call);
        if keepers.iter().any(|keeper| is_given(&keeper)) || named.is_some() {
            let what = route.map_or_else(|| format!("{} {}", call.method, call.path), |route| route.id.clone());
            return Some(format!("`{what}` could lock a given identity out, and is only asked of throw-away accounts"));
        }
        None
    }

    /// The given account that a call is about.
    fn named(&self, call: &Call) -> Option<String> {
        let names = lock(&self.names);
        let path = percent_decode_str(&call.path).decode_utf8_lossy().into_owned();
        let words: Vec<&str> = path.split(['/', '?', '&', '=']).collect();
        let mut texts = Vec::new();
        match &call.body {
            Some(Payload::Json(body)) => scalars(body, &mut texts),
            Some(Payload::Raw(_, text)) => texts.extend(text.split(['&', '=', '"', '<', '>']).map(str::to_owned)),
            Some(Payload::Secret(..)) | None => {}
        }
        names.iter().find(|name| words.contains(&name.as_str()) || texts.contains(name)).cloned()
    }

    /// Whether a request would delete what has the name of a given account, whatever the contract calls it. A bare number
    /// may be anything's.
    fn deletes_account(&self, call: &Call) -> bool {
        let path = call.path.split('?').next().unwrap_or_default();
        let last = percent_decode_str(path.rsplit('/').next().unwrap_or_default()).decode_utf8_lossy();
        call.method == Method::DELETE
            && last.chars().any(|character| !character.is_ascii_digit())
            && lock(&self.names).iter().any(|name| *name == last)
    }

    /// Whether a request would write a password, or anew what somebody signs in with.
    fn changes_account(&self, call: &Call) -> bool {
        if !matches!(call.method, Method::PATCH | Method::PUT) {
            return false;
        }
        let Some(Payload::Json(Value::Object(members))) = &call.body else { return false };
        let (names, fields) = (lock(&self.names), lock(&self.fields));
        members.iter().any(|(name, value)| {
            let name = plain(name);
            let is_sign_in =
                fields.contains(&name) && value.as_str().is_none_or(|text| !names.iter().any(|one| one == text));
            is_sign_in || matches!(name.as_str(), "newpassword" | "passwd" | "password" | "pwd")
        })
    }

    fn route(&self, call: &Call) -> Option<&Route> {
        let path = call.path.split('?').next().unwrap_or_default();
        let segments: Vec<&str> = path.split('/').collect();
        self.routes.iter().find(|route| route.method == call.method && route.takes(&segments))
    }

    /// The operation answered.
    pub(crate) fn answered(&self, call: &Call) {
        let mut trouble = lock(&self.trouble);
        if !trouble.is_empty()
            && let Some(route) = self.route(call)
        {
            trouble.retain(|known| known.route != route.id || known.failures >= PATIENCE);
        }
    }

    /// The operation did not answer.
    pub(crate) fn failed(&self, call: &Call) {
        let Some(route) = self.route(call) else { return };
        let mut trouble = lock(&self.trouble);
        match trouble.iter_mut().find(|known| known.route == route.id) {
            Some(known) => known.failures += 1,
            None => trouble.push(Trouble { route: route.id.clone(), failures: 1 }),
        }
    }

    /// The operations that were given up.
    pub(crate) fn given_up(&self) -> Vec<String> {
        let trouble = lock(&self.trouble);
        trouble.iter().filter(|known| known.failures >= PATIENCE).map(|known| known.route.clone()).collect()
    }

    fn is_open(&self, route: &str) -> bool {
        lock(&self.trouble).iter().any(|known| known.route == route && known.failures >= PATIENCE)
    }
}

impl Route {
    fn new(endpoint: &Endpoint) -> Self {
        let segment = |segment: &str| (!segment.contains('{')).then(|| segment.to_owned());
        Self {
            id: endpoint.id.clone(),
            method: endpoint.method.clone(),
            segments: endpoint.template.split('/').map(segment).collect(),
            danger: is_dangerous(endpoint),
            resets: is_reset(endpoint),
        }
    }

    fn takes(&self, segments: &[&str]) -> bool {
        let fits = |(wanted, given): (&Option<String>, &&str)| wanted.as_deref().is_none_or(|wanted| wanted == *given);
        self.segments.len() == segments.len() && self.segments.iter().zip(segments).all(fits)
    }
}

/// Whether an operation, by its name, makes the whole target anew, empties it, or ends it.
pub(crate) fn is_reset(endpoint: &Endpoint) -> bool {
    let last = endpoint.template.split('/').rfind(|segment| !segment.contains('{')).unwrap_or_default();
    let words = words_of(last);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let is_of_data = has(&["all", "data", "database", "db", "everything", "lab", "server", "state", "tables"]);
    let all = words_of(&endpoint.template);
    let is_of_somebody = all.iter().any(|word| is_account(word) || SECRETS.contains(&word.as_str()));
    let is_alone = words.len() == 1 && !endpoint.template.contains('{') && !is_of_somebody;
    has(&["createdb", "dropdb", "initdb", "populate", "reboot", "reseed", "resetdb", "restart", "shutdown", "wipe"])
        || has(&["clear", "create", "drop", "flush", "init", "purge", "reset", "restore", "seed", "truncate"])
            && (is_of_data || is_alone && has(&["drop", "flush", "purge", "reset", "seed", "truncate"]))
}

/// Whether an operation, by its name, can lock an account out: of a password, an address, an account, all sessions.
pub(crate) fn is_dangerous(endpoint: &Endpoint) -> bool {
    let text = format!("{} {}", endpoint.id, endpoint.template);
    let words = words_of(&text);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let is_deleting = endpoint.method == Method::DELETE
        || has(&["close", "deactivate", "delete", "disable", "erase", "remove", "suspend", "terminate", "unregister"]);
    let is_of_account = words.iter().any(|word| is_account(word));
    // What is below an account, such as the orders of a user, is not the account; a version says nothing.
    let is_telling = |segment: &&str| !segment.contains('{') && !is_version(segment);
    let last = endpoint.template.split('/').rfind(is_telling).unwrap_or_default();
    let ends_in_account = words_of(last).iter().any(|word| is_account(word)) || has(&["unregister", "deactivate"]);
    let is_sign_out = has(&["logout", "signout", "logoff"]) || pairs(&words, &["log", "sign"], &["out", "off"]);
    let is_secret = endpoint.method != Method::GET
        && has(&SECRETS)
        && !has(&["check", "forgot", "login", "signin", "validate", "verify"]);
    is_deleting && is_of_account && ends_in_account || is_sign_out || is_secret
}

fn is_account(word: &str) -> bool {
    let word = word.strip_suffix('s').unwrap_or(word);
    let people = ["account", "client", "customer", "employee", "member", "patient", "person", "people", "student"];
    people.contains(&word) || matches!(word, "me" | "profile" | "self" | "user")
}

/// `v1`, which stands for nothing that can be deleted.
fn is_version(segment: &str) -> bool {
    let number = segment.strip_prefix(['v', 'V']).unwrap_or_default();
    !number.is_empty() && number.chars().all(|character| character.is_ascii_digit() || character == '.')
}

/// `deleteUser` and `/users/delete-me` in small words.
fn words_of(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for character in text.chars() {
        let is_start = character.is_uppercase() && was_lower;
        if (is_start || !character.is_alphanumeric())
            && let Some(last) = words.last()
            && !last.is_empty()
        {
            words.push(String::new());
        }
        was_lower = character.is_lowercase() || character.is_ascii_digit();
        if character.is_alphanumeric()
            && let Some(last) = words.last_mut()
        {
            last.extend(character.to_lowercase());
        }
    }
    words
}

fn pairs(words: &[String], first: &[&str], second: &[&str]) -> bool {
    words
        .iter()
        .zip(words.iter().skip(1))
        .any(|(one, next)| first.contains(&one.as_str()) && second.contains(&next.as_str()))
}

fn scalars(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| scalars(item, found)),
        Value::Object(members) => members.values().for_each(|member| scalars(member, found)),
        Value::String(text) => found.push(text.clone()),
        Value::Number(number) => found.push(number.to_string()),
        Value::Bool(_) | Value::Null => {}
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What somebody signs in with.
const SECRETS: [&str; 10] =
    ["2fa", "credential", "credentials", "email", "mfa", "otp", "passwd", "password", "pwd", "totp"];
/// How many requests in a row an operation may leave unanswered.
const PATIENCE: u32 = 2;

#[cfg(test)]
mod tests {
    use palisade_core::diagnostic::Source;

    use super::*;

    fn dangerous(method: &str, path: &str, id: &str) -> bool {
        let contract =
            format!("openapi: 3.1.0\npaths:\n  {path}: {{ {method}: {{ operationId: {id}, responses: {{}} }} }}");
        is_dangerous(&Surface::read(&Source::new("c.yaml", contract)).unwrap().endpoints[0])
    }

    #[test]
    fn what_can_lock_an_account_out_is_known_by_its_name() {
        for (method, path, id) in [
            ("put", "/users/v1/{username}/password", "updatePassword"),
            ("post", "/api/account/change-email", "changeEmail"),
            ("delete", "/users/{id}", "removeUser"),
            ("delete", "/users/v1/{username}", "x"),
            ("delete", "/customers/{id}", "x"),
            ("delete", "/me", "x"),
            ("post", "/auth/logout", "x"),
            ("get", "/auth/logout", "x"),
            ("post", "/session/sign-out-everywhere", "x"),
            ("post", "/users/{id}/deactivate", "x"),
            ("post", "/auth/reset-password", "x"),
        ] {
            assert!(dangerous(method, path, id), "{method} {path}");
        }
        for (method, path, id) in [
            ("get", "/users/{id}", "getUser"),
            ("delete", "/users/{id}/orders/{order}", "deleteOrder"),
            ("delete", "/orders/{id}", "cancelOrder"),
            ("post", "/login", "login"),
            ("post", "/users/v1/login", "login"),
            ("put", "/users/{id}", "updateUser"),
            ("post", "/users/register", "register"),
            ("post", "/forgot-password", "x"),
            ("get", "/blogout", "x"),
        ] {
            assert!(!dangerous(method, path, id), "{method} {path}");
        }
    }

    #[test]
    fn what_resets_the_target_is_known_by_its_name() {
        let resets = |method: &str, path: &str| {
            let contract = format!("openapi: 3.1.0\npaths:\n  {path}: {{ {method}: {{ responses: {{}} }} }}");
            is_reset(&Surface::read(&Source::new("c.yaml", contract)).unwrap().endpoints[0])
        };
        for (method, path) in [("get", "/createdb"), ("post", "/reset"), ("post", "/admin/reset-db"), ("get", "/seed")]
        {
            assert!(resets(method, path), "{method} {path}");
        }
        for (method, path) in [
            ("post", "/reset-password"),
            ("post", "/password/reset/{token}"),
            ("post", "/password/reset"),
            ("post", "/orders/create"),
            ("get", "/seeds"),
            ("delete", "/cart/clear"),
            ("get", "/database"),
        ] {
            assert!(!resets(method, path), "{method} {path}");
        }
    }

    #[test]
    fn words_are_taken_apart() {
        assert_eq!(words_of("deleteUser /a-b/cD2e"), ["delete", "user", "a", "b", "c", "d2e"]);
    }
}
