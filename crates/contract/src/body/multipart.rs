//! `multipart/form-data` (RFC 7578), read so that there is no second reading, and written anew.
//!
//! Parsers differ about text before the first boundary and behind the last, about bare line feeds, folded headers, several
//! names and encodings of a part: what hides a file from the one that looks shows it to the one that stores (CWE-436).
//! So: lines end with CRLF; the body begins with the first boundary and ends with the last; a part has one
//! `Content-Disposition` and at most one `Content-Type`; names and file names are plain; a part has no parts of its own.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hasher as _};

use crate::json::Caps;
use crate::media::{Media, is_token};
use crate::percent::decode;
use crate::violation::{Violation, ViolationCode as Code, child};

/// One part.
#[derive(Debug)]
pub(crate) struct Part<'b> {
    pub(crate) name: &'b str,
    pub(crate) filename: Option<Cow<'b, str>>,
    pub(crate) media: Option<Media>,
    pub(crate) content: &'b [u8],
}

/// Splits a body into its parts. The first thing that is wrong ends it.
pub(crate) fn split<'b>(body: &'b [u8], boundary: &str, caps: &Caps) -> Result<Vec<Part<'b>>, Violation> {
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    let opening = delimiter.get(2..).unwrap_or_default();
    let mut rest = body.strip_prefix(opening).ok_or_else(|| malformed("must begin with its boundary"))?;
    let mut parts = Vec::new();
    loop {
        // Behind a boundary: the end, or another part.
        if matches!(rest, b"--" | b"--\r\n") {
            return Ok(parts);
        }
        rest = rest
            .strip_prefix(b"\r\n")
            .ok_or_else(|| malformed("must have nothing before, between or behind its parts"))?;
        if parts.len() >= caps.parts {
            return Err(malformed("must not have this many parts"));
        }
        let (headers, content) = head(rest)?;
        let (content, after) = find(content, &delimiter).ok_or_else(|| malformed("must end with its boundary"))?;
        rest = after;
        parts.push(part(headers, content, caps)?);
    }
}

/// The header lines of a part, and what follows the empty line.
fn head(part: &[u8]) -> Result<(&str, &[u8]), Violation> {
    let (headers, content) = find(part, b"\r\n\r\n").ok_or_else(|| malformed("must end the headers of each part"))?;
    if headers.len() > MAX_HEADERS {
        return Err(malformed("must not have parts with headers of this length"));
    }
    let plain = |text: &&str| !text.chars().any(|letter| letter.is_control() && !matches!(letter, '\r' | '\n'));
    let text = std::str::from_utf8(headers).ok().filter(plain);
    text.map(|text| (text, content)).ok_or_else(|| malformed("must have headers in UTF-8 without control characters"))
}

fn part<'b>(headers: &'b str, content: &'b [u8], caps: &Caps) -> Result<Part<'b>, Violation> {
    let (mut disposition, mut media, mut length) = (None, None, None);
    for line in headers.split("\r\n") {
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("must have well-formed headers"))?;
        // A line that begins with a blank continues the one before for some (RFC 9112 section 5.2); it is no token.
        if !is_token(name) || value.contains(['\r', '\n']) {
            return Err(malformed("must have well-formed headers"));
        }
        let slot = match name.to_ascii_lowercase().as_str() {
            "content-disposition" => &mut disposition,
            "content-length" => &mut length,
            "content-type" => &mut media,
            _ => return Err(malformed("must have no headers in a part but its disposition and type")),
        };
        if slot.replace(value.trim_matches([' ', '\t'])).is_some() {
            return Err(malformed("must not repeat a header of a part"));
        }
    }
    let disposition = disposition.ok_or_else(|| malformed("must name each part by one Content-Disposition"))?;
    let (name, filename) = named(disposition).ok_or_else(|| malformed("must name each part plainly and once"))?;
    let refuse = |message: &str| Violation::new(child("/body", name), Code::Malformed, message);
    if length.is_some_and(|length| length != content.len().to_string()) {
        return Err(refuse("must have the length that it declares"));
    }
    if content.len() > caps.part {
        return Err(refuse("must not be this large"));
    }
    let plain = |media: &Media| !media.is_range() && !media.is_multipart();
    let media = media.map(|text| Media::parse(text).filter(plain));
    match media {
        Some(None) => {
            Err(Violation::new(child("/body", name), Code::MediaType, "must have a plain content type in UTF-8"))
        }
        media => Ok(Part { name, filename, media: media.flatten(), content }),
    }
}

