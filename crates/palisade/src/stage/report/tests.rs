//! What is taken, what is refused, and what becomes an event.

use palisade_store::memory::MemoryCounters;

use super::*;
use crate::testing::{Unreachable, answer, assert_stage, head, refusal_with_body};

fn stage() -> Report {
    Report::new(ReportPath::parse("/reports").unwrap(), Arc::new(MemoryCounters::default()))
}

const POST: &str = "POST /reports\ncontent-type: application/reports+json";
const ONE: &str = r#"[{"type": "csp-violation", "body": {"blockedURL": "https://evil.example/x.js"}}]"#;

#[tokio::test]
async fn each_report_is_one_event_and_the_same_again_is_none() {
    let stage = stage();
    for (body, expect) in [(ONE, 1), (ONE, 0), (&ONE.replace("evil", "other"), 1)] {
        let mut head = head(POST);
        let outcome = answer(&stage, &mut head, body).await;
        assert!(matches!(outcome, Err(Stop::Answer(Answer::Received))), "{outcome:?}");
        assert_eq!(head.facts.notes.len(), expect, "{body}");
        assert!(head.facts.notes.iter().all(|note| note.kind == EventKind::BrowserReport));
    }
}

#[tokio::test]
async fn what_is_no_report_is_refused() {
    let stage = stage();
    let long = format!("[{}]", " ".repeat(LONGEST_BODY));
    for (request, body, expect) in [
        ("POST /reports", ONE, DenialCode::MediaTypeUndeclared),
        ("POST /reports\ncontent-type: application/json", ONE, DenialCode::MediaTypeUndeclared),
        (POST, "{", DenialCode::PayloadInvalid),
        (POST, &"[".repeat(10_000), DenialCode::PayloadInvalid),
        (POST, &long, DenialCode::BodyTooLarge),
    ] {
        assert_eq!(refusal_with_body(&stage, &mut head(request), body).await, Some(expect), "{request}");
    }
    let broken = Report::new(ReportPath::parse("/reports").unwrap(), Arc::new(Unreachable));
    assert_eq!(refusal_with_body(&broken, &mut head(POST), ONE).await, Some(DenialCode::Unavailable));
}

#[tokio::test]
async fn one_client_reports_so_much_and_no_more() {
    let stage = stage();
    let from = |last: u8| {
        let mut head = head(POST);
        head.facts.client = Some([203, 0, 113, last].into());
        head
    };
    for _ in 0..60 {
        assert_eq!(refusal_with_body(&stage, &mut from(1), ONE).await, None);
    }
    assert_eq!(refusal_with_body(&stage, &mut from(1), ONE).await, Some(DenialCode::Throttled));
    assert_eq!(refusal_with_body(&stage, &mut from(2), ONE).await, None);
}

#[tokio::test]
async fn everything_else_goes_on() {
    for request in ["GET /reports", "POST /reports/x", "POST /other\ncontent-type: application/reports+json"] {
        assert!(answer(&stage(), &mut head(request), ONE).await.is_ok(), "{request}");
    }
}

#[test]
fn browsers_report_to_plain_paths() {
    assert!(ReportPath::parse("/.well-known/palisade/reports").is_ok());
    for path in
        ["", "/", "reports", "/a/../b", "/a b", "/a;b", "/a,b", "/a\"b", "https://evil.example/", "//evil.example"]
    {
        assert!(ReportPath::parse(path).is_err(), "{path}");
    }
}

#[test]
fn behaves_as_a_stage() {
    assert_stage(&stage());
}
