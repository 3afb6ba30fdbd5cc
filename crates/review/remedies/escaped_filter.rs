//! Escapes a value before it becomes part of a directory's filter (RFC 4515 section 3).

// In reports:
fn filter(uid: &str) -> String {
    format!("(&(objectClass=person)(uid={}))", escaped(uid))
}

fn escaped(value: &str) -> String {
    let escape = |one: char| match one {
        '*' | '(' | ')' | '\\' | '\0' => format!("\\{:02x}", u32::from(one)),
        _ => one.to_string(),
    };
    value.chars().map(escape).collect()
}
