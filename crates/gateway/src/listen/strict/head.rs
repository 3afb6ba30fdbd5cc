//! The lines of a request's head, each of which has one reading or is refused (RFC 9112 sections 3, 5 and 6).

use http::Uri;
use memchr::memchr;

/// Where the body of a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Behind the last of its chunks.
    Chunked,
    /// Behind so many bytes.
    Length(u64),
    /// There is none.
    None,
}

/// What the lines of a head have said so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    /// How many bytes have been read, line by line.
    checked: usize,
    /// How many of them are the request line.
    request_line: usize,
    fields: usize,
    length: Option<u64>,
    is_chunked: bool,
    is_connect: bool,
    is_http_1_0: bool,
}

impl Draft {
    /// How many bytes of the head are lines that have been read.
    pub(super) fn checked(&self) -> usize {
        self.checked
    }

    /// How many bytes the request line has; zero until it has been found valid.
    pub(super) fn request_line(&self) -> usize {
        self.request_line
    }

    /// How many fields there are.
    pub(super) fn fields(&self) -> usize {
        self.fields
    }

    /// Reads one line, without its end, which is behind `end` bytes. True when it was the last.
    pub(super) fn line(&mut self, line: &[u8], end: usize) -> Result<bool, &'static str> {
        if self.checked == 0 {
            self.read_request_line(line)?;
            self.request_line = end;
        } else if line.is_empty() {
            return Ok(true);
        } else {
            self.read_field(line)?;
            self.fields += 1;
        }
        self.checked = end;
        Ok(false)
    }

    /// Where the body ends, once all lines have been read.
    pub(super) fn framing(&self) -> Result<Framing, &'static str> {
        match (self.length, self.is_chunked) {
            (Some(_), true) => Err("length_and_coding"),
            (Some(_), _) | (_, true) if self.is_connect => Err("connect_with_body"),
            (None, true) if self.is_http_1_0 => Err("coding_in_http_1_0"),
            (None, true) => Ok(Framing::Chunked),
            (Some(length), false) => Ok(Framing::Length(length)),
            (None, false) => Ok(Framing::None),
        }
    }

    fn read_request_line(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let mut words = line.splitn(3, |byte| *byte == b' ');
        let (Some(method), Some(target)) = (words.next(), words.next()) else { return Err("request_line_invalid") };
        if !is_token(method) {
            return Err("method_invalid");
        }
        self.is_connect = method == b"CONNECT";
        if !is_target(method, target) {
            return Err("target_invalid");
        }
        match words.next() {
            Some(b"HTTP/1.1") => Ok(()),
            Some(b"HTTP/1.0") => {
                self.is_http_1_0 = true;
                Ok(())
            }
            _ => Err("version_invalid"),
        }
    }

    fn read_field(&mut self, line: &[u8]) -> Result<(), &'static str> {
        if let [b' ' | b'\t', ..] = line {
            return Err("folded_line");
        }
        let (name, value) = memchr(b':', line).and_then(|at| line.split_at_checked(at)).ok_or("field_without_colon")?;
        if !is_token(name) {
            return Err("field_name_invalid");
        }
        let value = value.strip_prefix(b":").unwrap_or(value);
        no_controls(value, b'\t')?;
        match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => self.read_length(value.trim_ascii()),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.read_coding(value.trim_ascii()),
            _ => Ok(()),
        }
    }

    /// One number, once. Two that are equal would be harmless, but only to those who compare them.
    fn read_length(&mut self, value: &[u8]) -> Result<(), &'static str> {
        if self.length.is_some() {
            return Err("length_repeated");
        }
        if value.is_empty() || value.len() > 19 || !value.iter().all(u8::is_ascii_digit) {
            return Err("length_invalid");
        }
        self.length = Some(value.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')));
        Ok(())
    }

    /// `chunked` and nothing else, once: no other coding has a reader behind every gateway.
    fn read_coding(&mut self, value: &[u8]) -> Result<(), &'static str> {
        if self.is_chunked {
            return Err("coding_repeated");
        }
        self.is_chunked = value.eq_ignore_ascii_case(b"chunked");
        if self.is_chunked { Ok(()) } else { Err("coding_unknown") }
    }
}

/// No control character, for [`no_controls`].
pub(super) const NONE: u8 = b' ';

/// Refuses control characters, all but `allowed`.
pub(super) fn no_controls(text: &[u8], allowed: u8) -> Result<(), &'static str> {
    let is_control = |byte: u8| (byte < b' ' && byte != allowed) | (byte == 0x7F);
    // Without an early end the compiler looks at many bytes at once.
    if !text.iter().fold(false, |found, byte| found | is_control(*byte)) {
        return Ok(());
    }
    match text.iter().find(|byte| is_control(**byte)) {
        Some(b'\r') => Err("bare_carriage_return"),
        _ => Err("control_character"),
    }
}

fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_token_byte(*byte))
}

/// `tchar` (RFC 9110 section 5.6.2).
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// One of the four forms (RFC 9112 section 3.2), each for the methods that it belongs to.
fn is_target(method: &[u8], target: &[u8]) -> bool {
    match (method, target) {
        (b"CONNECT", _) => is_uri(target, |uri| uri.scheme().is_none() && uri.path().is_empty()),
        (_, [b'/', ..]) => is_origin_form(target),
        (_, b"*") => method == b"OPTIONS",
        _ => {
            let is_http = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https"));
            !target.contains(&b'#') && is_uri(target, |uri| is_http(uri) && uri.authority().is_some())
        }
    }
}

fn is_uri(target: &[u8], holds: impl Fn(&Uri) -> bool) -> bool {
    Uri::try_from(target).is_ok_and(|uri| holds(&uri))
}

/// A path and perhaps a query. A fragment has no business here, and other programs cut it off.
fn is_origin_form(target: &[u8]) -> bool {
    let (path, query) = match memchr(b'?', target).and_then(|at| target.split_at_checked(at)) {
        None => (target, &b""[..]),
        Some(parts) => parts,
    };
    target.len() <= LONGEST_TARGET
        && path.iter().all(|byte| byte.is_ascii_graphic() && !b"\"#<>`".contains(byte))
        && query.iter().all(|byte| byte.is_ascii_graphic() && !b"\"#<>".contains(byte))
}

/// What the parser behind us can hold.
const LONGEST_TARGET: usize = 65_000;
