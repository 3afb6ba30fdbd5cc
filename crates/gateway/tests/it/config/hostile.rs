//! No text makes the configuration's reader panic or print a credential.

use proptest::prelude::*;

use super::meaning::FULL;
use super::parse;

proptest! {
    #[test]
    fn survives_any_change_of_a_valid_file(
        at in 0..FULL.len(),
        len in 0..40_usize,
        put in "[\\[\\]{}=\"'.,a-z0-9\u{e9} \n#-]{0,8}",
    ) {
        let before = FULL.get(..at).unwrap_or_default();
        let after = FULL.get(at + len..).unwrap_or_default();
        let text = format!("{before}{put}{after}");
        let diagnostics = parse(&text).map_or_else(|errors| errors, |loaded| loaded.diagnostics);
        for diagnostic in diagnostics {
            prop_assert!(diagnostic.advice().is_some(), "{diagnostic}");
            prop_assert!(!diagnostic.message().ends_with('.'), "{diagnostic}");
        }
    }

    #[test]
    fn never_prints_a_secret(quote in "[\"']?", tail in "[\"'\n ]{0,3}", inline: bool) {
        let value = format!("{quote}hunter2hunter2{quote}{tail}");
        let bearer = if inline {
            format!("[bearer]\nmain = {{ issuer = \"i\", secret = {value} }}\n")
        } else {
            format!("[bearer.main]\nissuer = \"i\"\nsecret = {value}\n")
        };
        for diagnostic in parse(&format!("{FULL}{bearer}")).err().unwrap_or_default() {
            prop_assert!(!diagnostic.to_string().contains("hunter2"), "{diagnostic}");
        }
    }
}
