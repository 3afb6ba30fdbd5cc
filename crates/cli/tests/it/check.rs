//! `palisade check` and `palisade init`: exit codes, forms of output, and that the one reads what the other wrote.

use expect_test::expect;
use palisade_gateway::check;
use serde_json::Value;

use super::shell::{CONFIG, CONTRACT, folder, palisade};

#[test]
fn the_exit_code_says_whether_there_is_something_to_do() {
    let warned = CONFIG.replace("127.0.0.1:0", "0.0.0.0:0");
    let refused = CONFIG.replace("path =", "pfad =");
    for (config, code, counted) in [
        (CONFIG, 0, "palisade.toml: 0 errors, 0 warnings, 0 notes\n"),
        (&warned, 1, "palisade.toml: 0 errors, 1 warning, 0 notes\n"),
        (&refused, 2, "palisade.toml: 2 errors, 0 warnings, 0 notes\n"),
    ] {
        for format in ["human", "json", "sarif"] {
            let checked = palisade(&folder(config), &format!("check --format {format}"));
            assert_eq!(checked.code, code, "{format}: {}", checked.stderr);
            if format == "human" {
                assert_eq!(checked.stdout, "");
                assert!(checked.stderr.ends_with(counted), "{}", checked.stderr);
            } else {
                assert_eq!(checked.stderr, "", "the result is on standard output alone");
            }
        }
    }
}

#[test]
fn the_chain_is_printed_in_its_order() {
    // `report` is there when it has a path, `cache` when a route has one.
    let more = "[route.notes.cache]\n[reports]\npath = \"/.well-known/palisade/reports\"\n";
    let dir = folder(&format!("{CONFIG}\n{more}"));
    let printed = palisade(&dir, "check --chain").stdout;
    let printed: Vec<&str> = printed.lines().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    let reference = include_str!("../../../../docs/reference/stages.md");
    let documented = reference.lines().filter_map(|line| line.split('`').nth(1).filter(|_| line.starts_with("| ")));
    assert_eq!(printed, documented.collect::<Vec<_>>());
    let checked = check::check(&dir.path().join("palisade.toml"));
    assert_eq!(printed, checked.chain.iter().map(|stage| stage.as_str()).collect::<Vec<_>>());
}

#[test]
fn the_explanation_names_every_operation() {
    let dir = folder(CONFIG);
    let explained = palisade(&dir, "check --explain").stdout;
    expect![[r#"
        route notes -> upstream notes (Notes 1)
          credentials: checked by the backend; per client: 100 requests in 1s
          paths are below `/`
          GET /notes   everyone
          POST /notes  signed in
          everything else: refused
    "#]]
    .assert_eq(&explained);
}

#[test]
fn json_holds_all_that_was_asked_for() {
    let dir = folder(&CONFIG.replace("127.0.0.1:0", "0.0.0.0:0"));
    let printed = palisade(&dir, "check --format json --chain --explain").stdout;
    let printed: Value = serde_json::from_str(&printed).unwrap();
    expect![[r#"
        [
          {
            "code": "listen-cleartext",
            "severity": "warning",
            "message": "other machines reach `0.0.0.0:0`, and requests to it are not encrypted",
            "file": "palisade.toml",
            "line": 3,
            "column": 11,
            "help": "add `tls = { cert = \"file:cert.pem\", key = \"file:key.pem\" }`, or listen on 127.0.0.1 behind a proxy"
          }
        ]
    "#]].assert_eq(&format!("{:#}\n", printed["diagnostics"]));
    assert_eq!(printed["chain"][0]["stage"], "trace");
    assert_eq!(printed["chain"][0]["kind"], "wrap");
    assert!(printed["chain"][0]["does"].as_str().unwrap().ends_with('.'));
    assert!(printed["explanation"][0].as_str().unwrap().starts_with("route notes"));
    let without: Value = serde_json::from_str(&palisade(&dir, "check --format json").stdout).unwrap();
    assert_eq!(without.as_object().unwrap().keys().collect::<Vec<_>>(), ["diagnostics"]);
}

#[test]
fn sarif_is_what_code_scanning_reads() {
    let dir = folder(&CONFIG.replace("path =", "pfad ="));
    let printed: Value = serde_json::from_str(&palisade(&dir, "check --format sarif").stdout).unwrap();
    assert_eq!(printed["version"], "2.1.0");
    let run = &printed["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "palisade");
    let rules: Vec<&Value> =
        run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|rule| &rule["id"]).collect();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for result in results {
        assert!(rules.contains(&&result["ruleId"]), "{result}");
        assert_eq!(result["level"], "error");
        assert!(result["message"]["text"].is_string());
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "palisade.toml");
        assert!(place["region"]["startLine"].as_u64().is_some_and(|line| line > 0), "{place}");
    }
}

#[test]
fn init_writes_what_check_reads_and_never_over_a_file() {
    let dir = folder("mine");
    let arguments = "init --contract openapi.yaml --upstream http://127.0.0.1:9000";
    let kept = palisade(&dir, arguments);
    assert_eq!((kept.code, kept.stdout.as_str()), (2, ""));
    assert!(kept.stderr.contains("`palisade.toml`; an existing file is kept"), "{}", kept.stderr);
    assert_eq!(std::fs::read_to_string(dir.path().join("palisade.toml")).unwrap(), "mine");

    for output in ["new.toml", "./policies/new.toml"] {
        std::fs::create_dir_all(dir.path().join("policies")).unwrap();
        let written = palisade(&dir, &format!("{arguments} --output {output}"));
        assert_eq!((written.code, written.stdout.as_str()), (0, ""), "{}", written.stderr);
        let checked = palisade(&dir, &format!("check --config {output}"));
        assert_eq!(checked.code, 0, "{}", checked.stderr);
    }
}

#[test]
fn init_refuses_what_makes_no_policy() {
    let dir = folder(CONFIG);
    dir.write("broken.yaml", CONTRACT.replace("  /notes:", "  /notes: {"));
    for (arguments, part) in [
        ("--contract nothing.yaml --upstream http://127.0.0.1:9 --output new.toml", "--> nothing.yaml"),
        ("--contract broken.yaml --upstream http://127.0.0.1:9 --output new.toml", "--> broken.yaml:"),
        ("--contract openapi.yaml --upstream 127.0.0.1:9 --output new.toml", "error[bad-url]"),
        ("--contract openapi.yaml --upstream http://127.0.0.1:9 --output no/new.toml", "`no/new.toml`"),
    ] {
        let arguments = format!("init {arguments}");
        let refused = palisade(&dir, &arguments);
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{arguments}");
        assert!(refused.stderr.contains(part), "{arguments}: {}", refused.stderr);
        assert!(!dir.path().join("new.toml").exists(), "{arguments} left a file");
    }
}
