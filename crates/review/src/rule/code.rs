//! The remedies of the rules in Rust. Each is a file that the tests compile, and reports print the part behind its mark.

/// The code that helps against what a rule finds.
pub(super) fn of(slug: &str) -> &'static str {
    let text = CODE.iter().find(|(slugs, _)| slugs.contains(&slug)).map_or("", |(_, text)| text);
    text.split_once(MARK).map_or("", |(_, printed)| printed)
}

macro_rules! remedies {
    ($($name:ident: $($slug:literal)+;)*) => {
        const CODE: &[(&[&str], &str)] =
            &[$((&[$($slug),+], include_str!(concat!("../../remedies/", stringify!($name), ".rs"))),)*];
    };
}

remedies! {
    account_answer: "account-enumerable";
    argument_list: "command-injected";
    bound_value: "sql-delayed" "sql-error" "sql-injected";
    bounded_amount: "amount-unchecked";
    bounded_page: "page-unbounded";
    certificate: "certificate-expiring" "certificate-invalid";
    closed_input: "property-assigned";
    contract_test: "contract-defective";
    counted_use: "flow-unbounded";
    debug_routes: "operation-undeclared";
    escaped_filter: "ldap-injected";
    escaped_text: "markup-stored" "script-reflected" "script-stored";
    header_value: "header-injected";
    inside_folder: "file-read";
    known_host: "request-forged";
    known_partner: "partner-trusted";
    linear_pattern: "pattern-exponential";
    once: "flow-repeated";
    own_answer: "property-exposed";
    own_path: "redirect-open";
    owned_read: "object-read";
    owned_write: "object-written";
    plain_error: "verbose-error";
    plain_xml: "entity-resolved";
    readable_by: "cors-reflected";
    role: "function-bypassed" "function-exposed";
    route_limit: "guessing-unbounded" "requests-unbounded";
    secured_headers: "headers-missing" "tls-optional";
    session_cookie: "cookie-unprotected";
    sign_out: "session-outlives";
    signed_in: "authentication-missing";
    signing_key: "token-guessable";
    template_data: "template-evaluated";
    tls_versions: "tls-outdated" "tls-weak";
    typed_value: "nosql-injected";
    unnamed_server: "version-disclosed";
    verified_token: "token-confused" "token-expired" "token-forged" "token-keyed" "token-subject" "token-unchecked" "token-unsigned";
}

/// What stands above is only for the compiler.
const MARK: &str = "// In reports:\n";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::rule::Rule;

    #[test]
    fn every_rule_has_its_code_and_every_code_a_rule() {
        for rule in Rule::ALL {
            let code = of(rule.slug);
            assert!(code.lines().count() >= 3 && !code.contains("//!"), "{}: {code}", rule.slug);
        }
        let named: Vec<&str> = CODE.iter().flat_map(|(slugs, _)| slugs.iter().copied()).collect();
        let known: BTreeSet<&str> = Rule::ALL.iter().map(|rule| rule.slug).collect();
        assert_eq!(named.len(), known.len(), "none twice");
        assert_eq!(named.into_iter().collect::<BTreeSet<_>>(), known);
    }

    #[test]
    fn every_file_is_printed_and_compiled() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/remedies");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let files: BTreeSet<String> = files.collect();
        assert_eq!(files.len(), CODE.len(), "{files:?}");
        let compiled = include_str!("../../tests/it/remedies.rs");
        for file in files {
            assert!(compiled.contains(&format!("\"../../remedies/{file}\"")), "{file}");
        }
    }
}
