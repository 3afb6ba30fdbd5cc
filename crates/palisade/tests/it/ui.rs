//! What must not compile: going around a permit, and printing a secret.

#[test]
fn permits_cannot_be_forged_and_secrets_not_printed() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
