//! A format is one way to write a report down: for a person, for a program, for a build server, or for a browser.

use std::fmt;
use std::str::FromStr;

use palisade_core::diagnostic::Source;
use palisade_core::time::Timestamp;

use crate::plan::Mode;
use crate::report::{Report, har, html, json, junit, sarif, text};

/// One way to write a report down.
///
/// ```
/// use palisade_review::Format;
///
/// assert_eq!("sarif".parse(), Ok(Format::Sarif));
/// let error = "pdf".parse::<Format>().unwrap_err();
/// assert_eq!(error.to_string(), "`pdf` is no format: use text, json, sarif, junit, har or html");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// HTTP Archive 1.2: every exchange of the findings, for tools that show requests.
    Har,
    /// One page without scripts, for a browser, a phone or a printer.
    Html,
    /// One JSON object, as `schema/review-report.schema.json` describes it.
    Json,
    /// JUnit's XML, for build servers.
    Junit,
    /// SARIF 2.1.0 (OASIS), for code-scanning services.
    Sarif,
    /// For a terminal.
    Text,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 6] = [Self::Har, Self::Html, Self::Json, Self::Junit, Self::Sarif, Self::Text];

    /// The word for it on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Har => "har",
            Self::Html => "html",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Sarif => "sarif",
            Self::Text => "text",
        }
    }

    /// How a file with it ends.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Har => "har",
            Self::Html => "html",
            Self::Json => "json",
            Self::Junit => "xml",
            Self::Sarif => "sarif",
            Self::Text => "txt",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|format| format.as_str() == word).ok_or_else(|| UnknownFormat(word.to_owned()))
    }
}

/// A word that names no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no format: use text, json, sarif, junit, har or html")]
pub struct UnknownFormat(String);

/// What a reader has to know about a run besides what came out.
#[derive(Clone, Debug)]
pub struct About {
    /// The base URL that was attacked.
    pub target: String,
    /// The contract that it was attacked by.
    pub contract: Source,
    /// How far the run might go.
    pub mode: Mode,
    /// When the run began.
    pub started: Timestamp,
}

impl Report {
    /// The report in a format. Answers in it are the target's text: escaped as the format asks, and never trusted.
    ///
    /// ```
    /// use palisade_core::{diagnostic::Source, time::Timestamp};
    /// use palisade_review::{About, Format, Mode, Report};
    ///
    /// let report = Report { rows: Vec::new(), requests: 0, operations: Vec::new(), ending: Default::default() };
    /// let about = About {
    ///     target: "http://127.0.0.1:9000".to_owned(),
    ///     contract: Source::new("openapi.yaml", "openapi: 3.1.0"),
    ///     mode: Mode::Safe,
    ///     started: Timestamp::from_secs(1_795_305_600),
    /// };
    /// assert!(report.render(Format::Text, &about).contains("nothing was tested"));
    /// ```
    #[must_use]
    pub fn render(&self, format: Format, about: &About) -> String {
        match format {
            Format::Har => har::write(self, about),
            Format::Html => html::write(self, about),
            Format::Json => json::write(self, about),
            Format::Junit => junit::write(self, about),
            Format::Sarif => sarif::write(self, about),
            Format::Text => text::write(self, about),
        }
    }
}
