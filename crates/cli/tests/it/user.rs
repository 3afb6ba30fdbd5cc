//! `palisade user`: accounts from the command line, with passwords that are never arguments.

use expect_test::expect;
use palisade_testkit::dir::TempDir;
use palisade_testkit::server::Postgres;

use super::shell::{palisade, palisade_reads};

const GOOD: &[u8] = b"a boat full of green tea\n";

/// The list without its ids, which are random.
fn list(dir: &TempDir, store: &str) -> String {
    let list = palisade(dir, &format!("user list --store {store}"));
    assert_eq!((list.code, list.stderr.as_str()), (0, ""), "{}", list.stderr);
    let bare = |line: &str| line.split_once("  ").map(|(_, rest)| rest.trim_start().to_owned()).unwrap();
    let mut lines: Vec<String> = list.stdout.lines().map(bare).collect();
    lines[1..].sort();
    lines.join("\n") + "\n"
}

fn accounts_live(store: &str) {
    let dir = TempDir::new();
    let add =
        palisade_reads(&dir, &format!("user add --store {store} Alice@example.com --role admin --role ops"), GOOD);
    assert_eq!((add.code, add.stderr.as_str()), (0, ""));
    assert!(add.stdout.starts_with("u-") && add.stdout.len() == 35, "{}", add.stdout);
    let bob = palisade(&dir, &format!("user add --store {store} bob --tenant acme --no-password"));
    assert_eq!(bob.code, 0, "{}", bob.stderr);
    for (command, said) in [
        ("disable ALICE@example.com", "disabled; ended: 0 sessions, 0 families of refresh tokens\n"),
        ("disable alice@example.com", "it was disabled before; ended: 0 sessions, 0 families of refresh tokens\n"),
        ("enable alice@example.com", "enabled\n"),
        ("enable alice@example.com", "it was enabled before\n"),
        ("disable bob --tenant acme", "disabled; ended: 0 sessions, 0 families of refresh tokens\n"),
    ] {
        let done = palisade(&dir, &format!("user {command} --store {store}"));
        assert_eq!((done.code, done.stdout.as_str(), done.stderr.as_str()), (0, "", said), "{command}");
    }
    let given = palisade_reads(&dir, &format!("user passwd alice@example.com --store {store}"), b"tea & 15 otters\r\n");
    assert_eq!((given.code, given.stderr.as_str()), (0, "changed; ended: 0 sessions, 0 families of refresh tokens\n"));
    for (command, part) in [
        ("disable bob", "nobody is called `bob`"),
        ("enable nobody", "nobody is called `nobody`"),
        ("passwd nobody", "nobody is called `nobody`"),
        ("add alice@EXAMPLE.com", "`alice@EXAMPLE.com` is taken"),
    ] {
        let failed = palisade_reads(&dir, &format!("user {command} --store {store}"), GOOD);
        assert_eq!((failed.code, failed.stdout.as_str()), (2, ""), "{command}");
        assert!(failed.stderr.starts_with("error: ") && failed.stderr.contains(part), "{command}: {}", failed.stderr);
    }
    expect![[r#"
        NAME               TENANT  STATUS    PASSWORD  ROLES
        alice@example.com          active    argon2id  admin,ops
        bob                acme    disabled  none
    "#]]
    .assert_eq(&list(&dir, store));
}

#[test]
fn accounts_live_in_a_file() {
    let dir = TempDir::new();
    accounts_live(&format!("sqlite:{}", dir.path().join("users.db").display()));
}

#[test]
fn accounts_live_in_a_database() {
    accounts_live(&Postgres::start().url());
}

#[test]
fn a_password_that_the_policy_refuses_makes_no_account() {
    let dir = TempDir::new();
    let long = "otter ".repeat(400);
    for (arguments, password, part) in [
        ("", "green tea", "at least 15 characters (too-short)"),
        ("", "", "(too-short)"),
        ("", "passwordpassword", "(common)"),
        ("", "alice@example.com!", "(context)"),
        ("", long.as_str(), "(too-long)"),
        ("--with-second-factor", "tea & 7", "at least 8 characters (too-short)"),
    ] {
        let command = format!("user add --store sqlite:users.db alice@example.com {arguments}");
        let refused = palisade_reads(&dir, &command, password.as_bytes());
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{password}");
        assert!(refused.stderr.contains(part), "{password}: {}", refused.stderr);
        assert!(password.len() < 8 || !refused.stderr.contains(password), "the password is shown: {}", refused.stderr);
    }
    assert_eq!(list(&dir, "sqlite:users.db"), "NAME  TENANT  STATUS  PASSWORD  ROLES\n");
    let second = palisade_reads(&dir, "user add --store sqlite:users.db alice --with-second-factor", b"otters 8");
    assert_eq!(second.code, 0, "{}", second.stderr);
}

#[test]
fn what_cannot_be_used_is_said() {
    let dir = TempDir::new();
    dir.write("short.key", "short");
    for (command, part) in [
        ("list --store memory:", "keeps nothing"),
        ("list --store redis://127.0.0.1:1", "names no store"),
        ("list --store sqlite:none/users.db", "cannot be opened"),
        ("add a\u{7f}b --store sqlite:users.db --no-password", "cannot be a name"),
        ("add alice --store sqlite:users.db --pepper 2026a", "--pepper NAME=FILE"),
        ("add alice --store sqlite:users.db --pepper 2026a=none.key", "`none.key` cannot be read"),
        ("add alice --store sqlite:users.db --pepper 2026a=short.key", "at least 32 bytes"),
        ("add alice --store sqlite:users.db --password x", "unexpected argument"),
    ] {
        let refused = palisade_reads(&dir, &format!("user {command}"), GOOD);
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{command}");
        assert!(refused.stderr.contains(part), "{command}: {}", refused.stderr);
    }
    let not_text = palisade_reads(&dir, "user add alice --store sqlite:users.db", b"\xff\xfe and so on and on\n");
    assert!(not_text.code == 2 && not_text.stderr.contains("not text"), "{}", not_text.stderr);
}

#[test]
fn costs_are_measured() {
    let measured = palisade(&TempDir::new(), "user calibrate --target 0");
    assert_eq!(measured.code, 0, "{}", measured.stderr);
    let costs: Vec<&str> = measured.stdout.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(costs, ["m=7168,t=5,p=1", "m=12288,t=3,p=1", "m=19456,t=2,p=1", "m=47104,t=1,p=1", "m=47104,t=2,p=1"]);
    assert!(measured.stderr.contains("nothing that protects is within 0ns"), "{}", measured.stderr);
    let measured = palisade(&TempDir::new(), "user calibrate --target 20000");
    assert!(measured.stderr.starts_with("take m=131072,t=4,p=1: "), "{}", measured.stderr);
}
