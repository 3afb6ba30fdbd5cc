//! What cannot be used is said once, in one place and before anything listens.

use std::net::{SocketAddr, TcpListener, TcpStream};

use palisade_testkit::dir::TempDir;

use super::shell::{CONFIG, CONTRACT, folder, palisade};

/// Runs a configuration that must be refused: `run` and `check` say the same, and nothing listens. `places` are the
/// parts that the one diagnostic must have.
fn refuse(dir: &TempDir, name: &str, code: &str, places: &[&str]) {
    let ran = palisade(dir, "run");
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{name}: {}", ran.stderr);
    let said = ran.stderr.strip_suffix("not started\n").unwrap_or_else(|| panic!("{name}: {}", ran.stderr));
    let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error")).collect();
    assert_eq!(errors.len(), 1, "{name}: {said}");
    assert!(errors[0].starts_with(&format!("error[{code}]: ")), "{name}: {said}");
    for place in places {
        assert!(said.contains(place), "{name} lacks {place:?}: {said}");
    }
    assert!(said.contains("\n  help: "), "{name} does not say what to do: {said}");
    for inside in ["panicked", "unwrap", "RUST_BACKTRACE", "Error {", ".rs:"] {
        assert!(!said.contains(inside), "{name} shows {inside}: {said}");
    }
    if !["events-unusable", "listen-unavailable", "store-unusable"].contains(&code) {
        let checked = palisade(dir, "check");
        assert_eq!(checked.code, 2, "{name}: {}", checked.stderr);
        assert!(checked.stderr.starts_with(said), "{name}: {} is not {said}", checked.stderr);
    }
}

/// An address at which nobody listens, for the time being.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn configurations() {
    let with = |from: &str, to: &str| CONFIG.replace(from, to);
    let tls = |cert: &str, key: &str| {
        with("0.1:0\"", &format!("0.1:0\"\ntls = {{ cert = \"file:{cert}\", key = \"file:{key}\" }}"))
    };
    let bearer = "authenticate = [\"bearer.main\"]\n[bearer.main]\nissuer = \"https://id.example.com\"\n\
                  audience = \"notes\"\njwks = \"file:jwks.json\"";
    let bearer = with("authenticate = \"backend\"", bearer);
    let stored = |file: &str| with("[events]", &format!("[store]\nurl = \"sqlite:{file}\"\n[events]"));
    for (name, config, code, places) in [
        ("no contract", with("openapi.yaml", "none.yaml"), "file-unreadable", &["palisade.toml:7:11", "none.yaml"][..]),
        ("a contract that is a folder", with("openapi.yaml", "."), "file-unreadable", &["palisade.toml:7:11"]),
        ("broken YAML", with("openapi.yaml", "broken.yaml"), "contract-unreadable", &["--> broken.yaml:7"]),
        ("no OpenAPI", with("openapi.yaml", "jwks.json"), "contract-version", &["--> jwks.json"]),
        (
            "an unknown key",
            with("path =", "path = \"/**\"\nresponse ="),
            "unknown-key",
            &["palisade.toml:10:1", "did you mean `responses`?"],
        ),
        ("broken TOML", with("path = ", "path = \""), "syntax", &["palisade.toml:9"]),
        (
            "an unknown operation",
            with("\"backend\"", "\"backend\"\npublic = [\"listNote\"]"),
            "operation-unknown",
            &["palisade.toml:13", "did you mean `listNotes`?"],
        ),
        ("no certificate", tls("none.pem", "key.pem"), "file-unreadable", &["palisade.toml:4:", "none.pem"]),
        ("a broken certificate", tls("jwks.json", "key.pem"), "bad-certificate", &["palisade.toml:4:"]),
        ("a broken key", tls("cert.pem", "jwks.json"), "bad-key", &["palisade.toml:4:"]),
        ("a key of another certificate", tls("cert.pem", "other.pem"), "key-mismatch", &["palisade.toml:4:"]),
        ("keys of the issuer that check nothing", bearer.clone(), "bearer-unusable", &["palisade.toml:16:8"]),
        ("broken keys of the issuer", bearer.replace("jwks.json", "broken.yaml"), "bad-jwks", &["palisade.toml:16:8"]),
        ("no keys of the issuer", bearer.replace("jwks.json", "none.json"), "file-unreadable", &["palisade.toml:16:8"]),
        ("a log in no folder", with("events.jsonl", "no/events.jsonl"), "folder-missing", &["palisade.toml:14:10"]),
        ("a log that is a folder", with("events.jsonl", "."), "events-unusable", &["palisade.toml:14:10"]),
        ("a store in no folder", stored("no/store.db"), "folder-missing", &["palisade.toml:14:7"]),
        ("a store that is something else", stored("openapi.yaml"), "store-unusable", &["palisade.toml:14:7"]),
    ] {
        let address = free();
        let dir = folder(&config.replace("127.0.0.1:0", &address.to_string()));
        dir.write("broken.yaml", CONTRACT.replace("operationId: listNotes", "operationId: [listNotes"));
        dir.write("jwks.json", r#"{"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}"#);
        for (file, fixture) in
            [("cert.pem", "server.cert.pem"), ("key.pem", "server.key.pem"), ("other.pem", "other.key.pem")]
        {
            let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../gateway/tests/fixtures/");
            dir.write(file, std::fs::read(format!("{fixtures}{fixture}")).unwrap());
        }
        refuse(&dir, name, code, places);
        assert!(TcpStream::connect(address).is_err(), "{name} listens");
    }
}

#[test]
fn a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let dir = folder(&CONFIG.replace("127.0.0.1:0", &address.to_string()));
    let port = format!("sport = :{}", address.port());
    refuse(&dir, "a port in use", "listen-unavailable", &["palisade.toml:3:11", "another program has it", &port]);
}

#[test]
fn no_configuration() {
    refuse(&TempDir::new(), "no configuration", "config-unreadable", &["--> palisade.toml", "palisade init"]);
    let folder = TempDir::new();
    std::fs::create_dir(folder.path().join("palisade.toml")).unwrap();
    refuse(&folder, "a folder", "config-unreadable", &["--> palisade.toml"]);
    let binary = TempDir::new();
    binary.write("palisade.toml", b"\xff\xfe");
    refuse(&binary, "no text", "config-unreadable", &["--> palisade.toml", "not UTF-8"]);
}
