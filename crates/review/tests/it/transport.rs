//! A target in TLS: what is broken is found where it is, and nothing where it is not.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use palisade_core::diagnostic::Source;
use palisade_review::{Identity, Login, Plan, Report, RunError, Target, Trust, run};

use crate::strangers::Stranger;

pub(crate) const CONTRACT: &str = "
openapi: 3.0.3
security: [{ token: [] }]
paths:
  /me: { get: { operationId: me, responses: { '200': { description: ok } } } }
";

/// A key with a certificate that it has signed itself, in one file that is gone when it is dropped.
pub(crate) struct Certificate {
    pub(crate) file: PathBuf,
}

impl Certificate {
    /// One for the loopback address, with these arguments besides.
    pub(crate) fn new(arguments: &[&str]) -> Self {
        Self::of("IP:127.0.0.1", "rsa:2048", arguments)
    }

    fn of(name: &str, key: &str, arguments: &[&str]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = std::env::temp_dir().join(format!("palisade-vault-{}-{number}.pem", std::process::id()));
        let path = file.to_str().unwrap();
        let (name, out) = (format!("subjectAltName={name}"), format!("{path}.crt"));
        let fixed = ["req", "-x509", "-newkey", key, "-nodes", "-subj", "/CN=vault", "-keyout", path, "-out", &out];
        let names = ["-addext", &name, "-addext", "basicConstraints=critical,CA:FALSE"];
        openssl(&[&fixed[..], &names, arguments].concat());
        let certificate = fs::read(format!("{path}.crt")).unwrap();
        fs::write(&file, [fs::read(&file).unwrap(), certificate].concat()).unwrap();
        fs::remove_file(format!("{path}.crt")).unwrap();
        Self { file }
    }

    /// The same key and names, signed for January of 2020.
    fn of_2020(self) -> Self {
        let folder = self.file.with_extension("ca");
        let inside = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        fs::create_dir(&folder).unwrap();
        fs::write(inside("index"), "").unwrap();
        let config = format!(
            "[ca]\ndefault_ca = own\n[own]\ndatabase = {}\nnew_certs_dir = {}\ndefault_md = sha256\npolicy = any\n\
             rand_serial = yes\n[any]\ncommonName = supplied\n[names]\nsubjectAltName = IP:127.0.0.1\n",
            inside("index"),
            folder.display()
        );
        fs::write(inside("config"), config).unwrap();
        let (request, config, certificate) = (inside("request"), inside("config"), inside("certificate"));
        openssl(&["req", "-new", "-key", self.path(), "-subj", "/CN=vault", "-out", &request]);
        let times = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-extensions", "names"];
        let files = ["-config", &config, "-keyfile", self.path(), "-in", &request, "-out", &certificate];
        openssl(&[&["ca", "-selfsign", "-batch", "-notext"][..], &times, &files].concat());
        let text = fs::read_to_string(&self.file).unwrap();
        let key = text.split_once("-----BEGIN CERTIFICATE").unwrap().0;
        fs::write(&self.file, [key.as_bytes(), &fs::read(&certificate).unwrap()].concat()).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        self
    }

