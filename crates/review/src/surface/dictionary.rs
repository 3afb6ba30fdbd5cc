//! The dictionary holds plausible values for what a property is called, or what format it has.

use serde_json::{Value, json};

use crate::surface::template::plain;

/// A text of a format.
pub(crate) fn by_format(format: &str) -> Option<&'static str> {
    Some(match format.to_ascii_lowercase().as_str() {
        "byte" => "c2FtcGxl",
        "cpf" => "52998224725",
        "date" => "2031-01-31",
        "date-time" | "datetime" => "2031-01-31T12:00:00Z",
        "duration" => "P1D",
        "email" | "idn-email" => "someone@example.com",
        "hostname" | "idn-hostname" => "example.com",
        "ipv4" => "192.0.2.7",
        "ipv6" => "2001:db8::7",
        "iri" | "uri" | "url" => "https://example.com/",
        "json-pointer" => "/a",
        "password" => "Sample-Pass-2031!",
        "phone" => "+12025550143",
        "regex" => "^a$",
        "time" => "12:00:00Z",
        "uri-reference" => "/sample",
        "uuid" => "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        _ => return None,
    })
}

/// A text for a property of a name.
pub(crate) fn text(name: &str) -> Option<&'static str> {
    let name = plain(name);
    WORDS.iter().find(|(word, _)| name == *word || word.len() > 3 && name.ends_with(word)).map(|(_, value)| *value)
}

/// A number for a property of a name.
pub(crate) fn number(name: &str) -> Value {
    let name = plain(name);
    let is = |words: &[&str]| words.iter().any(|word| name.contains(word));
    match () {
        () if is(&["year"]) => json!(2031),
        () if is(&["lat"]) => json!(48),
        () if is(&["lng", "lon"]) => json!(11),
        () if is(&["price", "amount", "total", "cost", "value"]) => json!(10),
        () if is(&["age"]) => json!(30),
        () if is(&["limit", "size"]) => json!(10),
        () if is(&["rating", "stars", "score"]) => json!(4),
        () => json!(1),
    }
}

/// Names before their parts: `username` is no `name`.
const WORDS: [(&str, &str); 46] = [
    ("username", "sample_user"),
    ("login", "sample_user"),
    ("email", "someone@example.com"),
    ("mail", "someone@example.com"),
    ("password", "Sample-Pass-2031!"),
    ("passwd", "Sample-Pass-2031!"),
    ("passwordconfirmation", "Sample-Pass-2031!"),
    ("pwd", "Sample-Pass-2031!"),
    ("firstname", "Sam"),
    ("lastname", "Sample"),
    ("fullname", "Sam Sample"),
    ("phone", "+12025550143"),
    ("phonenumber", "+12025550143"),
    ("mobile", "+12025550143"),
    ("tel", "+12025550143"),
    ("uuid", "3f2504e0-4f89-41d3-9a0c-0305e82c3301"),
    ("guid", "3f2504e0-4f89-41d3-9a0c-0305e82c3301"),
    ("birthday", "1990-01-31"),
    ("birthdate", "1990-01-31"),
    ("dob", "1990-01-31"),
    ("datetime", "2031-01-31T12:00:00Z"),
    ("timestamp", "2031-01-31T12:00:00Z"),
    ("date", "2031-01-31"),
    ("time", "12:00"),
    ("url", "https://example.com/"),
    ("uri", "https://example.com/"),
    ("link", "https://example.com/"),
    ("website", "https://example.com/"),
    ("webhook", "https://example.com/"),
    ("callback", "https://example.com/"),
    ("hostname", "example.com"),
    ("domain", "example.com"),
    ("ip", "192.0.2.7"),
    ("currency", "EUR"),
    ("country", "DE"),
    ("countrycode", "DE"),
    ("language", "en"),
    ("locale", "en-US"),
    ("timezone", "Europe/Berlin"),
    ("zip", "10115"),
    ("zipcode", "10115"),
    ("postalcode", "10115"),
    ("city", "Berlin"),
    ("street", "Sample Street 1"),
    ("color", "#336699"),
    ("iban", "DE89370400440532013000"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_meant() {
        for (name, expect) in [
            ("userName", Some("sample_user")),
            ("contact_email", Some("someone@example.com")),
            ("billing_phone_number", Some("+12025550143")),
            ("ship", None),
            ("title", None),
        ] {
            assert_eq!(text(name), expect, "{name}");
        }
        assert_eq!(number("unit_price"), json!(10));
    }
}
