//! One pass over a JSON text: a value, and beside it the text's canonical writing.
//!
//! Nothing is written as long as the text is canonical. The first token that is not has the text before it copied; from
//! there on every token is written as it was understood. So the value and the bytes are of one reading.

use serde_json::{Map, Number, Value};

use super::{Caps, Fault, FaultKind};
use crate::violation::Trail;

/// A text that is being read.
pub(super) struct Reader<'t> {
    text: &'t str,
    /// How many bytes have been read.
    at: usize,
    caps: &'t Caps,
    /// How many values may still come.
    nodes: usize,
    out: Output,
}

/// The canonical writing of what has been read.
enum Output {
    /// The text itself, so far.
    Same,
    /// Something else.
    Changed(Vec<u8>),
    /// Nobody asks.
    Unwanted,
}

type Read<T> = Result<T, Fault>;

impl<'t> Reader<'t> {
    pub(super) fn new(bytes: &'t [u8], caps: &'t Caps, canonical: bool) -> Read<Self> {
        let malformed = |_| Fault { kind: FaultKind::Malformed, pointer: String::new() };
        let text = std::str::from_utf8(bytes).map_err(malformed)?;
        let out = if canonical { Output::Same } else { Output::Unwanted };
        Ok(Self { text, at: 0, caps, nodes: caps.nodes, out })
    }

    /// The one value of the text, and its canonical writing where that differs.
    pub(super) fn document(mut self) -> Read<(Value, Option<Vec<u8>>)> {
        self.skip_space();
        let value = self.value(self.caps.depth.min(Caps::DEEPEST), &Trail::Root)?;
        self.skip_space();
        if self.at < self.text.len() {
            return Err(refuse(FaultKind::Malformed, &Trail::Root));
        }
        let changed = match self.out {
            Output::Changed(bytes) => Some(bytes),
            Output::Same | Output::Unwanted => None,
        };
        Ok((value, changed))
    }

    fn value(&mut self, depth: usize, trail: &Trail<'_>) -> Read<Value> {
        self.nodes = self.nodes.checked_sub(1).ok_or_else(|| refuse(FaultKind::Values, trail))?;
        match self.peek() {
            Some(b'{') => self.object(deeper(depth, trail)?, trail),
            Some(b'[') => self.array(deeper(depth, trail)?, trail),
            Some(b'"') => self.string(trail).map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(trail).map(Value::Number),
            Some(b't') => self.word("true", Value::Bool(true), trail),
            Some(b'f') => self.word("false", Value::Bool(false), trail),
            Some(b'n') => self.word("null", Value::Null, trail),
            _ => Err(refuse(FaultKind::Malformed, trail)),
        }
    }

