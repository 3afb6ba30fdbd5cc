//! What every resolving function needs: where values stand, where files lie, and the list of problems so far.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use palisade_core::diagnostic::{Diagnostic, Severity, Source};

use super::super::nearest_name;
use super::super::redact::is_literal_secret;
use super::super::scalar::Fault;
use super::super::tree::Located;
use super::super::watched::Watched;

/// A key path, such as `route.api.upstream`.
#[derive(Clone, Debug)]
pub(crate) struct At(Vec<String>);

impl At {
    pub(crate) fn root(key: &str) -> Self {
        Self(vec![key.to_owned()])
    }

    pub(crate) fn key(&self, key: &str) -> Self {
        let mut path = self.0.clone();
        path.push(key.to_owned());
        Self(path)
    }

    pub(crate) fn item(&self, index: usize) -> Self {
        self.key(&index.to_string())
    }

    fn last(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }
}

pub(crate) struct Context<'a> {
    source: &'a Source,
    located: &'a Located,
    folder: &'a Path,
    diagnostics: Vec<Diagnostic>,
    files: Vec<Watched>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(source: &'a Source, located: &'a Located, folder: &'a Path) -> Self {
        Self { source, located, folder, diagnostics: Vec::new(), files: Vec::new() }
    }

    /// Everything that was said, and every file that was read.
    pub(crate) fn into_parts(self) -> (Vec<Diagnostic>, Vec<Watched>) {
        (self.diagnostics, self.files)
    }

    pub(crate) fn has_error(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error)
    }

    /// Adds a message about the value at a path, or about what is around it where it has a default.
    pub(crate) fn report(&mut self, at: &At, diagnostic: Diagnostic) {
        self.diagnostics.push(match self.located.nearest(&at.0) {
            None => diagnostic.in_source(self.source),
            Some(span) => diagnostic.at(self.source, span),
        });
    }

    pub(crate) fn fault(&mut self, at: &At, fault: Fault) {
        self.report(at, Diagnostic::error(fault.code, fault.message).help(fault.help));
    }

    /// The line on which a section begins, for messages about two places.
    pub(crate) fn line(&self, at: &At) -> usize {
        self.located.nearest(&at.0).map_or(1, |span| self.source.position(span.start).line)
    }

    /// Parses one text.
    pub(crate) fn value<T>(&mut self, at: &At, text: &str, parse: fn(&str) -> Result<T, Fault>) -> Option<T> {
        if self.refuses_literal(at, text) {
            return None;
        }
        parse(text).map_err(|fault| self.fault(at, fault)).ok()
    }

    /// Parses each text of a list; `None` where one of them is wrong.
    pub(crate) fn list<T, S>(&mut self, at: &At, texts: &[S], parse: fn(&str) -> Result<T, Fault>) -> Option<Vec<T>>
    where
        S: std::ops::Deref<Target = str>,
    {
        let values = texts.iter().enumerate().map(|(index, text)| self.value(&at.item(index), text, parse));
        // All of them are parsed before the first missing one ends it, so that each is reported.
        values.collect::<Vec<_>>().into_iter().collect()
    }

    /// A text that must say something.
    pub(crate) fn text(&mut self, at: &At, text: &str) -> Option<String> {
        if !text.trim().is_empty() {
            return Some(text.to_owned());
        }
        self.report(at, Diagnostic::error("empty-text", "this text is empty").help("write a value"));
        None
    }

    /// The sections of one kind in the order of the file, each resolved; those with errors are left out.
    pub(crate) fn each<R, T>(
        &mut self,
        kind: &str,
        sections: &BTreeMap<String, R>,
        mut resolve: impl FnMut(&mut Self, &At, &str, &R) -> Option<T>,
    ) -> Vec<T> {
        let mut ordered: Vec<_> = sections.iter().collect();
        ordered.sort_by_key(|(name, _)| self.located.key_span(&[kind, name]).map(|span| span.start));
        ordered
            .into_iter()
            .filter_map(|(key, raw)| {
                let at = At::root(kind).key(key);
                if let Err(fault) = name(key) {
                    self.fault(&at, fault);
                }
                resolve(self, &at, key, raw)
            })
            .collect()
    }

    /// That a reference names a section that exists.
    pub(crate) fn reference<T>(&mut self, at: &At, kind: &str, name: &str, sections: &BTreeMap<String, T>) {
        if sections.contains_key(name) {
            return;
        }
        let help = match nearest_name(name, sections.keys().map(String::as_str)) {
            None => format!("add a section `[{kind}.{name}]`"),
            Some(near) => format!("did you mean `{near}`?"),
        };
        self.report(at, Diagnostic::error("unknown-reference", format!("there is no `{kind}.{name}`")).help(help));
    }

    /// The content of the file that `file:PATH` names.
    pub(crate) fn file_ref(&mut self, at: &At, text: &str) -> Option<Vec<u8>> {
        if self.refuses_literal(at, text) {
            return None;
        }
        let Some(path) = text.strip_prefix("file:").filter(|path| !path.is_empty()) else {
            let help = format!("write `file:` and a path relative to this file: `file:{text}`");
            self.fault(at, Fault::new("bad-file-reference", format!("`{text}` is not a reference to a file"), help));
            return None;
        };
        self.file(at, path)
    }

    /// The content of a file whose path is relative to the configuration.
    pub(crate) fn file(&mut self, at: &At, path: &str) -> Option<Vec<u8>> {
        let file = self.path(path);
        self.files.push(Watched::now(file.clone()));
        let found = std::fs::read(file);
        found
            .map_err(|error| {
                let message = format!("cannot read the file `{path}`: {}", reason(&error));
                let help = "the path is relative to the folder of the configuration";
                self.fault(at, Fault::new("file-unreadable", message, help));
            })
            .ok()
    }

    /// A path relative to the configuration.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// The path of a file that may not exist yet, but whose folder does.
    pub(crate) fn writable(&mut self, at: &At, path: &str) -> Option<PathBuf> {
        let file = self.path(path);
        if file.parent().is_none_or(|parent| parent.as_os_str().is_empty() || parent.is_dir()) {
            return Some(file);
        }
        let message = format!("the folder of `{path}` does not exist");
        let help = "create it; the path is relative to the folder of the configuration";
        self.fault(at, Fault::new("folder-missing", message, help));
        None
    }

    /// Whether the value is a credential itself. The message does not repeat it, and the quoted line is masked.
    fn refuses_literal(&mut self, at: &At, text: &str) -> bool {
        if !is_literal_secret(at.last(), text) {
            return false;
        }
        let help = match at.last() {
            "hash" => "write `sha256:` and the SHA-256 of the key: `printf %s \"$KEY\" | sha256sum`",
            "ca" | "cert" | "key" | "password" | "secret" | "token" => {
                "put it into a file that only the gateway may read, and write `file:` and its path"
            }
            _ => "leave user name and password out of the URL",
        };
        let message = "this looks like a credential, and a configuration is read by many";
        self.fault(at, Fault::new("literal-secret", message, help));
        true
    }
}

/// That a section can be told from the dots and spaces around its name.
pub(crate) fn name(name: &str) -> Result<(), Fault> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if !name.is_empty() && name.bytes().all(is_plain) {
        return Ok(());
    }
    Err(Fault::new("bad-name", format!("`{name}` cannot be the name of a section"), "use letters, digits, `-` and `_`"))
}

/// Why a file cannot be read, the same on every system.
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        std::io::ErrorKind::NotFound => "it does not exist".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
