//! `palisade demo`: every risk is proved without the gateway, and none with it.

use palisade_testkit::dir::TempDir;

use super::shell::palisade;

#[test]
fn every_risk_is_exploited_without_the_gateway_and_none_behind_it() {
    let dir = TempDir::new();
    let shown = palisade(&dir, "demo --once --folder shown");
    assert_eq!(shown.code, 0, "{}\n{}", shown.stdout, shown.stderr);
    let matrix: Vec<(&str, &str)> = shown.stdout.lines().filter_map(|line| line.split_once("EXPLOITED")).collect();
    assert_eq!(matrix.len(), 11, "{}", shown.stdout);
    for (risk, behind) in matrix {
        assert!(risk.contains(":20"), "{risk} is a risk of a list");
        assert!(!behind.contains("EXPLOITED") && !behind.trim().is_empty(), "{risk}: {behind}");
    }
    for file in ["palisade.toml", "openapi.yaml", "events.jsonl"] {
        assert!(dir.path().join("shown").join(file).exists(), "{file}");
    }
    assert_eq!(palisade(&dir, "check --config shown/palisade.toml").code, 0);
}
