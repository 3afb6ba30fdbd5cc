//! The words of a schema: which of them mean something here, so that a misspelled one is noticed.

/// How a keyword is carried over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keyword {
    /// It only describes; it is dropped.
    Annotation,
    /// It holds as it is.
    Assertion,
    /// It needs a dynamic scope that a contract does not have.
    Dynamic,
    /// It holds schemas that only references reach.
    Definitions,
    /// Translated by its own rule.
    Special,
    /// Not a keyword.
    Unknown,
}

/// Classifies a key of a schema object.
pub(crate) fn classify(key: &str) -> Keyword {
    if ASSERTIONS.contains(&key) {
        Keyword::Assertion
    } else if SPECIAL.contains(&key) {
        Keyword::Special
    } else if ANNOTATIONS.contains(&key) || key.starts_with("x-") {
        Keyword::Annotation
    } else if DYNAMIC.contains(&key) {
        Keyword::Dynamic
    } else if matches!(key, "$defs" | "definitions") {
        Keyword::Definitions
    } else {
        Keyword::Unknown
    }
}

/// Every keyword, for suggestions.
pub(crate) fn all() -> Vec<&'static str> {
    [&ASSERTIONS[..], &SPECIAL[..], &ANNOTATIONS[..]].concat()
}

/// Whether a schema with this key says more than its `$ref`.
pub(crate) fn stands_beside_ref(key: &str) -> bool {
    key != "$ref" && matches!(classify(key), Keyword::Assertion | Keyword::Special) && key != "discriminator"
}

/// The extension that lists the hosts of a URL.
pub(crate) const DESTINATIONS: &str = "x-palisade-destinations";

/// The extension that says that a text is meant to hold markup.
pub(crate) const MARKUP: &str = "x-palisade-markup";

/// A reference to another definition, which the engine follows when it checks. No contract can write it: unknown
/// extensions are dropped in translation.
pub(crate) const LINK: &str = "x-palisade-link";

const ASSERTIONS: [&str; 21] = [
    "const",
    "contentEncoding",
    "dependentRequired",
    "enum",
    "format",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "pattern",
    "required",
    "type",
    "uniqueItems",
    MARKUP,
];

const SPECIAL: [&str; 23] = [
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "contains",
    "dependentSchemas",
    "discriminator",
    "else",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "if",
    "items",
    "not",
    "nullable",
    "oneOf",
    "patternProperties",
    "prefixItems",
    "properties",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
    DESTINATIONS,
];

const ANNOTATIONS: [&str; 15] = [
    "$comment",
    "$schema",
    "contentMediaType",
    "contentSchema",
    "default",
    "deprecated",
    "description",
    "example",
    "examples",
    "externalDocs",
    "readOnly",
    "summary",
    "title",
    "writeOnly",
    "xml",
];

const DYNAMIC: [&str; 6] = ["$anchor", "$dynamicAnchor", "$dynamicRef", "$id", "$recursiveAnchor", "$recursiveRef"];
