//! `x-palisade: { require: .. }`: what the claims of a caller must be, and what is said about one that cannot be meant.

use palisade_contract::Contract;
use palisade_core::diagnostic::Source;

fn compile(extension: &str) -> Result<Vec<String>, Vec<String>> {
    let text = format!(
        "openapi: 3.1.0\ninfo: {{ title: Shop, version: '1' }}\nsecurity: [{{ token: [] }}]\npaths:\n  /prices:\n    get:\n      \
         x-palisade: {extension}\n      responses: {{ 204: {{ description: None. }} }}\ncomponents:\n  securitySchemes: \
         {{ token: {{ type: http, scheme: bearer }} }}\n"
    );
    match Contract::compile(&Source::new("openapi.yaml", text)) {
        Err(problems) => Err(problems.iter().map(|problem| problem.message().to_owned()).collect()),
        Ok(loaded) => {
            let rules = &loaded.contract.operations()[0].operation.access.claims;
            Ok(rules.iter().map(|rule| format!("{} {}", rule.claim, rule.any_of.join("|"))).collect())
        }
    }
}

#[test]
fn claims_and_their_values_are_read() {
    for (extension, expect) in [
        ("{ require: { department: sales } }", &["department sales"][..]),
        (
            "{ require: { plan: [pro, team], level: 3, verified: true } }",
            &["plan pro|team", "level 3", "verified true"],
        ),
        ("{ roles: [admin], require: { tenant: acme } }", &["tenant acme"]),
        ("{ roles: [admin] }", &[]),
    ] {
        assert_eq!(compile(extension).unwrap(), expect, "{extension}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (extension, expect) in [
        ("{ require: sales }", &["this must name at least one claim"][..]),
        ("{ require: {} }", &["this must name at least one claim"]),
        ("{ require: { plan: [] } }", &["this is not a value of a claim"]),
        ("{ require: { plan: [pro, [team]] } }", &["this is not a value of a claim"]),
        ("{ require: { plan: 1.5, other: '' } }", &["this is not a value of a claim"; 2]),
        ("{ require: { plan: null } }", &["this is not a value of a claim"]),
        (
            "{ public: true, require: { plan: pro } }",
            &["an operation that is public cannot ask for scopes, roles, claims, a level or an age"],
        ),
    ] {
        assert_eq!(compile(extension).unwrap_err(), expect, "{extension}");
    }
}
