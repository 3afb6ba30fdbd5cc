//! `palisade key` on a file: made, renewed once, revoked, and never shown.

use palisade_testkit::dir::TempDir;

use super::shell::palisade;

#[test]
fn keys_are_made_listed_and_revoked() {
    let dir = TempDir::new();
    let store = format!("sqlite:{}", dir.path().join("keys.db").display());
    dir.write("kek", "2026-11 BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n");
    dir.write("other", "2026-11 CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=\n");
    dir.write("empty", "");
    let run = |line: &str| {
        let told = palisade(&dir, &line.replace("STORE", &store));
        // The moments differ from run to run.
        let lines = told.stdout.lines().map(|line| line.split(" made ").next().unwrap().to_owned());
        (told.code, lines.collect::<Vec<_>>().join("; "), told.stderr)
    };
    let cases = [
        ("key list --store STORE", 0, ""),
        ("key rotate --store STORE --key-file kek", 0, "made key 1"),
        ("key list --store STORE", 0, "1 active ES256"),
        ("key rotate --store STORE --key-file kek", 0, "made key 2"),
        ("key rotate --store STORE --key-file kek", 0, "the next key is waiting already"),
        ("key list --store STORE", 0, "1 active ES256; 2 pending ES256"),
        ("key list --store STORE --purpose id", 0, ""),
        ("key revoke 1 --store STORE --key-file kek", 0, "key 1 is revoked"),
        ("key revoke 1 --store STORE --key-file kek", 1, "key 1 was not in use"),
        ("key list --store STORE", 0, "1 revoked ES256; 2 active ES256"),
    ];
    for (line, code, expect) in cases {
        assert_eq!(run(line), (code, expect.to_owned(), String::new()), "{line}");
    }
    for (line, expect) in [
        ("key rotate --store STORE --key-file other", "cannot be opened"),
        ("key rotate --store STORE --key-file empty", "openssl rand -base64 32"),
        ("key rotate --store STORE --key-file missing", "cannot read `missing`"),
        ("key list --store memory:", "name a store that lasts"),
        ("key list --store redis://127.0.0.1:1/0", "names no store"),
    ] {
        let (code, said, told) = run(line);
        assert_eq!((code, said.as_str()), (2, ""), "{line}");
        assert!(told.contains(expect), "{line}: {told}");
    }
}
