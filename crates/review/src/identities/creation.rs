//! How the file says that an account is made: one request, and what its place holders become.

use http::Method;
use serde_json::Value;

use super::entry::Entry;
use crate::creation::{Creation, Generator};
use crate::login::{Login, LoginPayload};

impl Entry<'_, '_> {
    /// The request that makes an account which then signs in so.
    pub(super) fn creation(&mut self, written: &Value, login: &Login) -> Option<Creation> {
        const AT: &str = "/createUsers";
        let known = ["contentType", "endpoint", "generators", "payloadRaw", "verb"];
        self.keys(AT, written, &known, &["externalEndpointURL"]);
        let text = |key: &str| written.get(key).and_then(Value::as_str);
        if let Some(url) = text("externalEndpointURL") {
            let message = format!("accounts are made at `{url}`, which is outside the target");
            let help = "a run sends nothing to other hosts: make the accounts there first, and give them here";
            return self.refuse(&format!("{AT}/externalEndpointURL"), message, help);
        }
        let path = self.path(written.get("endpoint").unwrap_or(&Value::Null), &format!("{AT}/endpoint"))?;
        let verb = text("verb").unwrap_or("POST").to_ascii_uppercase();
        let Ok(method) = verb.parse::<Method>() else {
            return self.refuse(&format!("{AT}/verb"), format!("`{verb}` is no method"), "most often it is a `POST`");
        };
        let payload = self.payload(written, text("contentType"))?;
        let generators = self.generators(written.get("generators"))?;
        if generators.is_empty() {
            let help = "such as `generators: [{ placeHolder: '{$user}' }]`, and `{$user}` in both payloads";
            return self.refuse(AT, "every account would be the same: there are no `generators`", help);
        }
        for generator in &generators {
            let holder = &generator.place_holder;
            if !has(&payload, holder) {
                let message = format!("`{holder}` is not in `payloadRaw`");
                return self.refuse(&format!("{AT}/generators"), message, "write it where the generated text goes");
            }
        }
        Some(Creation { method, path, payload, login: login.clone(), generators })
    }

    fn generators(&mut self, written: Option<&Value>) -> Option<Vec<Generator>> {
        let mut generators = Vec::new();
        for (at, one) in written.and_then(Value::as_array).into_iter().flatten().enumerate() {
            let pointer = format!("/createUsers/generators/{at}");
            self.keys(&pointer, one, &["maxLength", "minLength", "placeHolder", "postfix", "prefix"], &[]);
            let text = |key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            let number = |key: &str| one.get(key)?.as_u64().and_then(|number| usize::try_from(number).ok());
            let place_holder = text("placeHolder");
            if place_holder.is_empty() {
                return self.refuse(&pointer, "a generator needs a `placeHolder`", "such as `{$user}`");
            }
            let length = number("minLength").unwrap_or(0)..=number("maxLength").unwrap_or(usize::MAX);
            if length.is_empty() {
                return self.refuse(&pointer, "`minLength` is over `maxLength`", "give the smaller one first");
            }
            generators.push(Generator { place_holder, prefix: text("prefix"), postfix: text("postfix"), length });
        }
        Some(generators)
    }
}

fn has(payload: &LoginPayload, holder: &str) -> bool {
    match payload {
        LoginPayload::Form(fields) => fields.iter().any(|(_, value)| value.contains(holder)),
        LoginPayload::Json(body) => body.to_string().contains(Value::from(holder).to_string().trim_matches('"')),
        LoginPayload::None => false,
        LoginPayload::Raw(_, text) => text.contains(holder),
    }
}
