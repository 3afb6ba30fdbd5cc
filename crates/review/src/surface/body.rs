//! Bodies as they are sent: a value written the way an operation takes it.

use serde_json::{Map, Value, json};

use crate::exchange::Payload;
use crate::surface::schema::text_of;
use crate::surface::{BodyForm, Endpoint, Surface, Values, encode};

impl Surface {
    /// A value as an operation takes it; JSON where the contract says nothing.
    pub(crate) fn payload(&self, endpoint: &Endpoint, values: &Values, body: Option<Value>) -> Option<Payload> {
        if let Some(graphql) = &endpoint.graphql {
            let mut variables = match body {
                Some(Value::Object(members)) => members,
                _ => Map::new(),
            };
            for (name, value) in values.path.iter().chain(&values.query) {
                let parameter = endpoint.parameters.iter().find(|one| one.name == *name);
                let typed = parameter.map(|one| self.typed(&one.schema, value));
                variables.insert(name.clone(), typed.unwrap_or_else(|| Value::from(value.as_str())));
            }
            return Some(Payload::Json(json!({ "query": graphql.text, "variables": variables })));
        }
        let form = endpoint.body.as_ref().map_or(BodyForm::Json, |body| body.form);
        body.map(|body| form.write(body))
    }

    /// A text as the scalar that a schema asks for, when it can be one.
    pub(crate) fn typed(&self, schema: &Value, text: &str) -> Value {
        let typed = match self.kind(schema) {
            "boolean" | "integer" | "number" => text.parse::<Value>().ok(),
            _ => None,
        };
        typed.unwrap_or_else(|| Value::from(text))
    }
}

impl BodyForm {
    /// The form of a media type, the better known before the others.
    pub(crate) fn of(media: &str) -> Option<(u8, Self)> {
        let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Some(match essence.as_str() {
            "application/json" | "*/*" => (0, Self::Json),
            "application/x-www-form-urlencoded" => (2, Self::UrlEncoded),
            "multipart/form-data" => (3, Self::Multipart),
            "application/xml" | "text/xml" => (4, Self::Xml),
            "text/plain" => (5, Self::Text),
            other if other.ends_with("+json") || other.ends_with("/json") => (1, Self::Json),
            other if other.ends_with("+xml") => (4, Self::Xml),
            _ => return None,
        })
    }

    fn write(self, body: Value) -> Payload {
        match self {
            Self::Json => Payload::Json(body),
            Self::Multipart => Payload::Raw(MULTIPART, multipart(&body)),
            Self::Text => Payload::Raw("text/plain", text_of(&body)),
            Self::UrlEncoded => Payload::Raw("application/x-www-form-urlencoded", pairs(&body)),
            Self::Xml => {
                let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
                element("request", &body, &mut text);
                Payload::Raw("application/xml", text)
            }
        }
    }
}

/// A list is its name several times; an object below is written as JSON, since forms have no such thing.
fn fields(body: &Value) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    for (name, value) in body.as_object().into_iter().flatten() {
        match value {
            Value::Array(items) => fields.extend(items.iter().map(|item| (name.clone(), text_of(item)))),
            value => fields.push((name.clone(), text_of(value))),
        }
    }
    fields
}

fn pairs(body: &Value) -> String {
    let pairs: Vec<String> =
        fields(body).iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

fn multipart(body: &Value) -> String {
    let mut text = String::new();
    for (name, value) in fields(body) {
        let name = name.replace(['"', '\r', '\n'], "_");
        let is_file = ["file", "upload", "image", "photo", "avatar", "attachment"]
            .iter()
            .any(|word| name.to_ascii_lowercase().contains(word));
        let file = if is_file { "; filename=\"sample.txt\"\r\nContent-Type: text/plain" } else { "" };
        text.push_str(&format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n"
        ));
    }
    format!("{text}--{BOUNDARY}--\r\n")
}

fn element(name: &str, value: &Value, text: &mut String) {
    let name: String =
        name.chars().map(|letter| if letter.is_alphanumeric() || letter == '_' { letter } else { '_' }).collect();
    match value {
        Value::Array(items) => items.iter().for_each(|item| element(&name, item, text)),
        value => {
            text.push_str(&format!("<{name}>"));
            match value {
                Value::Object(members) => members.iter().for_each(|(name, member)| element(name, member, text)),
                value => text.push_str(&text_of(value).replace('&', "&amp;").replace('<', "&lt;")),
            }
            text.push_str(&format!("</{name}>"));
        }
    }
}

const BOUNDARY: &str = "palisade-7d1f0c53";
const MULTIPART: &str = "multipart/form-data; boundary=palisade-7d1f0c53";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_written_as_the_operation_takes_them() {
        let body = json!({ "a": "x & y", "b": [1, 2], "c": { "d": true } });
        let check = |media: &str, expect: &str| {
            let payload = BodyForm::of(media).unwrap().1.write(body.clone());
            assert_eq!(String::from_utf8(payload.to_bytes().to_vec()).unwrap(), expect, "{media}");
        };
        check("application/json; charset=utf-8", r#"{"a":"x & y","b":[1,2],"c":{"d":true}}"#);
        check("application/x-www-form-urlencoded", "a=x%20%26%20y&b=1&b=2&c=%7B%22d%22%3Atrue%7D");
        check(
            "text/xml",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><request><a>x &amp; y</a><b>1</b><b>2</b><c><d>true</d></c></request>",
        );
        let parts = BodyForm::of("multipart/form-data").unwrap().1.write(json!({ "file": "text" }));
        let text = String::from_utf8(parts.to_bytes().to_vec()).unwrap();
        assert!(text.contains("name=\"file\"; filename=\"sample.txt\"") && text.ends_with("--palisade-7d1f0c53--\r\n"));
        assert!(BodyForm::of("image/png").is_none());
    }
}
