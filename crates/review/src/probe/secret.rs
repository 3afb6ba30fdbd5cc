//! Secrets in answers, told by the name and the form of a value.

use serde_json::Value;

use crate::probe::point::plain;

/// The names of properties whose values are secrets by name and by form, declared or not.
pub(crate) fn secrets(value: &Value, held: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().take(MAXIMUM_ITEMS).for_each(|item| secrets(item, held)),
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if is_secret_value(&plain(name), text) || is_setting(name, text) => {
                        held.push(name.clone());
                    }
                    Value::Array(_) | Value::Object(_) => secrets(member, held),
                    Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
                }
            }
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_secret_value(name: &str, text: &str) -> bool {
    let is_masked =
        text.is_empty() || text.contains("**") || text.contains("••") || text.eq_ignore_ascii_case("redacted");
    let digits: Vec<u32> = text.chars().filter_map(|one| one.to_digit(10)).collect();
    let is_about = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let is_dated =
        is_about(&["at", "date", "changed", "updated", "policy", "hint", "url", "link"]) && !is_about(&["hash"]);
    let is_password = is_about(&["password", "passwd", "pwd"]) && !(is_dated && text.len() > 9);
    let is_hash = is_about(&["hash"]) && text.len() >= 20 && is_about(&["pass", "pin", "pwd", "secret"]);
    let is_ssn = is_about(&["ssn", "socialsecurity"]) && digits.len() == 9;
    let is_card = is_about(&["card", "pan"]) && (13..=19).contains(&digits.len()) && luhn(&digits);
    let is_code = ["otp", "cvv", "cvc", "pin", "resetcode", "resettoken", "otpcode", "mfasecret", "totpsecret"]
        .contains(&name)
        && !text.is_empty();
    !is_masked && (is_password || is_hash || is_ssn || is_card || is_code)
}

/// Whether it is a setting of the service, written as in its environment, that signs tokens or opens other services.
fn is_setting(name: &str, text: &str) -> bool {
    let is_of_environment = name.chars().all(|one| one.is_ascii_uppercase() || one.is_ascii_digit() || one == '_');
    let is_key = ["DATABASE_URL", "PRIVATE_KEY", "SECRET"].iter().any(|word| name.contains(word));
    is_of_environment && is_key && text.len() > 3 && !text.contains("**")
}

/// The check digit of a card (ISO/IEC 7812-1, annex B).
fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| if at % 2 == 0 { *digit } else { (digit * 2) / 10 + (digit * 2) % 10 })
        .sum();
    sum.is_multiple_of(10)
}

const MAXIMUM_ITEMS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_name_and_form() {
        let check = |name: &str, value: &str, expect: bool| {
            assert_eq!(is_secret_value(&plain(name), value), expect, "{name} {value}");
        };
        check("password", "hunter2", true);
        check("password_hash", "$2b$12$abcdefghijklmnopqrstuv", true);
        check("password", "********", false);
        check("password_changed_at", "2026-01-31T12:00:00Z", false);
        check("card_number", "4242 4242 4242 4242", true);
        check("card_number", "4242 4242 4242 4243", false);
        check("ssn", "078-05-1120", true);
        check("secret", "a diary", false);
    }

    #[test]
    fn settings_of_a_service_are_known_by_how_they_are_written() {
        for (name, value, expect) in [
            ("JWT_SECRET_KEY", "kitchen", true),
            ("JWT_SECRET_KEY", "***", false),
            ("secret_key", "of the owner", false),
            ("WORKERS", "2000", false),
        ] {
            assert_eq!(is_setting(name, value), expect, "{name} {value}");
        }
    }
}
