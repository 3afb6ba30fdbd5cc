//! The comparison of two runs in the formats that have room for it: text, JSON and HTML.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::comparison::{Comparison, Line, Standing};
use crate::report::text::clean;
use crate::report::{About, Format, Report, html, json as report_json, text};

impl Report {
    /// The report with a comparison, where the format has room for one; the others hold the report alone.
    #[must_use]
    pub fn render_compared(&self, format: Format, about: &About, comparison: &Comparison) -> String {
        match format {
            Format::Html => html::write_compared(self, about, Some(comparison)),
            Format::Json => report_json::write_compared(self, about, Some(comparison)),
            Format::Text => format!("{}\n{}", text::write(self, about), comparison.to_text()),
            Format::Har | Format::Junit | Format::Sarif => self.render(format, about),
        }
    }
}

impl Comparison {
    /// The matrix as text: what needs attention first, then what the gateway stopped.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "Before and after: {} stopped, {} cleaned, {} still open, {} not tried again, {} sound alone, {} rules that \
             nothing attacked.\n",
            self.count(Standing::Stopped),
            self.count(Standing::Cleaned),
            self.count(Standing::Open),
            self.count(Standing::Untried),
            self.count(Standing::Sound),
            self.count(Standing::RuleWithoutAttack)
        );
        let width = self.lines.iter().map(|line| line.operation.chars().count()).max().unwrap_or(0).min(40);
        // What the service withstands alone is counted above, and in the other formats.
        for line in self.ranked().into_iter().filter(|line| line.standing() != Standing::Sound) {
            let _ = writeln!(
                text,
                "  {:<19} {:<9} {:width$} {:<12} -> {:<12} {}",
                line.standing().slug(),
                line.row.id(),
                clean(&line.operation),
                line.bare.slug(),
                line.through.slug(),
                told(line)
            );
        }
        text
    }

    /// The matrix as JSON, one object for each line.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let one = |line: &Line| {
            json!({
                "operation": line.operation,
                "row": line.row.id(),
                "declared": line.declared,
                "attacked": line.attacked,
                "bare": line.bare.slug(),
                "through": line.through.slug(),
                "codes": line.codes,
                "standing": line.standing().slug(),
            })
        };
        self.lines.iter().map(one).collect()
    }

    /// The lines, those that need somebody first.
    pub(crate) fn ranked(&self) -> Vec<&Line> {
        let mut lines: Vec<&Line> = self.lines.iter().collect();
        lines.sort_by_key(|line| match line.standing() {
            Standing::Open => 0,
            Standing::Untried => 1,
            Standing::RuleWithoutAttack => 2,
            Standing::Cleaned => 3,
            Standing::Stopped => 4,
            Standing::Sound => 5,
        });
        lines
    }
}

/// What answered, and what was attacked or declared.
pub(crate) fn told(line: &Line) -> String {
    let mut parts = Vec::new();
    if !line.codes.is_empty() {
        parts.push(format!("by {}", line.codes.iter().map(|code| clean(code)).collect::<Vec<_>>().join(", ")));
    }
    if !line.declared.is_empty() {
        parts.push(format!("declared: {}", line.declared.join(", ")));
    }
    if !line.attacked.is_empty() {
        parts.push(format!("attacked: {}", line.attacked.join(", ")));
    }
    if line.is_without_rule() {
        parts.push("no rule".to_owned());
    }
    parts.join("; ")
}
