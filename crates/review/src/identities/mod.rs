//! Reading the file of identities, in the format of Web Fuzzing Commons: who there is, and how each one signs in.
//!
//! Other tools read the same file. What the format has no place for stands under `x-palisade`: the roles of an account,
//! and its claims where the token cannot be read. A secret may be the name of an environment variable, `${NAME}`.

mod creation;
mod entry;
mod template;

use palisade_contract::Plain;
use palisade_core::diagnostic::{Diagnostic, Source};
use serde_json::Value;

use crate::identity::Identity;
use entry::Entry;

/// Reads the identities of a file. `variable` answers what an environment variable holds.
///
/// ```
/// use palisade_core::diagnostic::Source;
/// use palisade_review::read_identities;
///
/// let text = "
/// auth:
///   - name: ann
///     fixedHeaders: [{ name: x-api-key, value: '${ANN_KEY}' }]
/// ";
/// let source = Source::new("identities.yaml", text);
/// let identities = read_identities(&source, &|name| (name == "ANN_KEY").then(|| "k-17".to_owned())).unwrap();
/// assert_eq!(identities[0].name, "ann");
/// assert_eq!(read_identities(&source, &|_| None).unwrap_err()[0].position().unwrap().line, 4);
/// ```
///
/// # Errors
///
/// Everything that is wrong with the file.
pub fn read_identities(
    source: &Source,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Identity>, Vec<Diagnostic>> {
    let plain = Plain::read(source).map_err(|(place, message)| {
        let diagnostic = Diagnostic::error("identities-unreadable", message);
        let diagnostic = match place {
            Some(place) => diagnostic.at(source, place),
            None => diagnostic.in_source(source),
        };
        vec![diagnostic.help("identities are YAML or JSON, such as `auth: [{ name: ann, ... }]`")]
    })?;
    let mut reader = Reader { source, plain: &plain, variable, problems: Vec::new() };
    let identities = reader.all();
    if reader.problems.is_empty() { Ok(identities) } else { Err(reader.problems) }
}

/// The file, and what was found to be wrong with it.
struct Reader<'r> {
    source: &'r Source,
    plain: &'r Plain,
    variable: &'r dyn Fn(&str) -> Option<String>,
    problems: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn all(&mut self) -> Vec<Identity> {
        let root = &self.plain.root;
        for key in root.as_object().into_iter().flatten().map(|(key, _)| key) {
            if !["auth", "authTemplate", "configs", "schemaVersion"].contains(&key.as_str()) && !key.starts_with("x-") {
                self.unknown("", key, &["auth", "authTemplate"]);
            }
        }
        let Some(list) = root.get("auth").and_then(Value::as_array).filter(|list| !list.is_empty()) else {
            let help = "list at least two users of one role: `auth: [{ name: ann, ... }, { name: ben, ... }]`";
            self.problem("", "the file lists nobody under `auth`", help);
            return Vec::new();
        };
        let mut identities: Vec<Identity> = Vec::new();
        for (at, written) in list.iter().enumerate() {
            let pointer = format!("/auth/{at}");
            let mut value = template::merged(written, root.get("authTemplate"));
            self.fill(&mut value, &pointer);
            let Some(identity) = Entry::new(self, pointer.clone(), &value).read() else { continue };
            if identities.iter().any(|known| known.name == identity.name) {
                let message = format!("there are two identities with the name `{}`", identity.name);
                self.problem(&format!("{pointer}/name"), message, "each needs a name of its own");
            }
            identities.push(identity);
        }
        identities
    }

    /// Puts in what environment variables hold.
    fn fill(&mut self, value: &mut Value, pointer: &str) {
        match value {
            Value::Array(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    self.fill(item, &format!("{pointer}/{at}"));
                }
            }
            Value::Object(members) => {
                for (name, member) in members.iter_mut() {
                    self.fill(member, &format!("{pointer}/{name}"));
                }
            }
            Value::String(text) => match template::filled(text, self.variable) {
                Ok(Some(filled)) => *text = filled,
                Ok(None) => {}
                Err(name) => {
                    let message = format!("the environment variable `{name}` is not set");
                    self.problem(pointer, message, format!("set it: `{name}=... palisade review ...`"));
                }
            },
            Value::Bool(_) | Value::Null | Value::Number(_) => {}
        }
    }

    fn unknown(&mut self, pointer: &str, key: &str, known: &[&str]) {
        let message = format!("`{key}` is not a key of the format");
        let help = format!("known here are `{}`", known.join("`, `"));
        self.problem(&format!("{pointer}/{key}"), message, help);
    }

    fn problem(&mut self, pointer: &str, message: impl Into<String>, help: impl Into<String>) {
        let diagnostic = Diagnostic::error("identities-invalid", message).help(help);
        self.problems.push(match self.place(pointer) {
            Some(place) => diagnostic.at(self.source, place),
            None => diagnostic.in_source(self.source),
        });
    }

    /// Where something stands: with the identity, or in the template.
    fn place(&self, pointer: &str) -> Option<std::ops::Range<usize>> {
        let below = pointer.splitn(4, '/').nth(3);
        let in_template = below.map(|below| format!("/authTemplate/{below}"));
        let is_there = |pointer: &String| self.plain.root.pointer(pointer).is_some();
        match in_template.filter(|other| self.plain.root.pointer(pointer).is_none() && is_there(other)) {
            Some(other) => self.plain.find(&other),
            None => self.plain.find(pointer),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn read(text: &str) -> Result<Vec<Identity>, String> {
        let variable = |name: &str| (name == "PASSWORD").then(|| "s3cret".to_owned());
        read_identities(&Source::new("i.yaml", text), &variable)
            .map_err(|problems| problems.iter().map(|one| format!("{one}\n")).collect())
    }

    #[test]
    fn every_problem_is_told_with_its_line() {
        let check = |text: &str, expect: Expect| expect.assert_eq(&read(text).unwrap_err());
        check(
            "auth:\n  - name: ann\n    loginEndpointAuth:\n      endpoint: login\n      payloadRaw: x\n",
            expect![[r#"
                error[identities-invalid]: `endpoint` is no path
                  --> i.yaml:4:17
                  |
                4 |       endpoint: login
                  |                 ^^^^^
                  help: write it from the base URL, such as `/login`
            "#]],
        );
        check(
            "auth:\n  - name: ann\nauthTemplate:\n  loginEndpointAuth:\n    externalEndpointURL: https://sso.example/t\n",
            expect![[r#"
                error[identities-invalid]: the sign-in at `https://sso.example/t` is outside the target
                  --> i.yaml:5:26
                  |
                5 |     externalEndpointURL: https://sso.example/t
                  |                          ^^^^^^^^^^^^^^^^^^^^^
                  help: a run sends nothing to other hosts: get a token there first, and give it in `fixedHeaders`
            "#]],
        );
        check(
            "auth:\n  - name: ann\n    fixedHeaders: [{ name: authorization, value: 'Bearer ${TOKEN}' }]\n    loginEndpointAut: {}\n",
            expect![[r#"
                error[identities-invalid]: the environment variable `TOKEN` is not set
                  --> i.yaml:3:50
                  |
                3 |     fixedHeaders: [{ name: authorization, value: 'Bearer ${TOKEN}' }]
                  |                                                  ^^^^^^^^^^^^^^^^^
                  help: set it: `TOKEN=... palisade review ...`
                error[identities-invalid]: `loginEndpointAut` is not a key of the format
                  --> i.yaml:4:5
                  |
                4 |     loginEndpointAut: {}
                  |     ^^^^^^^^^^^^^^^^
                  help: known here are `createUsers`, `fixedHeaders`, `loginEndpointAuth`, `name`, `x-palisade`
            "#]],
        );
        check(
            "auth: []",
            expect![[r#"
                error[identities-invalid]: the file lists nobody under `auth`
                  --> i.yaml
                  help: list at least two users of one role: `auth: [{ name: ann, ... }, { name: ben, ... }]`
            "#]],
        );
        check(
            "auth:\n  - name: ann\n   bad",
            expect![[r#"
                error[identities-unreadable]: this is not valid YAML: while parsing a block collection, did not find expected '-' indicator
                  --> i.yaml:3:4
                  |
                3 |    bad
                  |    ^
                  help: identities are YAML or JSON, such as `auth: [{ name: ann, ... }]`
            "#]],
        );
        check(
            "auth:\n  - { name: ann }\n  - { fixedHeaders: [{ name: a, value: b }] }\n",
            expect![[r#"
                error[identities-invalid]: it is not said how `ann` signs in
                  --> i.yaml:2:5
                  |
                2 |   - { name: ann }
                  |     ^
                  help: give it `fixedHeaders`, or `loginEndpointAuth` with `endpoint` and `payloadUserPwd`
                error[identities-invalid]: this identity has no name
                  --> i.yaml:3:5
                  |
                3 |   - { fixedHeaders: [{ name: a, value: b }] }
                  |     ^
                  help: give it one, such as `name: ann`; reports call it that
            "#]],
        );
    }

    #[test]
    fn every_way_to_sign_in_is_read() {
        let check = |entry: &str, expect: &str| {
            let identities = read(&format!("auth:\n  - name: ann\n    {entry}")).unwrap();
            let shown = entry::shown(&identities[0].login);
            assert_eq!(shown, expect, "{entry}");
        };
        check("fixedHeaders: [{ name: X-Api-Key, value: k }]", "fixed header X-Api-Key");
        check("x-palisade: { fixedQuery: [{ name: key, value: k }] }", "fixed query key");
        check(
            "loginEndpointAuth: { endpoint: /login, verb: POST, contentType: application/json, payloadUserPwd: { username: a, password: '${PASSWORD}', usernameField: user, passwordField: pass }, token: { extractFrom: body, extractSelector: /data/token, sendIn: header, sendName: Authorization, sendTemplate: 'Bearer {token}' } }",
            r#"json /login {"user":"a","pass":"s3cret"} /data/token"#,
        );
        check(
            "loginEndpointAuth: { endpoint: /login, verb: POST, payloadRaw: '{\"u\": 1}', token: { extractFromField: /t, httpHeaderName: X-Token, headerPrefix: 'JWT ' } }",
            r#"POST /login {"u":1} body /t -> header X-Token `JWT {token}`"#,
        );
        check(
            "loginEndpointAuth: { endpoint: /login, verb: POST, contentType: application/x-www-form-urlencoded, payloadUserPwd: { username: a, password: p, usernameField: user, passwordField: pass }, expectCookies: true }",
            "POST /login user=a&pass=p cookies",
        );
        check(
            "loginEndpointAuth: { endpoint: /login, verb: GET, headers: [{ name: Authorization, value: Basic YTpi }], token: { extractFrom: header, extractSelector: X-Token, sendIn: query, sendName: token, sendTemplate: '{token}' } }",
            "GET /login + Authorization header X-Token -> query token `{token}`",
        );
        check(
            "loginEndpointAuth: { endpoint: /login, payloadRaw: a=b, contentType: text/plain }",
            "POST /login text/plain a=b found",
        );
        check(
            "loginEndpointAuth: { endpoint: /login, payloadRaw: a=b&c=d%20e, contentType: application/x-www-form-urlencoded, token: { extractFrom: cookie, extractSelector: sid, sendIn: cookie, sendName: sid } }",
            "POST /login a=b&c=d e cookie sid -> cookie sid `{token}`",
        );
    }

    #[test]
    fn json_and_roles_are_read() {
        let text = r#"{"auth":[{"name":"ann","fixedHeaders":[{"name":"a","value":"b"}],
            "x-palisade":{"roles":["admin"],"claims":{"sub":"u-1","n":7}}}]}"#;
        let ann = read(text).unwrap().remove(0);
        assert_eq!(ann.roles, ["admin"]);
        assert_eq!(ann.claims, [("sub".to_owned(), "u-1".to_owned()), ("n".to_owned(), "7".to_owned())]);
    }
}
