//! The reference of every key, as markdown, generated from the schema.

use std::fmt::Write as _;

use serde_json::Value;

use super::schema;

/// A markdown page with every key of `palisade.toml`: its type, its default and its meaning.
pub fn reference() -> String {
    let root = schema::json_schema();
    let mut page = Page { text: HEAD.to_owned() };
    page.table(&root, "", |schema| !is_group(schema));
    for (name, schema) in properties(&root).filter(|(_, schema)| is_group(schema)) {
        page.section(name, schema, schema::required(&root).any(|required| required == name));
    }
    page.text
}

struct Page {
    text: String,
}

impl Page {
    fn section(&mut self, name: &str, schema: &Value, is_required: bool) {
        let named = schema.get("additionalProperties").filter(|others| others.is_object());
        let heading = if named.is_some_and(|others| schema::type_of(others) == "object") {
            format!("[{name}.NAME]")
        } else {
            format!("[{name}]")
        };
        let need = if is_required { " At least one is needed." } else { "" };
        self.write(&format!("\n## `{heading}`\n\n{}{need}\n", meaning(schema)));
        match named {
            None => self.table(schema, "", |_| true),
            Some(inner) if schema::type_of(inner) == "object" => self.table(inner, "", |_| true),
            Some(inner) => {
                self.write(TABLE);
                self.write(&format!("| `NAME` | {} | | {} |\n", type_of(inner), "any number of these"));
            }
        }
    }

    fn table(&mut self, schema: &Value, prefix: &str, is_wanted: fn(&Value) -> bool) {
        if prefix.is_empty() {
            self.write(TABLE);
        }
        for (name, property) in properties(schema).filter(|(_, property)| is_wanted(property)) {
            let is_required = schema::required(schema).any(|required| required == name);
            let default = match property.get("default") {
                None if is_required => "required".to_owned(),
                None => String::new(),
                Some(default) => format!("`{default}`"),
            };
            self.write(&format!("| `{prefix}{name}` | {} | {default} | {} |\n", type_of(property), meaning(property)));
            let inner = schema::alternatives(property).map(|one| one.get("items").unwrap_or(one));
            if let Some(inner) = inner.into_iter().find(|inner| inner.get("properties").is_some()) {
                self.table(inner, &format!("{prefix}{name}."), |_| true);
            }
            if let Some(named) = property.get("additionalProperties").filter(|named| named.get("properties").is_some())
            {
                self.table(named, &format!("{prefix}{name}.NAME."), |_| true);
            }
        }
    }

    fn write(&mut self, text: &str) {
        // Writing to a String cannot fail.
        let _ = self.text.write_str(text);
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema))
}

/// Whether a key of the file's first level opens a section.
fn is_group(schema: &Value) -> bool {
    schema::type_of(schema) == "object"
}

fn type_of(schema: &Value) -> String {
    let words = schema::words(schema);
    if !words.is_empty() {
        let words: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
        return words.join(" or ");
    }
    if let Some(Value::Array(members)) = schema.get("anyOf") {
        return members.iter().map(type_of).collect::<Vec<_>>().join(" or ");
    }
    if let Some(title) = schema.get("title").and_then(Value::as_str) {
        return title.to_owned();
    }
    match schema::type_of(schema) {
        "array" => format!("list of {}", schema.get("items").map(type_of).unwrap_or_default()),
        "boolean" => "`true` or `false`".to_owned(),
        "integer" => "number".to_owned(),
        "object" => "table".to_owned(),
        _ => "text".to_owned(),
    }
}

/// The description in one line that can stand in a table, with the words' own meanings behind it.
fn meaning(schema: &Value) -> String {
    let describe = |schema: &Value| {
        let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
    };
    let mut text = describe(schema);
    let choices = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    for (word, choice) in choices.filter_map(|choice| Some((choice.get("const")?.as_str()?, choice))) {
        let _ = write!(text, " `{word}`: {}", describe(choice));
    }
    text
}

const TABLE: &str = "\n| key | type | default | meaning |\n|---|---|---|---|\n";

const HEAD: &str = "\
# The configuration file

<!-- Generated from crates/gateway/src/config/raw; UPDATE_EXPECT=1 cargo test -p palisade-gateway writes it anew. -->

`palisade.toml` is the one file that a gateway is configured with. Paths are relative to its folder. Credentials never
stand in it: they are in files of their own, named as `file:PATH`. `palisade check` reports every problem of the file
at once. The same vocabulary as a JSON Schema for editors is `schema/palisade.schema.json`.

- A *duration* is a whole number with `ms`, `s`, `m`, `h` or `d`; a *size* one with `B`, `KiB`, `MiB` or `GiB`.
- A *network* is a block such as `10.0.0.0/8` or `2001:db8::/32`, or one address.
- A *timestamp* is written as in RFC 3339: `2027-01-01T00:00:00Z`.
";
