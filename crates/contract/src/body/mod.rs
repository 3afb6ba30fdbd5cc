//! The body of a request: which types it may have, and what may be in it.

mod form;
mod multipart;
mod xml;

use http::HeaderValue;
use palisade_core::diagnostic::Diagnostic;
use serde_json::Value;

use crate::direct::Wanted;
use crate::document::{flag, join, members};
use crate::json::{self, Caps};
use crate::media::{Media, Reading, select};
use crate::parameter::Coercion;
use crate::schema::definition::DefinitionId;
use crate::schema::engine::Schemas;
use crate::schema::mode::Mode;
use crate::schema::translate::Translator;
use crate::violation::{Violation, ViolationCode as Code};
pub(crate) use form::Fields;

/// Whether an operation takes a body.
///
/// ```
/// use http::HeaderValue;
/// use palisade_contract::{BodyRule, Canonical, Handling, Payload};
/// # use palisade_contract::Contract;
/// # use palisade_core::diagnostic::Source;
/// let source = Source::new("openapi.yaml", "
/// openapi: 3.1.0
/// info: { title: Notes, version: '1' }
/// paths:
///   /notes:
///     post:
///       operationId: addNote
///       security: []
///       requestBody:
///         content: { application/json: { schema: { type: object, properties: { text: { type: string } } } } }
///       responses: { 204: { description: Added. } }
/// ");
/// let contract = Contract::compile(&source).unwrap().contract;
/// let operation = &contract.operations()[0];
/// assert_eq!(operation.request_body(), BodyRule::Optional(Handling::Buffer));
/// let json = HeaderValue::from_static("application/json");
/// let Payload { free_text, canonical, .. } = operation.check_body(Some(&json), b"{ \"text\": \"<hi>\" }").unwrap();
/// assert_eq!(free_text, ["/text"]);
/// assert!(matches!(canonical, Some(Canonical { bytes, .. }) if bytes == b"{\"text\":\"<hi>\"}"));
/// assert!(operation.check_body(Some(&json), b"{\"admin\": true}").is_err());
/// ```
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
    /// It may pass as it comes: its type is one that is not read.
    Stream,
}

/// An accepted body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Payload {
    /// What it says, where it is JSON, a form or a text and that was kept: JSON that could be checked while it was read has
    /// no value here. A file of a form is a stand-in. XML says nothing here: it was read for what would harm the parser
    /// behind.
    pub value: Option<Value>,
    /// JSON pointers into `value` of those texts in which markup may be: they have a `<`, no pattern, format or list of values
    /// restricts them, and they are not declared to hold markup (`x-palisade-markup: true`).
    pub free_text: Vec<String>,
    /// What goes on in place of what came; `None` where it came in its canonical writing.
    pub canonical: Option<Canonical>,
}

