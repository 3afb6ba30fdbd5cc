//! An identity is somebody the reviewer can be: a name, a way to sign in, and what is known about the account.

use crate::creation::Creation;
use crate::login::{Login, Part};

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
    /// What every request has beside that, the sign-in included, such as the key of an application.
    pub always: Vec<Part>,
    /// Roles the account has, beside those that its token names.
    pub roles: Vec<String>,
    /// How the account is made, when it is not there yet. The login then has the same place holders.
    pub creation: Option<Creation>,
    /// Claims of the account, for tokens that cannot be read. What a readable token says comes first.
    pub claims: Vec<(String, String)>,
}

impl Identity {
    /// An identity about which only its token tells more.
    #[must_use]
    pub fn new(name: impl Into<String>, login: Login) -> Self {
        Self { name: name.into(), login, always: Vec::new(), roles: Vec::new(), creation: None, claims: Vec::new() }
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
