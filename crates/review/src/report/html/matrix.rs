//! The matrix: who asked for what, and what came of it.
//!
//! It is made of the exchanges of findings about who may do what, and of the attacks of that kind that were withstood,
//! so it shows what was compared, not every request of the run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::escape::Text;
use crate::finding::{Confidence, Exchange, Label, RequestSummary};
use crate::report::Report;
use crate::row::Row;

/// What came of one identity's requests for one object; the gravest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Refused(u16),
    Served(u16),
    Exploited(u16),
}

/// The section, or nothing when nothing was compared.
pub(super) fn write(page: &mut String, report: &Report) {
    let mut cells: BTreeMap<(String, String), BTreeMap<String, Outcome>> = BTreeMap::new();
    let mut identities = BTreeSet::new();
    let mut note = |exchange: &Exchange, proved: bool| {
        let who = identity_of(&exchange.request);
        identities.insert(who.clone());
        let path = path_of(&exchange.request.url);
        let is_served = (200..300).contains(&exchange.status);
        let outcome = match (is_served, exchange.label) {
            (false, _) => Outcome::Refused(exchange.status),
            (true, Label::Attack) if proved => Outcome::Exploited(exchange.status),
            (true, _) => Outcome::Served(exchange.status),
        };
        let cell = cells.entry((path, exchange.request.method.clone())).or_default();
        let known = cell.entry(who).or_insert(outcome);
        *known = (*known).max(outcome);
    };
    for finding in report.findings().filter(|finding| is_about_rights(finding.row)) {
        for exchange in &finding.transcript {
            note(exchange, finding.confidence == Confidence::Proved);
        }
    }
    for result in report.rows.iter().filter(|result| is_about_rights(result.row)) {
        result.withstood.iter().for_each(|exchange| note(exchange, false));
    }
    if cells.is_empty() {
        return;
    }
    page.push_str(
        "<section>\n<h2>Who gets what</h2>\n<p>Each line is one operation on one object, as it was asked for. \
         <span class=\"exploited\">\u{25b2} got through</span>, <span class=\"served\">\u{25cf} served</span>, \
         <span class=\"refused\">\u{00d7} refused</span>.</p>\n<div class=\"wide\"><table class=\"matrix\">\n<thead><tr>\
         <th>Operation and object</th>",
    );
    for identity in &identities {
        let _ = write!(page, "<th>{}</th>", Text(identity));
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    let hidden = cells.len().saturating_sub(MAXIMUM_LINES);
    // Lines with something that got through come first.
    let mut lines: Vec<_> = cells.into_iter().collect();
    lines.sort_by_key(|(_, cells)| !cells.values().any(|outcome| matches!(outcome, Outcome::Exploited(_))));
    for ((path, method), cells) in lines.into_iter().take(MAXIMUM_LINES) {
        let _ = write!(page, "<tr><th scope=\"row\"><code>{} {}</code></th>", Text(&method), Text(&path));
        for identity in &identities {
            match cells.get(identity) {
                None => page.push_str("<td></td>"),
                Some(Outcome::Exploited(status)) => {
                    let _ = write!(page, "<td class=\"exploited\">\u{25b2} {status}</td>");
                }
                Some(Outcome::Served(status)) => {
                    let _ = write!(page, "<td class=\"served\">\u{25cf} {status}</td>");
                }
                Some(Outcome::Refused(status)) => {
                    let _ = write!(page, "<td class=\"refused\">\u{00d7} {status}</td>");
                }
            }
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
    if hidden > 0 {
        let _ = writeln!(page, "<p>{hidden} more lines are in the JSON report.</p>");
    }
    page.push_str("</section>\n");
}

fn is_about_rights(row: Row) -> bool {
    matches!(row, Row::Authentication | Row::FunctionAuthorization | Row::ObjectAuthorization)
}

/// Who made a request, by the placeholder of the credential in it.
pub(super) fn identity_of(request: &RequestSummary) -> String {
    let values = request.headers.iter().map(|(_, value)| value.as_str()).chain([request.url.as_str()]);
    for value in values {
        let Some((_, behind)) = value.split_once('$') else { continue };
        let end = behind.find(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
        let name = behind.get(..end.unwrap_or(behind.len())).unwrap_or_default();
        let kind = ["_TOKEN", "_COOKIE", "_KEY", "_PASSWORD", "_BASIC"].iter().find_map(|kind| name.split_once(kind));
        match kind {
            Some((who, "")) if !who.is_empty() => return who.to_ascii_lowercase(),
            // The token was changed: it is not the identity's any more.
            Some((who, how)) if !who.is_empty() => {
                let how = how.trim_start_matches('_').replace('_', " ");
                return format!("{} ({})", who.to_ascii_lowercase(), how.to_ascii_lowercase());
            }
            _ => {}
        }
    }
    "nobody".to_owned()
}

/// The path of a URL without its query.
fn path_of(url: &str) -> String {
    let path = url.split_once("://").and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..))).unwrap_or(url);
    path.split('?').next().unwrap_or_default().to_owned()
}

const MAXIMUM_LINES: usize = 80;