    pub(crate) fn path(&self) -> &str {
        self.file.to_str().unwrap()
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::default().with_pem(&fs::read(&self.file).unwrap()).unwrap()
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

fn openssl(arguments: &[&str]) {
    let made = Command::new("openssl").args(arguments).output();
    let made = made.unwrap_or_else(|error| panic!("`openssl` is needed for this test: {error}"));
    assert!(made.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&made.stderr));
}

async fn review(build: &str, certificate: &Certificate, change: impl FnOnce(&mut Target)) -> Result<Report, RunError> {
    let service = Stranger::start_with("python3", "vault.py", &[build, certificate.path()]);
    let mut target = Target::new(format!("https://127.0.0.1:{}", service.port()).parse().unwrap()).unwrap();
    target.trust = certificate.trust();
    change(&mut target);
    let identities = vec![Identity::new("ann", Login::Token("opaque-ann".to_owned()))];
    let plan = Plan::new(&Source::new("c.yaml", CONTRACT), identities).unwrap();
    run(&plan, target, &()).await
}

/// What was found about the transport: the rule, and how sure it is.
fn found(report: &Report) -> BTreeSet<(&str, &str)> {
    let rules = ["certificate-expiring", "certificate-invalid", "tls-optional", "tls-outdated", "tls-weak"];
    let findings = report.findings().filter(|one| rules.contains(&one.rule));
    findings.map(|one| (one.rule, one.confidence.slug())).collect()
}

#[tokio::test]
async fn broken_versions_and_suites_are_found_where_they_are_spoken() {
    let certificate = Certificate::new(&["-days", "90"]);
    let broken = review("broken", &certificate, |_| {}).await.unwrap();
    let expect = [("tls-optional", "suspect"), ("tls-outdated", "proved"), ("tls-weak", "proved")];
    let broken = found(&broken);
    assert!(expect.iter().all(|one| broken.contains(one)), "{broken:#?}");
    let fixed = review("fixed", &certificate, |_| {}).await.unwrap();
    assert_eq!(found(&fixed), BTreeSet::new());
    let row = fixed.rows.iter().find(|row| row.probe == "transport").unwrap();
    assert_eq!(row.verdict.slug(), "not-proved", "the versions and suites were really offered");
}

#[tokio::test]
async fn one_kind_of_weak_suites_is_found_alone() {
    let certificate = Certificate::new(&["-days", "90"]);
    let cases = [
        ("ECDHE+AESGCM:kRSA+AESGCM", Some(("proved", "forward secrecy"))),
        ("ECDHE+AESGCM:ECDHE+AES", Some(("suspect", "authenticated encryption"))),
        ("ECDHE+CHACHA20", None),
    ];
    for (suites, expect) in cases {
        let report = review(suites, &certificate, |_| {}).await.unwrap();
        let weak: Vec<_> = report.findings().filter(|one| one.rule == "tls-weak").collect();
        assert_eq!(weak.len(), usize::from(expect.is_some()), "{suites}: {weak:#?}");
        if let Some((confidence, word)) = expect {
            assert_eq!(weak[0].confidence.slug(), confidence, "{suites}");
            assert!(weak[0].summary.contains(word), "{suites}: {}", weak[0].summary);
        }
    }
}

#[tokio::test]
async fn a_certificate_that_proves_nothing_ends_the_run_or_is_found_when_it_may() {
    let good = Certificate::new(&["-days", "90"]);
    let cases = [
        ("expired", Certificate::new(&["-days", "90"]).of_2020(), true, "expired"),
        ("for another name", Certificate::of("DNS:other.example", "rsa:2048", &["-days", "90"]), true, "name"),
        ("known to nobody", Certificate::new(&["-days", "90"]), false, "UnknownIssuer"),
        ("signed with SHA-1", Certificate::new(&["-days", "90", "-sha1"]), true, ""),
        ("with a short key", Certificate::of("IP:127.0.0.1", "rsa:1024", &["-days", "90"]), true, ""),
    ];
    for (what, certificate, is_named, word) in cases {
        let trust = || if is_named { certificate.trust() } else { Trust::default() };
        let refused = review("fixed", &certificate, |target| target.trust = trust()).await;
        assert!(matches!(refused, Err(RunError::Send(_))), "{what}: {:?}", refused.map(|_| ()));
        let report = review("fixed", &certificate, |target| {
            target.trust = trust();
            target.danger_accept_certificate = true;
        });
        let report = report.await.unwrap();
        assert_eq!(found(&report), BTreeSet::from([("certificate-invalid", "proved")]), "{what}");
        let finding = report.findings().find(|one| one.rule == "certificate-invalid").unwrap();
        assert!(finding.summary.contains(word), "{what}: {}", finding.summary);
    }
    let report = review("fixed", &good, |target| target.danger_accept_certificate = true).await.unwrap();
    assert_eq!(found(&report), BTreeSet::new(), "a good one is good although anything was accepted");
}

#[tokio::test]
async fn a_certificate_that_ends_soon_is_a_question() {
    let report = review("fixed", &Certificate::new(&["-days", "9"]), |_| {}).await.unwrap();
    assert_eq!(found(&report), BTreeSet::from([("certificate-expiring", "question")]));
    let finding = report.findings().find(|one| one.rule == "certificate-expiring").unwrap();
    assert_eq!(finding.confidence.slug(), "question");
    assert!(finding.summary.contains("in 8 days") || finding.summary.contains("in 9 days"), "{}", finding.summary);
}
