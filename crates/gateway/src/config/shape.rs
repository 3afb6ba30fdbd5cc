//! Compares the tree with the schema: unknown and missing keys, wrong types, words that are not in the list.
//!
//! The schema is the one that editors get, so that both say the same. Every problem is reported, not only the first
//! as serde would.

use std::ops::Range;

use palisade_core::diagnostic::{Diagnostic, Source};
use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::{nearest_name, schema};

/// All differences between the file and the schema.
pub(crate) fn check(root: &DeTable<'_>, source: &Source) -> Vec<Diagnostic> {
    let schema = schema::json_schema();
    let mut shape = Shape { source, path: Vec::new(), diagnostics: Vec::new() };
    shape.table(root, None, &schema);
    shape.diagnostics.sort_by_key(Diagnostic::position);
    shape.diagnostics
}

struct Shape<'a> {
    source: &'a Source,
    path: Vec<String>,
    diagnostics: Vec<Diagnostic>,
}

impl Shape<'_> {
    fn value(&mut self, value: &DeValue<'_>, span: Range<usize>, schema: &Value) {
        let Some(schema) = schema::alternatives(schema).find(|one| is_of_type(value, one)) else {
            return self.wrong_type(value, span, schema);
        };
        match value {
            DeValue::Array(items) => {
                if items.is_empty() && schema.get("minItems").is_some() {
                    let message = format!("`{}` is empty", self.path.join("."));
                    self.report(Diagnostic::error("empty-list", message).help("name at least one"), Some(span));
                }
                let Some(schema) = schema.get("items") else { return };
                for (index, item) in items.iter().enumerate() {
                    self.path.push(index.to_string());
                    self.value(item.get_ref(), item.span(), schema);
                    self.path.pop();
                }
            }
            DeValue::Integer(number) => self.number(number.as_str(), number.radix(), span, schema),
            DeValue::String(text) => self.word(text, span, schema),
            DeValue::Table(table) => self.table(table, Some(span), schema),
            _ => {}
        }
    }

    fn table(&mut self, table: &DeTable<'_>, span: Option<Range<usize>>, schema: &Value) {
        let known = schema.get("properties").and_then(Value::as_object);
        let names: Vec<&str> = known.into_iter().flat_map(|known| known.keys().map(String::as_str)).collect();
        let others = schema.get("additionalProperties").filter(|others| others.is_object());
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut meant = Vec::new();
        for (key, value) in entries {
            self.path.push(key.get_ref().to_string());
            match known.and_then(|known| known.get(key.get_ref().as_ref())).or(others) {
                None => meant.extend(self.unknown_key(key.get_ref(), key.span(), &names)),
                Some(schema) => self.value(value.get_ref(), value.span(), schema),
            }
            self.path.pop();
        }
        let missing = |name: &&str| !table.contains_key(*name) && !meant.contains(name);
        for name in schema::required(schema).filter(missing) {
            self.missing_key(name, schema::is_section(known.and_then(|known| known.get(name))), span.clone());
        }
        if table.is_empty() && schema.get("minProperties").is_some() {
            let name = self.path.join(".");
            let help = format!("add a section such as `[{name}.main]`");
            self.report(Diagnostic::error("missing-key", format!("there is no `[{name}.NAME]`")).help(help), span);
        }
    }

    fn number(&mut self, digits: &str, radix: u32, span: Range<usize>, schema: &Value) {
        let number = i64::from_str_radix(digits, radix).ok();
        let bound = |name: &str| schema.get(name).and_then(Value::as_i64);
        let (least, most) = (bound("minimum").unwrap_or(i64::MIN), bound("maximum").unwrap_or(i64::from(u32::MAX)));
        let path = self.path.join(".");
        if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
            if !choices.iter().any(|choice| choice.as_i64() == number) {
                let all: Vec<String> = choices.iter().map(|choice| format!("`{choice}`")).collect();
                let message = format!("`{path}` cannot be `{digits}`");
                let help = format!("this program knows {}; a newer file needs a newer program", all.join(", "));
                self.report(Diagnostic::error("unknown-version", message).help(help), Some(span));
            }
        } else if !number.is_some_and(|number| (least..=most).contains(&number)) {
            let message = format!("`{path}` cannot be `{digits}`");
            let help = format!("write a number from {least} to {most}");
            self.report(Diagnostic::error("out-of-range", message).help(help), Some(span));
        }
    }

    fn word(&mut self, text: &str, span: Range<usize>, schema: &Value) {
        let words = schema::words(schema);
        if words.is_empty() || words.contains(&text) {
            return;
        }
        let help = match nearest_name(text, words.iter().copied()) {
            None => format!("choose one of {}", backticked(&words)),
            Some(word) => format!("did you mean `{word}`? there are {}", backticked(&words)),
        };
        let message = format!("`{}` cannot be `{text}`", self.path.join("."));
        self.report(Diagnostic::error("unknown-value", message).help(help), Some(span));
    }

    /// Returns the key that was probably meant, which then is not missing as well.
    fn unknown_key<'n>(&mut self, key: &str, span: Range<usize>, names: &[&'n str]) -> Option<&'n str> {
        let within = match self.path.as_slice() {
            [] | [_] => "at the top of the file".to_owned(),
            [path @ .., _] => format!("in `{}`", path.join(".")),
        };
        let meant = nearest_name(key, names.iter().copied());
        let help = match meant {
            None => format!("remove it; here stand {}", backticked(names)),
            Some(name) => format!("did you mean `{name}`?"),
        };
        let message = format!("unknown key `{key}` {within}");
        self.report(Diagnostic::error("unknown-key", message).help(help), Some(span));
        meant
    }

    fn missing_key(&mut self, name: &str, is_section: bool, span: Option<Range<usize>>) {
        let (message, help) = match self.path.as_slice() {
            [] if is_section => {
                (format!("there is no `[{name}.NAME]`"), format!("add a section such as `[{name}.main]`"))
            }
            [] => (format!("`{name}` is missing"), format!("add `{name} = ...` at the top of the file")),
            path => (format!("`{}.{name}` is missing", path.join(".")), format!("add `{name} = ...` here")),
        };
        self.report(Diagnostic::error("missing-key", message).help(help), span);
    }

    fn wrong_type(&mut self, value: &DeValue<'_>, span: Range<usize>, schema: &Value) {
        let wanted: Vec<&str> = schema::alternatives(schema).map(type_name).collect();
        let path = self.path.join(".");
        let message = format!("`{path}` must be {}, and this is {}", wanted.join(" or "), name_of(value));
        let help = match (value, wanted.as_slice(), self.path.as_slice()) {
            (_, ["a table"], [kind, _]) => format!("this section needs a name: write `[{kind}.main]` above"),
            (_, ["a table"], _) if schema::is_section(Some(schema)) => {
                format!("sections of this kind have names: write `[{path}.main]`")
            }
            (DeValue::String(_), ["a list"], _) => "put it in brackets: `[\"...\"]`".to_owned(),
            (DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Float(_) | DeValue::Integer(_), ["a text"], _) => {
                "put it in double quotes; durations and sizes also need a unit, such as `\"10s\"` or `\"1MiB\"`"
                    .to_owned()
            }
            (DeValue::String(_), ["a whole number" | "true or false"], _) => "write it without quotes".to_owned(),
            _ => format!("write {} here", wanted.join(" or ")),
        };
        self.report(Diagnostic::error("wrong-type", message).help(help), Some(span));
    }

    fn report(&mut self, diagnostic: Diagnostic, span: Option<Range<usize>>) {
        self.diagnostics.push(match span {
            None => diagnostic.in_source(self.source),
            Some(span) => diagnostic.at(self.source, span),
        });
    }
}

fn backticked(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn is_of_type(value: &DeValue<'_>, schema: &Value) -> bool {
    match schema::type_of(schema) {
        "array" => value.is_array(),
        "boolean" => value.is_bool(),
        "integer" => value.is_integer(),
        "object" => value.is_table(),
        _ => value.is_str(),
    }
}

fn type_name(schema: &Value) -> &'static str {
    match schema::type_of(schema) {
        "array" => "a list",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "object" => "a table",
        _ => "a text",
    }
}

fn name_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::Array(_) => "a list",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Float(_) => "a number with a point",
        DeValue::Integer(_) => "a whole number",
        DeValue::String(_) => "a text",
        DeValue::Table(_) => "a table",
    }
}
