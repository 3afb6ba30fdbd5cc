//! Reads reports in the two forms that browsers send, and takes out of them what a log may hold.

use serde::Deserialize;
use serde_json::{Map, Value};

/// How a body of reports is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One violation, as `report-uri` sends it (CSP level 2).
    Csp,
    /// A list, as `report-to` sends it (W3C Reporting API).
    Reports,
}

impl Form {
    /// What a `Content-Type` says, parameters aside.
    pub(super) fn of(media: &[u8]) -> Option<Self> {
        let essence = media.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        match essence {
            _ if essence.eq_ignore_ascii_case(b"application/csp-report") => Some(Self::Csp),
            _ if essence.eq_ignore_ascii_case(b"application/reports+json") => Some(Self::Reports),
            _ => None,
        }
    }
}

/// What one report says, short and printable.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    kind: String,
    page: String,
    directive: String,
    blocked: String,
    disposition: String,
    place: String,
    sample: String,
}

impl Told {
    /// What goes into the event; what the browser has not said is left out.
    pub(super) fn facts(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("type", &self.kind),
            ("page", &self.page),
            ("directive", &self.directive),
            ("blocked", &self.blocked),
            ("disposition", &self.disposition),
            ("place", &self.place),
            ("sample", &self.sample),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty()).map(|(fact, value)| (fact, value.as_str())).collect()
    }
}

/// The reports of a body, or the rule that it breaks.
pub(super) fn parse(form: Form, body: &[u8]) -> Result<Vec<Told>, &'static str> {
    match form {
        Form::Csp => {
            let csp: CspBody = serde_json::from_slice(body).map_err(|_| "not_a_csp_report")?;
            Ok(vec![told("csp-violation".to_owned(), None, &csp.report)?])
        }
        Form::Reports => {
            let reports: Vec<OneReport> = serde_json::from_slice(body).map_err(|_| "not_a_list_of_reports")?;
            reports.into_iter().map(|report| told(report.kind, report.url.as_deref(), &report.body)).collect()
        }
    }
}

#[derive(Deserialize)]
struct CspBody {
    #[serde(rename = "csp-report")]
    report: Map<String, Value>,
}

#[derive(Deserialize)]
struct OneReport {
    #[serde(rename = "type")]
    kind: String,
    url: Option<String>,
    #[serde(default)]
    body: Map<String, Value>,
}

fn told(kind: String, url: Option<&str>, body: &Map<String, Value>) -> Result<Told, &'static str> {
    if kind.is_empty() || kind.len() > 40 || !kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') {
        return Err("unknown_type");
    }
    let line = match first(body, &["lineNumber", "line-number"]) {
        None | Some(Value::Null) => None,
        Some(Value::Number(line)) => Some(line.as_u64().ok_or("field_of_another_type")?),
        Some(_) => return Err("field_of_another_type"),
    };
    let file = address(text(body, &["sourceFile", "source-file"])?);
    let place = match line {
        Some(line) if !file.is_empty() => format!("{file}:{line}"),
        _ => file,
    };
    let page = text(body, &["documentURL", "document-uri"])?.or(url);
    let directive = ["effectiveDirective", "effective-directive", "violated-directive", "policyId", "featureId", "id"];
    Ok(Told {
        kind,
        page: address(page),
        directive: short(text(body, &directive)?.unwrap_or_default(), 100),
        blocked: address(text(body, &["blockedURL", "blocked-uri"])?),
        disposition: short(text(body, &["disposition"])?.unwrap_or_default(), 20),
        place,
        sample: short(text(body, &["sample", "script-sample", "reason", "message"])?.unwrap_or_default(), 40),
    })
}

fn first<'v>(body: &'v Map<String, Value>, names: &[&str]) -> Option<&'v Value> {
    names.iter().find_map(|name| body.get(*name))
}

/// The text of the first of these fields that is there.
fn text<'v>(body: &'v Map<String, Value>, names: &[&str]) -> Result<Option<&'v str>, &'static str> {
    match first(body, names) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err("field_of_another_type"),
    }
}