    fn object(&mut self, depth: usize, trail: &Trail<'_>) -> Read<Value> {
        let mut map = Map::new();
        self.take(b'{', trail)?;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.take(b'}', trail)?;
            return Ok(Value::Object(map));
        }
        loop {
            if map.len() >= self.caps.keys {
                return Err(refuse(FaultKind::Keys, trail));
            }
            let key = self.string(trail)?;
            let within = Trail::Name(trail, &key);
            self.skip_space();
            self.take(b':', &within)?;
            self.skip_space();
            let value = self.value(depth, &within)?;
            if map.contains_key(&key) {
                return Err(refuse(FaultKind::Duplicate, &within));
            }
            map.insert(key, value);
            self.skip_space();
            if self.peek() != Some(b',') {
                break;
            }
            self.take(b',', trail)?;
            self.skip_space();
        }
        self.take(b'}', trail)?;
        Ok(Value::Object(map))
    }

    fn array(&mut self, depth: usize, trail: &Trail<'_>) -> Read<Value> {
        let mut list = Vec::new();
        self.take(b'[', trail)?;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.take(b']', trail)?;
            return Ok(Value::Array(list));
        }
        loop {
            if list.len() >= self.caps.items {
                return Err(refuse(FaultKind::Items, trail));
            }
            let value = self.value(depth, &Trail::Index(trail, list.len()))?;
            list.push(value);
            self.skip_space();
            if self.peek() != Some(b',') {
                break;
            }
            self.take(b',', trail)?;
            self.skip_space();
        }
        self.take(b']', trail)?;
        Ok(Value::Array(list))
    }

    fn word(&mut self, word: &str, value: Value, trail: &Trail<'_>) -> Read<Value> {
        if !self.rest().starts_with(word) {
            return Err(refuse(FaultKind::Malformed, trail));
        }
        self.at += word.len();
        self.keep(word);
        Ok(value)
    }

    fn string(&mut self, trail: &Trail<'_>) -> Read<String> {
        let malformed = || refuse(FaultKind::Malformed, trail);
        let (start, text) = (self.at, self.text);
        if self.peek() != Some(b'"') {
            return Err(malformed());
        }
        self.at += 1;
        let mut decoded = String::new();
        loop {
            let rest = self.rest();
            let run = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)).ok_or_else(malformed)?;
            // The run ends before an ASCII byte, which is never within a character.
            let (plain, after) = rest.split_at_checked(run).ok_or_else(malformed)?;
            if decoded.len() + run > self.caps.string {
                return Err(refuse(FaultKind::Text, trail));
            }
            decoded.push_str(plain);
            self.at += run + 1;
            match after.as_bytes().first() {
                Some(b'"') => break,
                Some(b'\\') => decoded.push(self.escape().ok_or_else(malformed)?),
                _ => return Err(malformed()),
            }
        }
        let written = text.get(start..self.at).unwrap_or_default();
        let as_is = written.len() == decoded.len() + 2;
        match &self.out {
            Output::Unwanted => {}
            _ if as_is => self.keep(written),
            _ => {
                let canonical = quoted(&decoded);
                if canonical == written {
                    self.keep(written);
                } else {
                    self.change(start, canonical.as_bytes());
                }
            }
        }
        Ok(decoded)
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += 1;
        Some(match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                match first {
                    0xd800..0xdc00 => {
                        // The other half of a pair must follow (RFC 8259 section 7).
                        self.at += self.rest().starts_with("\\u").then_some(2)?;
                        let second = self.hex()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + second)?
                    }
                    other => char::from_u32(other)?,
                }
            }
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4)?;
        self.at += 4;
        digits.iter().try_fold(0, |number, digit| Some(number << 4 | char::from(*digit).to_digit(16)?))
    }

    fn number(&mut self, trail: &Trail<'_>) -> Read<Number> {
        let start = self.at;
        let rest = self.rest();
        let end = rest.bytes().position(|byte| !matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
        let token = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let parts = Parts::of(token).ok_or_else(|| refuse(FaultKind::Malformed, trail))?;
        self.at += token.len();
        let beyond = || refuse(FaultKind::Number, trail);
        if parts.is_whole() && token != "-0" {
            let number = token.parse::<i64>().map(Number::from).or_else(|_| token.parse::<u64>().map(Number::from));
            let number = number.map_err(|_| beyond())?;
            self.keep(token);
            return Ok(number);
        }
        let float: f64 = token.parse().map_err(|_| beyond())?;
        let number = Number::from_f64(float).ok_or_else(beyond)?;
        if matches!(self.out, Output::Unwanted) || parts.is_exact(float) {
            self.keep(token);
        } else {
            let canonical = number.to_string();
            if canonical == token {
                self.keep(token);
            } else {
                self.change(start, canonical.as_bytes());
            }
        }
        Ok(number)
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8, trail: &Trail<'_>) -> Read<()> {
        if self.peek() != Some(byte) {
            return Err(refuse(FaultKind::Malformed, trail));
        }
        self.at += 1;
        if let Output::Changed(out) = &mut self.out {
            out.push(byte);
        }
        Ok(())
    }

    fn skip_space(&mut self) {
        let start = self.at;
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        if self.at > start && !matches!(self.out, Output::Unwanted) {
            self.change(start, b"");
        }
    }

    /// The token that was just read is canonical.
    fn keep(&mut self, token: &str) {
        if let Output::Changed(out) = &mut self.out {
            out.extend_from_slice(token.as_bytes());
        }
    }

    /// What was read from `start` on is not canonical; `instead` is.
    fn change(&mut self, start: usize, instead: &[u8]) {
        if let Output::Changed(out) = &mut self.out {
            out.extend_from_slice(instead);
            return;
        }
        let mut out = Vec::with_capacity(self.text.len());
        out.extend_from_slice(self.text.as_bytes().get(..start).unwrap_or_default());
        out.extend_from_slice(instead);
        self.out = Output::Changed(out);
    }
}

/// The digits of a number as JSON writes it (RFC 8259 section 6).
struct Parts<'n> {
    whole: &'n str,
    fraction: Option<&'n str>,
    exponent: Option<&'n str>,
}

impl<'n> Parts<'n> {
    fn of(token: &'n str) -> Option<Self> {
        let (mantissa, exponent) = token.split_once(['e', 'E']).map_or((token, None), |(m, e)| (m, Some(e)));
        let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
        let whole = whole.strip_prefix('-').unwrap_or(whole);
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let unsigned = |text: &'n str| text.strip_prefix(['+', '-']).unwrap_or(text);
        let sound = digits(whole)
            && (whole == "0" || !whole.starts_with('0'))
            && fraction.is_none_or(digits)
            && exponent.is_none_or(|exponent| digits(unsigned(exponent)));
        sound.then_some(Self { whole, fraction, exponent })
    }

    fn is_whole(&self) -> bool {
        self.fraction.is_none() && self.exponent.is_none()
    }

    /// Whether no other number of as few digits is read as the same float: then whoever reads more precisely than we
    /// reads the number that was checked. Fifteen digits are certain, but not at the edge of what a float holds.
    fn is_exact(&self, float: f64) -> bool {
        let digits = || self.whole.bytes().chain(self.fraction.unwrap_or_default().bytes());
        let significant = digits().skip_while(|digit| *digit == b'0').count();
        if significant == 0 {
            return true;
        }
        significant <= 15 && float.is_normal() && float.abs() > 1e-290
    }
}

/// A text between quotes, with the escapes that JSON demands and no others.
pub(super) fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

fn deeper(depth: usize, trail: &Trail<'_>) -> Read<usize> {
    depth.checked_sub(1).ok_or_else(|| refuse(FaultKind::Deep, trail))
}

fn refuse(kind: FaultKind, trail: &Trail<'_>) -> Fault {
    Fault { kind, pointer: trail.pointer() }
}
