//! Targets that speak HTTP/2 only are reviewed like others, and HTTP/1.1 is spoken where it is to be had.

use palisade_core::diagnostic::Source;
use palisade_review::{Identity, Login, Plan, Protocol, Report, RunError, Target, run};

use crate::strangers::Stranger;
use crate::transport::{CONTRACT, Certificate};

async fn review(how: &str, certificate: &Certificate, protocol: Protocol) -> Result<Report, RunError> {
    let service = Stranger::start_with("node", "second.mjs", &[how, certificate.path()]);
    let scheme = if how == "clear" { "http" } else { "https" };
    let mut target = Target::new(format!("{scheme}://127.0.0.1:{}", service.port()).parse().unwrap()).unwrap();
    target.trust = certificate.trust();
    target.protocol = protocol;
    let identities = vec![Identity::new("ann", Login::Token("opaque-ann".to_owned()))];
    let plan = Plan::new(&Source::new("c.yaml", CONTRACT), identities).unwrap();
    run(&plan, target, &()).await
}

/// The versions that the target has seen in what was tried on it.
fn versions(report: &Report) -> Vec<&'static str> {
    let text = format!("{report:?}");
    ["1.1", "2.0"].into_iter().filter(|version| text.contains(&format!("version\\\":\\\"{version}"))).collect()
}

#[tokio::test]
async fn the_older_version_is_spoken_where_it_is_to_be_had_and_the_newer_where_it_must_be() {
    let certificate = Certificate::new(&["-days", "90"]);
    let cases = [
        ("both", Protocol::Http1, Some("1.1")),
        ("both", Protocol::Http2, Some("2.0")),
        ("only", Protocol::Http1, Some("2.0")),
        ("only", Protocol::Http2, Some("2.0")),
        ("clear", Protocol::Http2, Some("2.0")),
        ("clear", Protocol::Http1, None),
    ];
    for (how, protocol, expect) in cases {
        match (review(how, &certificate, protocol).await, expect) {
            (Ok(report), Some(version)) => {
                assert!(report.operations.iter().all(|one| one.reached_2xx), "{how}: {:?}", report.operations);
                assert_eq!(versions(&report), [version], "{how} {protocol:?}");
                assert_eq!(report.ending.incomplete, None, "{how} {protocol:?}");
            }
            (Err(RunError::Send(_)), None) => {}
            (other, expect) => panic!("{how} {protocol:?}: {:?} is not {expect:?}", other.map(|one| one.operations)),
        }
    }
}