/// The name and file name of a `Content-Disposition`.
fn named(disposition: &str) -> Option<(&str, Option<Cow<'_, str>>)> {
    let mut rest = disposition.strip_prefix("form-data")?;
    let (mut name, mut filename) = (None, None);
    while !rest.is_empty() {
        let (key, after) =
            rest.trim_start_matches(BLANKS).strip_prefix(';')?.trim_start_matches(BLANKS).split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => {
                let (token, after) = after.split_at_checked(after.find(';').unwrap_or(after.len()))?;
                (Some(token).filter(|token| is_token(token))?, after)
            }
        };
        // Some take a backslash for the beginning of an escape, some for the end of a folder.
        if value.contains('\\') {
            return None;
        }
        let twice = match key.to_ascii_lowercase().as_str() {
            "name" => name.replace(value).is_some(),
            "filename" => filename.replace(Cow::Borrowed(value)).is_some(),
            "filename*" => {
                let (charset, encoded) = value.split_once('\'')?;
                let (_, encoded) = encoded.split_once('\'')?;
                let decoded = decode(encoded).filter(|_| charset.eq_ignore_ascii_case("utf-8"))?;
                filename.replace(decoded).is_some()
            }
            _ => true,
        };
        if twice {
            return None;
        }
        rest = after;
    }
    let plain = |name: &Cow<'_, str>| !name.chars().any(|c| c.is_control() || "/\\\"<>".contains(c)) && name != "..";
    (filename.as_ref().is_none_or(plain)).then_some((name?, filename))
}

/// What stands before `needle`, and what behind it.
fn find<'b>(text: &'b [u8], needle: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let first = *needle.first()?;
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.iter().position(|byte| *byte == first)?;
        if let Some(after) = text.get(at..)?.strip_prefix(needle) {
            return Some((text.get(..at)?, after));
        }
        from = at + 1;
    }
}

