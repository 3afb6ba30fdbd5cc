//! What is said about broken configurations: the whole text, as a user sees it.

use expect_test::{Expect, expect};

use super::{SMALL, parse};

/// The whole text of all diagnostics, warnings included.
fn check(text: &str, expect: &Expect) {
    let diagnostics = parse(text).map_or_else(|errors| errors, |loaded| loaded.diagnostics);
    let texts: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    expect.assert_eq(&texts.join("\n\n"));
}

#[test]
fn reports_unknown_keys_with_what_was_meant() {
    check(
        &SMALL.replace("[upstream.api]", "[upstraem.api]").replace("address", "adress").replace("path", "flavour"),
        &expect![[r#"
            error[unknown-key]: unknown key `adress` in `listen.main`
              --> palisade.toml:3:1
              |
            3 | adress = "127.0.0.1:8080"
              | ^^^^^^
              help: did you mean `address`?

            error[unknown-key]: unknown key `upstraem` at the top of the file
              --> palisade.toml:4:2
              |
            4 | [upstraem.api]
              |  ^^^^^^^^
              help: did you mean `upstream`?

            error[missing-key]: `route.api.path` is missing
              --> palisade.toml:8:1
              |
            8 | [route.api]
              | ^^^^^^^^^^^
              help: add `path = ...` here

            error[unknown-key]: unknown key `flavour` in `route.api`
              --> palisade.toml:9:1
              |
            9 | flavour = "/**"
              | ^^^^^^^
              help: remove it; here stand `host`, `path`, `upstream`, `contract`, `authenticate`, `public`, `credentials`, `requests`, `responses`, `undeclared`, `leaks`, `operation`, `timeout`, `body_timeout`, `max_body`, `body_min_rate`, `endless_body`, `accept_encoding`, `throttle`, `max_concurrent`, `reserved_concurrent`, `client`, `cors`, `csrf`, `headers`, `payload`, `stream_idle_timeout`, `trailers`, `request_trailers`, `cache`, `websocket`, `danger_allow_markup`"#]],
    );
}

#[test]
fn reports_everything_that_is_wrong_with_the_meaning_at_once() {
    check(
        r#"version = 1
[listen.main]
address = "localhost"
[listen.other]
address = "127.0.0.1:8080"
trusted_proxies = ["10.0.0.1/8"]
[listen.same]
address = "127.0.0.1:8080"
[upstream.api]
url = "127.0.0.1:9000"
connect_timeout = "2"
[contract.api]
openapi = "missing.yaml"
[route.api]
path = "/orders/*"
upstream = "apl"
contract = "api"
authenticate = ["main", "keys.nobody"]
max_body = "1MB"
[bearer.main]
issuer = "https://id.example.com"
audience = "orders"
jwks = "http://id.example.com/jwks"
"#,
        &expect![[r#"
            error[bad-address]: `localhost` is not an address
              --> palisade.toml:3:11
              |
            3 | address = "localhost"
              |           ^^^^^^^^^^^
              help: write an IP address and a port, such as `127.0.0.1:8080`, or `0.0.0.0:8080` for all interfaces

            error[bad-network]: `10.0.0.1/8` names an address inside its block
              --> palisade.toml:6:20
              |
            6 | trusted_proxies = ["10.0.0.1/8"]
              |                    ^^^^^^^^^^^^
              help: for the whole block write `10.0.0.0/8`, for the one address `10.0.0.1`

            error[bad-url]: `127.0.0.1:9000` is not an http or https URL
               --> palisade.toml:10:7
               |
            10 | url = "127.0.0.1:9000"
               |       ^^^^^^^^^^^^^^^^
              help: write scheme, host and port only, such as `http://127.0.0.1:9000` or `https://orders.internal`

            error[bad-duration]: `2` is not a duration
               --> palisade.toml:11:19
               |
            11 | connect_timeout = "2"
               |                   ^^^
              help: write a whole number and a unit, such as `500ms`, `2s`, `10m`, `1h` or `1d`; at most `365d`

            error[file-unreadable]: cannot read the file `missing.yaml`: it does not exist
               --> palisade.toml:13:11
               |
            13 | openapi = "missing.yaml"
               |           ^^^^^^^^^^^^^^
              help: the path is relative to the folder of the configuration

            error[bad-path]: `/orders/*` is not the path of a route
               --> palisade.toml:15:8
               |
            15 | path = "/orders/*"
               |        ^^^^^^^^^^^
              help: write `/**` for every path, `/orders/**` for a part, or one path such as `/health`

            error[unknown-reference]: there is no `upstream.apl`
               --> palisade.toml:16:12
               |
            16 | upstream = "apl"
               |            ^^^^^
              help: did you mean `api`?

            error[unknown-reference]: there is no `main`
               --> palisade.toml:18:17
               |
            18 | authenticate = ["main", "keys.nobody"]
               |                 ^^^^^^
              help: did you mean `bearer.main`?

            error[unknown-reference]: there is no `keys.nobody`
               --> palisade.toml:18:25
               |
            18 | authenticate = ["main", "keys.nobody"]
               |                         ^^^^^^^^^^^^^
              help: add a section `[keys.nobody]`

            error[bad-size]: `1MB` is not a size
               --> palisade.toml:19:12
               |
            19 | max_body = "1MB"
               |            ^^^^^
              help: write a whole number and a unit, such as `512B`, `8KiB` or `1MiB`; at most `3GiB`

            error[bad-url]: keys from `http://id.example.com/jwks` could be replaced on the way
               --> palisade.toml:23:8
               |
            23 | jwks = "http://id.example.com/jwks"
               |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              help: write an `https` URL such as `https://id.example.com/jwks`, or `file:` and the path of a file"#]],
    );
}

#[test]
fn reports_wrong_types_and_words() {
    check(
        r#"version = 2
preset = "browser"
[listen]
address = "127.0.0.1:8080"
[upstream.api]
url = 9000
failures = 0
[contract]
[route.api]
path = ["/**"]
upstream = "api"
contract = "api"
authenticate = true
throttle = { requests = "100", per = 1 }
cors = { origins = [] }
credentials = "remove"
"#,
        &expect![[r#"
            error[unknown-version]: `version` cannot be `2`
              --> palisade.toml:1:11
              |
            1 | version = 2
              |           ^
              help: this program knows `1`; a newer file needs a newer program

            error[unknown-value]: `preset` cannot be `browser`
              --> palisade.toml:2:10
              |
            2 | preset = "browser"
              |          ^^^^^^^^^
              help: did you mean `browser-app`? there are `browser-app`, `internal`, `public-api`

            error[wrong-type]: `listen.address` must be a table, and this is a text
              --> palisade.toml:4:11
              |
            4 | address = "127.0.0.1:8080"
              |           ^^^^^^^^^^^^^^^^
              help: this section needs a name: write `[listen.main]` above

            error[wrong-type]: `upstream.api.url` must be a text, and this is a whole number
              --> palisade.toml:6:7
              |
            6 | url = 9000
              |       ^^^^
              help: put it in double quotes; durations and sizes also need a unit, such as `"10s"` or `"1MiB"`

            error[out-of-range]: `upstream.api.failures` cannot be `0`
              --> palisade.toml:7:12
              |
            7 | failures = 0
              |            ^
              help: write a number from 1 to 4294967295

            error[missing-key]: there is no `[contract.NAME]`
              --> palisade.toml:8:1
              |
            8 | [contract]
              | ^^^^^^^^^^
              help: add a section such as `[contract.main]`

            error[wrong-type]: `route.api.path` must be a text, and this is a list
               --> palisade.toml:10:8
               |
            10 | path = ["/**"]
               |        ^^^^^^^
              help: write a text here

            error[wrong-type]: `route.api.authenticate` must be a list or a text, and this is true or false
               --> palisade.toml:13:16
               |
            13 | authenticate = true
               |                ^^^^
              help: write a list or a text here

            error[wrong-type]: `route.api.throttle.requests` must be a whole number, and this is a text
               --> palisade.toml:14:25
               |
            14 | throttle = { requests = "100", per = 1 }
               |                         ^^^^^
              help: write it without quotes

            error[wrong-type]: `route.api.throttle.per` must be a text, and this is a whole number
               --> palisade.toml:14:38
               |
            14 | throttle = { requests = "100", per = 1 }
               |                                      ^
              help: put it in double quotes; durations and sizes also need a unit, such as `"10s"` or `"1MiB"`

            error[empty-list]: `route.api.cors.origins` is empty
               --> palisade.toml:15:20
               |
            15 | cors = { origins = [] }
               |                    ^^
              help: name at least one

            error[unknown-value]: `route.api.credentials` cannot be `remove`
               --> palisade.toml:16:15
               |
            16 | credentials = "remove"
               |               ^^^^^^^^
              help: choose one of `forward`, `strip`"#]],
    );
}

#[test]
fn reports_every_syntax_error() {
    check(
        "version = 1\nversion = 1\n[listen.main]\naddress = 127.0.0.1:8080\n",
        &expect![[r#"
        error[duplicate-key]: this key or section has been given before
          --> palisade.toml:2:1
          |
        2 | version = 1
          | ^^^^^^^
          help: a name stands for one thing: merge the two, or give one another name

        error[syntax]: not valid TOML: invalid float, expected nothing
          --> palisade.toml:4:16
          |
        4 | address = 127.0.0.1:8080
          |                ^^^^^^^^^
          help: text values stand in double quotes; see https://toml.io for the syntax"#]],
    );
    check(
        "[listen.main\n",
        &expect![[r#"
        error[syntax]: not valid TOML: unclosed table, expected `]`
          --> palisade.toml:1:13
          |
        1 | [listen.main
          |             ^
          help: text values stand in double quotes; see https://toml.io for the syntax"#]],
    );
    check(
        "",
        &expect![[r#"
        error[missing-key]: `version` is missing
          --> palisade.toml
          help: add `version = ...` at the top of the file

        error[missing-key]: there is no `[listen.NAME]`
          --> palisade.toml
          help: add a section such as `[listen.main]`

        error[missing-key]: there is no `[upstream.NAME]`
          --> palisade.toml
          help: add a section such as `[upstream.main]`

        error[missing-key]: there is no `[contract.NAME]`
          --> palisade.toml
          help: add a section such as `[contract.main]`

        error[missing-key]: there is no `[route.NAME]`
          --> palisade.toml
          help: add a section such as `[route.main]`"#]],
    );
}

#[test]
fn never_prints_a_credential() {
    let added = "[bearer.main]\nissuer = \"i\"\naudience = \"a\"\nsecret = \"hunter2hunter2\"\n";
    let url = SMALL.replace("http://127", "http://me:hunter2@127");
    check(
        &format!("{url}{added}"),
        &expect![[r#"
            error[literal-secret]: this looks like a credential, and a configuration is read by many
              --> palisade.toml:5:7
              |
            5 | url = **********************************
              |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              help: leave user name and password out of the URL

            error[literal-secret]: this looks like a credential, and a configuration is read by many
               --> palisade.toml:15:10
               |
            15 | secret = ****************
               |          ^^^^^^^^^^^^^^^^
              help: put it into a file that only the gateway may read, and write `file:` and its path"#]],
    );
    for broken in
        ["secret = hunter2\n", "[bearer.a]\nsecret = \"hunter2\nx = 1\n", "secret = \"hunter2\"\nflavour = 1\n"]
    {
        let text: String = parse(broken).err().unwrap().iter().map(ToString::to_string).collect();
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn proves_that_certificate_and_key_belong_together() {
    let tls = |cert: &str, key: &str| {
        format!("[listen.tls]\naddress = \"127.0.0.1:1\"\ntls = {{ cert = \"{cert}\", key = \"{key}\" }}\n")
    };
    check(
        &format!("{SMALL}{}", tls("file:server.cert.pem", "file:other.key.pem")),
        &expect![[r#"
        error[key-mismatch]: `file:other.key.pem` is not the key of `file:server.cert.pem`
           --> palisade.toml:14:46
           |
        14 | tls = { cert = "file:server.cert.pem", key = "file:other.key.pem" }
           |                                              ^^^^^^^^^^^^^^^^^^^^
          help: take the key that the certificate was requested with"#]],
    );
    check(
        &format!("{SMALL}{}", tls("file:server.key.pem", "file:server.cert.pem")),
        &expect![[r#"
        error[bad-certificate]: `file:server.key.pem` has no certificate
           --> palisade.toml:14:16
           |
        14 | tls = { cert = "file:server.key.pem", key = "file:server.cert.pem" }
           |                ^^^^^^^^^^^^^^^^^^^^^
          help: the file must have `-----BEGIN CERTIFICATE-----` blocks in PEM form

        error[bad-key]: `file:server.cert.pem` has no private key
           --> palisade.toml:14:45
           |
        14 | tls = { cert = "file:server.key.pem", key = "file:server.cert.pem" }
           |                                             ^^^^^^^^^^^^^^^^^^^^^^
          help: the file must have a `-----BEGIN PRIVATE KEY-----` block without a passphrase"#]],
    );
    check(
        &format!("{SMALL}{}", tls("cert.pem", "file:nowhere.pem")),
        &expect![[r#"
            error[bad-file-reference]: `cert.pem` is not a reference to a file
               --> palisade.toml:14:16
               |
            14 | tls = { cert = "cert.pem", key = "file:nowhere.pem" }
               |                ^^^^^^^^^^
              help: write `file:` and a path relative to this file: `file:cert.pem`

            error[file-unreadable]: cannot read the file `nowhere.pem`: it does not exist
               --> palisade.toml:14:34
               |
            14 | tls = { cert = "cert.pem", key = "file:nowhere.pem" }
               |                                  ^^^^^^^^^^^^^^^^^^
              help: the path is relative to the folder of the configuration"#]],
    );
}
