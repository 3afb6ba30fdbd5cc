//! `[api_keys.NAME]` and `[sessions.NAME]` as they are written.

use std::time::Duration;

use expect_test::expect;

use super::rules::check_each;
use super::{SMALL, parse};

const RECORDS: &str = "[store.records]\nurl = \"sqlite:records.db\"\n";

/// The small configuration with a route that names these, and sections behind it.
fn with(authenticate: &str, sections: &str) -> String {
    format!("{SMALL}authenticate = {authenticate}\n{sections}")
}

#[test]
fn checks_credentials_that_are_kept_in_a_store() {
    let cases = [
        "header = \"authorization\"\nprefix = \"acme_live\"",
        "prefix = \"Acme-\"",
        "header = \"a b\"",
        "store = \"sqlite:records.db\"",
        "[sessions.app]\ncookie = \"sid\"\nmax_age = \"12h\"",
        "[sessions.app]\ncookie = \"__Host-session\"",
        "[sessions.app]\ncookie = \"a;b\"",
        "[sessions.app]\nmax_age = \"long\"",
        "[sessions.app]\nidle = \"30m\"",
    ];
    let frame = |case: &str| {
        let section = if case.starts_with('[') { case.to_owned() } else { format!("[api_keys.services]\n{case}") };
        let name = section.split(['[', ']']).nth(1).unwrap_or_default();
        format!("authenticate = [\"{name}\"]\n{RECORDS}{section}\n")
    };
    check_each(
        &cases,
        frame,
        &expect![[r#"
        header = "authorization"
        prefix = "acme_live"
            fine
        prefix = "Acme-"
            5 bad-prefix: `Acme-` cannot begin a key
              (write up to 32 small letters and digits, with `_` between them, such as `acme_live`)
        header = "a b"
            5 bad-header: `a b` is not the name of a header
              (write the name of a header such as `x-api-key`; `*` is not accepted)
        store = "sqlite:records.db"
            5 unknown-key: unknown key `store` in `api_keys.services`
              (remove it; here stand `header`, `prefix`)
        [sessions.app]
        cookie = "sid"
        max_age = "12h"
            fine
        [sessions.app]
        cookie = "__Host-session"
            5 bad-cookie: `__Host-session` cannot be the name of the cookie
              (write a name such as `session`, without the `__Host-` with which browsers know it)
        [sessions.app]
        cookie = "a;b"
            5 bad-cookie: `a;b` cannot be the name of the cookie
              (write a name such as `session`, without the `__Host-` with which browsers know it)
        [sessions.app]
        max_age = "long"
            5 bad-duration: `long` is not a duration
              (write a whole number and a unit, such as `500ms`, `2s`, `10m`, `1h` or `1d`; at most `365d`)
        [sessions.app]
        idle = "30m"
            5 unknown-key: unknown key `idle` in `sessions.app`
              (remove it; here stand `cookie`, `max_age`)
    "#]],
    );
}

#[test]
fn refuses_what_nobody_could_tell_apart_or_look_up() {
    let cases = [
        "[\"api_keys.a\"]",
        "[\"api_keys.a\", \"sessions.a\"]",
        "[\"api_keys.a\", \"api_keys.b\"]",
        "[\"api_keys.a\", \"api_keys.c\"]",
        "[\"api_keys.a\", \"keys.k\"]",
        "[\"sessions.a\", \"sessions.b\"]",
        "[\"sessions.a\", \"sessions.c\"]",
        "[\"sessions.aa\"]",
        "[\"api_keys\"]",
    ];
    let sections = "[keys.k]\n[[keys.k.key]]\nclient = \"c\"\nhash = \"sha256:\
                    0000000000000000000000000000000000000000000000000000000000000000\"\n\
                    [api_keys.a]\n[api_keys.b]\n[api_keys.c]\nprefix = \"other\"\n\
                    [sessions.a]\n[sessions.b]\n[sessions.c]\ncookie = \"sid\"\n";
    let mut found = String::new();
    for case in cases {
        let said = parse(&with(case, &format!("{sections}{RECORDS}"))).map_or_else(|e| e, |loaded| loaded.diagnostics);
        found.push_str(&format!("{case}\n"));
        for one in said.iter().filter(|one| one.code() != "unused-section") {
            found.push_str(&format!("    {}: {}\n      ({})\n", one.code(), one.message(), one.advice().unwrap_or("")));
        }
    }
    expect![[r#"
        ["api_keys.a"]
        ["api_keys.a", "sessions.a"]
        ["api_keys.a", "api_keys.b"]
            credential-conflict: the keys of `api_keys.a` and `api_keys.b` begin alike, and in the same header
              (keep one of the sections on this route: both read the same store)
        ["api_keys.a", "api_keys.c"]
        ["api_keys.a", "keys.k"]
        ["sessions.a", "sessions.b"]
            credential-conflict: `sessions.a` and `sessions.b` are both read from the cookie `session`
              (keep one of the sections on this route: both read the same store)
        ["sessions.a", "sessions.c"]
        ["sessions.aa"]
            unknown-reference: there is no `sessions.aa`
              (did you mean `sessions.a`?)
        ["api_keys"]
            unknown-reference: there is no `api_keys`
              (did you mean `api_keys.c`?)
    "#]]
    .assert_eq(&found);
}

#[test]
fn records_outlive_the_process() {
    let cases = [
        "url = \"sqlite:records.db\"",
        "url = \"postgres://db.example/d\"\nuser = \"palisade\"",
        "url = \"memory:\"",
        "url = \"redis://127.0.0.1/0\"",
        "user = \"a\"",
    ];
    check_each(
        &cases,
        |case| format!("[store.records]\n{case}\n"),
        &expect![[r#"
        url = "sqlite:records.db"
            fine
        url = "postgres://db.example/d"
        user = "palisade"
            fine
        url = "memory:"
            2 bad-store: this store keeps no records
              (write `sqlite:PATH` or `postgres://HOST:PORT/DB`)
        url = "redis://127.0.0.1/0"
            2 bad-store: this store keeps no records
              (write `sqlite:PATH` or `postgres://HOST:PORT/DB`)
        user = "a"
            2 bad-store: nobody signs in here, so `user` means nothing
              (add the `url` of the server, or remove it)
    "#]],
    );
}

#[test]
fn says_where_they_would_have_to_be_kept() {
    let text = with("[\"api_keys.a\", \"sessions.a\"]", "[api_keys.a]\n[sessions.a]\n");
    let said = parse(&text).unwrap_err();
    let codes: Vec<_> = said.iter().map(|one| (one.code(), one.position().map_or(0, |at| at.line))).collect();
    let first = text.lines().position(|line| line == "[api_keys.a]").unwrap() + 1;
    assert_eq!(codes, [("missing-key", first), ("missing-key", first + 1)]);
}

#[test]
fn sections_mean_what_was_written() {
    let sections = "[api_keys.a]\nheader = \"X-Key\"\n[sessions.a]\ncookie = \"sid\"\nmax_age = \"12h\"\n";
    let loaded = parse(&with("[\"api_keys.a\", \"sessions.a\"]", &format!("{sections}{RECORDS}"))).unwrap();
    let (keys, sessions) = (&loaded.settings.api_keys[0], &loaded.settings.sessions[0]);
    assert_eq!((keys.header.as_str(), sessions.cookie.name()), ("x-key", "__Host-sid"));
    assert_eq!(sessions.max_age, Some(Duration::from_secs(12 * 3600)));
}
