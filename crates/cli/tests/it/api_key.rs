//! `palisade api-key` on a file: given, shown once, listed without its secret, revoked.

use palisade_testkit::dir::TempDir;

use super::shell::palisade;

#[test]
fn keys_are_added_listed_and_revoked() {
    let dir = TempDir::new();
    let run = |line: &str| {
        let told = palisade(&dir, &format!("api-key {line} --store sqlite:keys.db"));
        (told.code, told.stdout, told.stderr)
    };
    let add = || {
        let (code, key, told) = run("add reports --scope read --role auditor --days 90");
        assert_eq!(code, 0, "{told}");
        assert!(key.starts_with("pk_live_") && told.contains("not shown again"), "{key} {told}");
        let parts: Vec<String> = key.trim_end().split('_').map(str::to_owned).collect();
        (parts[2].clone(), parts[3].clone())
    };
    let ((first, secret), (second, _)) = (add(), add());
    let (code, _, told) = run("add reports");
    assert!(code == 2 && told.contains("`reports` has 2 live keys"), "{told}");
    assert_eq!(run(&format!("revoke {first}")), (0, format!("key {first} is revoked\n"), String::new()));
    assert_eq!(run(&format!("revoke {first}")).0, 1);
    assert_eq!(run("revoke nothing").0, 1);
    let (code, list, _) = run("list");
    let mut lines: Vec<&str> = list.lines().collect();
    lines.sort_unstable();
    let mut expect = [format!("{first} reports revoked never used"), format!("{second} reports live never used")];
    expect.sort_unstable();
    assert_eq!((code, lines), (0, expect.iter().map(String::as_str).collect()));
    assert!(!list.contains(&secret));
    assert_eq!(run("add reports").0, 0, "a revoked key makes room");

    for (line, part) in [("add x --prefix Pk-", "cannot begin a key"), ("add x --days -1", "unexpected argument")] {
        let (code, said, told) = run(line);
        assert!(code == 2 && said.is_empty() && told.contains(part), "{line}: {told}");
    }
    let forgets = palisade(&dir, "api-key list --store memory:");
    assert!(forgets.code == 2 && forgets.stderr.contains("keeps nothing"), "{}", forgets.stderr);
}
