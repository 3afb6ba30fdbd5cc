//! The one pass. Every method answers `None` as soon as it has met something that it does not know.

use std::ops::Range;

use super::{Array, Bounds, Checked, Direct, Node, Object, Text, Wanted};
use crate::json::Caps;

pub(super) struct Pass<'t> {
    direct: &'t Direct,
    text: &'t str,
    /// How many bytes have been read.
    at: usize,
    caps: &'t Caps,
    /// How many values may still come.
    nodes: usize,
    wanted: Wanted,
    /// Where texts stand that may say anything.
    open: Vec<Range<usize>>,
    /// The canonical writing of what stands before `copied`, as soon as that is another one.
    out: Option<Vec<u8>>,
    copied: usize,
}

impl<'t> Pass<'t> {
    pub(super) fn new(direct: &'t Direct, bytes: &'t [u8], caps: &'t Caps, wanted: Wanted) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        Some(Self { direct, text, at: 0, caps, nodes: caps.nodes, wanted, open: Vec::new(), out: None, copied: 0 })
    }

    pub(super) fn document(mut self, id: usize) -> Option<Checked> {
        self.skip_space();
        self.value(id, self.caps.depth.min(Caps::DEEPEST))?;
        self.skip_space();
        if self.at < self.text.len() {
            return None;
        }
        if let Some(out) = &mut self.out {
            out.extend_from_slice(self.text.as_bytes().get(self.copied..)?);
        }
        Some(Checked { canonical: self.out, open: self.open })
    }

    fn value(&mut self, id: usize, depth: usize) -> Option<()> {
        self.nodes = self.nodes.checked_sub(1)?;
        let node: &'t Node = self.direct.node(id)?;
        match self.peek()? {
            b'{' => self.object(node.object.as_ref()?, depth.checked_sub(1)?),
            b'[' => self.array(node.array.as_ref()?, depth.checked_sub(1)?),
            b'"' => self.string(node.text.as_ref()?),
            b'-' | b'0'..=b'9' => self.number(node.number.as_ref()?),
            b't' if node.boolean => self.word("true"),
            b'f' if node.boolean => self.word("false"),
            b'n' if node.null => self.word("null"),
            _ => None,
        }
    }

