//! Requests as they go over the wire, one after the other, with `###` or nothing between them.

use crate::input::{Recorded, is_ignored};

/// The requests of a text that begins with a request line.
pub(crate) fn read(text: &str) -> Option<Vec<Recorded>> {
    let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'))?;
    start(first)?;
    let mut requests: Vec<Recorded> = Vec::new();
    let mut is_body = false;
    for (at, line) in text.lines().enumerate() {
        if line.starts_with("###") {
            is_body = false;
            continue;
        }
        if let Some((method, url)) = start(line) {
            requests.push(Recorded { line: Some(at + 1), method, url, ..Recorded::default() });
            is_body = false;
            continue;
        }
        let Some(request) = requests.last_mut() else { continue };
        if is_body {
            let body = request.body.get_or_insert_default();
            body.push_str(line);
            body.push('\n');
        } else if line.trim().is_empty() {
            is_body = true;
        } else if let Some((name, value)) = line.split_once(':')
            && (!is_ignored(name) || name.eq_ignore_ascii_case("host"))
        {
            request.headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    for request in &mut requests {
        request.body = request.body.take().map(|body| body.trim().to_owned()).filter(|body| !body.is_empty());
    }
    Some(requests)
}

/// The method and target of a request line.
fn start(line: &str) -> Option<(String, String)> {
    let mut words = line.split_whitespace();
    let (method, url, version) = (words.next()?, words.next()?, words.next()?);
    let is_line = METHODS.contains(&method) && version.starts_with("HTTP/") && words.next().is_none();
    (is_line && (url.starts_with('/') || url.contains("://"))).then(|| (method.to_owned(), url.to_owned()))
}

const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
