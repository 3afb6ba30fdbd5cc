//! A message for a person about a file: what is wrong, where, and what to do next.
//!
//! Diagnostics are for build time (configuration, contracts, keys); a request that is refused makes a
//! [`crate::denial::Denial`] instead.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A text that diagnostics can point into.
///
/// ```
/// use palisade_core::diagnostic::{Diagnostic, Position, Severity, Source};
///
/// let source = Source::new("palisade.toml", "[server]\nprot = 80\n");
/// assert_eq!(source.position(9), Position { line: 2, column: 1 });
/// let diagnostic = Diagnostic::error("unknown-key", "`prot` is no key").at(&source, 9..13).help("did you mean `port`?");
/// assert_eq!((diagnostic.severity(), diagnostic.position()), (Severity::Error, Some(Position { line: 2, column: 1 })));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    name: Arc<str>,
    text: Arc<str>,
}

impl Source {
    /// A file's name as the user wrote it, and its content.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The content.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line and column, both from one, of a byte offset; the column counts characters.
    pub fn position(&self, offset: usize) -> Position {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).map_or(0, |line| line.chars().count());
        Position { line: before.matches('\n').count() + 1, column: column + 1 }
    }

    /// The text of a line, counted from one.
    fn line(&self, number: usize) -> &str {
        self.text.lines().nth(number.saturating_sub(1)).unwrap_or("")
    }
}

/// A place in a text, both numbers from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// How much a diagnostic weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// It works, but less safely than the reader may think.
    Warning,
    /// Palisade refuses to start with this.
    Error,
}

impl Severity {
    /// `note`, `warning` or `error`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One message about one place.
///
/// ```
/// use palisade_core::diagnostic::{Diagnostic, Source};
///
/// let source = Source::new("palisade.toml", "version = 1\nupstraem = 2\n");
/// let diagnostic = Diagnostic::error("unknown-key", "unknown key `upstraem`")
///     .at(&source, 12..20)
///     .help("did you mean `upstream`?");
/// assert_eq!(diagnostic.to_string().lines().next(), Some("error[unknown-key]: unknown key `upstraem`"));
/// assert_eq!(diagnostic.position().map(|at| (at.line, at.column)), Some((2, 1)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    code: &'static str,
    severity: Severity,
    message: String,
    place: Option<(Source, Option<Range<usize>>)>,
    help: Option<String>,
}

impl Diagnostic {
    /// A message of any weight. `code` is a slug of the check that speaks; the message is lower case without a final
    /// period, with user input in backticks.
    pub fn new(severity: Severity, code: &'static str, message: impl Into<String>) -> Self {
        Self { code, severity, message: message.into(), place: None, help: None }
    }

    /// A reason not to start.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// A weakness that does not prevent the start.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    /// Something worth knowing.
    pub fn note(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, message)
    }

    /// Points at a span of bytes in a text.
    #[must_use]
    pub fn at(mut self, source: &Source, span: Range<usize>) -> Self {
        self.place = Some((source.clone(), Some(span)));
        self
    }

    /// Points at a text as a whole.
    #[must_use]
    pub fn in_source(mut self, source: &Source) -> Self {
        self.place = Some((source.clone(), None));
        self
    }

    /// Points at a file that could not be read.
    #[must_use]
    pub fn in_file(self, name: &str) -> Self {
        self.in_source(&Source::new(name, ""))
    }

    /// Says what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The slug of the check.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The weight.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do next.
    pub fn advice(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The name of the file.
    pub fn file(&self) -> Option<&str> {
        self.place.as_ref().map(|(source, _)| source.name())
    }

    /// Where in the file.
    pub fn position(&self) -> Option<Position> {
        let (source, span) = self.place.as_ref()?;
        Some(source.position(span.as_ref()?.start))
    }

    /// Where in the file the place ends: line and column just behind it.
    pub fn end_position(&self) -> Option<Position> {
        let (source, span) = self.place.as_ref()?;
        Some(source.position(span.as_ref()?.end))
    }
}

impl fmt::Display for Diagnostic {
    /// The form for a terminal: the message, the place with its line of text underlined, the help.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]: {}", self.severity.as_str(), self.code, self.message)?;
        if let Some((source, span)) = &self.place {
            match span {
                None => write!(f, "\n  --> {}", source.name())?,
                Some(span) => {
                    let Position { line, column } = source.position(span.start);
                    let text = source.line(line);
                    let gutter = line.to_string().len();
                    let room = text.chars().count().saturating_sub(column - 1).max(1);
                    let width = source.text().get(span.clone()).map_or(1, |s| s.chars().count()).clamp(1, room);
                    write!(f, "\n{:gutter$} --> {}:{line}:{column}", "", source.name())?;
                    write!(f, "\n{:gutter$} |\n{line} | {text}", "")?;
                    write!(f, "\n{:gutter$} | {:pad$}{}", "", "", "^".repeat(width), pad = column - 1)?;
                }
            }
        }
        match &self.help {
            None => Ok(()),
            Some(help) => write!(f, "\n  help: {help}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn points_at_the_word() {
        let source = Source::new("p.toml", "a = 1\n[ünknown]\nb = 2\n");
        let diagnostic = Diagnostic::error("unknown-key", "unknown key `ünknown`").at(&source, 7..15).help("remove it");
        expect![[r#"
            error[unknown-key]: unknown key `ünknown`
              --> p.toml:2:2
              |
            2 | [ünknown]
              |  ^^^^^^^
              help: remove it"#]]
        .assert_eq(&diagnostic.to_string());
    }

    #[test]
    fn survives_a_span_outside_the_text() {
        let source = Source::new("p.toml", "a");
        assert!(Diagnostic::error("x", "y").at(&source, 5..9).to_string().contains("p.toml:1:2"));
    }
}
