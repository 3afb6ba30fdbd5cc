//! `x-palisade`: what an operation says about its protection beyond what OpenAPI can say.

use std::time::Duration;

use palisade_core::diagnostic::Diagnostic;
use palisade_core::operation::{ClaimRule, Limit, LimitBy, OnFailure, Ownership, Pointer, RequestOwner, ResponseOwner};
use palisade_core::port::counter::Algorithm;
use palisade_core::principal::{Level, RoleSet};
use palisade_core::time::Timestamp;
use serde_json::{Map, Value};

use crate::document::join;
use crate::notice;
use crate::report::{Report, did_you_mean};

/// The facts of one operation's `x-palisade`, as they are written.
///
/// ```
/// use palisade_contract::Extension;
/// # use palisade_contract::Contract;
/// # use palisade_core::diagnostic::Source;
/// let source = Source::new("openapi.yaml", "
/// openapi: 3.1.0
/// info: { title: Notes, version: '1' }
/// paths:
///   /notes:
///     get:
///       operationId: listNotes
///       security: [{ key: [] }]
///       x-palisade: { roles: [editor], limit: { requests: 5, per: 1m } }
///       responses: { 204: { description: None. } }
/// components: { securitySchemes: { key: { type: http, scheme: bearer } } }
/// ");
/// let contract = Contract::compile(&source).unwrap().contract;
/// let operation = &contract.operations()[0];
/// let Extension { roles, limits, public, .. } = operation.extension();
/// assert!(roles.contains("editor") && limits.len() == 1 && !public);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Extension {
    /// Whether everyone may call it.
    pub public: bool,
    /// Scopes, all of which are needed besides those of `security`.
    pub scopes: Vec<String>,
    /// Roles, any one of which is needed.
    pub roles: RoleSet,
    /// What the principal's claims must be.
    pub claims: Vec<ClaimRule>,
    /// Whose object it must be.
    pub owner: Ownership,
    /// How often it may be called.
    pub limits: Vec<Limit>,
    /// The assurance level that is needed.
    pub level: Option<Level>,
    /// How long ago the sign-in may be.
    pub max_age: Option<Duration>,
    /// Whether the backend passes on what it got from a third party.
    pub third_party: bool,
    /// Since when it is deprecated.
    pub deprecated_since: Option<Timestamp>,
    /// From when on it may no longer answer.
    pub sunset: Option<Timestamp>,
}

/// Reads `x-palisade` of the operation at `pointer`.
pub(crate) fn read(operation: &Value, pointer: &str, report: &mut Report<'_>) -> Extension {
    let mut extension = Extension::default();
    let Some(value) = operation.get(NAME) else { return extension };
    let mut reader = Reader { report };
    let pointer = join(pointer, NAME);
    for (key, value, place) in reader.entries(value, &pointer, &KEYS) {
        match key {
            "public" => extension.public = reader.flag(value, &place),
            "scopes" => extension.scopes = reader.names(value, &place),
            "roles" => extension.roles = reader.names(value, &place).into_iter().collect(),
            "require" => extension.claims = reader.claims(value, &place),
            "owner" => extension.owner = reader.owner(value, &place),
            "limit" => extension.limits = reader.limits(value, &place),
            "level" => extension.level = reader.level(value, &place),
            "deprecated_since" => extension.deprecated_since = reader.moment(value, &place),
            "sunset" => extension.sunset = reader.moment(value, &place),
            "max_age" => extension.max_age = reader.age(value, &place),
            "third_party" => extension.third_party = reader.flag(value, &place),
            _ => {}
        }
    }
    let asks = !extension.roles.is_empty() || !extension.scopes.is_empty() || !extension.claims.is_empty();
    if extension.public && (asks || extension.level.is_some() || extension.max_age.is_some()) {
        let message = "an operation that is public cannot ask for scopes, roles, claims, a level or an age";
        let diagnostic = Diagnostic::error("extension-invalid", message).help("remove `public`, or the others");
        reader.report.add(&join(&pointer, "public"), diagnostic);
    }
    extension
}

struct Reader<'r, 's> {
    report: &'r mut Report<'s>,
}

impl Reader<'_, '_> {
    fn refuse(&mut self, place: &str, message: &str, help: &str) {
        self.report.add(place, Diagnostic::error("extension-invalid", message).help(help));
    }

