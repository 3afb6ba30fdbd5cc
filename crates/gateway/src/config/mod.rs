//! `palisade.toml`: read, checked against its schema, and resolved into [`settings::Settings`].
//!
//! 1. The text becomes a tree that knows where every key stands ([`tree`]).
//! 2. The tree is compared with the schema that editors get ([`shape`]), and serde makes the [`raw`] structs of it.
//! 3. References, addresses, files and keys are resolved ([`resolve`]).
//!
//! A step is taken only when the one before found no error, and every step reports all it finds, each with its place
//! and what to do. Relative paths start at the folder of the file. A credential is always a reference to a file: one
//! that stands in the text itself is refused, and is masked in the line that the message quotes.

pub mod settings;

mod address;
mod raw;
mod redact;
mod reference;
mod resolve;
mod scalar;
mod schema;
mod shape;
mod tree;
mod watched;
mod word;

use std::ops::Range;
use std::path::{Path, PathBuf};

use palisade_core::diagnostic::{Diagnostic, Source};
use palisade_core::time::Timestamp;
use serde::Deserialize as _;
use toml::de::DeTable;

pub use reference::reference;
pub use schema::json_schema;
pub use tree::Located;
pub use watched::Watched;

use raw::RawConfig;
use settings::Settings;

/// A configuration that can be used, and what else there is to say about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the file means.
    pub settings: Settings,
    /// Warnings and notes, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
    /// The text, for further diagnostics.
    pub source: Source,
    /// Where each key stands in the text.
    pub located: Located,
    /// The file itself, where it was read from one.
    pub file: Option<PathBuf>,
    /// Every file that it was made of, as it was when it was read.
    pub files: Vec<Watched>,
}

impl Loaded {
    /// The bytes of the value at a key path: `&["route", "api", "public", "0"]`. For a section its header. `None`
    /// where the file leaves the key to its default.
    pub fn span(&self, path: &[&str]) -> Option<Range<usize>> {
        self.located.span(path)
    }

    /// Points a diagnostic at the value of a key path, or at the nearest section around it.
    #[must_use]
    pub fn locate(&self, diagnostic: Diagnostic, path: &[&str]) -> Diagnostic {
        let path: Vec<String> = path.iter().map(|&key| key.to_owned()).collect();
        match self.located.nearest(&path) {
            None => diagnostic.in_source(&self.source),
            Some(span) => diagnostic.at(&self.source, span),
        }
    }
}

/// Reads a configuration from a file.
pub fn load(path: &Path) -> Result<Loaded, Vec<Diagnostic>> {
    load_watched(path, &mut Vec::new())
}

/// The same, and every file that was read or should have been is added to `files`, also when the result is an error.
pub(crate) fn load_watched(path: &Path, files: &mut Vec<Watched>) -> Result<Loaded, Vec<Diagnostic>> {
    files.push(Watched::now(path.to_owned()));
    let name = path.display().to_string();
    let unreadable = |message: String| {
        let help = "name an existing file, or make one with `palisade init`";
        vec![Diagnostic::error("config-unreadable", message).in_file(&name).help(help)]
    };
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => unreadable("there is no such file".to_owned()),
        _ => unreadable(format!("cannot read the configuration: {error}")),
    })?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable("the configuration is not UTF-8 text".to_owned()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let loaded = parse_watched(&Source::new(name, text), folder, files)?;
    Ok(Loaded { file: Some(path.to_owned()), files: files.clone(), ..loaded })
}

/// Checks and resolves a configuration. Its relative paths start at `folder`.
///
/// ```
/// use palisade_core::diagnostic::Source;
/// use palisade_gateway::config;
///
/// let source = Source::new("palisade.toml", "version = 1\n[listen.main]\nadress = \"127.0.0.1:8080\"\n");
/// let problems = config::parse(&source, ".".as_ref()).unwrap_err();
/// let typo = problems.iter().find(|problem| problem.code() == "unknown-key").unwrap();
/// assert_eq!(typo.advice(), Some("did you mean `address`?"));
/// ```
pub fn parse(source: &Source, folder: &Path) -> Result<Loaded, Vec<Diagnostic>> {
    parse_watched(source, folder, &mut Vec::new())
}

fn parse_watched(source: &Source, folder: &Path, files: &mut Vec<Watched>) -> Result<Loaded, Vec<Diagnostic>> {
    let (tree, errors) = DeTable::parse_recoverable(source.text());
    let source = redact::redacted(source, tree.get_ref(), !errors.is_empty());
    if !errors.is_empty() {
        return Err(tree::syntax(&errors, &source));
    }
    let problems = shape::check(tree.get_ref(), &source);
    if !problems.is_empty() {
        return Err(problems);
    }
    let located = Located::of(tree.get_ref());
    let raw = RawConfig::deserialize(toml::Deserializer::from(tree)).map_err(|error| {
        // The schema is made from the structs, so that this speaks only where the check of the shape has a gap.
        let diagnostic = Diagnostic::error("invalid", error.message());
        vec![error.span().map_or(diagnostic.clone().in_source(&source), |span| diagnostic.at(&source, span))]
    })?;
    let resolve::Resolved { settings, diagnostics, files: named } = resolve::resolve(&raw, &source, &located, folder);
    files.extend(named);
    match settings {
        None => Err(diagnostics),
        Some(settings) => Ok(Loaded { settings, diagnostics, source, located, file: None, files: files.clone() }),
    }
}

/// A moment of RFC 3339, such as `2027-01-01T00:00:00Z`; parts of a second are left out.
pub fn moment(text: &str) -> Result<Timestamp, Diagnostic> {
    let whole = match text.split_once('.') {
        None => text.to_owned(),
        Some((start, rest)) => format!("{start}{}", rest.trim_start_matches(|c: char| c.is_ascii_digit())),
    };
    scalar::timestamp(&whole).map_err(|fault| Diagnostic::error(fault.code, fault.message).help(fault.help))
}

/// That a text can be the name of a section.
pub(crate) fn check_name(name: &str) -> Result<(), Diagnostic> {
    resolve::name(name).map_err(|fault| Diagnostic::error(fault.code, fault.message).help(fault.help))
}

/// That a text can be the URL of a backend.
pub(crate) fn check_upstream(url: &str) -> Result<(), Diagnostic> {
    let checked = address::base(url).map(|_| ());
    checked.map_err(|fault| Diagnostic::error(fault.code, fault.message).help(fault.help))
}

/// The name that was probably meant: the most similar, if it is similar enough to be a slip.
fn nearest_name<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = names.map(|name| (strsim::jaro_winkler(text, name), name));
    scored.filter(|(score, _)| *score > 0.75).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}
