//! The answers of an operation: which are declared, and what may be in them.

use std::ops::Range;

use http::{HeaderValue, StatusCode};
use palisade_core::diagnostic::Diagnostic;
use serde_json::Value;

use crate::body::{MediaRule, compile_content};
use crate::direct::Wanted;
use crate::document::{join, members};
use crate::json::{self, Caps};
use crate::media::{Media, Reading, select};
use crate::schema::definition::DefinitionId;
use crate::schema::engine::Schemas;
use crate::schema::mode::Mode;
use crate::schema::translate::Translator;
use crate::violation::Violation;

/// What has to be done with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseRule {
    /// It is JSON with a schema: read it whole and call [`crate::ContractOperation::reveal`].
    Check,
    /// It has no body, or it is an error of whose text the contract says nothing: nothing but the head may leave.
    Empty,
    /// It passes as it comes: a success of whose content the contract says nothing, its type has no schema that can be checked,
    /// or it is an event stream.
    Stream,
    /// Its content type is not declared.
    UndeclaredMedia,
    /// Its status is not declared.
    UndeclaredStatus,
}

/// What of an answer may leave.
///
/// ```
/// use http::{HeaderValue, StatusCode};
/// use palisade_contract::{ResponseRule, Revealed};
/// # use palisade_contract::Contract;
/// # use palisade_core::diagnostic::Source;
/// let source = Source::new("openapi.yaml", "
/// openapi: 3.1.0
/// info: { title: Notes, version: '1' }
/// paths:
///   /notes:
///     get:
///       operationId: readNote
///       security: []
///       responses:
///         200:
///           description: The note.
///           content: { application/json: { schema: { type: object, properties: { text: { type: string } } } } }
/// ");
/// let contract = Contract::compile(&source).unwrap().contract;
/// let operation = &contract.operations()[0];
/// let json = HeaderValue::from_static("application/json");
/// assert_eq!(operation.response_rule(StatusCode::OK, Some(&json)), ResponseRule::Check);
/// assert_eq!(operation.response_rule(StatusCode::CREATED, Some(&json)), ResponseRule::UndeclaredStatus);
/// let answer = br#"{"text": "hi", "password": "x"}"#;
/// let Revealed::Stripped { removed, .. } = operation.reveal(StatusCode::OK, Some(&json), answer) else { panic!() };
/// assert_eq!(removed, ["/password"]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Revealed {
    /// It is not JSON.
    Malformed(Violation),
    /// All of it, byte for byte.
    Pass(Said),
    /// What is left after undeclared properties were taken out.
    Stripped {
        /// The new body.
        body: Vec<u8>,
        /// What it says.
        value: Value,
        /// Pointers of what was taken out; the empty one is the whole body.
        removed: Vec<String>,
    },
    /// What is left of it breaks its schema.
    Violates {
        /// How.
        violations: Vec<Violation>,
        /// Pointers of what was taken out before.
        removed: Vec<String>,
    },
}

/// What is known of an answer that passes.
///
/// ```
/// use palisade_contract::Said;
///
/// // `{"id":7,"note":"hi"}`, where the contract says nothing about the note but that it is a text.
/// assert_ne!(Said::Checked(vec![16..18]), Said::Unread);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// It is JSON that was checked while it was read. At these places of it stand, as they are written, all texts that
    /// the contract lets say anything; names, numbers and the other texts are as the contract wants them.
    Checked(Vec<Range<usize>>),
    /// It was not read.
    Unread,
    /// What it says.
    Value(Value),
}

/// The compiled `responses`.
#[derive(Debug, Default)]
pub(crate) struct Responses(Vec<(Status, Vec<(Media, MediaRule)>)>);

/// A key of `responses`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Default,
    Exact(u16),
    /// The first digit.
    Range(u16),
}

impl Responses {
    /// Compiles the `responses` of the operation at `pointer`.
    pub(crate) fn compile(translator: &mut Translator<'_, '_>, pointer: &str) -> Self {
        let document = translator.document();
        let place = join(pointer, "responses");
        let Some(operation) = document.at(pointer) else { return Self::default() };
        let mut responses = Vec::new();
        for (key, response) in members(operation, "responses") {
            let key_place = join(&place, key);
            let Some(status) = Status::parse(key) else {
                if !key.starts_with("x-") {
                    let message = format!("`{key}` is not a status");
                    let help = "write `200`, `2XX` or `default`";
                    translator.report().add(&key_place, Diagnostic::error("response-invalid", message).help(help));
                }
                continue;
            };
            let (_, response_place) = document.resolve(response, &key_place);
            responses.push((status, compile_content(translator, &response_place, Mode::Answer)));
        }
        if responses.is_empty() {
            let diagnostic = Diagnostic::error("response-invalid", "the operation declares no response");
            translator.report().add(&place, diagnostic.help("declare at least one; others are replaced by an error"));
        }
        Self(responses)
    }