/// An address without its query and fragment, which may hold personal data or tokens; of `data:` the word alone.
fn address(url: Option<&str>) -> String {
    let url = url.unwrap_or_default();
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    if bare.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:")) {
        return "data".to_owned();
    }
    // Credentials would stand before an `@`.
    short(bare.rsplit('@').next().unwrap_or_default(), 200)
}

/// The beginning of a text, with a mark in place of what could move a terminal's cursor or turn text around.
fn short(text: &str, longest: usize) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars().take(longest).map(|c| if hidden(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let csp = r#"{"csp-report": {"document-uri": "https://app.example/page?token=s3cret", "violated-directive": "script-src-elem",
            "blocked-uri": "https://evil.example/x.js#s3cret", "disposition": "enforce", "source-file": "https://u:s3cret@app.example/a.js",
            "line-number": 7, "script-sample": "alert(1)", "original-policy": "..."}}"#;
        let reports = r#"[{"type": "csp-violation", "age": 5, "url": "https://app.example/page?token=s3cret", "user_agent": "x", "body": {
            "effectiveDirective": "script-src-elem", "blockedURL": "https://evil.example/x.js", "disposition": "enforce",
            "sourceFile": "https://u:s3cret@app.example/a.js", "lineNumber": 7, "sample": "alert(1)"}}]"#;
        let csp = parse(Form::Csp, csp.as_bytes()).unwrap();
        assert_eq!(csp, parse(Form::Reports, reports.as_bytes()).unwrap());
        assert_eq!(
            csp[0].facts(),
            [
                ("type", "csp-violation"),
                ("page", "https://app.example/page"),
                ("directive", "script-src-elem"),
                ("blocked", "https://evil.example/x.js"),
                ("disposition", "enforce"),
                ("place", "app.example/a.js:7"),
                ("sample", "alert(1)"),
            ]
        );
    }

    #[test]
    fn other_types_are_kept_short() {
        let report = format!(
            r#"[{{"type": "deprecation", "url": "data:text/html,s3cret", "body": {{"id": "{}", "message": "a\nb\u202e"}}}}, {{"type": "crash"}}]"#,
            "x".repeat(500)
        );
        let told = parse(Form::Reports, report.as_bytes()).unwrap();
        let (id, sample) = ("x".repeat(100), "a\u{fffd}b\u{fffd}");
        assert_eq!(
            told[0].facts(),
            [("type", "deprecation"), ("page", "data"), ("directive", &id), ("sample", sample)]
        );
        assert_eq!(told[1].facts(), [("type", "crash")]);
    }

    #[test]
    fn what_is_not_shaped_like_a_report_is_refused() {
        for (form, body) in [
            (Form::Csp, "{}"),
            (Form::Csp, "[]"),
            (Form::Csp, r#"{"csp-report": 1}"#),
            (Form::Csp, r#"{"csp-report": {"blocked-uri": {"a": 1}}}"#),
            (Form::Csp, r#"{"csp-report": {"line-number": "7"}}"#),
            (Form::Csp, r#"{"csp-report": {"line-number": -7}}"#),
            (Form::Reports, "{}"),
            (Form::Reports, r#"[{"url": "x"}]"#),
            (Form::Reports, r#"[{"type": "Odd Type"}]"#),
            (Form::Reports, r#"[{"type": ""}]"#),
            (Form::Reports, r#"[{"type": "crash", "body": []}]"#),
            (Form::Reports, ""),
        ] {
            assert!(parse(form, body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(Form::of(b"application/reports+json; charset=utf-8"), Some(Form::Reports));
        for media in ["application/json", "text/plain", "application/csp-reports", ""] {
            assert_eq!(Form::of(media.as_bytes()), None, "{media}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_a_long_or_hidden_value(body in "\\PC{0,60}", value in "\\PC{0,400}") {
            let shaped = serde_json::json!([{"type": "csp-violation", "url": &value, "body": {"blockedURL": &value, "sample": &value}}]);
            for (form, body) in [(Form::Csp, body.clone()), (Form::Reports, body), (Form::Reports, shaped.to_string())] {
                for told in parse(form, body.as_bytes()).unwrap_or_default() {
                    prop_assert!(told.facts().iter().all(|(_, value)| value.chars().count() <= 221 && !value.chars().any(char::is_control)));
                }
            }
        }
    }
}
