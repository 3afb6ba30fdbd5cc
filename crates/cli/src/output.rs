//! How results and messages reach a person, a program or a code-scanning service.

mod sarif;

use std::io::{self, Write};

use palisade_core::diagnostic::{Diagnostic, Severity};
use serde_json::{Value, json};

/// The exit code for findings.
pub(crate) const FINDINGS: u8 = 1;

/// The exit code for a failure.
pub(crate) const FAILURE: u8 = 2;

/// The form of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For a terminal.
    Human,
    /// One JSON object.
    Json,
    /// SARIF 2.1.0, for code-scanning services.
    Sarif,
}

/// Writes a line of a result. A reader that has gone away, such as `head`, is not an error.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Writes a line that is not a result.
pub(crate) fn talk(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes a line over the one before, on a terminal only.
pub(crate) fn progress(line: &str) {
    use io::IsTerminal;

    if io::stderr().is_terminal() {
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "\r\x1b[2K{line}").and_then(|()| stderr.flush());
    }
}

/// Tells all diagnostics to a person, the heaviest first, and how many there are.
pub(crate) fn tell(diagnostics: &[Diagnostic]) {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|diagnostic| std::cmp::Reverse(diagnostic.severity()));
    for diagnostic in sorted {
        talk(&format!("{diagnostic}\n"));
    }
}

/// How many diagnostics weigh this much.
pub(crate) fn count(diagnostics: &[Diagnostic], severity: Severity) -> usize {
    diagnostics.iter().filter(|diagnostic| diagnostic.severity() == severity).count()
}

/// The diagnostics as JSON.
pub(crate) fn to_json(diagnostics: &[Diagnostic]) -> Value {
    let one = |diagnostic: &Diagnostic| {
        let position = diagnostic.position();
        json!({
            "code": diagnostic.code(),
            "severity": diagnostic.severity().as_str(),
            "message": diagnostic.message(),
            "file": diagnostic.file(),
            "line": position.map(|at| at.line),
            "column": position.map(|at| at.column),
            "help": diagnostic.advice(),
        })
    };
    diagnostics.iter().map(one).collect()
}

/// The diagnostics as a SARIF log.
pub(crate) fn to_sarif(diagnostics: &[Diagnostic]) -> Value {
    sarif::log(diagnostics)
}
