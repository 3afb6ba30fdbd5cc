//! The findings of a page: what happened, how it was proved, and what to do, each folded until somebody asks.

use std::fmt::Write as _;

use super::escape::{Prose, Text};
use crate::finding::{Exchange, Finding};
use crate::report::Report;
use crate::rule::Rule;

/// The section.
pub(super) fn write(page: &mut String, report: &Report) {
    page.push_str("<section>\n<h2>Findings</h2>\n");
    let ranked = report.ranked();
    if ranked.is_empty() {
        page.push_str("<p>Nothing was found. What was tested is said below.</p>\n");
    }
    for finding in ranked {
        one(page, finding);
    }
    page.push_str("</section>\n");
}

fn one(page: &mut String, finding: &Finding) {
    let rule = Rule::named(finding.rule);
    let severity = finding.severity.slug();
    let places = match finding.also.len() {
        0 => String::new(),
        more => format!(" <span class=\"more\">+{more}</span>"),
    };
    let _ = write!(
        page,
        "<details class=\"finding {severity}\" id=\"f{}\">\n<summary><span class=\"badge {severity}\">{severity}</span> \
         <span class=\"badge\">{}</span> <strong>{}</strong>{places}<br><code>{}</code> <span class=\"where\">{}</span></summary>\n\
         <p>{}</p>\n",
        finding.fingerprint,
        finding.confidence.slug(),
        rule.map_or(finding.rule, |rule| rule.detail().title),
        Text(&finding.operation),
        Text(&finding.insertion),
        Prose(&finding.summary)
    );
    if !finding.also.is_empty() {
        page.push_str("<p>The same cause shows in:</p>\n<ul class=\"plain\">");
        for place in finding.also.iter().take(MAXIMUM_PLACES) {
            let _ = write!(page, "<li><code>{}</code> {}</li>", Text(&place.operation), Text(&place.insertion));
        }
        page.push_str("</ul>\n");
    }
    page.push_str("<h3>Proof</h3>\n<ol class=\"exchanges\">\n");
    for exchange in finding.transcript.iter().take(MAXIMUM_EXCHANGES) {
        self::exchange(page, exchange);
    }
    page.push_str("</ol>\n");
    let _ = write!(page, "<h3>Repeat</h3>\n<pre class=\"wrap\"><code>{}</code></pre>\n", Text(&finding.curl));
    remedy(page, finding, rule);
    let _ = write!(
        page,
        "<p class=\"ids\">{} &middot; {} &middot; CWE-{} &middot; ASVS {} &middot; <code>{}</code></p>\n</details>\n",
        finding.rule, finding.row, finding.cwe, finding.asvs, finding.fingerprint
    );
}

fn exchange(page: &mut String, exchange: &Exchange) {
    let request = &exchange.request;
    let who = super::matrix::identity_of(request);
    let _ = write!(
        page,
        "<li><p><span class=\"badge {}\">{}</span> <code class=\"line\">{} {}</code> as {} &rarr; <b>{}</b></p>",
        exchange.label.slug(),
        exchange.label.slug(),
        Text(&request.method),
        Text(&request.url),
        Text(&who),
        exchange.status
    );
    if let Some(body) = &request.body {
        let _ = write!(page, "<pre class=\"wrap\"><code>{}</code></pre>", Text(body));
    }
    if !exchange.response.is_empty() {
        let _ = write!(page, "<pre class=\"wrap answer\"><code>{}</code></pre>", Text(&exchange.response));
    }
    page.push_str("</li>\n");
}

fn remedy(page: &mut String, finding: &Finding, rule: Option<&Rule>) {
    let _ = write!(
        page,
        "<h3>Remedy</h3>\n<p>In the code: {}</p>\n<p>With Palisade: {}</p>\n",
        Prose(finding.remedy.rust),
        Prose(finding.remedy.policy)
    );
    for lines in rule.iter().flat_map(|rule| [rule.code(), rule.detail().contract, rule.detail().config]) {
        if !lines.is_empty() {
            let _ = writeln!(page, "<pre class=\"wrap\"><code>{}</code></pre>", Text(lines.trim_end()));
        }
    }
}

const MAXIMUM_EXCHANGES: usize = 20;
const MAXIMUM_PLACES: usize = 50;
