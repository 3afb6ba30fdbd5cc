//! The details of every rule: severity, breadth, requirement, title, help, lines for the contract and the policy.

use crate::rule::{Breadth, Detail, Severity};

macro_rules! details {
    ($($slug:literal $severity:ident $breadth:ident $asvs:literal $title:literal $help:literal $contract:literal $config:expr;)*) => {
        pub(super) const DETAILS: &[Detail] = &[$(Detail {
            slug: $slug, title: $title, severity: Severity::$severity, asvs: concat!("v5.0.0-", $asvs),
            breadth: Breadth::$breadth, help: $help, contract: $contract, config: $config,
        },)*];
    };
}

details! {
    "account-enumerable" Medium Point "6.3.8" "answers tell which accounts exist"
        "The same wrong password, for an account that exists and for one that does not, is answered differently, again and again."
        "" "";
    "amount-unchecked" High Point "2.2.1" "amounts that make no sense are taken"
        "A negative or absurd number was accepted, and what was read afterwards shows that it was used."
        "minimum: 1" REQUESTS;
    "authentication-missing" Critical Point "8.2.1" "an operation works without a credential"
        "A signed-in caller is served; so is nobody in particular, with the same content, although the contract asks for a credential."
        "" AUTHENTICATE;
    "certificate-expiring" Info Service "12.2.2" "the certificate ends soon"
        "The certificate is good for less than three weeks more; after that nobody can call the service without giving up on TLS."
        "" SERVE;
    "certificate-invalid" High Service "12.2.2" "the certificate proves nothing"
        "The certificate is expired or not yet good, is for another name, or is vouched for by nobody or by broken cryptography. Callers who accept that accept anybody on the way as well."
        "" SERVE;
    "command-injected" Critical Point "1.2.5" "input becomes part of a command"
        "Arithmetic that only a shell does came back computed, or the answer waited as long as the input said, twice."
        "pattern: '^[a-z0-9.-]+$'" REQUESTS;
    "contract-defective" Low Operation "2.1.1" "the contract has a defect"
        "The contract says something that cannot be, or refers to what is not there, and was read around it. What it means is a guess."
        "" "";
    "cookie-unprotected" Medium Service "3.3.4" "cookies lack what protects them"
        "A cookie that carries a session can be read by scripts, sent without TLS, or sent by other sites."
        "" SERVE;
    "cors-reflected" High Service "3.4.2" "any web page may read answers"
        "Answers name whatever origin the request named, and allow credentials: a page that a user happens to visit reads the API as that user."
        "" CORS;
    "entity-resolved" High Point "1.5.1" "XML entities are resolved"
        "A document with an external entity was sent, and the server fetched it, or its content came back."
        "" REQUESTS;
    "file-read" Critical Point "5.3.2" "input names files that nobody meant to show"
        "A path that climbs out of its folder gives the content of a file of the system, and a similar nonsense path does not."
        "pattern: '^[a-z0-9_-]+$'" REQUESTS;
    "flow-repeated" High Point "2.3.2" "what works once can be done again"
        "A step that is meant for one time was made several times, at once or in a row, and every time counted."
        "x-palisade: { limit: { requests: 1, per: 1m, by: principal } }" "";
    "flow-unbounded" Medium Point "2.4.1" "a flow can be repeated without end"
        "What the contract limits was done more often than it says, and every time was counted."
        "x-palisade: { limit: { requests: 5, per: 1h, by: principal } }" "";
    "function-bypassed" High Operation "8.3.1" "a refusal can be walked around"
        "A request that is refused passes when the same is asked with another method, header or spelling of the path."
        "x-palisade: { roles: [admin] }" SERVE;
    "function-exposed" High Operation "8.2.1" "a privileged function works for everybody"
        "A caller with the role is served, and so is one without it, with the same effect or content."
        "x-palisade: { roles: [admin] }" "";
    "guessing-unbounded" High Point "6.3.1" "passwords can be guessed without end"
        "So many wrong passwords in a row were answered alike: no refusal, no delay, no lock."
        "x-palisade: { public: true, limit: { requests: 10, per: 60s, by: client } }" "";
    "header-injected" Medium Point "1.2.1" "input becomes a header of the answer"
        "A line break in a value ended a header of the answer, and the rest of the value became another one."
        "pattern: '^[^\\r\\n]*$'" REQUESTS;
    "headers-missing" Low Service "3.4.4" "answers lack headers that protect browsers"
        "Without them a browser may take data for a page, or run what a page should not have."
        "" SERVE;
    "ldap-injected" Critical Point "1.2.6" "input becomes part of a directory's filter"
        "A condition that is true finds what the value alone finds, one that is false does not, twice, and the same words without parentheses are only words."
        "pattern: '^[A-Za-z0-9 .@-]*$'" REQUESTS;
    "markup-stored" Medium Point "1.2.1" "markup is stored and shown"
        "Markup that was written by one user comes back unescaped in a page; something else keeps it from running."
        "type: string" "";
    "nosql-injected" Critical Point "1.2.4" "input becomes part of a query"
        "An operator in place of a value finds what the value alone does not, and its opposite finds nothing."
        "type: string" REQUESTS;
    "object-read" High Operation "8.2.2" "users read what belongs to others"
        "The owner gets the object, nobody in particular does not, an object that does not exist is refused, and another user gets the owner's object with the same content."
        "x-palisade: { owner: { response: [{ pointer: /owner, claim: sub }] } }" "";
    "object-written" Critical Operation "8.2.2" "users change what belongs to others"
        "Another user sends the change, and the owner reads the changed object afterwards. The status of the change proves nothing and is not used."
        "x-palisade: { owner: { request: [{ parameter: id, claim: sub }] } }" "";
    "operation-undeclared" Medium Point "15.2.3" "an operation exists that the contract does not know"
        "It answers, a path that cannot exist does not, and the contract has no such operation: nobody reviews it, and nobody protects it."
        "" SERVE;
    "page-unbounded" Medium Point "15.2.2" "one request may ask for everything"
        "A number far above the contract's maximum gives more entries than the maximum."
        "maximum: 100" "";
    "partner-trusted" Medium Point "2.2.1" "what a third party says is passed on unchecked"
        "The third party, played by the reviewer, answers with markup, negative numbers and unknown properties, and callers get them."
        "x-palisade: { third_party: true }" RESPONSES;
    "pattern-exponential" Medium Point "1.3.12" "short input keeps the server busy"
        "Each time the input grew a little, the time for the answer multiplied."
        "maxLength: 100" REQUESTS;
    "property-assigned" High Operation "15.3.3" "callers set properties that are not theirs to set"
        "A property that the request's schema does not have is sent, and reads back with the sent value."
        "additionalProperties: false" REQUESTS;
    "property-exposed" High Operation "15.3.1" "answers hold more than the caller should see"
        "The answer has properties that the contract does not declare, and their names or forms are those of secrets."
        "additionalProperties: false" RESPONSES;
    "redirect-open" Medium Point "3.7.2" "redirects lead wherever the caller says"
        "The answer redirects to a host that only the request named."
        "x-palisade-destinations: [app.example.com]" "";
    "request-forged" High Point "1.3.6" "the server fetches whatever address it is given"
        "An address with a token that exists nowhere else was sent, and the server asked for it."
        "x-palisade-destinations: [images.example.com]" "";
    "requests-unbounded" Low Point "2.4.1" "costly requests are never refused"
        "A burst of the same costly request was served in full: no refusal, no delay."
        "x-palisade: { limit: { requests: 10, per: 60s, by: client } }" "";
    "script-reflected" High Point "1.2.1" "a link can carry a script into the page"
        "Script in a parameter comes back unescaped in a page without a content security policy that would stop it."
        "pattern: '^[^<>]*$'" REQUESTS;
    "script-stored" High Point "1.2.1" "a stored script runs in other people's browsers"
        "Script that was written by one user comes back unescaped in a page without a content security policy that would stop it."
        "type: string" "";
    "session-outlives" Medium Service "7.4.1" "credentials work after their end"
        "A token still opens what it opened, after its owner signed out, changed the password or was deleted."
        "" AUTHENTICATE;
    "sql-delayed" Critical Point "1.2.4" "input makes the database wait"
        "The answer takes as much longer as the value tells the database to sleep, for ten different delays in two rounds, while the same words as text take no time."
        "pattern: '^[a-z0-9 ]*$'" REQUESTS;
    "sql-error" High Point "1.2.4" "input changes the text of an SQL statement"
        "A quotation mark makes the database complain about the statement; its double does not."
        "pattern: '^[a-z0-9 ]*$'" REQUESTS;
    "sql-injected" Critical Point "1.2.4" "input becomes part of an SQL statement"
        "A condition that is true and one that is false give different answers, twice, and nonsense gives neither."
        "pattern: '^[a-z0-9 ]*$'" REQUESTS;
    "template-evaluated" Critical Point "1.3.7" "input is run as a template"
        "Arithmetic in the syntax of templates came back computed, and the same text without the syntax came back as it was."
        "pattern: '^[^{}<>$]*$'" REQUESTS;
    "tls-optional" Low Service "3.4.1" "browsers are not told to stay in TLS"
        "Answers in TLS lack `Strict-Transport-Security`, or its age is nothing: a first request without TLS can be changed on its way."
        "" SERVE;
    "tls-outdated" Medium Service "12.1.1" "broken versions of TLS are spoken"
        "A hello in TLS 1.0 or 1.1 was answered with a hello of the same version, so that an attacker on the way can have it spoken."
        "" SERVE;
    "tls-weak" Medium Service "12.1.2" "weak suites of TLS are spoken"
        "A hello in TLS 1.2 that offered only suites without forward secrecy, or only ones without authenticated encryption, was answered with one of them."
        "" SERVE;
    "token-confused" Critical Service "9.1.2" "public keys are taken for secrets"
        "A token signed with the public key as if it were a shared secret opens what the genuine one opens."
        "" AUTHENTICATE;
    "token-expired" High Service "9.2.1" "expired tokens are accepted"
        "A token that has expired, and is otherwise as it was issued, opens what the fresh one opens."
        "" AUTHENTICATE;
    "token-forged" Critical Service "9.1.1" "tokens are accepted without a valid signature"
        "A token with one changed bit in its signature opens what the genuine one opens, and nonsense opens nothing."
        "" AUTHENTICATE;
    "token-guessable" Critical Service "11.5.1" "the key of the tokens can be guessed"
        "The signature of a genuine token was made with a key from a short list of common ones; with it anybody makes tokens."
        "" AUTHENTICATE;
    "token-keyed" Critical Service "9.1.3" "tokens choose the key that they are checked with"
        "A token that names or carries a key of the attacker opens what the genuine one opens."
        "" AUTHENTICATE;
    "token-subject" Critical Service "9.1.1" "callers choose whom their token speaks for"
        "A token whose subject was changed, with a signature that was made for another, opens what belongs to that subject."
        "" AUTHENTICATE;
    "token-unchecked" High Point "9.2.3" "tokens for another time, issuer, audience or purpose are believed"
        "A token that is signed as it should be opens the same, although one of its claims says that it is not for this service, not for now, or another kind of token."
        "" AUTHENTICATE;
    "token-unsigned" Critical Service "9.1.2" "tokens without a signature are accepted"
        "A token whose header says `none` opens what the genuine one opens, and nonsense opens nothing."
        "" AUTHENTICATE;
    "verbose-error" Low Service "16.5.1" "failures show how the service works"
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