    /// The known entries of an object; unknown ones are reported.
    fn entries<'v>(&mut self, value: &'v Value, place: &str, known: &[&str]) -> Vec<(&'v str, &'v Value, String)> {
        let Some(object) = value.as_object() else {
            self.refuse(place, "this must be an object", &format!("its keys are {}", known.join(", ")));
            return Vec::new();
        };
        let mut entries = Vec::new();
        for (key, value) in object {
            let place = join(place, key);
            if known.contains(&key.as_str()) {
                entries.push((key.as_str(), value, place));
            } else {
                let help = did_you_mean(key, known).unwrap_or_else(|| format!("known keys are {}", known.join(", ")));
                self.report
                    .add_key(&place, Diagnostic::error("extension-unknown", format!("unknown key `{key}`")).help(help));
            }
        }
        entries
    }

    fn flag(&mut self, value: &Value, place: &str) -> bool {
        value.as_bool().unwrap_or_else(|| {
            self.refuse(place, "this must be `true` or `false`", "write `true` or `false` without quotes");
            false
        })
    }

    fn text(&mut self, value: &Value, place: &str) -> String {
        match value.as_str() {
            Some(text) if !text.is_empty() => text.to_owned(),
            _ => {
                self.refuse(place, "this must be a text", "write one word");
                String::new()
            }
        }
    }

    fn list<'v>(&mut self, value: &'v Value, place: &str) -> Vec<(&'v Value, String)> {
        let Some(items) = value.as_array() else {
            self.refuse(place, "this must be a list", "put it into `[` and `]`");
            return Vec::new();
        };
        items.iter().enumerate().map(|(at, item)| (item, format!("{place}/{at}"))).collect()
    }

    fn names(&mut self, value: &Value, place: &str) -> Vec<String> {
        self.list(value, place).into_iter().map(|(item, place)| self.text(item, &place)).collect()
    }

    /// `{ department: sales, plan: [pro, team], verified: true }`.
    fn claims(&mut self, value: &Value, place: &str) -> Vec<ClaimRule> {
        let Some(object) = value.as_object().filter(|object| !object.is_empty()) else {
            self.refuse(place, "this must name at least one claim", "write `{ department: sales }`");
            return Vec::new();
        };
        let named = object.iter().map(|(claim, value)| {
            let place = join(place, claim);
            let any_of = match value {
                Value::Array(values) if !values.is_empty() => {
                    values.iter().enumerate().map(|(at, value)| self.claimed(value, &format!("{place}/{at}"))).collect()
                }
                value => [self.claimed(value, &place)].into(),
            };
            ClaimRule { claim: claim.as_str().into(), any_of }
        });
        named.collect()
    }

    /// A wanted value, as the text that the claim of a principal is compared as.
    fn claimed(&mut self, value: &Value, place: &str) -> Box<str> {
        match value {
            Value::Bool(flag) => flag.to_string().into(),
            Value::Number(number) if number.is_i64() => number.to_string().into(),
            Value::String(text) if !text.is_empty() => text.as_str().into(),
            _ => {
                let help = "write a text, a whole number, `true` or `false`, or a list of them";
                self.refuse(place, "this is not a value of a claim", help);
                Box::default()
            }
        }
    }

    fn level(&mut self, value: &Value, place: &str) -> Option<Level> {
        let level = value.as_str().and_then(Level::parse);
        if level.is_none() {
            self.refuse(place, "this is not an assurance level", "write aal1, aal2 or aal3");
        }
        level
    }

    fn moment(&mut self, value: &Value, place: &str) -> Option<Timestamp> {
        let moment = value.as_str().and_then(notice::moment);
        if moment.is_none() {
            self.refuse(place, "this is not a moment", "write `2026-12-31` or `2026-12-31T23:59:59Z`");
        }
        moment
    }

    fn age(&mut self, value: &Value, place: &str) -> Option<Duration> {
        let age = value.as_str().and_then(span);
        if age.is_none() {
            self.refuse(place, "this is not a span of time", "write `60s`, `5m`, `1h` or `1d`");
        }
        age
    }

    fn owner(&mut self, value: &Value, place: &str) -> Ownership {
        let mut owner = Ownership::default();
        let entries = self.entries(value, place, &["request", "response", "exempt_roles"]);
        if entries.is_empty() {
            self.refuse(place, "an owner needs `request` or `response`", "or remove `owner`");
        }
        for (key, value, place) in entries {
            match key {
                "request" => owner.request = self.request_owners(value, &place).into(),
                "response" => owner.response = self.response_owners(value, &place).into(),
                _ => owner.exempt = self.names(value, &place).into_iter().collect(),
            }
        }
        owner
    }

    fn request_owners(&mut self, value: &Value, place: &str) -> Vec<RequestOwner> {
        let mut owners = Vec::new();
        for (item, place) in self.list(value, place) {
            if let Some((parameter, claim)) = self.pair(item, &place, "parameter") {
                owners.push(RequestOwner { parameter: parameter.into(), claim: claim.into() });
            }
        }
        owners
    }

    fn response_owners(&mut self, value: &Value, place: &str) -> Vec<ResponseOwner> {
        let mut owners = Vec::new();
        for (item, place) in self.list(value, place) {
            let Some((text, claim)) = self.pair(item, &place, "pointer") else { continue };
            match Pointer::parse(&text) {
                Some(pointer) => owners.push(ResponseOwner { pointer, claim: claim.into() }),
                None => self.refuse(
                    &join(&place, "pointer"),
                    "this is not a JSON pointer",
                    "write `/owner`, or `/items/*/owner` for every element of a list",
                ),
            }
        }
        owners
    }

    /// `{ <first>: .., claim: .. }`, both required.
    fn pair(&mut self, value: &Value, place: &str, first: &str) -> Option<(String, String)> {
        let (mut left, mut claim) = (None, None);
        for (key, value, place) in self.entries(value, place, &[first, "claim"]) {
            let text = self.text(value, &place);
            *(if key == "claim" { &mut claim } else { &mut left }) = Some(text);
        }
        if left.is_none() || claim.is_none() {
            self.refuse(place, &format!("this needs `{first}` and `claim`"), "name both");
        }
        left.zip(claim).filter(|(left, claim)| !left.is_empty() && !claim.is_empty())
    }

    fn limits(&mut self, value: &Value, place: &str) -> Vec<Limit> {
        match value {
            Value::Array(_) => {
                self.list(value, place).into_iter().filter_map(|(item, place)| self.limit(item, &place)).collect()
            }
            _ => self.limit(value, place).into_iter().collect(),
        }
    }

    fn limit(&mut self, value: &Value, place: &str) -> Option<Limit> {
        let (mut requests, mut per) = (None, None);
        let mut limit = Limit::new(1, Duration::from_secs(1), LimitBy::Principal);
        for (key, value, place) in self.entries(value, place, &LIMIT_KEYS) {
            match key {
                "requests" => requests = self.count(value, &place, "write how many requests pass"),
                "cost" => limit.cost = self.count(value, &place, "write how much one request takes").unwrap_or(1),
                "per" => {
                    per = value.as_str().and_then(span);
                    if per.is_none() {
                        self.refuse(&place, "this is not a span of time", "write `60s`, `5m`, `1h` or `1d`");
                    }
                }
                "algorithm" => limit.algorithm = self.word(value, &place, "a way to count", &ALGORITHMS),
                "on_failure" => limit.on_failure = self.word(value, &place, "a choice for an outage", &ON_FAILURE),
                _ => limit.by = self.word(value, &place, "a way to tell callers apart", &HOLDERS),
            }
        }
        let object: Option<&Map<String, Value>> = value.as_object();
        if object.is_some_and(|object| !object.contains_key("requests") || !object.contains_key("per")) {
            self.refuse(place, "a limit needs `requests` and `per`", "write `{ requests: 10, per: 60s, by: client }`");
        }
        limit = Limit { requests: requests?, per: per?, ..limit };
        if limit.cost > limit.requests {
            let place = join(place, "cost");
            self.refuse(&place, "one request takes more than there is", "write at most as much as `requests`");
        }
        if limit.on_failure == OnFailure::Allow {
            let message = "requests pass uncounted while the store does not answer";
            let help = "write `local` to count in the process meanwhile, or `deny`";
            self.report.add(&join(place, "on_failure"), Diagnostic::warning("danger", message).help(help));
        }
        Some(limit)
    }

    fn count(&mut self, value: &Value, place: &str, help: &str) -> Option<u32> {
        let count = value.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
        if count.is_none() {
            self.refuse(place, "this must be a whole number above zero", help);
        }
        count
    }

    /// One of a few words; the first where it is none of them.
    fn word<T: Copy + Default>(&mut self, value: &Value, place: &str, what: &str, words: &[(&str, T)]) -> T {
        let found = words.iter().find(|(word, _)| value.as_str() == Some(word));
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let help = format!("write one of {}", known.join(", "));
            self.refuse(place, &format!("this is not {what}"), &help);
        }
        found.map(|(_, value)| *value).unwrap_or_default()
    }
}

