//! What reports say about a rule besides its name: how much it weighs, what it means, and the lines that help.

use crate::row::Row;
use crate::rule::{Rule, Severity};

/// What is known about a rule.
///
/// ```
/// use palisade_review::{Rule, Severity};
///
/// let rule = Rule::ALL.iter().find(|rule| rule.slug == "sql-injected").unwrap();
/// assert_eq!((rule.detail().severity, rule.detail().asvs), (Severity::Critical, "v5.0.0-1.2.4"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detail {
    /// The rule's name.
    pub slug: &'static str,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// How much harm it usually does.
    pub severity: Severity,
    /// The requirement of the OWASP Application Security Verification Standard 5.0 that it breaks.
    pub asvs: &'static str,
    /// How far one cause reaches.
    pub breadth: Breadth,
    /// How it is proved, and what it means that it is.
    pub help: &'static str,
    /// What to write into the contract, at the operation or into the schema of a property; empty where that does not help.
    pub contract: &'static str,
    /// What to write into `palisade.toml`; empty where nothing needs to be.
    pub config: &'static str,
}

/// How far one cause reaches, so that it is one finding with several places.
///
/// ```
/// use palisade_review::{Breadth, Rule};
///
/// let rule = Rule::ALL.iter().find(|rule| rule.slug == "headers-missing").unwrap();
/// assert_eq!(rule.detail().breadth, Breadth::Service, "one server sends the headers of all answers");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breadth {
    /// The handler of one operation, wherever the attack goes in.
    Operation,
    /// One value of one operation.
    Point,
    /// What all operations have in common.
    Service,
}

impl Rule {
    /// The rule with a name.
    #[must_use]
    pub fn named(slug: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|rule| rule.slug == slug)
    }

    /// What is known about it.
    #[must_use]
    pub fn detail(&self) -> &'static Detail {
        DETAILS.iter().find(|detail| detail.slug == self.slug).unwrap_or_else(|| general(self.row))
    }
}

/// What can be said about a rule of a row that has no entry of its own.
fn general(row: Row) -> &'static Detail {
    let like = match row {
        Row::Authentication => "token-forged",
        Row::BusinessFlow => "flow-unbounded",
        Row::FunctionAuthorization => "function-exposed",
        Row::Injection => "sql-error",
        Row::Inventory => "operation-undeclared",
        Row::Misconfiguration => "verbose-error",
        Row::ObjectAuthorization => "object-read",
        Row::PropertyAuthorization => "property-exposed",
        Row::ResourceConsumption => "page-unbounded",
        Row::ServerSideRequestForgery => "request-forged",
        Row::UnsafeConsumption => "partner-trusted",
    };
    DETAILS.iter().find(|detail| detail.slug == like).unwrap_or(&UNKNOWN)
}

macro_rules! details {
    ($($slug:literal $severity:ident $breadth:ident $asvs:literal $title:literal $help:literal $contract:literal $config:expr;)*) => {
        const DETAILS: &[Detail] = &[$(Detail {
            slug: $slug, title: $title, severity: Severity::$severity, asvs: concat!("v5.0.0-", $asvs),
            breadth: Breadth::$breadth, help: $help, contract: $contract, config: $config,
        },)*];
    };
}

