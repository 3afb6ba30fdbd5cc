//! The errors of the schema engine told as violations, without a single value of the caller.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value;

use crate::schema::engine::Schemas;
use crate::schema::keyword::LINK;
use crate::violation::{LIMIT, Violation, ViolationCode as Code, child};

/// Tells the errors of `value`, whose pointer is `base`, at most [`LIMIT`] of them.
pub(crate) fn violations<'a>(
    errors: impl Iterator<Item = ValidationError<'a>>,
    value: &Value,
    base: &str,
    schemas: &Schemas,
) -> Vec<Violation> {
    let mut told = Told { value, base, schemas, certain: Vec::new(), vague: Vec::new(), unevaluated: Vec::new() };
    for error in errors {
        told.tell(&error);
    }
    told.finish()
}

/// The answer where a rule is missing.
pub(crate) fn uncompiled(base: &str) -> Violation {
    Violation::new(base, Code::Invalid, "cannot be checked")
}

struct Told<'t> {
    value: &'t Value,
    base: &'t str,
    schemas: &'t Schemas,
    certain: Vec<Violation>,
    /// Values without any of their declared forms, with the places where each form wants something that is not there.
    /// Where one of those places has a violation of its own, such as a discriminator's, that is the better explanation.
    vague: Vec<(Vec<String>, Violation)>,
    /// Properties that a composition did not evaluate, with the object they are in. When a part of a composition
    /// fails, all of its properties count as not evaluated; such a claim is dropped in favor of the failure.
    unevaluated: Vec<(String, Violation)>,
}

impl Told<'_> {
    fn tell(&mut self, error: &ValidationError<'_>) {
        let place = place(error, self.base);
        match error.kind() {
            Kind::UnevaluatedProperties { unexpected } => {
                let claims = unexpected.iter().map(|name| (place.clone(), undeclared(&place, name)));
                self.unevaluated.extend(claims);
            }
            Kind::AdditionalProperties { unexpected } => {
                self.certain.extend(unexpected.iter().map(|name| undeclared(&place, name)));
            }
            Kind::FalseSchema => self.certain.push(Violation::new(place, Code::Undeclared, "is not accepted here")),
            Kind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                self.certain.push(Violation::new(child(&place, name), Code::Missing, "is required"));
            }
            Kind::Custom { keyword, message } if keyword == LINK => {
                let linked = message.parse().ok().zip(self.value.pointer(error.instance_path().as_str()));
                match linked {
                    Some((id, value)) => self.certain.extend(self.schemas.check(id, value, &place)),
                    None => self.certain.push(uncompiled(&place)),
                }
            }
            Kind::Custom { message, .. } => {
                self.certain.push(Violation::new(place, Code::DestinationForbidden, message.clone()));
            }
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => match intended(context, error) {
                Some(errors) => errors.iter().for_each(|error| self.tell(error)),
                None => {
                    let message = "does not have any of the declared forms";
                    let wanted = context.iter().flatten().filter_map(|error| wanted(error, self.base)).collect();
                    self.vague.push((wanted, Violation::new(place, Code::Invalid, message)));
                }
            },
            kind => self.certain.push(Violation::new(place, Code::Invalid, rule(kind)).of(keyword(kind))),
        }
    }

    fn finish(self) -> Vec<Violation> {
        let Self { certain: mut told, vague, unevaluated, base, .. } = self;
        let vague = vague.into_iter().filter(|(wanted, _)| !told.iter().any(|other| wanted.contains(&other.pointer)));
        let vague: Vec<Violation> = vague.map(|(_, violation)| violation).collect();
        told.extend(vague);
        let explained = |object: &str| {
            told.iter().any(|violation| {
                violation.pointer.strip_prefix(object).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        let kept: Vec<Violation> =
            unevaluated.into_iter().filter(|(object, _)| !explained(object)).map(|(_, claim)| claim).collect();
        told.extend(kept);
        if told.is_empty() {
            told.push(Violation::new(base, Code::Invalid, "does not meet the contract"));
        }
        let mut unique: Vec<Violation> = Vec::new();
        for violation in told {
            if unique.len() < LIMIT && !unique.contains(&violation) {
                unique.push(violation);
            }
        }
        unique
    }
}

/// The one form of several that the caller evidently meant: the only one whose type fits.
fn intended<'c>(
    forms: &'c [Vec<ValidationError<'static>>],
    error: &ValidationError<'_>,
) -> Option<&'c [ValidationError<'static>]> {
    let here = error.instance_path().as_str();
    let fits = |errors: &&Vec<ValidationError<'static>>| {
        let other = |error: &ValidationError<'_>| {
            let same_place = error.instance_path().as_str() == here;
            let discriminated = matches!(error.kind(), Kind::Enum { .. } | Kind::Constant { .. })
                && error.instance_path().as_str().strip_prefix(here).is_some_and(|rest| rest.matches('/').count() <= 1);
            same_place && matches!(error.kind(), Kind::Type { .. }) || discriminated
        };
        !errors.is_empty() && !errors.iter().any(other)
    };
    let mut fitting = forms.iter().filter(fits);
    match (fitting.next(), fitting.next()) {
        (Some(errors), None) => Some(errors),
        _ => None,
    }
}