/// A body in its canonical writing: made of what was read, and of nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canonical {
    /// The body.
    pub bytes: Vec<u8>,
    /// Its content type, where that is another one than came.
    pub content_type: Option<HeaderValue>,
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
    fields: Fields,
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

    /// The fields of a declared form.
    pub(crate) fn form(&self, name: &str) -> Option<&Fields> {
        self.content.iter().find(|(_, rule)| *rule.name == *name).map(|(_, rule)| &rule.fields)
    }

    /// Whether a request without it is refused.
    pub(crate) fn is_required(&self) -> bool {
        self.required
    }

    /// How a body of this type has to be read; refuses a type that is not declared.
    pub(crate) fn handling(&self, content_type: Option<&HeaderValue>) -> Result<Handling, Violation> {
        let (sent, _) = self.select(content_type)?;
        Ok(if sent.reading() == Reading::Opaque { Handling::Stream } else { Handling::Buffer })
    }

    fn select(&self, content_type: Option<&HeaderValue>) -> Result<(Media, &MediaRule), Violation> {
        let sent = content_type.and_then(Media::of).filter(|media| !media.is_range());
        let found = sent.and_then(|sent| select(&self.content, &sent).map(|rule| (sent, rule)));
        found.ok_or_else(|| {
            let names: Vec<&str> = self.content.iter().map(|(_, rule)| rule.name.as_ref()).collect();
            let message = format!("must have a declared content type: {}", names.join(", "));
            Violation::new(BASE, Code::MediaType, message)
        })
    }

    /// Reads and checks a body.
    pub(crate) fn check(
        &self,
        content_type: Option<&HeaderValue>,
        body: &[u8],
        caps: &Caps,
        schemas: &Schemas,
    ) -> Result<Payload, Vec<Violation>> {
        if body.is_empty() && !self.required {
            return Ok(Payload::default());
        }
        let missing = || vec![Violation::new(BASE, Code::Missing, "is required")];
        if body.is_empty() && content_type.is_none() {
            return Err(missing());
        }
        let (sent, rule) = self.select(content_type).map_err(|violation| vec![violation])?;
        let (value, canonical) = match sent.reading() {
            Reading::Form => {
                let read = rule.fields.read_pairs(body, caps)?;
                let canonical = (read.bytes != body).then_some(Canonical { bytes: read.bytes, content_type: None });
                (read.value, canonical)
            }
            Reading::Json => {
                let checked = rule.definition.and_then(|id| schemas.direct(id, body, caps, Wanted::Canonical));
                if let Some(checked) = checked {
                    let canonical = checked.canonical.map(|bytes| Canonical { bytes, content_type: None });
                    return Ok(Payload { value: None, free_text: Vec::new(), canonical });
                }
                let (value, bytes) = json::read_canonical(body, caps).map_err(|fault| vec![fault.violation(BASE)])?;
                (value, bytes.map(|bytes| Canonical { bytes, content_type: None }))
            }
            Reading::Multipart => {
                let read = rule.fields.read_parts(body, &sent, caps)?;
                let media = format!("multipart/form-data; boundary={}", read.boundary.unwrap_or_default());
                let content_type = HeaderValue::try_from(media).ok();
                (read.value, Some(Canonical { bytes: read.bytes, content_type }))
            }
            Reading::Opaque if body.is_empty() => return Err(missing()),
            Reading::Opaque => return Ok(Payload::default()),
            Reading::Text => {
                let malformed = |_| vec![Violation::new(BASE, Code::Malformed, "must be text in UTF-8")];
                (rule.coercion.scalar(std::str::from_utf8(body).map_err(malformed)?), None)
            }
            Reading::Xml if body.is_empty() => return Err(missing()),
            Reading::Xml => {
                return xml::check(body, caps).map(|()| Payload::default()).map_err(|violation| vec![violation]);
            }
        };
        let violations = rule.definition.map_or_else(Vec::new, |id| schemas.check(id, &value, BASE));
        if !violations.is_empty() {
            return Err(violations);
        }
        let free_text = schemas.examine(rule.definition, &value, BASE)?;
        Ok(Payload { value: Some(value), free_text, canonical })
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
        let read = media.is_range()
            || match media.reading() {
                Reading::Form | Reading::Json => true,
                Reading::Multipart | Reading::Text => mode != Mode::Answer,
                Reading::Opaque | Reading::Xml => false,
            };
        let definition = schema.as_deref().filter(|_| read).map(|schema| translator.define(schema, mode));
        if read && definition.is_none() && !media.is_range() {
            let message = format!("`{name}` has no schema, so any content is accepted");
            let diagnostic = Diagnostic::warning("schema-missing", message).help("add `schema`");
            translator.report().add(&place, diagnostic);
        }
        let typed = mode != Mode::Answer && (media.is_range() || media.reading() != Reading::Json);
        let coercion = entry.get("schema").filter(|_| typed && read).map(|schema| Coercion::of(document, schema));
        let coercion = coercion.unwrap_or_default();
        let fields = Fields::compile(translator, &place, &coercion, media.reading() == Reading::Multipart);
        content.push((media, MediaRule { name: name.as_str().into(), definition, schema, place, coercion, fields }));
    }
    content
}

const BASE: &str = "/body";