details! {
    "authentication-missing" Critical Point "8.2.1" "an operation works without a credential"
        "A signed-in caller is served; so is nobody in particular, with the same content, although the contract asks for a credential."
        "" AUTHENTICATE;
    "cors-reflected" High Service "3.4.2" "any web page may read answers"
        "Answers name whatever origin the request named, and allow credentials: a page that a user happens to visit reads the API as that user."
        "" CORS;
    "flow-unbounded" Medium Point "2.4.1" "a flow can be repeated without end"
        "What the contract limits was done more often than it says, and every time was counted."
        "x-palisade: { limit: { requests: 5, per: 1h, by: principal } }" "";
    "function-exposed" High Operation "8.2.1" "a privileged function works for everybody"
        "A caller with the role is served, and so is one without it, with the same effect or content."
        "x-palisade: { roles: [admin] }" "";
    "guessing-unbounded" High Point "6.3.1" "passwords can be guessed without end"
        "So many wrong passwords in a row were answered alike: no refusal, no delay, no lock."
        "x-palisade: { public: true, limit: { requests: 10, per: 60s, by: client } }" "";
    "headers-missing" Low Service "3.4.4" "answers lack headers that protect browsers"
        "Without them a browser may take data for a page, or run what a page should not have."
        "" SERVE;
    "markup-stored" Medium Point "1.2.1" "markup is stored and shown"
        "Markup that was written by one user comes back unescaped in a page; something else keeps it from running."
        "type: string" "";
    "object-read" High Operation "8.2.2" "users read what belongs to others"
        "The owner gets the object, nobody in particular does not, an object that does not exist is refused, and another user gets the owner's object with the same content."
        "x-palisade: { owner: { response: [{ pointer: /owner, claim: sub }] } }" "";
    "object-written" Critical Operation "8.2.2" "users change what belongs to others"
        "Another user sends the change, and the owner reads the changed object afterwards. The status of the change proves nothing and is not used."
        "x-palisade: { owner: { request: [{ parameter: id, claim: sub }] } }" "";
    "operation-undeclared" Medium Point "13.4.5" "an operation exists that the contract does not know"
        "It answers, a path that cannot exist does not, and the contract has no such operation: nobody reviews it, and nobody protects it."
        "" SERVE;
    "page-unbounded" Medium Point "15.2.2" "one request may ask for everything"
        "A number far above the contract's maximum gives more entries than the maximum."
        "maximum: 100" "";
    "partner-trusted" Medium Point "2.2.1" "what a third party says is passed on unchecked"
        "The third party, played by the reviewer, answers with markup, negative numbers and unknown properties, and callers get them."
        "x-palisade: { third_party: true }" RESPONSES;
    "property-assigned" High Operation "15.3.3" "callers set properties that are not theirs to set"
        "A property that the request's schema does not have is sent, and reads back with the sent value."
        "additionalProperties: false" REQUESTS;
    "property-exposed" High Operation "15.3.1" "answers hold more than the caller should see"
        "The answer has properties that the contract does not declare, and their names or forms are those of secrets."
        "additionalProperties: false" RESPONSES;
    "request-forged" High Point "1.3.6" "the server fetches whatever address it is given"
        "An address with a token that exists nowhere else was sent, and the server asked for it."
        "x-palisade-destinations: [images.example.com]" "";
    "script-stored" High Point "1.2.1" "a stored script runs in other people's browsers"
        "Script that was written by one user comes back unescaped in a page without a content security policy that would stop it."
        "type: string" "";
    "sql-error" High Point "1.2.4" "input changes the text of an SQL statement"
        "A quotation mark makes the database complain about the statement; its double does not."
        "pattern: '^[a-z0-9 ]*$'" REQUESTS;
    "sql-injected" Critical Point "1.2.4" "input becomes part of an SQL statement"
        "A condition that is true and one that is false give different answers, twice, and nonsense gives neither."
        "pattern: '^[a-z0-9 ]*$'" REQUESTS;
    "token-expired" High Service "9.2.1" "expired tokens are accepted"
        "A token that has expired, and is otherwise as it was issued, opens what the fresh one opens."
        "" AUTHENTICATE;
    "token-forged" Critical Service "9.1.1" "tokens are accepted without a valid signature"
        "A token with one changed bit in its signature opens what the genuine one opens, and nonsense opens nothing."
        "" AUTHENTICATE;
    "token-subject" Critical Service "9.1.1" "callers choose whom their token speaks for"
        "A token whose subject was changed, with a signature that was made for another, opens what belongs to that subject."
        "" AUTHENTICATE;
    "token-unsigned" Critical Service "9.1.2" "tokens without a signature are accepted"
        "A token whose header says `none` opens what the genuine one opens, and nonsense opens nothing."
        "" AUTHENTICATE;
    "verbose-error" Low Operation "16.5.1" "failures show how the service works"
        "An answer to nonsense has a stack trace or a message of a database, and ordinary answers have not."
        "" LEAKS;
    "version-disclosed" Info Service "13.4.6" "answers name the versions of their software"
        "A header names a product with its version, which tells which known flaws to try."
        "" SERVE;
}

const AUTHENTICATE: &str = r#"[route.api]
authenticate = ["bearer.main"]

[bearer.main]
issuer = "https://issuer.example.com"
audience = "my-api"
jwks = "https://issuer.example.com/jwks.json"
algorithms = ["ES256"]
"#;
const CORS: &str = r#"[route.api.cors]
origins = ["https://app.example.com"]
credentials = true
"#;
const LEAKS: &str = "[route.api]\nleaks = \"enforce\"\n";
const REQUESTS: &str = "[route.api]\nrequests = \"enforce\"\n";
const RESPONSES: &str = "[route.api]\nresponses = \"enforce\"\nundeclared = \"strip\"\n";
const SERVE: &str = r#"[upstream.api]
url = "http://127.0.0.1:9000"

[contract.api]
openapi = "openapi.yaml"

[route.api]
path = "/**"
upstream = "api"
contract = "api"
"#;

const UNKNOWN: Detail = Detail {
    slug: "",
    title: "a weakness",
    severity: Severity::Medium,
    asvs: "v5.0.0-2.2.1",
    breadth: Breadth::Point,
    help: "",
    contract: "",
    config: "",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_an_entry_and_every_entry_a_rule() {
        let rules: Vec<&str> = Rule::ALL.iter().map(|rule| rule.slug).collect();
        let details: Vec<&str> = DETAILS.iter().map(|detail| detail.slug).collect();
        assert_eq!(rules, details);
    }
}
