//! A target in TLS: broken versions are found where they are spoken, and nothing where they are not.

use std::process::Command;

use palisade_core::diagnostic::Source;
use palisade_review::{Confidence, Identity, Login, Plan, Report, Target, Trust, run};

use crate::strangers::Stranger;

const CONTRACT: &str = "
openapi: 3.0.3
security: [{ token: [] }]
paths:
  /me: { get: { operationId: me, responses: { '200': { description: ok } } } }
";

/// A key with a certificate for the loopback address that it has signed itself.
fn certificate() -> std::path::PathBuf {
    let file = std::env::temp_dir().join(format!("palisade-vault-{}.pem", std::process::id()));
    let name = file.to_str().unwrap();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=vault"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", name, "-out", &format!("{name}.crt")])
        .output()
        .unwrap_or_else(|error| panic!("`openssl` is needed for this test: {error}"));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let certificate = std::fs::read(format!("{name}.crt")).unwrap();
    let key = std::fs::read(&file).unwrap();
    std::fs::write(&file, [key, certificate].concat()).unwrap();
    std::fs::remove_file(format!("{name}.crt")).unwrap();
    file
}

async fn review(build: &str, pem: &std::path::Path) -> Report {
    let service = Stranger::start_with("python3", "vault.py", &[build, pem.to_str().unwrap()]);
    let mut target = Target::new(format!("https://127.0.0.1:{}", service.port()).parse().unwrap()).unwrap();
    target.trust = Trust::default().with_pem(&std::fs::read(pem).unwrap()).unwrap();
    let identities = vec![Identity::new("ann", Login::Token("opaque-ann".to_owned()))];
    let plan = Plan::new(&Source::new("c.yaml", CONTRACT), identities).unwrap();
    run(&plan, target, &()).await.unwrap()
}

#[tokio::test]
async fn broken_versions_are_found_where_they_are_spoken() {
    let pem = certificate();
    let (broken, fixed) = (review("broken", &pem).await, review("fixed", &pem).await);
    std::fs::remove_file(&pem).unwrap();
    let found = |report: &Report, rule: &str| report.findings().find(|one| one.rule == rule).map(|one| one.confidence);
    assert_eq!(found(&broken, "tls-outdated"), Some(Confidence::Proved), "{:#?}", broken.rows);
    assert_eq!(found(&broken, "tls-optional"), Some(Confidence::Suspect));
    assert_eq!((found(&fixed, "tls-outdated"), found(&fixed, "tls-optional")), (None, None));
    let row = fixed.rows.iter().find(|row| row.probe == "transport").unwrap();
    assert_eq!(row.verdict.slug(), "not-proved", "the versions were really offered");
}
