//! Follows the bytes of an HTTP/1 connection from request to request and finds what two programs could read differently.
//!
//! It is told all bytes, in whatever pieces they come, and answers how many of them may go on: the head of a request
//! goes on as a whole once all of it is known to be unambiguous, and a body as it comes. Where bodies end it knows from
//! the same bytes as the parser behind it, and only because there is one way left to read them.

use memchr::memchr;

use super::chunk::Chunks;
use super::head::{Draft, Framing, NONE, no_controls};

/// What comes first on a connection that speaks HTTP/2 from its start (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The most header fields of a head.
pub(crate) const MAX_FIELDS: usize = 100;

/// The reader of one connection.
#[derive(Clone, Debug)]
pub struct Wire {
    state: State,
    max_head: usize,
    heads: u64,
}

#[derive(Clone, Debug)]
enum State {
    /// Chunks of a body are coming.
    Chunks(Chunks),
    /// A head is coming.
    Head(Draft),
    /// So many bytes of a body are coming.
    Length(u64),
    /// These are other protocols' bytes, or nobody's.
    Opaque,
    /// The first bytes will say which protocol it is.
    Preface,
}

/// Which version of HTTP a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, or 1.0.
    Http1,
    /// HTTP/2.
    Http2,
}

/// How far the bytes may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advance {
    /// So many bytes from the start may go on. The others have to be shown again, with those that follow them.
    pub pass: usize,
    /// What is wrong behind them. After a fault nothing goes on.
    pub fault: Option<Fault>,
}

/// What is wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its body, whose head has gone on already; with the rule that is broken.
    Body(&'static str),
    /// Its head.
    Head {
        /// The rule that is broken; `None` where the head is too long.
        reason: Option<&'static str>,
        /// How many bytes its request line has, if that is valid; else zero.
        line: usize,
    },
}

impl Wire {
    /// A connection that speaks HTTP/1 only.
    pub fn http1(max_head: usize) -> Self {
        Self { state: State::Head(Draft::default()), max_head, heads: 0 }
    }

    /// A connection whose first bytes say whether it speaks HTTP/1 or HTTP/2.
    pub fn sniffed(max_head: usize) -> Self {
        Self { state: State::Preface, max_head, heads: 0 }
    }

    /// A connection that speaks something else, which passes unread.
    pub fn opaque() -> Self {
        Self { state: State::Opaque, max_head: 0, heads: 0 }
    }

    /// What is spoken, once that is known.
    pub fn protocol(&self) -> Option<Protocol> {
        match self.state {
            State::Preface => None,
            State::Opaque => Some(Protocol::Http2),
            State::Chunks(_) | State::Head(_) | State::Length(_) => Some(Protocol::Http1),
        }
    }

    /// Whether all that went on were whole requests.
    pub fn is_between(&self) -> bool {
        matches!(&self.state, State::Head(draft) if draft.checked() == 0)
    }

    /// How many heads have gone on.
    pub fn heads(&self) -> u64 {
        self.heads
    }

    /// Reads on. `bytes` are all that have come and have not gone on.
    pub fn advance(&mut self, bytes: &[u8]) -> Advance {
        let mut pass = 0;
        loop {
            let rest = bytes.get(pass..).unwrap_or_default();
            if rest.is_empty() {
                return Advance { pass, fault: None };
            }
            match &mut self.state {
                State::Opaque => return Advance { pass: bytes.len(), fault: None },
                State::Preface => match (rest.starts_with(PREFACE), PREFACE.starts_with(rest)) {
                    (true, _) => self.state = State::Opaque,
                    (false, true) => return Advance { pass, fault: None },
                    (false, false) => self.state = State::Head(Draft::default()),
                },
                State::Length(left) => {
                    let taken = usize::try_from(*left).map_or(rest.len(), |left| left.min(rest.len()));
                    *left -= taken as u64;
                    pass += taken;
                    if *left == 0 {
                        self.state = State::Head(Draft::default());
                    }
                }
                State::Chunks(chunks) => match chunks.advance(rest) {
                    Ok(taken) => {
                        pass += taken;
                        if chunks.is_complete() {
                            self.state = State::Head(Draft::default());
                        }
                    }
                    Err((taken, reason)) => {
                        return Advance { pass: pass + taken, fault: Some(Fault::Body(reason)) };
                    }
                },
                State::Head(draft) => match head(draft, rest, self.max_head) {
                    Ok(None) => return Advance { pass, fault: None },
                    Ok(Some((length, framing))) => {
                        pass += length;
                        self.heads += 1;
                        self.state = match framing {
                            Framing::Chunked => State::Chunks(Chunks::new(self.max_head)),
                            Framing::Length(0) | Framing::None => State::Head(Draft::default()),
                            Framing::Length(length) => State::Length(length),
                        };
                    }
                    Err(reason) => {
                        return Advance { pass, fault: Some(Fault::Head { reason, line: draft.request_line() }) };
                    }
                },
            }
        }
    }
}