/// Where a form wants another value, or one at all.
fn wanted(error: &ValidationError<'_>, base: &str) -> Option<String> {
    match error.kind() {
        Kind::Enum { .. } => Some(place(error, base)),
        Kind::Required { property } => Some(child(&place(error, base), property.as_str()?)),
        _ => None,
    }
}

fn place(error: &ValidationError<'_>, base: &str) -> String {
    let segments = error.instance_path().as_str().split('/').skip(1);
    segments.fold(base.to_owned(), |place, segment| child(&place, &segment.replace("~1", "/").replace("~0", "~")))
}

fn undeclared(object: &str, name: &str) -> Violation {
    Violation::new(child(object, name), Code::Undeclared, "is not declared")
}

/// The rule that was broken, in words that hold only what the contract says.
fn rule(kind: &Kind) -> String {
    match kind {
        Kind::AdditionalItems { limit } => format!("must have at most {limit} items"),
        Kind::Constant { expected_value } => format!("must be {}", listed(expected_value)),
        Kind::Contains => "must contain a declared item".to_owned(),
        Kind::ContentEncoding { content_encoding } => format!("must be encoded as {content_encoding}"),
        Kind::Enum { options } => format!("must be one of {}", listed(options)),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::Format { format } => format!("must be a valid {format}"),
        Kind::MaxItems { limit } => format!("must have at most {limit} items"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::MaxProperties { limit } => format!("must have at most {limit} properties"),
        Kind::MinItems { limit } => format!("must have at least {limit} items"),
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::MinLength { limit } => format!("must have at least {limit} characters"),
        Kind::MinProperties { limit } => format!("must have at least {limit} properties"),
        Kind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        Kind::OneOfMultipleValid { .. } => "must have exactly one of the declared forms".to_owned(),
        Kind::Pattern { pattern } => format!("must match `{pattern}`"),
        Kind::PropertyNames { .. } => "must have only property names that are declared".to_owned(),
        Kind::Type { kind: TypeKind::Single(kind) } => format!("must be of type {kind}"),
        Kind::Type { kind: TypeKind::Multiple(kinds) } => {
            let kinds: Vec<String> = kinds.iter().map(|kind| kind.to_string()).collect();
            format!("must be of type {}", kinds.join(" or "))
        }
        Kind::UnevaluatedItems { .. } => "must have no items beyond the declared ones".to_owned(),
        Kind::UniqueItems => "must not have equal items".to_owned(),
        _ => "does not meet the contract".to_owned(),
    }
}

/// The keyword that was broken, where a change of it alone would mend it.
fn keyword(kind: &Kind) -> &'static str {
    const KNOWN: [&str; 16] = [
        "const",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "maxItems",
        "maximum",
        "maxLength",
        "maxProperties",
        "minItems",
        "minimum",
        "minLength",
        "minProperties",
        "multipleOf",
        "pattern",
        "type",
    ];
    KNOWN.into_iter().find(|known| *known == kind.keyword()).unwrap_or("")
}

/// Allowed values as a list, cut when it is long.
fn listed(values: &Value) -> String {
    match values {
        Value::Array(values) if values.len() > MAX_LISTED => {
            let first: Vec<String> = values.iter().take(MAX_LISTED).map(Value::to_string).collect();
            format!("{} and {} more", first.join(", "), values.len() - MAX_LISTED)
        }
        Value::Array(values) => values.iter().map(Value::to_string).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

const MAX_LISTED: usize = 12;
