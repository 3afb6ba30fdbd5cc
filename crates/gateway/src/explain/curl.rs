//! Reads a command line of curl, as people paste it from documentation and browsers.
//!
//! Only what says something about the request is understood, and what only says how curl shows its work is passed over.
//! Everything else is refused by name: a request that differs from what would be sent explains nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::request::{Asked, NotARequest};

/// Options that have a value and say something about the request.
const TELLING: &[(&str, char)] = &[
    ("--cookie", 'b'),
    ("--data", 'd'),
    ("--data-ascii", 'd'),
    ("--data-raw", 'r'),
    ("--header", 'H'),
    ("--json", 'j'),
    ("--request", 'X'),
    ("--url", 'l'),
    ("--user", 'u'),
    ("--user-agent", 'A'),
];

/// Options without a value that say nothing about the request.
const SILENT: &[&str] = &["--compressed", "--fail", "--include", "--insecure", "--show-error", "--silent", "--verbose"];

#[derive(Default)]
struct Command {
    method: Option<String>,
    url: Option<String>,
    fields: Vec<(String, String)>,
    data: Vec<String>,
    is_json: bool,
}

/// The request that `curl` with these arguments would send.
pub(super) fn parse(arguments: &str) -> Result<Asked, NotARequest> {
    let mut words = words(arguments)?.into_iter();
    let mut command = Command::default();
    while let Some(word) = words.next() {
        if !word.starts_with('-') {
            command.put_url(word)?;
            continue;
        }
        let (name, attached) = split(&word);
        if SILENT.contains(&name.as_str()) || is_silent_cluster(&word) {
            continue;
        }
        if matches!(name.as_str(), "--head" | "-I") {
            command.method.get_or_insert_with(|| "HEAD".to_owned());
            continue;
        }
        let short = name.strip_prefix('-').and_then(|rest| rest.chars().next());
        let known = TELLING.iter().find(|(long, letter)| {
            *long == name || (Some(*letter) == short && name.len() == 2 && !matches!(letter, 'j' | 'l' | 'r'))
        });
        let Some((_, letter)) = known else {
            return Err(NotARequest(format!("`{name}` is not understood")));
        };
        let value = attached.or_else(|| words.next());
        let value = value.ok_or_else(|| NotARequest(format!("`{name}` has no value")))?;
        command.put(&name, *letter, value)?;
    }
    command.finish()
}

impl Command {
    fn put_url(&mut self, url: String) -> Result<(), NotARequest> {
        match self.url.replace(url) {
            None => Ok(()),
            Some(_) => Err(NotARequest("several URLs are several requests".to_owned())),
        }
    }

    fn put(&mut self, name: &str, letter: char, value: String) -> Result<(), NotARequest> {
        match letter {
            'A' => self.fields.push(("user-agent".to_owned(), value)),
            'b' if !value.contains('=') => return Err(file(name, &value)),
            'b' => self.fields.push(("cookie".to_owned(), value)),
            'd' | 'j' if value.starts_with('@') => return Err(file(name, &value)),
            'd' | 'r' => self.data.push(value),
            'H' => {
                let (field, text) =
                    value.split_once(':').ok_or_else(|| NotARequest(format!("`{value}` is no header")))?;
                self.fields.push((field.to_owned(), text.trim().to_owned()));
            }
            'j' => {
                self.is_json = true;
                self.data.push(value);
            }
            'l' => self.put_url(value)?,
            'u' => self.fields.push(("authorization".to_owned(), format!("Basic {}", STANDARD.encode(value)))),
            _ => self.method = Some(value),
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Asked, NotARequest> {
        let url = self.url.take().ok_or_else(|| NotARequest("there is no URL".to_owned()))?;
        let url = if url.contains("://") { url } else { format!("http://{url}") };
        let has_data = !self.data.is_empty();
        let separator = if self.is_json { "" } else { "&" };
        let body = self.data.join(separator);
        let usual = match (has_data, self.is_json) {
            (false, _) => vec![],
            (true, false) => vec![("content-type", "application/x-www-form-urlencoded")],
            (true, true) => vec![("content-type", "application/json"), ("accept", "application/json")],
        };
        for (name, value) in usual {
            if !self.fields.iter().any(|(field, _)| field.eq_ignore_ascii_case(name)) {
                self.fields.push((name.to_owned(), value.to_owned()));
            }
        }
        let method = self.method.unwrap_or_else(|| if has_data { "POST" } else { "GET" }.to_owned());
        Asked::of(&method, &url, &self.fields, body.into_bytes())
    }
}

fn file(name: &str, value: &str) -> NotARequest {
    NotARequest(format!("`{name} {value}` names a file: put what is in it here"))
}

/// `-XPOST` and `--request=POST` have their value attached.
fn split(word: &str) -> (String, Option<String>) {
    if word.starts_with("--") {
        return match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (word.to_owned(), None),
        };
    }
    match word.split_at_checked(2) {
        Some((name, value)) if !value.is_empty() => (name.to_owned(), Some(value.to_owned())),
        _ => (word.to_owned(), None),
    }
}

/// `-s`, `-sS`, `-kiv`: letters that say nothing about the request.
fn is_silent_cluster(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|letters| !letters.is_empty() && letters.chars().all(|c| "fikSsv".contains(c)))
}

