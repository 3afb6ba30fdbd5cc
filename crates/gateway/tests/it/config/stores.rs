//! `[store]` as it is written: servers, who signs in to them, and what must not stand in the file.

use std::time::Duration;

use expect_test::expect;
use palisade_gateway::config::settings::{Store, StoreServer, StoreTrust};

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
        "url = \"postgres://db.example/d?sslmode=prefer\"",
        "url = \"postgres://db.example/d?sslmode=require\"",
        "url = \"postgres://db.example/d?ssl-mode=allow\"",
        "url = \"postgres://db.example/d?sslmode=verify-full\"",
        "url = \"postgres://127.0.0.1/d?sslmode=disable\"",
        "url = \"redis://cache.example\"\ndanger_cleartext = true",
        "url = \"rediss://cache.example/#insecure\"",
        "url = \"rediss://cache.example\"\ntls = { ca = \"file:server.cert.pem\" }",
        "url = \"rediss://cache.example\"\ntls = { ca = \"file:server.key.pem\" }",
        "url = \"rediss://cache.example\"\ntls = { cert = \"file:client.cert.pem\", key = \"file:client.key.pem\" }",
        "url = \"rediss://cache.example\"\ntls = { cert = \"file:client.cert.pem\", key = \"file:server.key.pem\" }",
        "url = \"rediss://cache.example\"\ntls = { cert = \"file:client.cert.pem\" }",
        "url = \"redis://127.0.0.1\"\ntls = { ca = \"file:server.cert.pem\" }",
        "tls = { ca = \"file:server.cert.pem\" }\ndanger_cleartext = true",
        "url = \"redis:127.0.0.1\"",
        "url = \"redis://\"",
        "url = \"redis://:hunter2@127.0.0.1/0\"",
        "url = \"redis+unix:///run/valkey.sock?pass=hunter2\"",
        "url = \"redis://127.0.0.1\"\npassword = \"hunter2\"",
        "url = \"redis://127.0.0.1\"\npassword = \"file:nowhere\"",
        "password = \"file:csrf.key\"",
        "[store.counters]\nuser = \"a\"",
        "[store.counters]\nurl = \"redis://cache.example\"\nmode = \"lease\"\nlease_percent = 51",
        "[store.revocations]\nurl = \"sqlite:records.db\"",
        "[store.revocations]\nurl = \"postgres://db.example/d\"\nuser = \"palisade\"",
        "[store.revocations]\nurl = \"redis://127.0.0.1/0\"",
        "[store.revocations]\nurl = \"memory:\"",
        "[store.revocations]\nurl = \"mysql://db\"",
        "[store.revocations]\npassword = \"file:csrf.key\"",
    ];
    check_each(
        &cases,
        |case| format!("[store]\n{case}"),
        &expect![[r#"
        url = "redis://127.0.0.1:6379/0"
            fine
        url = "rediss://cache.example/0"
            fine
        url = "redis+unix:///run/valkey.sock"
            fine
        url = "postgres://db.example/palisade"
            fine
        url = "redis://cache.example"
            2 store-cleartext: what goes to this store can be read by others, its password included, or they can play the store
              (write `rediss://`, or leave `sslmode` out, and name who vouches for the server in `tls.ca`; `danger_cleartext = true` is for a network that nobody else is in)
        url = "postgres://db.example/d?sslmode=disable"
            2 store-cleartext: what goes to this store can be read by others, its password included, or they can play the store
              (write `rediss://`, or leave `sslmode` out, and name who vouches for the server in `tls.ca`; `danger_cleartext = true` is for a network that nobody else is in)
        url = "postgres://db.example/d?sslmode=prefer"
            2 store-cleartext: what goes to this store can be read by others, its password included, or they can play the store
              (write `rediss://`, or leave `sslmode` out, and name who vouches for the server in `tls.ca`; `danger_cleartext = true` is for a network that nobody else is in)
        url = "postgres://db.example/d?sslmode=require"
            2 store-cleartext: what goes to this store can be read by others, its password included, or they can play the store
              (write `rediss://`, or leave `sslmode` out, and name who vouches for the server in `tls.ca`; `danger_cleartext = true` is for a network that nobody else is in)
        url = "postgres://db.example/d?ssl-mode=allow"
            2 store-cleartext: what goes to this store can be read by others, its password included, or they can play the store
              (write `rediss://`, or leave `sslmode` out, and name who vouches for the server in `tls.ca`; `danger_cleartext = true` is for a network that nobody else is in)
        url = "postgres://db.example/d?sslmode=verify-full"
            fine
        url = "postgres://127.0.0.1/d?sslmode=disable"
            fine
        url = "redis://cache.example"
        danger_cleartext = true
            2 store-cleartext: what goes to this store can be read by others, its password included, or they can play the store
              (write `rediss://`, or leave `sslmode` out, as soon as the server speaks TLS)
        url = "rediss://cache.example/#insecure"
            2 bad-store: a store has no fragment
              (remove what stands behind `#`; a certificate is always checked)
        url = "rediss://cache.example"
        tls = { ca = "file:server.cert.pem" }
            fine
        url = "rediss://cache.example"
        tls = { ca = "file:server.key.pem" }
            3 bad-certificate: `file:server.key.pem` has no certificate
              (the file must have `-----BEGIN CERTIFICATE-----` blocks in PEM form)
        url = "rediss://cache.example"
        tls = { cert = "file:client.cert.pem", key = "file:client.key.pem" }
            fine
        url = "rediss://cache.example"
        tls = { cert = "file:client.cert.pem", key = "file:server.key.pem" }
            3 key-mismatch: `file:server.key.pem` is not the key of `file:client.cert.pem`
              (take the key that the certificate was requested with)
        url = "rediss://cache.example"
        tls = { cert = "file:client.cert.pem" }
            3 bad-store: `cert` without `key` proves nothing
              (give both, or none)
        url = "redis://127.0.0.1"
        tls = { ca = "file:server.cert.pem" }
            3 bad-store: this server is reached without TLS, so `tls` means nothing
              (write `rediss://`, or `sslmode=verify-full`, or remove it)
        tls = { ca = "file:server.cert.pem" }
        danger_cleartext = true
            2 bad-store: there is no way to protect, so `tls` means nothing
              (remove it)
            3 bad-store: there is no way to protect, so `danger_cleartext` means nothing
              (remove it)
        url = "redis:127.0.0.1"
            2 bad-store: this is not a store
              (write `memory:`, `sqlite:PATH`, `redis://HOST:PORT/DB` or `postgres://HOST:PORT/DB`)
        url = "redis://"
            2 bad-store: this is not a store
              (write `memory:`, `sqlite:PATH`, `redis://HOST:PORT/DB` or `postgres://HOST:PORT/DB`)
        url = "redis://:hunter2@127.0.0.1/0"
            2 literal-secret: this looks like a credential, and a configuration is read by many
              (leave user name and password out of the URL)
        url = "redis+unix:///run/valkey.sock?pass=hunter2"
            2 bad-store: the URL holds a password
              (put it into a file, and write `password = "file:PATH"`)
        url = "redis://127.0.0.1"
        password = "hunter2"
            3 literal-secret: this looks like a credential, and a configuration is read by many
              (put it into a file that only the gateway may read, and write `file:` and its path)
        url = "redis://127.0.0.1"
        password = "file:nowhere"
            3 file-unreadable: cannot read the file `nowhere`: it does not exist
              (the path is relative to the folder of the configuration)
        password = "file:csrf.key"
            2 bad-store: nobody signs in here, so `password` means nothing
              (remove it)
        [store.counters]
        user = "a"
            3 bad-store: nobody signs in here, so `user` means nothing
              (add the `url` of the server, or remove it)
        [store.counters]
        url = "redis://cache.example"
        mode = "lease"
        lease_percent = 51
            5 out-of-range: `store.counters.lease_percent` cannot be `51`
              (write a number from 1 to 50)
        [store.revocations]
        url = "sqlite:records.db"
            fine
        [store.revocations]
        url = "postgres://db.example/d"
        user = "palisade"
            fine
        [store.revocations]
        url = "redis://127.0.0.1/0"
            3 bad-store: this store keeps no revocations
              (write `sqlite:PATH` or `postgres://HOST:PORT/DB`)
        [store.revocations]
        url = "memory:"
            3 bad-store: this store keeps no revocations
              (write `sqlite:PATH` or `postgres://HOST:PORT/DB`)
        [store.revocations]
        url = "mysql://db"
            3 bad-store: this is not a store
              (write `memory:`, `sqlite:PATH`, `redis://HOST:PORT/DB` or `postgres://HOST:PORT/DB`)
        [store.revocations]
        password = "file:csrf.key"
            3 bad-store: nobody signs in here, so `password` means nothing
              (add the `url` of the server, or remove it)
    "#]],
    );
}

#[test]
fn a_server_is_what_was_written() {
    let text = format!(
        "{SMALL}[store]\nurl = \"postgres://127.0.0.1/palisade\"\nuser = \"palisade\"\npassword = \"file:csrf.key\"\n\
         [store.counters]\nurl = \"rediss://cache.example:6380/2\"\nmode = \"lease\"\n"
    );
    let stores = parse(&text).unwrap().settings.stores;
    let Store::Server(StoreServer { url, user, password: Some(password), .. }) = &stores.store else {
        panic!("{stores:?}")
    };
    assert_eq!((url.as_str(), user.as_deref()), ("postgres://127.0.0.1/palisade", Some("palisade")));
    let file = include_str!("../../fixtures/csrf.key");
    assert!(password.0.matches(file.trim_end().as_bytes()));
    assert!(!format!("{stores:?}").contains(file.trim_end()));
    let (url, trust) = ("rediss://cache.example:6380/2".to_owned(), StoreTrust::default());
    let counters = StoreServer { url, user: None, password: None, trust };
    assert_eq!(stores.counters.store, Some(Store::Server(counters)));
    assert_eq!((stores.counters.lease, stores.timeout), (Some(5), Duration::from_millis(100)));
}
