//! A token is taken apart and put together wrongly: every mutant keeps the claims and breaks what vouches for them.
//!
//! The mutants are built by hand, because a library for tokens refuses to make what these must be.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// The three parts of a JSON web token.
#[derive(Clone)]
pub(crate) struct Jwt {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    written: [String; 3],
}

impl Jwt {
    /// Reads a token. `None` when it is of another kind.
    pub(crate) fn read(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let written = [parts.next()?.to_owned(), parts.next()?.to_owned(), parts.next()?.to_owned()];
        let [header, claims, _] = &written;
        let decode = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        let (header, claims) = (decode(header)?, decode(claims)?);
        if parts.next().is_none() { Some(Self { header, claims, written }) } else { None }
    }

    /// The same claims under a header that says that there is no signature, and none (CVE-2015-9235).
    pub(crate) fn unsigned(&self, spelling: &str) -> String {
        let mut header = self.header.clone();
        header.insert("alg".to_owned(), Value::from(spelling));
        let [_, claims, _] = &self.written;
        format!("{}.{claims}.", encode(&header))
    }

    /// The same token with one bit of the signature turned around.
    pub(crate) fn flipped(&self) -> String {
        let [header, claims, signature] = &self.written;
        let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        if let Some(byte) = bytes.first_mut() {
            *byte ^= 1;
        }
        format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The same token for somebody else, with a signature that was made for other claims.
    pub(crate) fn for_subject(&self, subject: &str) -> String {
        self.with_claim("sub", Value::from(subject))
    }

    /// The same token, expired long ago, with a signature that was made for other claims.
    pub(crate) fn expired(&self) -> String {
        self.with_claim("exp", Value::from(1))
    }

    fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims.insert(name.to_owned(), value);
        let [header, _, signature] = &self.written;
        format!("{header}.{}.{signature}", encode(&claims))
    }
}

/// Ways to write `none` that a list of forbidden words may not know.
pub(crate) const UNSIGNED: [&str; 4] = ["none", "None", "NONE", "nOnE"];

fn encode(members: &Map<String, Value>) -> String {
    URL_SAFE_NO_PAD.encode(Value::Object(members.clone()).to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token() -> Jwt {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(json!({ "alg": "ES256", "kid": "k" }));
        let claims = part(json!({ "sub": "a", "exp": 9, "roles": ["x"] }));
        Jwt::read(&format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode([7, 7]))).unwrap()
    }

    #[test]
    fn mutants_keep_what_they_do_not_change() {
        let check = |mutant: String, header: Value, claims: Value, signature: &[u8]| {
            let read = Jwt::read(&mutant).unwrap();
            assert_eq!(Value::Object(read.header), header);
            assert_eq!(Value::Object(read.claims), claims);
            assert_eq!(URL_SAFE_NO_PAD.decode(&read.written[2]).unwrap(), signature);
        };
        let (header, claims) = (json!({ "alg": "ES256", "kid": "k" }), json!({ "sub": "a", "exp": 9, "roles": ["x"] }));
        check(token().unsigned("nOnE"), json!({ "alg": "nOnE", "kid": "k" }), claims.clone(), &[]);
        check(token().flipped(), header.clone(), claims, &[6, 7]);
        check(token().for_subject("b"), header.clone(), json!({ "sub": "b", "exp": 9, "roles": ["x"] }), &[7, 7]);
        check(token().expired(), header, json!({ "sub": "a", "exp": 1, "roles": ["x"] }), &[7, 7]);
    }

    #[test]
    fn other_tokens_are_left_alone() {
        for text in ["", "opaque", "a.b", "a.b.c", "e30.e30.e30.e30"] {
            assert!(Jwt::read(text).is_none(), "{text}");
        }
    }
}
