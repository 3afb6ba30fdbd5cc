//! `[store]` as it is written: servers, who signs in to them, and what must not stand in the file.

use std::time::Duration;

use expect_test::expect;
use palisade_gateway::config::settings::{Server, Store};

use super::rules::check_each;
use super::{SMALL, parse};

#[test]
fn checks_servers() {
    let cases = [
        "url = \"redis://127.0.0.1:6379/0\"",
        "url = \"rediss://cache.example/0\"",
        "url = \"redis+unix:///run/valkey.sock\"",
        "url = \"postgres://db.example/palisade\"",
        "url = \"redis://cache.example\"",
        "url = \"postgres://db.example/d?sslmode=disable\"",
        "url = \"redis:127.0.0.1\"",
        "url = \"redis://\"",
        "url = \"redis://:hunter2@127.0.0.1/0\"",
        "url = \"redis+unix:///run/valkey.sock?pass=hunter2\"",
        "url = \"redis://127.0.0.1\"\npassword = \"hunter2\"",
        "url = \"redis://127.0.0.1\"\npassword = \"file:nowhere\"",
        "password = \"file:csrf.key\"",
        "[store.counters]\nuser = \"a\"",
        "[store.counters]\nurl = \"redis://cache.example\"\nmode = \"lease\"\nlease_percent = 51",
    ];
    check_each(&cases, |case| format!("[store]\n{case}"), &expect![[""]]);
}

#[test]
fn a_server_is_what_was_written() {
    let text = format!(
        "{SMALL}[store]\nurl = \"postgres://127.0.0.1/palisade\"\nuser = \"palisade\"\npassword = \"file:csrf.key\"\n\
         [store.counters]\nurl = \"rediss://cache.example:6380/2\"\nmode = \"lease\"\n"
    );
    let stores = parse(&text).unwrap().settings.stores;
    let Store::Server(Server { url, user, password: Some(password) }) = &stores.store else { panic!("{stores:?}") };
    assert_eq!((url.as_str(), user.as_deref()), ("postgres://127.0.0.1/palisade", Some("palisade")));
    let file = include_str!("../../fixtures/csrf.key");
    assert!(password.0.matches(file.trim_end().as_bytes()));
    assert!(!format!("{stores:?}").contains(file.trim_end()));
    let counters = Server { url: "rediss://cache.example:6380/2".to_owned(), user: None, password: None };
    assert_eq!(stores.counters.store, Some(Store::Server(counters)));
    assert_eq!((stores.counters.lease, stores.timeout), (Some(5), Duration::from_millis(100)));
}
