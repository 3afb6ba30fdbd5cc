//! A token is taken apart and put together wrongly: every mutant keeps the claims and breaks what vouches for them.
//!
//! The mutants are built by hand, because a library for tokens refuses to make what these must be.

use aws_lc_rs::hmac;
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

    /// The same token with zeros for a signature on an elliptic curve; `None` for other algorithms.
    pub(crate) fn zeroed(&self) -> Option<String> {
        let [header, claims, signature] = &self.written;
        let length = URL_SAFE_NO_PAD.decode(signature).ok().filter(|_| self.algorithm().starts_with("ES"))?.len();
        Some(format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(vec![0; length])))
    }

    /// The same token without its signature, under a header that promises one.
    pub(crate) fn stripped(&self) -> String {
        let [header, claims, _] = &self.written;
        format!("{header}.{claims}.")
    }

    /// The same token for somebody else, with a signature that was made for other claims.
    pub(crate) fn for_subject(&self, subject: &str) -> String {
        self.with_claim("sub", Value::from(subject))
    }

    /// The same token, expired long ago, with a signature that was made for other claims.
    pub(crate) fn expired(&self) -> String {
        self.with_claim("exp", Value::from(1))
    }

    /// The algorithm that the header names.
    pub(crate) fn algorithm(&self) -> &str {
        self.header.get("alg").and_then(Value::as_str).unwrap_or_default()
    }

    /// The header, for mutants of it.
    pub(crate) fn header(&self) -> &Map<String, Value> {
        &self.header
    }

    /// The claims, for mutants of them.
    pub(crate) fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Whether a secret made the signature.
    pub(crate) fn is_signed_with(&self, secret: &[u8]) -> bool {
        let [header, claims, signature] = &self.written;
        let mac = mac(self.algorithm(), secret, format!("{header}.{claims}").as_bytes());
        mac.is_some_and(|mac| URL_SAFE_NO_PAD.encode(mac) == *signature)
    }

    /// Other claims, signed with a secret under this algorithm; the rest of the header stays but for what is given.
    pub(crate) fn signed(
        &self,
        algorithm: &str,
        secret: &[u8],
        header: &[(&str, Value)],
        claims: &[(&str, Value)],
    ) -> String {
        let mut head = self.header.clone();
        head.insert("alg".to_owned(), Value::from(algorithm));
        head.extend(header.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let mut body = self.claims.clone();
        body.extend(claims.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let message = format!("{}.{}", encode(&head), encode(&body));
        let mac = mac(algorithm, secret, message.as_bytes()).unwrap_or_default();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac))
    }

    /// Other claims under no signature at all.
    pub(crate) fn unsigned_with(&self, claims: &[(&str, Value)]) -> String {
        let mut body = self.claims.clone();
        body.extend(claims.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        Self {
            claims: body.clone(),
            written: [String::new(), encode(&body), String::new()],
            header: self.header.clone(),
        }
        .unsigned("none")
    }

    fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims.insert(name.to_owned(), value);
        let [header, _, signature] = &self.written;
        format!("{header}.{}.{signature}", encode(&claims))
    }
}

/// The keyed hash of one of the algorithms of RFC 7518 section 3.2.
fn mac(algorithm: &str, secret: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    let algorithm = match algorithm {
        "HS256" => hmac::HMAC_SHA256,
        "HS384" => hmac::HMAC_SHA384,
        "HS512" => hmac::HMAC_SHA512,
        _ => return None,
    };
    Some(hmac::sign(&hmac::Key::new(algorithm, secret), message).as_ref().to_vec())
}

/// Secrets that people choose: words, and what they put before and behind them.
pub(crate) fn weak_secrets() -> impl Iterator<Item = String> {
    WORDS.iter().flat_map(|word| {
        let endings = ENDINGS.iter().map(move |ending| format!("{word}{ending}"));
        let capital =
            word.chars().next().map(|first| first.to_ascii_uppercase()).into_iter().chain(word.chars().skip(1));
        let capital: String = capital.collect();
        endings.chain(BEGINNINGS.iter().map(move |beginning| format!("{beginning}{word}"))).chain([
            capital.clone(),
            format!("{capital}123"),
            format!("{capital}1!"),
            word.to_ascii_uppercase(),
        ])
    })
}

const BEGINNINGS: [&str; 4] = ["my", "my-", "my_", "the"];
const ENDINGS: [&str; 20] = [
    "",
    "1",
    "12",
    "123",
    "1234",
    "12345",
    "!",
    "key",
    "-key",
    "_key",
    "secret",
    "-secret",
    "_secret",
    "-secret-key",
    "_secret_key",
    "2023",
    "2024",
    "2025",
    "2026",
    "-jwt-secret",
];
const WORDS: [&str; 64] = [
    "secret",
    "secretkey",
    "secret-key",
    "secret_key",
    "supersecret",
    "super-secret",
    "super_secret",
    "topsecret",
    "changeme",
    "change-me",
    "change_me",
    "changethis",
    "password",
    "passw0rd",
    "admin",
    "administrator",
    "root",
    "test",
    "testing",
    "demo",
    "dev",
    "development",
    "debug",
    "default",
    "example",
    "sample",
    "jwt",
    "jwtsecret",
    "jwt-secret",
    "jwt_secret",
    "jwtkey",
    "token",
    "tokensecret",
    "hmac",
    "key",
    "private",
    "privatekey",
    "auth",
    "authsecret",
    "api",
    "apikey",
    "app",
    "application",
    "backend",
    "server",
    "service",
    "session",
    "random",
    "insecure",
    "weak",
    "vulnerable",
    "qwerty",
    "letmein",
    "welcome",
    "hello",
    "helloworld",
    "abc",
    "foobar",
    "keyboard cat",
    "shhhhh",
    "notsecret",
    "123456",
    "12345678",
    "1234567890",
];

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

    fn claims_of(jwt: &Jwt) -> Value {
        Value::Object(jwt.claims.clone())
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
        check(token().zeroed().unwrap(), header.clone(), claims_of(&token()), &[0, 0]);
        check(token().for_subject("b"), header.clone(), json!({ "sub": "b", "exp": 9, "roles": ["x"] }), &[7, 7]);
        check(token().expired(), header, json!({ "sub": "a", "exp": 1, "roles": ["x"] }), &[7, 7]);
    }

    #[test]
    fn a_keyed_hash_is_that_of_the_standard() {
        // RFC 4231, test case 2.
        let hash = mac("HS256", b"Jefe", b"what do ya want for nothing?").unwrap();
        assert_eq!(hash[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        let signed = token().signed("HS256", b"secret", &[("kid", json!("x"))], &[("sub", json!("b"))]);
        let read = Jwt::read(&signed).unwrap();
        assert!(read.is_signed_with(b"secret") && !read.is_signed_with(b"secre"));
        assert_eq!((&read.claims["sub"], &read.header["kid"]), (&json!("b"), &json!("x")));
        assert!(weak_secrets().any(|one| one == "secret") && weak_secrets().count() <= 2_000);
    }

    #[test]
    fn other_tokens_are_left_alone() {
        for text in ["", "opaque", "a.b", "a.b.c", "e30.e30.e30.e30"] {
            assert!(Jwt::read(text).is_none(), "{text}");
        }
    }
}
