//! Forms, plain and multipart: how each field is written, and the object that the fields make.

use std::borrow::Cow;

use palisade_core::canon::query::Writer;
use palisade_core::diagnostic::Diagnostic;
use serde_json::{Map, Value};

use crate::body::multipart::{self, Part};
use crate::document::join;
use crate::json::{self, Caps};
use crate::media::{Media, Reading};
use crate::parameter::pairs::{self, Pair, owns, takes_rest};
use crate::parameter::{Coercion, Field, Location, Slot, Style};
use crate::schema::translate::Translator;
use crate::violation::{Violation, ViolationCode as Code, child};

/// The fields of a form.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<(Box<str>, Field, Content)>);

/// What a part of a multipart body holds.
#[derive(Debug)]
struct Content {
    kind: Kind,
    /// What its type may be; anything where empty.
    types: Vec<Media>,
    many: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Bytes, so many at least and at most.
    File(u64, u64),
    Json,
    Text,
}

/// A form that was read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) value: Value,
    /// Its canonical writing, with its boundary where it has one.
    pub(crate) bytes: Vec<u8>,
    pub(crate) boundary: Option<String>,
}

impl Fields {
    /// Compiles the properties of a form with their entries of the `encoding` object of the media type object at `place`.
    pub(crate) fn compile(
        translator: &mut Translator<'_, '_>,
        place: &str,
        coercion: &Coercion,
        multipart: bool,
    ) -> Self {
        let document = translator.document();
        let encodings = document.at(place).and_then(|entry| entry.get("encoding"));
        let mut fields = Vec::new();
        for (name, coercion) in coercion.properties() {
            let encoding = encodings.and_then(|all| all.get(name)).unwrap_or(&Value::Null);
            let written = ["style", "explode", "allowReserved"].iter().any(|key| encoding.get(key).is_some());
            let types = encoding.get("contentType").and_then(Value::as_str).unwrap_or_default();
            let types: Vec<Media> = types.split(',').filter_map(|name| Media::parse(name.trim())).collect();
            let is_json = types.iter().any(|media| media.reading() == Reading::Json);
            let field = if !written && (is_json || coercion.is_object()) {
                Some(Field::plain(Style::Json, coercion.clone()))
            } else {
                Field::of(encoding, Location::Query, coercion.clone())
            };
            let Some(field) = field else {
                let message = format!("the way in which the field `{name}` is written is not supported");
                let help = "lists are form, pipeDelimited or spaceDelimited; objects deepObject, form or JSON";
                let diagnostic = Diagnostic::error("parameter-unsupported", message).help(help);
                translator.report().add(&join(&join(place, "encoding"), name), diagnostic);
                continue;
            };
            let one = coercion.items().unwrap_or(coercion);
            let is_text = types.is_empty() || types.iter().any(|media| media.reading() == Reading::Text);
            let kind = if is_json || one.is_object() {
                Kind::Json
            } else if multipart && (one.is_binary() || !is_text) {
                let (least, most) = one.lengths();
                Kind::File(least.unwrap_or(0), most.unwrap_or(u64::MAX))
            } else {
                Kind::Text
            };
            fields.push((name.into(), field, Content { kind, types, many: coercion.is_list() }));
        }
        Self(fields)
    }

