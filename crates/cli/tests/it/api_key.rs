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

#[test]
fn an_account_that_is_there_is_not_described_as_another_one() {
    let dir = TempDir::new();
    let run = |line: &str| {
        let told = palisade(&dir, &format!("api-key {line} --store sqlite:keys.db"));
        (told.code, told.stdout, told.stderr)
    };
    let rights = "--role b --role a --scope read --network 10.1.2.3/8 --network 192.0.2.7 --tenant acme";
    assert_eq!(run(&format!("add reports {rights}")).0, 0);
    for (line, part) in [
        ("--role admin", "`reports` has role `a b`, not `admin`: leave `--role` out"),
        ("--role a", "`reports` has role `a b`, not `a`"),
        ("--scope read --scope write", "`reports` has scope `read`, not `read write`"),
        ("--network 10.0.0.0/8", "`reports` has network `10.0.0.0/8 192.0.2.7/32`, not `10.0.0.0/8`"),
        ("--tenant globex", "`reports` has tenant `acme`, not `globex`"),
        ("--network everywhere", "`everywhere` is no network: write it as `10.0.0.0/8`"),
    ] {
        let (code, said, told) = run(&format!("add reports {line}"));
        assert!(code == 2 && said.is_empty() && told.contains(part), "{line}: {told}");
    }
    assert_eq!(run("list").1.lines().count(), 1, "no key was made");
    let again = "--network 192.0.2.7/32 --network 10.0.0.0/8 --tenant acme --scope read --role a --role b";
    let (code, _, told) = run(&format!("add reports {again}"));
    assert_eq!(code, 0, "the same again is no difference: {told}");
    assert_eq!(run("add plain").0, 0);
    let (code, _, told) = run("add plain --role admin");
    assert!(code == 2 && told.contains("`plain` has role nothing, not `admin`"), "{told}");
}

#[test]
fn all_keys_of_an_account_are_disabled_and_enabled() {
    let dir = TempDir::new();
    let run = |line: &str| {
        let told = palisade(&dir, &format!("api-key {line} --store sqlite:keys.db"));
        (told.code, told.stdout, told.stderr)
    };
    assert_eq!((run("add reports").0, run("add other").0), (0, 0));
    let states = || {
        let list = run("list").1;
        let mut states: Vec<String> =
            list.lines().map(|line| line.split_once(' ').unwrap().1.replace(" never used", "")).collect();
        states.sort_unstable();
        states
    };
    for (line, code, told, of_reports) in [
        ("disable reports", 0, "account reports is disabled\n", "reports disabled"),
        ("disable reports", 1, "account reports was disabled before\n", "reports disabled"),
        ("enable reports", 0, "account reports is enabled\n", "reports live"),
        ("enable reports", 1, "account reports was enabled before\n", "reports live"),
    ] {
        assert_eq!(run(line), (code, told.to_owned(), String::new()), "{line}");
        assert_eq!(states(), ["other live", of_reports], "{line}");
    }
    for line in ["disable nobody", "enable nobody"] {
        let (code, said, told) = run(line);
        assert!(code == 2 && said.is_empty() && told.contains("there is no account `nobody`"), "{line}: {told}");
    }
}
