//! A session is an identity that has signed in: its token, and what the token says about it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, StatusCode};
use serde_json::{Map, Value};
use tokio::time::sleep;

use crate::exchange::{Answer, Call, Credential, Payload};
use crate::identity::{Identity, Login};
use crate::run::RunError;
use crate::scope::{ScopedClient, SendError};
use crate::surface::schema::text_of;

/// An identity that has signed in.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) name: String,
    pub(crate) token: String,
    pub(crate) placeholder: String,
    pub(crate) roles: Vec<String>,
    claims: Map<String, Value>,
}

impl Session {
    /// Signs an identity in.
    pub(crate) async fn open(client: &ScopedClient, identity: &Identity) -> Result<Self, RunError> {
        let token = match &identity.login {
            Login::Token(token) => token.clone(),
            Login::Json(login) => {
                let call = Call::new(Method::POST, login.path.clone()).with_body(Payload::Json(login.body.clone()));
                let answer = patiently(client, &call).await?;
                let token = answer.json().and_then(|body| body.pointer(&login.token)).and_then(Value::as_str);
                match token {
                    Some(token) if answer.is_success() => token.to_owned(),
                    _ => return Err(RunError::login(&identity.name, &answer)),
                }
            }
        };
        Ok(Self::new(identity, token))
    }

    fn new(identity: &Identity, token: String) -> Self {
        let mut claims = claims_of(&token).unwrap_or_default();
        for (name, value) in &identity.claims {
            claims.entry(name.clone()).or_insert_with(|| Value::from(value.as_str()));
        }
        let mut roles = identity.roles.clone();
        for claim in ["roles", "role"].iter().filter_map(|name| claims.get(*name)) {
            match claim {
                Value::Array(names) => roles.extend(names.iter().filter_map(Value::as_str).map(str::to_owned)),
                Value::String(name) => roles.push(name.clone()),
                Value::Bool(_) | Value::Null | Value::Number(_) | Value::Object(_) => {}
            }
        }
        roles.sort();
        roles.dedup();
        Self { name: identity.name.clone(), token, placeholder: identity.placeholder(), roles, claims }
    }

    /// A claim as it is compared with parameters.
    pub(crate) fn claim(&self, name: &str) -> Option<String> {
        self.claims.get(name).map(text_of)
    }

    /// Adds what the API has shown of the account; what the token says comes first.
    pub(crate) fn learn(&mut self, claim: &str, value: Value) {
        if claim == "role" {
            let names = match value {
                Value::Array(names) => names,
                one => vec![one],
            };
            self.roles.extend(names.iter().map(text_of));
            self.roles.sort();
            self.roles.dedup();
        } else if !self.claims.contains_key(claim) {
            self.claims.insert(claim.to_owned(), value);
        }
    }

    /// Whether it has one of the roles; nobody asks for a role that is not in the list.
    pub(crate) fn has_any(&self, roles: &[String]) -> bool {
        roles.is_empty() || roles.iter().any(|role| self.roles.contains(role))
    }

    pub(crate) fn credential(&self) -> Credential {
        Credential::Bearer { token: self.token.clone(), shown: self.placeholder.clone() }
    }
}

/// Sends a sign-in again when the target says how long to wait: another run may just have tested its limits.
async fn patiently(client: &ScopedClient, call: &Call) -> Result<Answer, SendError> {
    for _ in 0..MAXIMUM_WAITS {
        let answer = client.send(call).await?;
        let seconds = answer.header("retry-after").and_then(|value| value.parse().ok());
        match seconds.filter(|seconds| *seconds <= MAXIMUM_SECONDS) {
            Some(seconds) if answer.status == StatusCode::TOO_MANY_REQUESTS => {
                sleep(Duration::from_secs(seconds)).await
            }
            _ => return Ok(answer),
        }
    }
    client.send(call).await
}

fn claims_of(token: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

const MAXIMUM_WAITS: usize = 2;
const MAXIMUM_SECONDS: u64 = 15;
