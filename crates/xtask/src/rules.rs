//! The page of the reviewer's rules: what each proves, how much it weighs, and the lines that help.

use std::fmt::Write as _;

use palisade_review::{Breadth, Rule, Severity};

use crate::reference::NOTICE;

/// The page.
pub fn page() -> String {
    let mut page = format!(
        "{NOTICE}# Rules of the reviewer\n\n\
         `palisade review` reports a finding for each rule that it can prove. The severity is what such a weakness usually\n\
         means; what the API is for may make it more or less. ASVS is the Application Security Verification Standard of\n\
         OWASP, version 5.0.\n\n\
         | rule | severity | class | CWE | ASVS |\n|---|---|---|---|---|\n"
    );
    let mut ranked: Vec<&Rule> = Rule::ALL.iter().collect();
    ranked.sort_by_key(|rule| (std::cmp::Reverse(rule.detail().severity), rule.slug));
    for rule in ranked {
        let detail = rule.detail();
        let _ = writeln!(
            page,
            "| [`{0}`](#{0}) | {1} | {2} | {3} | {4} |",
            rule.slug,
            detail.severity.slug(),
            rule.row,
            rule.cwe,
            detail.asvs
        );
    }
    for rule in Rule::ALL {
        one(&mut page, rule);
    }
    page
}

fn one(page: &mut String, rule: &Rule) {
    let detail = rule.detail();
    let _ = write!(
        page,
        "\n## `{}`\n\n{}: {}.\n\n{}\n\n**In the code:** {}\n\n```rust\n{}```\n\n**With Palisade:** {}\n",
        rule.slug,
        heading(detail.severity),
        detail.title,
        detail.help,
        rule.remedy.rust,
        rule.code(),
        rule.remedy.policy
    );
    if !detail.contract.is_empty() {
        let _ = write!(page, "\n```yaml\n{}\n```\n", detail.contract);
    }
    if !detail.config.is_empty() {
        let _ = write!(page, "\n```toml\n{}\n```\n", detail.config.trim_end());
    }
    let told = match detail.breadth {
        Breadth::Operation => "One finding for each operation, wherever in the request the attack goes in.",
        Breadth::Point => "One finding for each operation and place in the request.",
        Breadth::Service => "One finding for the whole service, with every place where it shows.",
    };
    let _ = write!(page, "\n{told} {}, {}, CWE-{}, ASVS {}.\n", rule.row, rule.row.title(), rule.cwe, detail.asvs);
}

fn heading(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "Critical",
        Severity::High => "High",
        Severity::Info => "Info",
        Severity::Low => "Low",
        Severity::Medium => "Medium",
    }
}