/// The parts as a body under a boundary of ours; `contents` are those of the parts, as they go on. `None` when no boundary
/// can be found that the contents do not have: then somebody has tried hard.
pub(crate) fn join(parts: &[Part<'_>], contents: &[Cow<'_, [u8]>]) -> Option<(String, Vec<u8>)> {
    let boundary = (0..MAX_TRIES).map(|try_| boundary(contents, try_)).find(|boundary| {
        let delimiter = format!("--{boundary}");
        !contents.iter().any(|content| find(content, delimiter.as_bytes()).is_some())
    })?;
    let mut body = Vec::with_capacity(contents.iter().map(|content| content.len() + 256).sum());
    for (part, content) in parts.iter().zip(contents) {
        body.extend_from_slice(
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", part.name).as_bytes(),
        );
        if let Some(filename) = &part.filename {
            body.extend_from_slice(format!("; filename=\"{filename}\"").as_bytes());
        }
        if let Some(media) = &part.media {
            body.extend_from_slice(format!("\r\nContent-Type: {}", media.essence()).as_bytes());
        }
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Some((boundary, body))
}

/// A boundary that follows from the contents, so that the same body goes on the same way.
fn boundary(contents: &[Cow<'_, [u8]>], try_: u8) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write_u8(try_);
    contents.iter().for_each(|content| hasher.write(content));
    format!("palisade-{:016x}", hasher.finish())
}

fn malformed(message: &str) -> Violation {
    Violation::new("/body", Code::Malformed, message)
}

const BLANKS: [char; 2] = [' ', '\t'];
const MAX_HEADERS: usize = 8 << 10;
const MAX_TRIES: u8 = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The parts of a body, or what is wrong with it. `|` stands for CRLF.
    fn read(body: &str) -> Result<Vec<String>, String> {
        let body = body.replace('|', "\r\n");
        let caps = Caps { parts: 3, part: 20, ..Caps::default() };
        let told = |part: &Part<'_>| {
            let media = part.media.as_ref().map_or_else(String::new, |media| format!(" {}", media.essence()));
            let file = part.filename.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
            format!("{}{file}{media}: {}", part.name, String::from_utf8_lossy(part.content))
        };
        let parts = split(body.as_bytes(), "B", &caps);
        parts.map(|parts| parts.iter().map(told).collect()).map_err(|violation| violation.to_string())
    }

    const NAMED: &str = "Content-Disposition: form-data; name=\"a\"";

    #[test]
    fn one_reading_passes() {
        for (body, expect) in [
            ("--B--", vec![]),
            ("--B--|", vec![]),
            (&format!("--B|{NAMED}||1|--B--|"), vec!["a: 1"]),
            (&format!("--B|{NAMED}||||--B--|"), vec!["a: \r\n"]),
            (&format!("--B|{NAMED}||-|--b--B|--B--"), vec!["a: -\r\n--b--B"]),
            ("--B|content-disposition:form-data;name=a||1|--B--", vec!["a: 1"]),
            (
                &format!(
                    "--B|{NAMED}; filename=\"x y;z.png\"|Content-Type: image/png|Content-Length: 2||\0\u{1}|--B--"
                ),
                vec!["a (x y;z.png) image/png: \0\u{1}"],
            ),
            (&format!("--B|{NAMED}; filename*=UTF-8''na%C3%AFve.txt||1|--B--"), vec!["a (naïve.txt): 1"]),
            (&format!("--B|{NAMED}||1|--B|{NAMED}||2|--B--"), vec!["a: 1", "a: 2"]),
        ] {
            assert_eq!(read(body), Ok(expect.into_iter().map(str::to_owned).collect()), "{body:?}");
        }
    }

    #[test]
    fn two_readings_do_not() {
        for body in [
            "",
            "preamble|--B|",
            "|--B--",
            "--B",
            "--B-",
            "--B--epilogue",
            "--B--||",
            "--B --",
            "--Bx--",
            &format!("--B|{NAMED}||1"),
            &format!("--B|{NAMED}||1|--B"),
            &format!("--B|{NAMED}||1|--BB--"),
            &format!("--B|{NAMED}||1|--B |{NAMED}||2|--B--"),
            &format!("--B\n{NAMED}\n\n1\n--B--"),
            &format!("--B|{NAMED}\n\n1|--B--"),
            &format!("--B|{NAMED}|--B--"),
            &format!("--B|{NAMED}|X: 1\n\n||1|--B--"),
            &format!("--B|{NAMED}\r X||1|--B--"),
            &format!("--B|{NAMED}| folded||1|--B--"),
            &format!("--B| {NAMED}||1|--B--"),
            &format!("--B|{NAMED}|{NAMED}||1|--B--"),
            &format!("--B|{NAMED}|Content-Type: text/plain|content-type: text/html||1|--B--"),
            &format!("--B|{NAMED}|Content-Type: multipart/mixed; boundary=C||1|--B--"),
            &format!("--B|{NAMED}|Content-Type: text/plain; charset=utf-7||1|--B--"),
            &format!("--B|{NAMED}|Content-Type: image/*||1|--B--"),
            &format!("--B|{NAMED}|Content-Type: nonsense||1|--B--"),
            &format!("--B|{NAMED}|Content-Transfer-Encoding: base64||MQ==|--B--"),
            &format!("--B|{NAMED}|Content-Length: 2||1|--B--"),
            &format!("--B|{NAMED}|X-Other: 1||1|--B--"),
            &format!("--B|{NAMED}; name=\"b\"||1|--B--"),
            &format!("--B|{NAMED}; filename=\"x\"; filename=\"y\"||1|--B--"),
            &format!("--B|{NAMED}; filename=\"x\"; filename*=UTF-8''y||1|--B--"),
            &format!("--B|{NAMED}; filename*=latin1''y||1|--B--"),
            &format!("--B|{NAMED}; filename*=UTF-8''%ff||1|--B--"),
            &format!("--B|{NAMED}; filename*=UTF-8''..%2f||1|--B--"),
            &format!("--B|{NAMED}; filename=\"../x\"||1|--B--"),
            &format!("--B|{NAMED}; filename=\"..\"||1|--B--"),
            &format!("--B|{NAMED}; filename=\"C:\\x\"||1|--B--"),
            &format!("--B|{NAMED}; filename=\"<b>\"||1|--B--"),
            &format!("--B|{NAMED}; filename=\"x\0.png\"||1|--B--"),
            &format!("--B|{NAMED}; filename=\"x\" y||1|--B--"),
            &format!("--B|{NAMED}; size=1||1|--B--"),
            "--B|Content-Disposition: form-data||1|--B--",
            "--B|Content-Disposition: form-data; name=\"a\\\"b\"||1|--B--",
            "--B|Content-Disposition: form-data; name=\"a||1|--B--",
            "--B|Content-Disposition: form-data; name=a b||1|--B--",
            "--B|Content-Disposition: attachment; name=\"a\"||1|--B--",
            "--B|Content-Disposition: form-datax; name=\"a\"||1|--B--",
            "--B|Content-Type: text/plain||1|--B--",
            "--B|||1|--B--",
            &format!("--B|{NAMED}||{}|--B--", "x".repeat(21)),
            &format!("--B|{NAMED}; filename=\"{}\"||1|--B--", "x".repeat(9000)),
            &format!("{}--B--", format!("--B|{NAMED}||1|").repeat(4)),
        ] {
            assert!(read(body).is_err(), "{body:?}: {:?}", read(body));
        }
    }

    #[test]
    fn our_boundary_is_never_in_the_contents() {
        let part = |content| Part { name: "a", filename: None, media: None, content };
        let first = boundary(&[Cow::Borrowed(b"x")], 0);
        let (chosen, body) = join(&[part(b"x")], &[Cow::Borrowed(b"x")]).unwrap();
        assert_eq!(chosen, first);
        assert_eq!(split(&body, &chosen, &Caps::default()).unwrap().len(), 1);
    }

    proptest! {
        #[test]
        fn never_panics(body in "(--B|\\r\\n|--|[ -~é]|: |; |name=|\"|Content-Disposition: form-data){0,30}") {
            let _ = split(body.as_bytes(), "B", &Caps::default());
        }

        #[test]
        fn what_is_written_is_read_back(
            parts in prop::collection::vec(("[a-zé ;=']{1,8}", prop::option::of("[a-zé ;='.]{1,8}"), prop::collection::vec(any::<u8>(), 0..60)), 0..5),
        ) {
            let parts: Vec<Part<'_>> = parts.iter().filter(|(_, file, _)| file.as_deref() != Some("..")).map(|(name, file, content)| Part {
                name,
                filename: file.as_deref().map(Cow::Borrowed),
                media: file.as_ref().and_then(|_| Media::parse("image/png")),
                content,
            }).collect();
            let contents: Vec<_> = parts.iter().map(|part| Cow::Borrowed(part.content)).collect();
            let (boundary, body) = join(&parts, &contents).unwrap();
            let again = split(&body, &boundary, &Caps::default()).unwrap();
            prop_assert_eq!(format!("{again:?}"), format!("{parts:?}"));
        }
    }
}
