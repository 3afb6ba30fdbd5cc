//! Files of `curl` commands, as browsers and documentation write them.

use crate::input::{Recorded, is_ignored};
use crate::surface::encode;

/// The requests of a text whose first command is `curl`.
pub(crate) fn read(text: &str) -> Option<Vec<Recorded>> {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let is_curl = |line: &str| line.trim_start_matches("$ ").split_whitespace().next() == Some("curl");
    if !is_curl(first) {
        return None;
    }
    let mut requests = Vec::new();
    for (line, words) in commands(text) {
        let mut words = words.into_iter().skip_while(|word| word == "$").peekable();
        if words.next().as_deref() == Some("curl") {
            requests.extend(request(line, words));
        }
    }
    Some(requests)
}

fn request(line: usize, mut words: impl Iterator<Item = String>) -> Option<Recorded> {
    let mut made = Recorded { line: Some(line), ..Recorded::default() };
    let (mut data, mut is_query, mut is_form) = (Vec::new(), false, false);
    while let Some(word) = words.next() {
        let (option, attached) = split(&word);
        let mut value = || attached.clone().or_else(|| words.next());
        match option.as_str() {
            "-X" | "--request" => made.method = value()?,
            "-H" | "--header" => {
                let header = value()?;
                if let Some((name, value)) = header.split_once(':').filter(|(name, _)| !is_ignored(name)) {
                    made.headers.push((name.trim().to_owned(), value.trim().to_owned()));
                }
            }
            "-d" | "--data" | "--data-raw" | "--data-ascii" | "--data-binary" => data.push(value()?),
            "--json" => {
                made.headers.push(("content-type".to_owned(), "application/json".to_owned()));
                data.push(value()?);
            }
            "--data-urlencode" => {
                let field = value()?;
                let (name, text) = field.split_once('=').unwrap_or(("", &field));
                data.push(format!("{name}={}", encode(text)));
            }
            "-F" | "--form" => {
                is_form = true;
                data.push(value()?);
            }
            "-G" | "--get" => is_query = true,
            "-I" | "--head" => made.method = "HEAD".to_owned(),
            "--url" => made.url = value()?,
            option if TAKING.contains(&option) => drop(value()),
            option if option.starts_with('-') => {}
            _ => made.url = word,
        }
    }
    let data = data.join("&");
    if is_query && !data.is_empty() {
        let join = if made.url.contains('?') { '&' } else { '?' };
        made.url = format!("{}{join}{data}", made.url);
    } else if !data.is_empty() {
        made.body = Some(data);
        if is_form {
            made.headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
        }
    }
    if made.method.is_empty() {
        made.method = if made.body.is_some() { "POST" } else { "GET" }.to_owned();
    }
    if !made.url.contains("://") && !made.url.starts_with('/') {
        made.url = format!("http://{}", made.url);
    }
    (made.url != "http://").then_some(made)
}

/// An option and the value that is written together with it: `-XPOST`, `--request=POST`.
fn split(word: &str) -> (String, Option<String>) {
    if let Some((option, value)) = word.split_once('=').filter(|_| word.starts_with("--")) {
        return (option.to_owned(), Some(value.to_owned()));
    }
    let short = ["-X", "-H", "-d", "-F"].iter().find_map(|option| Some((*option, word.strip_prefix(option)?)));
    match short {
        Some((option, value)) if !value.is_empty() => (option.to_owned(), Some(value.to_owned())),
        _ => (word.to_owned(), None),
    }
}

/// The commands of a shell text as words, each with the line it begins on. Quotes and continued lines are understood,
/// nothing is expanded.
fn commands(text: &str) -> Vec<(usize, Vec<String>)> {
    let mut commands = Vec::new();
    let (mut words, mut word, mut line, mut start) = (Vec::new(), None::<String>, 1, 1);
    let mut letters = text.chars().peekable();
    let mut quote = None;
    while let Some(letter) = letters.next() {
        line += usize::from(letter == '\n');
        match (quote, letter) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('"') | None, '\\') => match letters.next() {
                Some('\n') => line += 1,
                Some(next) => word.get_or_insert_default().push(next),
                None => {}
            },
            (Some(_), letter) => word.get_or_insert_default().push(letter),
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() && words.is_empty() => {
                while letters.next_if(|letter| *letter != '\n').is_some() {}
            }
            (None, '\n' | ';' | '|') => {
                words.extend(word.take());
                if !words.is_empty() {
                    commands.push((start, std::mem::take(&mut words)));
                }
            }
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (None, letter) => {
                if word.is_none() && words.is_empty() {
                    start = line;
                }
                word.get_or_insert_default().push(letter);
            }
        }
    }
    words.extend(word);
    if !words.is_empty() {
        commands.push((start, words));
    }
    commands
}

/// Options that take a value that says nothing about the operation.
const TAKING: [&str; 17] = [
    "-A",
    "--user-agent",
    "-b",
    "--cookie",
    "-c",
    "--cookie-jar",
    "-e",
    "--referer",
    "-m",
    "--max-time",
    "-o",
    "--output",
    "-u",
    "--user",
    "-w",
    "--write-out",
    "-x",
];
