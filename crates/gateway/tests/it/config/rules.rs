//! What is said about single values that break a rule, as a table of causes and answers.

use expect_test::{Expect, expect};

use super::{SMALL, parse};

/// What is said about each of several texts that follow the small configuration: slug, line, message and help.
pub(super) fn check_each<S: AsRef<str>>(cases: &[S], frame: impl Fn(&str) -> String, expect: &Expect) {
    let before = SMALL.lines().count();
    let mut found = String::new();
    for case in cases {
        let diagnostics =
            parse(&format!("{SMALL}{}", frame(case.as_ref()))).map_or_else(|e| e, |loaded| loaded.diagnostics);
        found.push_str(&format!("{}\n", case.as_ref()));
        if diagnostics.is_empty() {
            found.push_str("    fine\n");
        }
        for one in diagnostics {
            let line = one.position().map_or(0, |at| at.line.saturating_sub(before));
            let help = one.advice().unwrap_or("no help");
            found.push_str(&format!("    {line} {}: {}\n      ({help})\n", one.code(), one.message()));
        }
    }
    expect.assert_eq(&found);
}

#[test]
fn refuses_credentials_that_nobody_could_tell_apart() {
    let sections = r#"
[bearer.main]
issuer = "https://id.example.com"
audience = "a"
jwks = "file:jwks.json"
[bearer.same]
issuer = "https://id.example.com"
audience = "b"
jwks = "file:jwks.json"
[bearer.other]
issuer = "https://login.example.net"
audience = "a"
secret = "file:hs256.key"
[keys.one]
key = [{ hash = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", client = "one" }]
[keys.two]
header = "X-Api-Key"
key = [{ hash = "sha256:cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34", client = "two" }]
[keys.bearer]
header = "Authorization"
key = [{ hash = "sha256:cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34", client = "two" }]
"#;
    let route = |list: &str| {
        let route = "[route.b]\npath = \"/b\"\nupstream = \"api\"\ncontract = \"api\"\n";
        format!("{route}authenticate = [{list}]\n{sections}")
    };
    let conflicts = |list: &str| {
        let text = format!("{SMALL}{}", route(list));
        let told = parse(&text).map_or_else(|errors| errors, |loaded| loaded.diagnostics);
        let told = told.iter().filter(|one| one.code() == "credential-conflict");
        told.map(|one| format!("{}: {}", one.position().unwrap().column, one.message())).collect::<Vec<_>>().join("\n")
    };
    for (list, expect) in [
        (r#""bearer.main", "bearer.other", "keys.one""#, ""),
        (
            r#""bearer.main", "bearer.same""#,
            "32: `bearer.main` and `bearer.same` are the same issuer, `https://id.example.com`",
        ),
        (
            r#""bearer.main", "bearer.main""#,
            "32: `bearer.main` and `bearer.main` are the same issuer, `https://id.example.com`",
        ),
        (r#""keys.one", "keys.two""#, "29: `keys.one` and `keys.two` are both read from `x-api-key`"),
        (r#""keys.bearer", "bearer.main""#, "32: `keys.bearer` is read from `authorization`, where the tokens are"),
    ] {
        assert_eq!(conflicts(list), expect, "{list}");
    }
}

#[test]
fn checks_tokens_and_keys() {
    let bearer = |rest: &str| {
        let use_it =
            "[route.b]\npath = \"/b\"\nupstream = \"api\"\ncontract = \"api\"\nauthenticate = [\"bearer.main\"]\n";
        format!("{use_it}[bearer.main]\nissuer = \"i\"\naudience = \"a\"\n{rest}\n")
    };
    let cases = [
        "jwks = \"file:jwks.json\"",
        "",
        "jwks = \"file:jwks.json\"\nsecret = \"file:hs256.key\"",
        "jwks = \"file:openapi.yaml\"",
        "jwks = \"file:private.jwks.json\"",
        "jwks = \"file:jwks.json\"\nalgorithms = [\"ES256\", \"HS256\"]",
        "secret = \"file:hs256.key\"\nalgorithms = [\"ES256\"]",
        "secret = \"file:hs256.key\"\nalgorithms = []",
        "secret = \"file:hs256.key\"\nalgorithms = [\"es256\"]",
        "secret = \"file:short.key\"",
        "secret = \"file:hs256.key\"\nleeway = \"10m\"",
        "secret = \"file:hs256.key\"\nroles_claim = \"a..b\"",
    ];
    check_each(
        &cases,
        bearer,
        &expect![[r#"
            jwks = "file:jwks.json"
                fine

                6 missing-key: it is not said what tokens are verified with
                  (add `jwks` with the URL of the issuer's public keys, or `secret` with the file of a shared key)
            jwks = "file:jwks.json"
            secret = "file:hs256.key"
                10 conflicting-keys: `jwks` and `secret` exclude each other
                  (with both, a public key could be passed off as the secret: keep the one that the issuer signs with)
            jwks = "file:openapi.yaml"
                9 bad-jwks: `openapi.yaml` is not a set of keys
                  (it must be a JSON object with a list `keys` of public keys (RFC 7517 section 5))
            jwks = "file:private.jwks.json"
                9 private-jwks: `private.jwks.json` has private keys
                  (export the public keys only, without `d` and `k`, and replace them if others saw the private ones)
            jwks = "file:jwks.json"
            algorithms = ["ES256", "HS256"]
                10 algorithm-mismatch: `HS256` does not go with `jwks`
                  (whoever knows the public key could sign tokens with it: remove HS256, or use `secret`)
            secret = "file:hs256.key"
            algorithms = ["ES256"]
                10 algorithm-mismatch: `ES256` does not go with a `secret`
                  (a `secret` verifies HS256 only: use `jwks` for the others)
            secret = "file:hs256.key"
            algorithms = []
                10 empty-list: `bearer.main.algorithms` is empty
                  (name at least one)
            secret = "file:hs256.key"
            algorithms = ["es256"]
                10 unknown-value: `bearer.main.algorithms.0` cannot be `es256`
                  (choose one of `EdDSA`, `ES256`, `HS256`, `PS256`, `RS256`)
            secret = "file:short.key"
                9 weak-secret: the key in `file:short.key` has 5 bytes, and HS256 needs 32
                  (make one with `openssl rand -base64 32`)
            secret = "file:hs256.key"
            leeway = "10m"
                10 out-of-range: `10m` is too much: tokens would live that much longer
                  (write at most `120s`, and set the clocks by NTP)
            secret = "file:hs256.key"
            roles_claim = "a..b"
                10 bad-claim: `a..b` does not name a claim
                  (write the name of a claim such as `roles`, or names that lead to it such as `realm_access.roles`)
        "#]],
    );
    let keys = |rest: &str| format!("[keys.p]\n[[keys.p.key]]\nclient = \"c\"\n{rest}\n");
    let digest = "00".repeat(32);
    let cases = [
        format!("hash = \"sha256:{digest}\""),
        "hash = \"sha256:00\"".to_owned(),
        format!("hash = \"{digest}\""),
        format!("hash = \"sha256:{digest}\"\nexpires = \"2027-01-01\""),
        format!("hash = \"sha256:{digest}\"\nexpires = 2027-01-01T00:00:00Z"),
        format!("hash = \"sha256:{digest}\"\n[[keys.p.key]]\nhash = \"sha256:{digest}\"\nclient = \" \""),
        format!("hash = \"sha256:{digest}\"\n[[keys.p.key]]\nhash = \"sha256:{digest}\"\nclient = \"d\""),
    ];
    check_each(
        &cases,
        keys,
        &expect![[r#"
            hash = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
                1 unused-section: no route uses `keys.p`
                  (name it in a route, or remove it)
            hash = "sha256:00"
                4 bad-hash: this is not a SHA-256 digest
                  (write `sha256:` and 64 hexadecimal digits: `printf %s "$KEY" | sha256sum`)
            hash = "0000000000000000000000000000000000000000000000000000000000000000"
                4 literal-secret: this looks like a credential, and a configuration is read by many
                  (write `sha256:` and the SHA-256 of the key: `printf %s "$KEY" | sha256sum`)
            hash = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
            expires = "2027-01-01"
                5 bad-timestamp: `2027-01-01` is not a moment
                  (write date, time and zone, such as `2027-01-01T00:00:00Z`)
            hash = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
            expires = 2027-01-01T00:00:00Z
                5 wrong-type: `keys.p.key.0.expires` must be a text, and this is a date
                  (put it in double quotes; durations and sizes also need a unit, such as `"10s"` or `"1MiB"`)
            hash = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
            [[keys.p.key]]
            hash = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
            client = " "
                7 empty-text: this text is empty
                  (write a value)
            hash = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
            [[keys.p.key]]
            hash = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
            client = "d"
                6 duplicate-credential: the key of `d` is listed twice
                  (one key, one client: remove an entry, or issue another key)
        "#]],
    );
}

#[test]
fn checks_routes() {
    let route = |rest: &str| format!("[route.b]\nupstream = \"api\"\ncontract = \"api\"\n{rest}\n");
    let cases = [
        "path = \"/**\"",
        "path = \"/**\"\nhost = \"b.example\"",
        "path = \"/b\"\nhost = \"https://b.example\"",
        "path = \"/b\"\nhost = \"b.example:80\"",
        "path = \"orders\"",
        "path = \"/%62\"",
        "path = \"/b//**\"",
        "path = \"/a/../b\"",
        "path = \"/b\"\nauthenticate = \"bearer.main\"",
        "path = \"/b\"\nauthenticate = [\"backend\"]",
        "path = \"/b\"\nauthenticate = \"backend\"\ncredentials = \"strip\"",
        "path = \"/b\"\nthrottle = { requests = 1, per = \"10ms\" }",
        "path = \"/b\"\nthrottle = [{ requests = 2, per = \"1s\" }, { requests = 1, per = \"1s\", cost = 2 }]",
        "path = \"/b\"\nthrottle = { requests = 1, per = \"1s\", by = \"principal\", algorithm = \"sliding\" }",
        "path = \"/b\"\nthrottle = { requests = 1, per = \"1s\", on_failure = \"allow\" }",
        "path = \"/b\"\nthrottle = []",
        "path = \"/b\"\nthrottle = \"1/s\"",
        "path = \"/b\"\naccept_encoding = [\"gzip\", \"br\"]",
        "path = \"/b\"\nbody_min_rate = \"0B\"",
        "path = \"/b\"\nmax_concurrent = 1\nreserved_concurrent = 1",
        "path = \"/b\"\ncache = { max_size = \"1MiB\", max_body = \"512KiB\" }",
        "path = \"/b\"\ncache = { request_directives = \"never\" }",
        "path = \"/b\"\nrequest_trailers = [\"palisade-subject\", \"cookie\"]",
        "path = \"/b\"\ncors = { origins = [\"*\"], credentials = true }",
        "path = \"/b\"\ncors = { origins = [\"*\", \"https://a.example\"] }",
        "path = \"/b\"\ncors = { origins = [\"null\"] }",
        "path = \"/b\"\ncors = { origins = [\"https://a.example/\"], methods = [\"put\"], headers = [\"*\"] }",
        "path = \"/b\"\ncsrf = { trusted_origins = [\"a.example\"] }",
    ];
    check_each(
        &cases,
        route,
        &expect![[r#"
        path = "/**"
            4 route-conflict: `route.api` on line 8 already takes these requests
              (give one of them another `path` or `host`)
        path = "/**"
        host = "b.example"
            fine
        path = "/b"
        host = "https://b.example"
            5 bad-host: `https://b.example` is not a host name
              (write a name such as `api.example.com`, without `https://`)
        path = "/b"
        host = "b.example:80"
            5 bad-host: `b.example:80` is not a host name
              (leave the port out: a host matches on every port)
        path = "orders"
            4 bad-path: `orders` is not the path of a route
              (write `/**` for every path, `/orders/**` for a part, or one path such as `/health`)
        path = "/%62"
            4 bad-path: `/%62` is not the path of a route
              (requests are compared in canonical form: write `/b`)
        path = "/b//**"
            4 bad-path: `/b//**` is not the path of a route
              (write `/**` for every path, `/orders/**` for a part, or one path such as `/health`)
        path = "/a/../b"
            4 bad-path: `/a/../b` is not the path of a route
              (write `/**` for every path, `/orders/**` for a part, or one path such as `/health`)
        path = "/b"
        authenticate = "bearer.main"
            5 unknown-value: `authenticate` cannot be `bearer.main`
              (write a list of names, `["bearer.main"]`, or the word `"backend"`)
        path = "/b"
        authenticate = ["backend"]
            5 unknown-reference: there is no `backend`
              (write `authenticate = "backend"`, without brackets: it excludes every other)
        path = "/b"
        authenticate = "backend"
        credentials = "strip"
            6 conflicting-keys: the backend cannot verify a credential that is stripped
              (remove `credentials`, or let the gateway verify: `authenticate = ["bearer.main"]`)
        path = "/b"
        throttle = { requests = 1, per = "10ms" }
            5 out-of-range: `10ms` is too short to count in
              (write at least `1s`)
        path = "/b"
        throttle = [{ requests = 2, per = "1s" }, { requests = 1, per = "1s", cost = 2 }]
            5 out-of-range: one request counts for 2, and there are only 1
              (write a `cost` of at most `requests`, or no request would ever pass)
        path = "/b"
        throttle = { requests = 1, per = "1s", by = "principal", algorithm = "sliding" }
            5 unknown-value: `route.b.throttle.by` cannot be `principal`
              (choose one of `all`, `client`)
            5 unknown-value: `route.b.throttle.algorithm` cannot be `sliding`
              (did you mean `sliding-window`? there are `gcra`, `sliding-window`)
        path = "/b"
        throttle = { requests = 1, per = "1s", on_failure = "allow" }
            5 danger: requests pass uncounted while the store does not answer
              (write `local` to count in this process meanwhile, or `deny`)
        path = "/b"
        throttle = []
            5 empty-list: a route without any limit could be asked for ever
              (name at least one limit, or remove the key for that of `preset`)
        path = "/b"
        throttle = "1/s"
            5 wrong-type: `route.b.throttle` must be a list or a table, and this is a text
              (write a list or a table here)
        path = "/b"
        accept_encoding = ["gzip", "br"]
            5 unknown-value: `route.b.accept_encoding.1` cannot be `br`
              (choose one of `deflate`, `gzip`)
        path = "/b"
        body_min_rate = "0B"
            5 bad-size: `0B` is not a size
              (write a whole number and a unit, such as `512B`, `8KiB` or `1MiB`; at most `3GiB`)
        path = "/b"
        max_concurrent = 1
        reserved_concurrent = 1
            6 conflicting-keys: `max_concurrent` and `reserved_concurrent` exclude each other
              (the reserved places are the only ones of a route that has some: keep one of the two)
        path = "/b"
        cache = { max_size = "1MiB", max_body = "512KiB" }
            5 conflicting-keys: `max_body` is more than a quarter of `max_size`
              (one answer would push out all others: raise `max_size`, or keep smaller ones only)
        path = "/b"
        cache = { request_directives = "never" }
            5 unknown-value: `route.b.cache.request_directives` cannot be `never`
              (choose one of `ignore`, `obey`)
        path = "/b"
        request_trailers = ["palisade-subject", "cookie"]
            5 bad-trailer: `palisade-subject` is only for the gateway to say
              (a backend that reads trailers as headers would believe the client: choose another name)
            5 bad-trailer: `cookie` may not stand behind a body
              (who reads it there may obey it after everybody has decided without it: send it as a header)
        path = "/b"
        cors = { origins = ["*"], credentials = true }
            5 cors-any-origin: with credentials, `*` would let every web page read what its visitor may see
              (name the origins that you mean, or remove `credentials`)
        path = "/b"
        cors = { origins = ["*", "https://a.example"] }
            5 bad-origin: `*` includes all other origins
              (write `["*"]`, or remove `*`)
        path = "/b"
        cors = { origins = ["null"] }
            5 bad-origin: `null` is not an origin
              (any page can have the origin `null`, in a sandboxed frame: name the origins that you mean)
        path = "/b"
        cors = { origins = ["https://a.example/"], methods = ["put"], headers = ["*"] }
            5 bad-origin: `https://a.example/` is not an origin
              (browsers write it `https://a.example`)
            5 bad-method: `put` is not a method to allow
              (methods are in upper case: `PUT`)
            5 bad-header: `*` is not the name of a header
              (write the name of a header such as `x-api-key`; `*` is not accepted)
        path = "/b"
        csrf = { trusted_origins = ["a.example"] }
            5 bad-origin: `a.example` is not an origin
              (write scheme, host and, unless it is the scheme's own, port: `https://app.example.com`)
        "#]],
    );
}

#[test]
fn checks_the_rest() {
    let cases = [
        "[listen.a]\naddress = \"0.0.0.0:81\"",
        "[upstream.b]\nurl = \"http://b.example/api\"\nca = \"file:server.cert.pem\"",
        "[upstream.b]\nurl = \"http://b.example\"\nca = \"file:server.cert.pem\"",
        "[store]\nurl = \"mysql://h/d\"",
        "[store]\nurl = \"sqlite:nowhere/p.db\"",
        "[events]\noutput = \"syslog\"",
        "[store]\ntimeout = \"0s\"",
        "[limits]\nipv6_prefix = 16",
        "[limits]\nthrottle = { requests = 1, per = \"1ms\" }",
        "[limits]\nmax_concurrent = 0x0\nmax_uri = \"9GiB\"",
        "[limits]\nmax_concurrent = 99999999999",
        "[client]\ndeny = [\"all\"]",
        "[roles]\nadmin = \"support\"",
        "[upstream.\"b.c\"]\nurl = \"http://127.0.0.1\"",
    ];
    check_each(
        &cases,
        str::to_owned,
        &expect![[r#"
        [listen.a]
        address = "0.0.0.0:81"
            2 listen-cleartext: other machines reach `0.0.0.0:81`, and requests to it are not encrypted
              (add `tls = { cert = "file:cert.pem", key = "file:key.pem" }`, or listen on 127.0.0.1 behind a proxy)
        [upstream.b]
        url = "http://b.example/api"
        ca = "file:server.cert.pem"
            2 bad-url: `http://b.example/api` has more than scheme, host and port
              (write scheme, host and port only, such as `http://127.0.0.1:9000` or `https://orders.internal`)
        [upstream.b]
        url = "http://b.example"
        ca = "file:server.cert.pem"
            1 unused-section: no route uses `upstream.b`
              (name it in a route, or remove it)
            2 upstream-cleartext: requests to `b.example` are not encrypted, credentials and personal data included
              (use `https`, with `ca` if the certificate is your own; or let a sidecar on 127.0.0.1 encrypt)
            3 unused-key: `ca` says nothing about an `http` backend
              (use `https` in `url`, or remove `ca`)
        [store]
        url = "mysql://h/d"
            2 bad-store: this is not a store
              (write `memory:`, `sqlite:PATH`, `redis://HOST:PORT/DB` or `postgres://HOST:PORT/DB`)
        [store]
        url = "sqlite:nowhere/p.db"
            2 folder-missing: the folder of `nowhere/p.db` does not exist
              (create it; the path is relative to the folder of the configuration)
        [events]
        output = "syslog"
            2 bad-output: events cannot be written to `syslog`
              (write `stderr`, `stdout`, or `file:` and the path of a file)
        [store]
        timeout = "0s"
            2 bad-duration: `0s` is not a duration
              (write a whole number and a unit, such as `500ms`, `2s`, `10m`, `1h` or `1d`; at most `365d`)
        [limits]
        ipv6_prefix = 16
            2 out-of-range: `limits.ipv6_prefix` cannot be `16`
              (write a number from 32 to 128)
        [limits]
        throttle = { requests = 1, per = "1ms" }
            2 out-of-range: `1ms` is too short to count in
              (write at least `1s`)
        [limits]
        max_concurrent = 0x0
        max_uri = "9GiB"
            2 out-of-range: `limits.max_concurrent` cannot be `0`
              (write a number from 1 to 4294967295)
        [limits]
        max_concurrent = 99999999999
            2 out-of-range: `limits.max_concurrent` cannot be `99999999999`
              (write a number from 1 to 4294967295)
        [client]
        deny = ["all"]
            2 bad-network: `all` is not a network
              (write a block such as `10.0.0.0/8` or `2001:db8::/32`, or one address)
        [roles]
        admin = "support"
            2 wrong-type: `roles.admin` must be a list, and this is a text
              (put it in brackets: `["..."]`)
        [upstream."b.c"]
        url = "http://127.0.0.1"
            1 bad-name: `b.c` cannot be the name of a section
              (use letters, digits, `-` and `_`)
    "#]],
    );
}

#[test]
fn proxies_are_trusted_by_address_or_by_number() {
    let cases = [
        "trusted_proxies = [\"10.0.0.0/8\"]",
        "danger_trusted_hops = 2",
        "danger_trusted_hops = 0",
        "danger_trusted_hops = 2\ntrusted_proxies = [\"10.0.0.0/8\"]",
        "forwarded_header = \"via\"",
        "proxy_protocol = [\"10.0.0.7/8\"]",
    ];
    let listen = |keys: &str| format!("[listen.second]\naddress = \"127.0.0.1:0\"\n{keys}\n");
    check_each(
        &cases,
        listen,
        &expect![[r#"
        trusted_proxies = ["10.0.0.0/8"]
            fine
        danger_trusted_hops = 2
            3 danger: whoever can connect to this listener directly can choose its address
              (list the proxies in `trusted_proxies`, or let a packet filter keep everybody else out)
        danger_trusted_hops = 0
            3 out-of-range: `listen.second.danger_trusted_hops` cannot be `0`
              (write a number from 1 to 16)
        danger_trusted_hops = 2
        trusted_proxies = ["10.0.0.0/8"]
            3 conflicting-keys: proxies are trusted by their addresses or by their number, not both
              (remove `danger_trusted_hops`: addresses cannot be claimed by whoever connects)
        forwarded_header = "via"
            3 unknown-value: `listen.second.forwarded_header` cannot be `via`
              (choose one of `forwarded`, `x-forwarded`)
        proxy_protocol = ["10.0.0.7/8"]
            3 bad-network: `10.0.0.7/8` names an address inside its block
              (for the whole block write `10.0.0.0/8`, for the one address `10.0.0.7`)
    "#]],
    );
}

#[test]
fn checks_how_strict_a_route_is() {
    let route = |rest: &str| format!("[route.b]\npath = \"/b\"\nupstream = \"api\"\ncontract = \"api\"\n{rest}\n");
    let cases = [
        "requests = \"enforce\"\nresponses = \"enforce\"\nleaks = \"enforce\"\nundeclared = \"refuse\"",
        "requests = \"report\"\nresponses = \"off\"\nleaks = \"report\"",
        "requests = \"log\"",
        "[route.b.operation.listItems]\nrequests = \"off\"",
        "[route.b.operation.listItems]\nleaks = \"off\"\ndanger_show = [\"/items/*/log\"]",
        "[route.b.operation.listItems]\ndanger_show = [\"items\", \"\"]",
        "[route.b.operation.listItems]\ntimeout = \"1s\"",
    ];
    check_each(
        &cases,
        route,
        &expect![[r#"
        requests = "enforce"
        responses = "enforce"
        leaks = "enforce"
        undeclared = "refuse"
            fine
        requests = "report"
        responses = "off"
        leaks = "report"
            5 danger: the requests of `route.b` are not held to the contract
              (write `enforce` when the events show that nothing honest would be refused)
            6 danger: the answers of `route.b` are not held to the contract
              (write `enforce` when the events show that nothing honest would be withheld)
            7 danger: the answers of `route.b` may show stack traces and secrets
              (write `enforce`, and list under an operation's `danger_show` what is meant to be shown)
        requests = "log"
            5 unknown-value: `route.b.requests` cannot be `log`
              (choose one of `enforce`, `off`, `report`)
        [route.b.operation.listItems]
        requests = "off"
            6 danger: the requests of `listItems` are not held to the contract
              (write `enforce` when the events show that nothing honest would be refused)
        [route.b.operation.listItems]
        leaks = "off"
        danger_show = ["/items/*/log"]
            6 danger: the answers of `listItems` may show stack traces and secrets
              (write `enforce`, and list under an operation's `danger_show` what is meant to be shown)
            7 danger: parts of the answers of `listItems` may show stack traces and secrets
              (list only what is there to be shown)
        [route.b.operation.listItems]
        danger_show = ["items", ""]
            6 danger: parts of the answers of `listItems` may show stack traces and secrets
              (list only what is there to be shown)
            6 bad-pointer: `items` is not a JSON pointer
              (write `/key`, or `/items/*/log` for every element of a list)
            6 bad-pointer: `` is not a JSON pointer
              (write `/key`, or `/items/*/log` for every element of a list)
        [route.b.operation.listItems]
        timeout = "1s"
            6 unknown-key: unknown key `timeout` in `route.b.operation.listItems`
              (remove it; here stand `requests`, `responses`, `undeclared`, `leaks`, `danger_show`)
    "#]],
    );
}
