//! The body of a request: which types it may have, and what may be in it.

use http::HeaderValue;
use palisade_core::diagnostic::Diagnostic;
use serde_json::Value;

use crate::document::{flag, join, members};
use crate::json::{self, Caps, Fault};
use crate::media::{Media, Reading, select};
use crate::parameter::{Coercion, form_pairs};
use crate::percent::decode_form;
use crate::schema::definition::DefinitionId;
use crate::schema::engine::Schemas;
use crate::schema::mode::Mode;
use crate::schema::translate::Translator;
use crate::violation::{Violation, ViolationCode as Code, child};

/// Whether an operation takes a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyRule {
    /// It takes none.
    None,
    /// It may have one.
    Optional(Handling),
    /// It must have one.
    Required(Handling),
}

/// What has to be done with a body before it is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handling {
    /// It is read whole and checked.
    Buffer,
    /// It may pass as it comes: no declared type is one that is read.
    Stream,
}

/// An accepted body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Payload {
    /// What it says, where it is JSON or a form.
    pub value: Option<Value>,
    /// JSON pointers into `value` of its free texts: those that no pattern, format or list of values restricts and that are not
    /// declared to hold markup (`x-palisade-markup: true`).
    pub free_text: Vec<String>,
}

/// The compiled `requestBody`.
#[derive(Debug)]
pub(crate) struct Body {
    required: bool,
    content: Vec<(Media, MediaRule)>,
}

/// The rule for one declared media type, in either direction.
#[derive(Debug)]
pub(crate) struct MediaRule {
    /// As the contract writes it.
    pub(crate) name: Box<str>,
    /// The compiled schema, where there is one.
    pub(crate) definition: Option<DefinitionId>,
    /// Where the schema is.
    pub(crate) schema: Option<String>,
    /// Where the media type object is.
    pub(crate) place: String,
    coercion: Coercion,
}

impl Body {
    /// Compiles the `requestBody` of the operation at `pointer`.
    pub(crate) fn compile(translator: &mut Translator<'_, '_>, pointer: &str) -> Option<Self> {
        let document = translator.document();
        let written = document.at(pointer)?.get("requestBody")?;
        let (body, place) = document.resolve(written, &join(pointer, "requestBody"));
        Some(Self { required: flag(body, "required"), content: compile_content(translator, &place, Mode::Closed) })
    }

    /// Whether and how it is read.
    pub(crate) fn rule(&self) -> BodyRule {
        let opaque = |(media, _): &(Media, MediaRule)| !media.is_range() && media.reading() == Reading::Opaque;
        let handling = if self.content.iter().all(opaque) { Handling::Stream } else { Handling::Buffer };
        match (self.content.is_empty(), self.required) {
            (true, _) => BodyRule::None,
            (false, true) => BodyRule::Required(handling),
            (false, false) => BodyRule::Optional(handling),
        }
    }

    /// The rules, in the order of the contract.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (&Media, &MediaRule)> {
        self.content.iter().map(|(media, rule)| (media, rule))
    }

    /// Whether a request without it is refused.
    pub(crate) fn is_required(&self) -> bool {
        self.required
    }

    /// Reads and checks a body.
    pub(crate) fn check(
        &self,
        content_type: Option<&HeaderValue>,
        body: &[u8],
        schemas: &Schemas,
    ) -> Result<Payload, Vec<Violation>> {
        if body.is_empty() && !self.required {
            return Ok(Payload::default());
        }
        if body.is_empty() && content_type.is_none() {
            return Err(vec![Violation::new(BASE, Code::Missing, "is required")]);
        }
        let sent = content_type.and_then(Media::of).filter(|media| !media.is_range());
        let Some((sent, rule)) = sent.and_then(|sent| select(&self.content, &sent).map(|rule| (sent, rule))) else {
            let names: Vec<&str> = self.content.iter().map(|(_, rule)| rule.name.as_ref()).collect();
            let message = format!("must have a declared content type: {}", names.join(", "));
            return Err(vec![Violation::new(BASE, Code::MediaType, message)]);
        };
        let value = match sent.reading() {
            Reading::Form => read_form(body, &rule.coercion)?,
            Reading::Json => json::read(body, Caps::MESSAGE).map_err(|fault| vec![fault_at(&fault)])?,
            Reading::Opaque if body.is_empty() => return Err(vec![Violation::new(BASE, Code::Missing, "is required")]),
            Reading::Opaque => return Ok(Payload::default()),
        };
        let violations = rule.definition.map_or_else(Vec::new, |id| schemas.check(id, &value, BASE));
        if !violations.is_empty() {
            return Err(violations);
        }
        let free_text = rule.definition.map_or_else(Vec::new, |id| schemas.free_text(id, &value));
        Ok(Payload { value: Some(value), free_text })
    }
}

/// Reads a form into an object of the types that its schema names.
pub(crate) fn read_form(body: &[u8], coercion: &Coercion) -> Result<Value, Vec<Violation>> {
    let malformed = || vec![Violation::new(BASE, Code::Malformed, "must be a form in UTF-8")];
    let text = std::str::from_utf8(body).map_err(|_| malformed())?;
    let pairs = form_pairs(text, BASE).map_err(|violation| vec![violation])?;
    let mut entries = Vec::with_capacity(pairs.len());
    for pair in pairs {
        entries.push((pair.name, decode_form(pair.raw).ok_or_else(malformed)?.into_owned()));
    }
    coercion
        .object(&entries)
        .map_err(|name| vec![Violation::new(child(BASE, &name), Code::Duplicate, "must be given once")])
}

/// Why bytes are not an acceptable JSON text.
pub(crate) fn fault_at(fault: &Fault) -> Violation {
    match fault {
        Fault::Duplicate(pointer) => Violation::new(format!("{BASE}{pointer}"), Code::Duplicate, fault.to_string()),
        Fault::Malformed | Fault::Number | Fault::TooLarge => Violation::new(BASE, Code::Malformed, fault.to_string()),
    }
}

/// Compiles the `content` of the object at `pointer`.
pub(crate) fn compile_content(
    translator: &mut Translator<'_, '_>,
    pointer: &str,
    mode: Mode,
) -> Vec<(Media, MediaRule)> {
    let document = translator.document();
    let mut content = Vec::new();
    let holder = document.at(pointer).unwrap_or(&Value::Null);
    for (name, entry) in members(holder, "content") {
        let place = join(&join(pointer, "content"), name);
        let Some(media) = Media::parse(name) else {
            let message = format!("`{name}` is not a media type");
            let diagnostic = Diagnostic::error("media-type-invalid", message).help("write it as `application/json`");
            translator.report().add(&place, diagnostic);
            continue;
        };
        let schema = entry.get("schema").map(|_| join(&place, "schema"));
        let read = media.is_range() || media.reading() != Reading::Opaque;
        let definition = schema.as_deref().filter(|_| read).map(|schema| translator.define(schema, mode));
        if read && definition.is_none() && !media.is_range() {
            let message = format!("`{name}` has no schema, so any content is accepted");
            let diagnostic = Diagnostic::warning("schema-missing", message).help("add `schema`");
            translator.report().add(&place, diagnostic);
        }
        let form = entry.get("schema").filter(|_| media.is_range() || media.reading() == Reading::Form);
        let coercion = form.map(|schema| Coercion::of(document, schema)).unwrap_or_default();
        content.push((media, MediaRule { name: name.as_str().into(), definition, schema, place, coercion }));
    }
    content
}

const BASE: &str = "/body";
