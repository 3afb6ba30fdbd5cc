//! Bars: how many findings of each severity, and of each row.

use std::fmt::Write as _;

use crate::report::Report;
use crate::row::Row;
use crate::rule::Severity;

/// Both charts, or nothing when there is nothing to show.
pub(super) fn write(page: &mut String, report: &Report) {
    if report.findings().next().is_none() {
        return;
    }
    let severities = Severity::ALL.map(|severity| {
        let count = report.findings().filter(|finding| finding.severity == severity).count();
        Bar { label: severity.slug().to_owned(), class: severity.slug(), count }
    });
    let rows = Row::ALL.map(|row| {
        let heaviest = report.findings().filter(|finding| finding.row == row).map(|finding| finding.severity).max();
        let count = report.findings().filter(|finding| finding.row == row).count();
        Bar { label: row.id().to_owned(), class: heaviest.map_or("info", Severity::slug), count }
    });
    page.push_str("<section class=\"charts\">\n");
    bars(page, "Findings by severity", &severities);
    bars(page, "Findings by row", &rows);
    page.push_str("</section>\n");
}

struct Bar {
    label: String,
    class: &'static str,
    count: usize,
}

fn bars(page: &mut String, title: &str, bars: &[Bar]) {
    let most = bars.iter().map(|bar| bar.count).max().unwrap_or(1).max(1);
    let told: Vec<String> = bars.iter().map(|bar| format!("{} {}", bar.label, bar.count)).collect();
    let height = bars.len() * STEP + 4;
    let _ = write!(
        page,
        "<figure><figcaption>{title}</figcaption><svg role=\"img\" aria-label=\"{}\" width=\"100%\" height=\"{height}\">",
        told.join(", ")
    );
    for (at, bar) in bars.iter().enumerate() {
        let top = at * STEP;
        let width = bar.count * 62 / most;
        let _ = write!(
            page,
            "<text x=\"0\" y=\"{}\">{}</text><rect class=\"{}\" x=\"28%\" y=\"{}\" width=\"{width}%\" height=\"14\" rx=\"2\"/>\
             <text x=\"{}%\" y=\"{}\">{}</text>",
            top + 15,
            bar.label,
            bar.class,
            top + 4,
            width + 29,
            top + 15,
            bar.count
        );
    }
    page.push_str("</svg></figure>\n");
}

const STEP: usize = 22;