    /// What has to be done with an answer.
    pub(crate) fn rule(&self, status: StatusCode, content_type: Option<&HeaderValue>) -> ResponseRule {
        let Some(content) = self.content(status) else { return ResponseRule::UndeclaredStatus };
        if has_no_body(status) || (content.is_empty() && !status.is_success()) {
            return ResponseRule::Empty;
        }
        if content.is_empty() {
            return ResponseRule::Stream;
        }
        let sent = content_type.and_then(Media::of);
        match sent.and_then(|sent| select(content, &sent).map(|rule| (sent, rule))) {
            None => ResponseRule::UndeclaredMedia,
            Some((sent, _)) if sent.is_event_stream() || sent.reading() != Reading::Json => ResponseRule::Stream,
            Some((_, rule)) if rule.definition.is_none() => ResponseRule::Stream,
            Some(_) => ResponseRule::Check,
        }
    }

    /// Checks an answer and takes out what is not declared.
    pub(crate) fn reveal(
        &self,
        status: StatusCode,
        content_type: Option<&HeaderValue>,
        body: &[u8],
        schemas: &Schemas,
    ) -> Revealed {
        match self.rule(status, content_type) {
            ResponseRule::Check => {}
            ResponseRule::Empty if !body.is_empty() => {
                return Revealed::Stripped { body: Vec::new(), value: Value::Null, removed: vec![String::new()] };
            }
            _ => return Revealed::Pass(Said::Unread),
        }
        let media = content_type.and_then(Media::of);
        let rule = self.content(status).zip(media).and_then(|(content, media)| select(content, &media));
        let Some(id) = rule.and_then(|rule| rule.definition) else { return Revealed::Pass(Said::Unread) };
        if let Some(checked) = schemas.direct(id, body, &Caps::MESSAGE, Wanted::Open) {
            return Revealed::Pass(Said::Checked(checked.open));
        }
        let mut value = match json::read(body, &Caps::MESSAGE) {
            Ok(value) => value,
            Err(fault) => return Revealed::Malformed(fault.violation("/body")),
        };
        let removed = schemas.strip(id, &mut value);
        let violations = schemas.check(id, &value, "/body");
        if !violations.is_empty() {
            return Revealed::Violates { violations, removed };
        }
        if removed.is_empty() {
            return Revealed::Pass(Said::Value(value));
        }
        Revealed::Stripped { body: value.to_string().into_bytes(), value, removed }
    }

    /// The first JSON schema of a status: where it is, and its media type.
    pub(crate) fn json(&self, status: StatusCode) -> Option<&MediaRule> {
        let rules = self.content(status)?.iter();
        rules.filter(|(media, _)| media.reading() == Reading::Json).map(|(_, rule)| rule).next()
    }

    /// Whether `101` is declared by its number: a range or a default is no invitation.
    pub(crate) fn switches_protocol(&self) -> bool {
        self.0.iter().any(|(status, _)| *status == Status::Exact(101))
    }

    /// Whether a success is declared of whose content nothing is said.
    pub(crate) fn leaves_content_open(&self) -> bool {
        self.0.iter().any(|(status, content)| {
            let success = match status {
                Status::Default => false,
                Status::Exact(code) => (200..300).contains(code) && !matches!(code, 204 | 205),
                Status::Range(class) => *class == 2,
            };
            success && content.is_empty()
        })
    }

    /// The definitions of all answers.
    pub(crate) fn definitions(&self) -> impl Iterator<Item = DefinitionId> {
        self.0.iter().flat_map(|(_, content)| content).filter_map(|(_, rule)| rule.definition)
    }

    /// Exact status, then its range, then `default`.
    fn content(&self, status: StatusCode) -> Option<&[(Media, MediaRule)]> {
        let keys = [Status::Exact(status.as_u16()), Status::Range(status.as_u16() / 100), Status::Default];
        keys.iter().find_map(|key| self.0.iter().find(|(known, _)| known == key)).map(|(_, content)| content.as_slice())
    }
}

impl Status {
    fn parse(key: &str) -> Option<Self> {
        match key.as_bytes() {
            b"default" => Some(Self::Default),
            [class @ b'1'..=b'5', b'X' | b'x', b'X' | b'x'] => Some(Self::Range(u16::from(class - b'0'))),
            [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'] => key.parse().ok().map(Self::Exact),
            _ => None,
        }
    }
}

/// Answers that end after the head (RFC 9110 section 6.4.1).
fn has_no_body(status: StatusCode) -> bool {
    status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
}