/// The words of a command line, quoted as for a shell. Nothing is expanded.
fn words(text: &str) -> Result<Vec<String>, NotARequest> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some('\n') | None => {}
                Some(c) => word.get_or_insert_default().push(c),
            },
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err(NotARequest("a quote is not closed".to_owned())),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next() {
                        Some('"') => break,
                        Some('\\') => match rest.next() {
                            Some('\n') => {}
                            Some(c @ ('"' | '\\' | '$' | '`')) => word.push(c),
                            Some(c) => word.extend(['\\', c]),
                            None => return Err(NotARequest("a quote is not closed".to_owned())),
                        },
                        Some('$' | '`') => return Err(NotARequest("a shell would put something else here".to_owned())),
                        Some(c) => word.push(c),
                        None => return Err(NotARequest("a quote is not closed".to_owned())),
                    }
                }
            }
            '$' | '`' | '|' | '>' | '<' | ';' | '(' | ')' | '&' => {
                return Err(NotARequest(format!("a shell would not hand on this `{c}`: put it in quotes")));
            }
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Method, target, headers that matter and body.
    fn seen(text: &str) -> String {
        let asked = Asked::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let (parts, body) = asked.request.into_parts();
        let mut lines: Vec<String> =
            parts.headers.iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect();
        lines.sort();
        format!("{} {} [{}] {}", parts.method, parts.uri, lines.join(" "), std::str::from_utf8(&body).unwrap())
    }

    #[test]
    fn reads_what_people_paste() {
        for (text, expect) in [
            ("curl http://a/x", "GET /x [host=a] "),
            ("curl a.example", "GET / [host=a.example] "),
            ("curl -sS -XDELETE 'https://a/x?y=1&z=2'", "DELETE /x?y=1&z=2 [host=a] "),
            (
                "curl \\\n  -H 'Accept: text/html' \\\n --header \"X: a \\\"b\\\"\" --compressed http://a/",
                "GET / [accept=text/html host=a x=a \"b\"] ",
            ),
            (
                "curl http://a/ -d a=1 --data b=2",
                "POST / [content-length=7 content-type=application/x-www-form-urlencoded host=a] a=1&b=2",
            ),
            (
                "curl --json '{\"a\": 1}' --url http://a/ -X PUT",
                "PUT / [accept=application/json content-length=8 content-type=application/json host=a] {\"a\": 1}",
            ),
            (
                "curl http://a/ --data-raw @home -H 'content-type: text/plain'",
                "POST / [content-length=5 content-type=text/plain host=a] @home",
            ),
            ("curl -u alice:secret http://a/", "GET / [authorization=Basic YWxpY2U6c2VjcmV0 host=a] "),
            ("curl -b 'id=1' -I http://a/", "HEAD / [cookie=id=1 host=a] "),
        ] {
            assert_eq!(seen(text), expect, "{text}");
        }
    }

    #[test]
    fn refuses_by_name_what_it_would_get_wrong() {
        for (text, problem) in [
            ("curl --proxy a http://b", "`--proxy` is not understood"),
            ("curl -F a=b http://b", "`-F` is not understood"),
            ("curl -L http://b", "`-L` is not understood"),
            ("curl -r 0-1 http://b", "`-r` is not understood"),
            ("curl -d @file http://b", "`-d @file` names a file: put what is in it here"),
            ("curl -b jar http://b", "`-b jar` names a file: put what is in it here"),
            ("curl http://a http://b", "several URLs are several requests"),
            ("curl -X", "`-X` has no value"),
            ("curl -s", "there is no URL"),
            ("curl 'http://a", "a quote is not closed"),
            ("curl http://a?x=1&y=2", "a shell would not hand on this `&`: put it in quotes"),
            ("curl -H \"authorization: Bearer $TOKEN\" http://a", "a shell would put something else here"),
        ] {
            assert_eq!(Asked::parse(text).unwrap_err().to_string(), problem, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_stumble(text in "\\PC*") {
            let _ = Asked::parse(&format!("curl {text}"));
            let _ = Asked::parse(&text);
        }

        #[test]
        fn a_word_in_quotes_is_itself(word in "[^']*") {
            let read = words(&format!(" '{word}' "));
            prop_assert_eq!(read, Ok(vec![word]));
        }
    }
}
