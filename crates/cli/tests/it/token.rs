//! `palisade token revoke` on a file: what is written into it, and what is not done by mistake.

use palisade_testkit::dir::TempDir;

use super::shell::palisade;

#[test]
fn tokens_are_revoked_and_mistakes_are_told() {
    let dir = TempDir::new();
    let path = dir.write("records.db", "");
    let run = |line: &str| {
        let line = format!("token revoke {line}").replace("STORE", &format!("sqlite:{}", path.display()));
        let told = palisade(&dir, &line);
        (told.code, told.stdout, told.stderr)
    };
    for (line, expect) in [
        ("--store STORE --issuer https://id.example.com --subject u-alice", "the subject `u-alice` is revoked\n"),
        ("--store STORE --issuer https://id.example.com --session s-1", "the session `s-1` is revoked\n"),
        (
            "--store STORE --issuer https://id.example.com --jti j-1 --expires 4102444800",
            "the token `j-1` is revoked\n",
        ),
    ] {
        assert_eq!(run(line), (0, expect.to_owned(), String::new()), "{line}");
    }
    for (line, expect) in [
        ("--store STORE --issuer https://id.example.com", "--subject <SUB>|--session <SID>|--jti <ID>"),
        ("--store STORE --issuer https://id.example.com --subject a --session b", "cannot be used with"),
        ("--store STORE --issuer https://id.example.com --jti j-1", "--expires <SECONDS>"),
        ("--store STORE --issuer https://id.example.com --jti j-1 --expires 300", "has expired"),
        ("--store STORE --subject a", "--issuer <URL>"),
        ("--store memory: --issuer https://id.example.com --subject a", "read by nobody else"),
        ("--store sqlite:other.db --issuer https://id.example.com --subject a", "there is no file `other.db`"),
        ("--store redis://127.0.0.1:1/0 --issuer https://id.example.com --subject a", "names no store"),
    ] {
        let (code, said, told) = run(line);
        assert_eq!((code, said.as_str()), (2, ""), "{line}");
        assert!(told.contains(expect), "{line}: {told}");
    }
    assert!(!dir.path().join("other.db").exists());
}