/// Reads `60s`, `5m`, `1h` or `1d`.
fn span(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let count = text.strip_suffix(unit)?;
    let digits = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    let count = digits.then(|| count.parse::<u64>().ok()).flatten().filter(|count| *count > 0)?;
    count.checked_mul(seconds).map(Duration::from_secs)
}

const LIMIT_KEYS: [&str; 6] = ["requests", "per", "by", "algorithm", "cost", "on_failure"];
const HOLDERS: [(&str, LimitBy); 4] = [
    ("client", LimitBy::Client),
    ("principal", LimitBy::Principal),
    ("tenant", LimitBy::Tenant),
    ("all", LimitBy::All),
];
const ALGORITHMS: [(&str, Algorithm); 2] = [("gcra", Algorithm::Gcra), ("sliding-window", Algorithm::SlidingWindow)];
const ON_FAILURE: [(&str, OnFailure); 3] =
    [("deny", OnFailure::Deny), ("local", OnFailure::Local), ("allow", OnFailure::Allow)];
const NAME: &str = "x-palisade";
const KEYS: [&str; 11] = [
    "public",
    "scopes",
    "roles",
    "require",
    "owner",
    "limit",
    "level",
    "max_age",
    "third_party",
    "deprecated_since",
    "sunset",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_spans() {
        for (text, expect) in [("60s", 60), ("5m", 300), ("1h", 3600), ("1d", 86_400)] {
            assert_eq!(span(text), Some(Duration::from_secs(expect)), "{text}");
        }
        for text in ["", "s", "0s", "-1s", "1.5h", "60", "1w", "+1s", "99999999999999999999d", "1ä"] {
            assert_eq!(span(text), None, "{text}");
        }
    }
}
