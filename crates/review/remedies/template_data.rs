//! Gives values to a template as data; the template itself is part of the program.

// In reports:
/// The first argument of `format!` is a constant: what is in `name` is never read as a template.
fn greeting(name: &str) -> String {
    format!("Dear {name},")
}
