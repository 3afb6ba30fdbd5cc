//! An identity is somebody the reviewer can be: a name, a way to sign in, and what is known about the account.

use std::fmt;

use serde_json::Value;

/// Somebody the reviewer can be.
///
/// Give at least two of the same role, so that one can attack what belongs to the other, and one of every role that the
/// contract asks for.
///
/// ```
/// use palisade_review::{Identity, Login};
///
/// let body = serde_json::json!({ "username": "alice", "password": "s3cret" });
/// let alice = Identity::new("alice", Login::json("/v1/login", body, "/access_token")).with_role("customer");
/// assert_eq!(alice.placeholder(), "$ALICE_TOKEN");
/// assert!(!format!("{alice:?}").contains("s3cret"));
/// ```
#[derive(Clone, Debug)]
pub struct Identity {
    /// What reports call it.
    pub name: String,
    /// How a token is obtained.
    pub login: Login,
    /// Roles the account has, beside those that its token names.
    pub roles: Vec<String>,
    /// Claims of the account, for tokens that cannot be read. What a readable token says comes first.
    pub claims: Vec<(String, String)>,
}

impl Identity {
    /// An identity about which only its token tells more.
    #[must_use]
    pub fn new(name: impl Into<String>, login: Login) -> Self {
        Self { name: name.into(), login, roles: Vec::new(), claims: Vec::new() }
    }

    /// The same identity, known to have a role.
    #[must_use]
    pub fn with_role(mut self, role: impl Into<String>) -> Self {
        self.roles.push(role.into());
        self
    }

    /// The same identity, known to have a claim.
    #[must_use]
    pub fn with_claim(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.claims.push((name.into(), value.into()));
        self
    }

    /// What stands for the token in a report.
    #[must_use]
    pub fn placeholder(&self) -> String {
        let upper =
            |character: char| if character.is_ascii_alphanumeric() { character.to_ascii_uppercase() } else { '_' };
        format!("${}_TOKEN", self.name.chars().map(upper).collect::<String>())
    }
}

/// How an identity comes by its token.
#[derive(Clone)]
pub enum Login {
    /// A JSON body is posted, and the answer holds the token.
    Json(JsonLogin),
    /// The token is there already.
    Token(String),
}

impl Login {
    /// Posts `body` to `path` and reads the token at the JSON pointer `token` of the answer.
    #[must_use]
    pub fn json(path: impl Into<String>, body: Value, token: impl Into<String>) -> Self {
        Self::Json(JsonLogin { path: path.into(), body, token: token.into() })
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(login) => f.debug_struct("Json").field("path", &login.path).finish_non_exhaustive(),
            Self::Token(_) => f.write_str("Token(..)"),
        }
    }
}

/// A sign-in by JSON.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "the body holds a password")]
pub struct JsonLogin {
    /// Where the body goes, from the base URL.
    pub path: String,
    /// What is posted.
    pub body: Value,
    /// Where the token is in the answer, as a JSON pointer.
    pub token: String,
}