/// Reads the lines of a head that are complete. Gives its length and framing once the empty line is there.
fn head(draft: &mut Draft, bytes: &[u8], max: usize) -> Result<Option<(usize, Framing)>, Option<&'static str>> {
    loop {
        let start = draft.checked();
        let rest = bytes.get(start..).unwrap_or_default();
        let (line, ended) = match memchr(b'\n', rest) {
            None => (rest, false),
            Some(at) => (rest.get(..at).unwrap_or_default(), true),
        };
        if start == 0 {
            // What is no HTTP at all need not send us the end of its line first.
            let beginning = line.get(..max).unwrap_or(line);
            no_controls(beginning.strip_suffix(b"\r").unwrap_or(beginning), NONE).map_err(Some)?;
        }
        let end = start + line.len() + usize::from(ended);
        if end > max {
            return Err(None);
        }
        if !ended {
            return Ok(None);
        }
        let line = line.strip_suffix(b"\r").ok_or(Some("bare_line_feed"))?;
        if draft.line(line, end).map_err(Some)? {
            return draft.framing().map(|framing| Some((end, framing))).map_err(Some);
        }
        if draft.fields() > MAX_FIELDS {
            return Err(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What goes on and how it ends when the bytes come in pieces of these sizes, over and over.
    fn run(bytes: &[u8], pieces: &[usize]) -> (Vec<u8>, Option<Fault>) {
        let (mut wire, mut held, mut out) = (Wire::sniffed(200), Vec::new(), Vec::new());
        let (mut rest, mut sizes) = (bytes, pieces.iter().cycle());
        while !rest.is_empty() {
            let (piece, later) = rest.split_at((*sizes.next().unwrap()).clamp(1, rest.len()));
            rest = later;
            held.extend_from_slice(piece);
            let Advance { pass, fault } = wire.advance(&held);
            out.extend(held.drain(..pass));
            if fault.is_some() {
                return (out, fault);
            }
        }
        (out, None)
    }

    const END: &str = "host: a\r\n\r\n";

    #[test]
    fn requests_that_have_one_reading_go_on() {
        for text in [
            format!("GET / HTTP/1.1\r\n{END}"),
            format!("GET / HTTP/1.0\r\n{END}GET /b?c=d|e HTTP/1.1\r\n{END}"),
            format!("OPTIONS * HTTP/1.1\r\n{END}GET http://a/b HTTP/1.1\r\n{END}"),
            format!("CONNECT a:443 HTTP/1.1\r\n{END}"),
            format!("PUT / HTTP/1.1\r\nContent-Length: 3\r\n{END}\r\n\0GET / HTTP/1.1\r\n{END}"),
            format!(
                "PUT / HTTP/1.1\r\nTransfer-Encoding: \tChunked \r\n{END}3;a=\"b\"\r\n\n\n\n\r\n00\r\nx: y\r\n\r\n"
            ),
            format!("GET / HTTP/1.1\r\nx:\r\ny: \u{e9}\t\r\n{END}"),
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nwhatever\n\0".to_owned(),
        ] {
            assert_eq!(run(text.as_bytes(), &[text.len()]), (text.clone().into_bytes(), None), "{text:?}");
        }
    }

    #[test]
    fn a_head_without_its_end_waits() {
        for text in ["G", "PRI * HTTP/2.0\r\n\r\nSM\r\n", "GET / HTTP/1.1\r\nhost: a\r\n", "GET / HTTP/1.1\r"] {
            assert_eq!(run(text.as_bytes(), &[1]), (Vec::new(), None), "{text:?}");
        }
    }

    #[test]
    fn heads_with_two_readings_are_faults() {
        for (text, reason) in [
            ("\r\nGET / HTTP/1.1\r\n", "request_line_invalid"),
            ("\x16\x03\x01", "control_character"),
            ("GET / HTTP/1.1\nhost: a\n\n", "bare_line_feed"),
            ("GET /\rx HTTP/1.1\r\n", "bare_carriage_return"),
            ("GET /\0 HTTP/1.1\r\n", "control_character"),
            ("GET /\u{e9} HTTP/1.1\r\n", "target_invalid"),
            ("GET /a#b HTTP/1.1\r\n", "target_invalid"),
            ("GET /a?b#c HTTP/1.1\r\n", "target_invalid"),
            ("GET /a\"b HTTP/1.1\r\n", "target_invalid"),
            ("GET a HTTP/1.1\r\n", "target_invalid"),
            ("GET * HTTP/1.1\r\n", "target_invalid"),
            ("GET ftp://a/ HTTP/1.1\r\n", "target_invalid"),
            ("GET http:///a HTTP/1.1\r\n", "target_invalid"),
            ("GET http://a/#b HTTP/1.1\r\n", "target_invalid"),
            ("CONNECT / HTTP/1.1\r\n", "target_invalid"),
            ("GET  / HTTP/1.1\r\n", "target_invalid"),
            ("GET /  HTTP/1.1\r\n", "version_invalid"),
            ("GET / HTTP/1.1 \r\n", "version_invalid"),
            ("GET /\r\n", "version_invalid"),
            ("GET\r\n", "request_line_invalid"),
            ("G(T / HTTP/1.1\r\n", "method_invalid"),
            (" / HTTP/1.1\r\n", "method_invalid"),
            ("GET / HTTP/2.0\r\n", "version_invalid"),
            ("GET / HTTP/1.1\r\n x: y\r\n", "folded_line"),
            ("GET / HTTP/1.1\r\nx: y\r\n\tz\r\n", "folded_line"),
            ("GET / HTTP/1.1\r\nx : y\r\n", "field_name_invalid"),
            ("GET / HTTP/1.1\r\n: y\r\n", "field_name_invalid"),
            ("GET / HTTP/1.1\r\nx\r\n", "field_without_colon"),
            ("GET / HTTP/1.1\r\nx: \0\r\n", "control_character"),
            ("GET / HTTP/1.1\r\nx: \x7f\r\n", "control_character"),
            ("GET / HTTP/1.1\r\nx: a\rb: c\r\n", "bare_carriage_return"),
            ("GET / HTTP/1.1\r\nx: a\nb: c\r\n", "bare_line_feed"),
            ("GET / HTTP/1.1\r\n\n", "bare_line_feed"),
            ("GET / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n", "length_repeated"),
            ("GET / HTTP/1.1\r\ncontent-length: 1, 1\r\n", "length_invalid"),
            ("GET / HTTP/1.1\r\ncontent-length:\r\n", "length_invalid"),
            ("GET / HTTP/1.1\r\ncontent-length: +1\r\n", "length_invalid"),
            ("GET / HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n", "length_invalid"),
            ("GET / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n", "coding_unknown"),
            ("GET / HTTP/1.1\r\ntransfer-encoding: \"chunked\"\r\n", "coding_unknown"),
            ("GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", "coding_repeated"),
            ("GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n", "length_and_coding"),
            ("GET / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", "coding_in_http_1_0"),
            ("CONNECT a:1 HTTP/1.1\r\ncontent-length: 1\r\n\r\n", "connect_with_body"),
        ] {
            let (out, fault) = run(text.as_bytes(), &[text.len()]);
            let Some(Fault::Head { reason: found, line }) = fault else { panic!("{text:?} goes on: {fault:?}") };
            assert_eq!((found, out.len()), (Some(reason), 0), "{text:?}");
            let first = text.find("\r\n").map_or(0, |at| at + 2);
            assert!(line == 0 || line == first, "{text:?}");
        }
    }

    #[test]
    fn bodies_with_two_readings_are_faults() {
        for (body, reason) in [
            ("\r\n", "chunk_size_invalid"),
            ("g\r\n", "chunk_size_invalid"),
            ("-1\r\n", "chunk_size_invalid"),
            ("0x1\r\n", "chunk_size_invalid"),
            ("1 \r\n", "chunk_size_invalid"),
            ("1 ;a\r\n", "chunk_size_invalid"),
            ("1111111111111111\r\n", "chunk_size_invalid"),
            ("1\na\r\n", "bare_line_feed"),
            ("1;a\nb\r\n", "bare_line_feed"),
            ("1;a\rb\r\n", "bare_carriage_return"),
            ("1;\0\r\n", "control_character"),
            ("1\r\nab\r\n", "chunk_end_missing"),
            ("1\r\na\n", "chunk_end_missing"),
            ("1\r\na\r0", "chunk_end_missing"),
            ("0\r\n\n", "bare_line_feed"),
            ("0\r\n x: y\r\n", "folded_line"),
            ("0\r\nx\r\n", "field_without_colon"),
            ("0\r\nx : y\r\n", "field_name_invalid"),
            ("0\r\nx: y\n", "bare_line_feed"),
            ("0\r\nx: \0\r\n", "control_character"),
        ] {
            let text = format!("PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{body}");
            assert_eq!(run(text.as_bytes(), &[text.len()]).1, Some(Fault::Body(reason)), "{body:?}");
        }
        let long = format!("PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1;{}", "a".repeat(300));
        assert_eq!(run(long.as_bytes(), &[7]).1, Some(Fault::Body("chunk_overhead_too_large")));
    }

    #[test]
    fn a_head_has_bounds() {
        let too_large = Some(Fault::Head { reason: None, line: 0 });
        assert_eq!(run(&[b'A'; 201], &[300]).1, too_large);
        let fields = format!("GET / HTTP/1.1\r\n{}\r\n", "a:\r\n".repeat(50));
        assert_eq!(run(fields.as_bytes(), &[300]).1, Some(Fault::Head { reason: None, line: 16 }));
        let mut wire = Wire::http1(10_000);
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a:\r\n".repeat(MAX_FIELDS + 1));
        assert!(wire.advance(many.as_bytes()).fault.is_some());
        let enough = format!("GET / HTTP/1.1\r\n{}\r\n", "a:\r\n".repeat(MAX_FIELDS));
        assert_eq!(Wire::http1(10_000).advance(enough.as_bytes()), Advance { pass: enough.len(), fault: None });
    }

    /// Pieces of requests, right and wrong, of which a test makes connections.
    fn connection() -> impl Strategy<Value = Vec<u8>> {
        let part = prop::sample::select(vec![
            "GET / HTTP/1.1\r\n",
            "PUT /a HTTP/1.0\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "host: a\r\n",
            "content-length: 5\r\n",
            "content-length: 0\r\n",
            "transfer-encoding: chunked\r\n",
            "x: y\n",
            "\r\n",
            "\r\n\r\n",
            "5\r\nabcde\r\n",
            "0\r\n",
            "0\r\n\r\n",
            "abcde",
            "\r",
            "\n",
            " ",
            "\0",
            "3;e=f\r\n",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ]);
        prop::collection::vec(part, 0..14).prop_map(|parts| parts.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn any_split_has_the_same_verdict(bytes in connection(), pieces in prop::collection::vec(1usize..40, 1..6)) {
            let whole = run(&bytes, &[bytes.len().max(1)]);
            prop_assert_eq!(&run(&bytes, &pieces), &whole);
            prop_assert_eq!(&run(&bytes, &[1]), &whole);
            prop_assert!(bytes.starts_with(&whole.0), "what goes on is what came");
        }
    }
}