    /// Reads `application/x-www-form-urlencoded`.
    pub(crate) fn read_pairs(&self, body: &[u8], caps: &Caps) -> Result<Read, Vec<Violation>> {
        let text = std::str::from_utf8(body)
            .map_err(|_| vec![Violation::new(BASE, Code::Malformed, "must be a form in UTF-8")])?;
        if text.split('&').count() > caps.parts {
            return Err(vec![Violation::new(BASE, Code::Malformed, "must not have this many fields")]);
        }
        let mut violations = Vec::new();
        let pairs = pairs::split(text, BASE, &mut violations);
        let slots = || self.0.iter().map(|(name, field, _)| Slot { base: BASE, name, field });
        let owner = |pair: &Pair<'_>| {
            let named = slots().position(|slot| owns(&slot, &pair.name));
            named.or_else(|| slots().position(|slot| takes_rest(slot.field)))
        };
        let owners: Vec<Option<usize>> = pairs.iter().map(owner).collect();
        let mut object = Map::new();
        for (at, slot) in slots().enumerate() {
            let mine = pairs.iter().zip(&owners).filter(|(_, owner)| **owner == Some(at)).map(|(pair, _)| pair);
            match pairs::read(&slot, &mine.collect::<Vec<_>>(), caps) {
                Ok(None) => {}
                Ok(Some(found)) => {
                    object.insert(slot.name.to_owned(), found.value);
                }
                Err(violation) => violations.push(violation),
            }
        }
        // Fields that are not declared: whether they may be there is for the schema to say.
        for (pair, _) in pairs.iter().zip(&owners).filter(|(_, owner)| owner.is_none()) {
            let text = crate::percent::decode_form(pair.raw).unwrap_or_default();
            if object.insert(pair.name.clone().into_owned(), Value::String(text.into_owned())).is_some() {
                violations.push(twice(&pair.name));
            }
        }
        if !violations.is_empty() {
            return Err(violations);
        }
        let mut writer = Writer::default();
        for (pair, owner) in pairs.iter().zip(owners) {
            pairs::write(&mut writer, pair, owner.and_then(|at| self.0.get(at)).map(|(_, field, _)| field));
        }
        Ok(Read { value: Value::Object(object), bytes: writer.finish().into_bytes(), boundary: None })
    }

    /// A valid `multipart/form-data` body with these values, and its content type.
    pub(crate) fn sample(&self, value: &Value) -> Option<(String, Vec<u8>)> {
        let (mut parts, mut contents) = (Vec::new(), Vec::new());
        for (name, member) in value.as_object()? {
            let content = self.0.iter().find(|(known, ..)| **known == **name).map(|(.., content)| content);
            let items = match member {
                Value::Array(items) if content.is_some_and(|content| content.many) => items.as_slice(),
                one => std::slice::from_ref(one),
            };
            for item in items {
                let kind = content.map(|content| content.kind);
                let filename = matches!(kind, Some(Kind::File(..))).then_some(Cow::Borrowed("sample"));
                let declared = content.and_then(|content| content.types.iter().find(|media| !media.is_range()));
                parts.push(Part { name, filename, media: declared.cloned(), content: b"" });
                contents.push(Cow::Owned(match item {
                    Value::String(text) if kind != Some(Kind::Json) => text.clone().into_bytes(),
                    other => other.to_string().into_bytes(),
                }));
            }
        }
        let (boundary, bytes) = multipart::join(&parts, &contents)?;
        Some((format!("multipart/form-data; boundary={boundary}"), bytes))
    }

    /// Reads `multipart/form-data`.
    pub(crate) fn read_parts(&self, body: &[u8], media: &Media, caps: &Caps) -> Result<Read, Vec<Violation>> {
        let malformed = |message: &str| vec![Violation::new(BASE, Code::Malformed, message)];
        let boundary = media.boundary().ok_or_else(|| malformed("must have a legal boundary in its content type"))?;
        let parts = multipart::split(body, boundary, caps).map_err(|violation| vec![violation])?;
        let (mut object, mut contents, mut violations) = (Map::new(), Vec::new(), Vec::new());
        for part in &parts {
            let field = self.0.iter().find(|(name, ..)| **name == *part.name);
            let many = field.is_some_and(|(.., content)| content.many);
            let earlier = object.get(part.name).and_then(Value::as_array).map_or(0, Vec::len);
            let place = if many { format!("{}/{earlier}", child(BASE, part.name)) } else { child(BASE, part.name) };
            let (value, content) =
                match read_part(part, field.map(|(_, field, content)| (field, content)), &place, caps) {
                    Ok(read) => read,
                    Err(violation) => {
                        violations.push(violation);
                        (Value::Null, Cow::Borrowed(part.content))
                    }
                };
            contents.push(content);
            match object.get_mut(part.name) {
                Some(Value::Array(values)) if many => values.push(value),
                Some(_) => violations.push(twice(part.name)),
                None if many => {
                    object.insert(part.name.to_owned(), Value::Array(vec![value]));
                }
                None => {
                    object.insert(part.name.to_owned(), value);
                }
            }
        }
        if !violations.is_empty() {
            return Err(violations);
        }
        let (boundary, bytes) =
            multipart::join(&parts, &contents).ok_or_else(|| malformed("must not contain boundaries of ours"))?;
        Ok(Read { value: Value::Object(object), bytes, boundary: Some(boundary) })
    }
}

/// What a part says, and its content as it goes on. A file stands in the object as a text of the least length that its
/// schema asks for: its own was compared here.
fn read_part<'b>(
    part: &Part<'b>,
    field: Option<(&Field, &Content)>,
    place: &str,
    caps: &Caps,
) -> Result<(Value, Cow<'b, [u8]>), Violation> {
    let refuse = |code, message: String| Violation::new(place, code, message);
    let kind = match field {
        Some((_, content)) => content.kind,
        None if part.filename.is_some() => Kind::File(0, u64::MAX),
        None => Kind::Text,
    };
    let types = field.map(|(_, content)| content.types.as_slice()).unwrap_or_default();
    if !types.is_empty() && !part.media.as_ref().is_some_and(|sent| types.iter().any(|one| one.covers(sent).is_some()))
    {
        let names: Vec<String> = types.iter().map(Media::essence).collect();
        return Err(refuse(Code::MediaType, format!("must have a declared content type: {}", names.join(", "))));
    }
    let sent = part.media.as_ref().map(Media::reading);
    match kind {
        Kind::File(least, most) => {
            let length = u64::try_from(part.content.len()).unwrap_or(u64::MAX);
            if length < least || length > most {
                return Err(refuse(Code::Invalid, format!("must have {least} to {most} bytes")));
            }
            let stand_in = "0".repeat(usize::try_from(least).unwrap_or(0));
            Ok((Value::String(stand_in), Cow::Borrowed(part.content)))
        }
        Kind::Json if sent.is_some_and(|sent| sent != Reading::Json) => {
            Err(refuse(Code::MediaType, "must be JSON by its content type".to_owned()))
        }
        Kind::Json => {
            let read = json::read_canonical(part.content, caps).map_err(|fault| fault.violation(place))?;
            Ok((read.0, read.1.map_or(Cow::Borrowed(part.content), Cow::Owned)))
        }
        Kind::Text if part.filename.is_some() => Err(refuse(Code::Invalid, "must not be a file".to_owned())),
        Kind::Text if sent.is_some_and(|sent| sent != Reading::Text) => {
            Err(refuse(Code::MediaType, "must be plain text by its content type".to_owned()))
        }
        Kind::Text => {
            let text = std::str::from_utf8(part.content)
                .map_err(|_| refuse(Code::Malformed, "must be text in UTF-8".to_owned()))?;
            let one = field.map(|(field, _)| field.coercion.items().unwrap_or(&field.coercion));
            let value = one.map_or_else(|| Value::String(text.to_owned()), |one| one.scalar(text));
            Ok((value, Cow::Borrowed(part.content)))
        }
    }
}

fn twice(name: &str) -> Violation {
    Violation::new(child(BASE, name), Code::Duplicate, "must be given once")
}

const BASE: &str = "/body";