    fn object(&mut self, rule: &'t Object, depth: usize) -> Option<()> {
        self.at += 1;
        self.skip_space();
        let (mut seen, mut members, mut next) = (0_u64, 0_usize, 0_usize);
        if self.peek()? == b'}' {
            self.at += 1;
            return (rule.required == 0).then_some(());
        }
        loop {
            members += 1;
            if members > self.caps.keys {
                return None;
            }
            let name = self.name()?;
            // Most writers keep to one order, and that of the contract is as good a guess as any.
            let place = match rule.properties.get(next) {
                Some((known, _)) if **known == *name => next,
                _ => rule.properties.iter().position(|(known, _)| **known == *name)?,
            };
            let (_, within) = rule.properties.get(place)?;
            let bit = 1_u64 << place;
            if seen & bit != 0 {
                return None;
            }
            seen |= bit;
            next = place + 1;
            self.skip_space();
            self.take(b':')?;
            self.skip_space();
            self.value(*within, depth)?;
            self.skip_space();
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => break,
                _ => return None,
            }
            self.skip_space();
        }
        self.at += 1;
        (seen & rule.required == rule.required).then_some(())
    }

    fn array(&mut self, rule: &Array, depth: usize) -> Option<()> {
        self.at += 1;
        self.skip_space();
        let mut items = 0_usize;
        if self.peek()? == b']' {
            self.at += 1;
            return (rule.least == 0).then_some(());
        }
        loop {
            items += 1;
            if items > self.caps.items {
                return None;
            }
            self.value(rule.items, depth)?;
            self.skip_space();
            match self.peek()? {
                b',' => self.at += 1,
                b']' => break,
                _ => return None,
            }
            self.skip_space();
        }
        self.at += 1;
        (items >= rule.least && items <= rule.most).then_some(())
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let is_there = self.text.get(self.at..)?.starts_with(word);
        self.at += word.len();
        is_there.then_some(())
    }

    /// The name of a property, without escapes.
    fn name(&mut self) -> Option<&'t str> {
        let (name, escapes) = self.quoted()?;
        (escapes == 0 && name.len() <= self.caps.string).then_some(name)
    }

    fn string(&mut self, rule: &Text) -> Option<()> {
        let (written, escapes) = self.quoted()?;
        if written.len() > self.caps.string || !rule.holds(written, escapes) {
            return None;
        }
        if self.wanted == Wanted::Open && !rule.is_narrow {
            let end = self.at - 1;
            self.open.push(end - written.len()..end);
        }
        Some(())
    }

    /// What stands between quotes, and how many escapes are in it: only those that have one writing.
    fn quoted(&mut self) -> Option<(&'t str, usize)> {
        self.take(b'"')?;
        let start = self.at;
        let mut escapes = 0;
        let bytes = self.text.as_bytes();
        loop {
            self.at += special(bytes.get(self.at..)?)?;
            match bytes.get(self.at)? {
                b'"' => break,
                b'\\' if matches!(bytes.get(self.at + 1)?, b'"' | b'\\' | b'n' | b'r' | b't') => {
                    escapes += 1;
                    self.at += 2;
                }
                _ => return None,
            }
        }
        let written = self.text.get(start..self.at)?;
        self.at += 1;
        Some((written, escapes))
    }

    fn number(&mut self, rule: &Bounds) -> Option<()> {
        let start = self.at;
        let is_negative = self.peek()? == b'-';
        self.at += usize::from(is_negative);
        let first = self.peek()?;
        let (whole, digits) = self.digits()?;
        if digits > DIGITS || (first == b'0' && digits > 1) {
            return None;
        }
        let number = match self.peek() {
            Some(b'e' | b'E' | b'+' | b'-') => return None,
            Some(b'.') if !rule.whole => {
                self.at += 1;
                let (_, more) = self.digits()?;
                if digits + more > DIGITS || matches!(self.peek(), Some(b'e' | b'E' | b'+' | b'-' | b'.')) {
                    return None;
                }
                self.text.get(start..self.at)?.parse().ok()?
            }
            Some(b'.') => return None,
            // Which of two zeros is meant is left to others.
            _ if is_negative && whole == 0 => return None,
            _ => to_float(whole, is_negative),
        };
        rule.hold(number).then_some(())
    }

    /// At least one digit: what they say, as long as they are few, and how many they are.
    fn digits(&mut self) -> Option<(u64, usize)> {
        let (mut number, start) = (0_u64, self.at);
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let count = self.at - start;
        (count > 0).then_some((number, count))
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        if self.peek()? != byte {
            return None;
        }
        self.at += 1;
        Some(())
    }

    #[inline]
    fn skip_space(&mut self) {
        // Most texts have none, or one between two words.
        if matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.skip_spaces();
        }
    }

    fn skip_spaces(&mut self) {
        let start = self.at;
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        if self.wanted == Wanted::Canonical {
            let out = self.out.get_or_insert_with(|| Vec::with_capacity(self.text.len()));
            out.extend_from_slice(self.text.as_bytes().get(self.copied..start).unwrap_or_default());
            self.copied = self.at;
        }
    }
}

/// A whole number of few digits: a float holds each of them.
fn to_float(whole: u64, is_negative: bool) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "there are at most 15 digits")]
    let number = whole as f64;
    if is_negative { -number } else { number }
}

/// Where the first quote, backslash or control character is. Eight bytes are looked at together.
fn special(bytes: &[u8]) -> Option<usize> {
    let mut chunks = bytes.chunks_exact(8);
    let mut at = 0;
    for chunk in &mut chunks {
        let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
        // The top bit of a byte is set where it is zero. Above a byte that is, others may be marked by mistake, but the first is right.
        let zero = |word: u64| word.wrapping_sub(ONES) & !word;
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let found = (zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c)) | control) & (ONES * 0x80);
        if found != 0 {
            return Some(at + (found.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    let rest = chunks.remainder().iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))?;
    Some(at + rest)
}

/// A one in every byte.
const ONES: u64 = 0x0101_0101_0101_0101;
/// How many digits a number may have: a float holds each of fifteen.
const DIGITS: usize = 15;
