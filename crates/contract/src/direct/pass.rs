//! The one pass. Every method answers `None` as soon as it has met something that it does not know.

use super::{Array, Checked, Direct, Node, Object, Range, Text};
use crate::json::Caps;
use crate::schema::shape::deceives;

pub(super) struct Pass<'t> {
    direct: &'t Direct,
    text: &'t str,
    /// How many bytes have been read.
    at: usize,
    caps: &'t Caps,
    /// How many values may still come.
    nodes: usize,
    canonical: bool,
    /// The canonical writing of what stands before `copied`, as soon as that is another one.
    out: Option<Vec<u8>>,
    copied: usize,
}

impl<'t> Pass<'t> {
    pub(super) fn new(direct: &'t Direct, bytes: &'t [u8], caps: &'t Caps, canonical: bool) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        Some(Self { direct, text, at: 0, caps, nodes: caps.nodes, canonical, out: None, copied: 0 })
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
        Some(Checked { canonical: self.out })
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
        if written.len() > self.caps.string {
            return None;
        }
        // An escape is written with one letter more than it stands for.
        let length = if written.is_ascii() { written.len() } else { written.chars().count() } - escapes;
        if length < rule.least || rule.most.is_some_and(|most| length > most) {
            return None;
        }
        if rule.is_free && (deceives(written).is_some() || rule.has_no_markup && written.contains('<')) {
            return None;
        }
        let says_more = rule.values.is_some() || rule.format.is_some() || !rule.patterns.is_empty();
        if !says_more {
            return Some(());
        }
        // What it says would have to be written down to be looked at.
        if escapes > 0 {
            return None;
        }
        let is_listed = rule.values.as_ref().is_none_or(|values| values.iter().any(|value| **value == *written));
        let is_formed = rule.format.is_none_or(|format| format.holds(written));
        (is_listed && is_formed && rule.patterns.iter().all(|pattern| pattern.is_match(written))).then_some(())
    }

    /// What stands between quotes, and how many escapes are in it: only those that have one writing.
    fn quoted(&mut self) -> Option<(&'t str, usize)> {
        self.take(b'"')?;
        let start = self.at;
        let mut escapes = 0;
        let bytes = self.text.as_bytes();
        loop {
            let rest = bytes.get(self.at..)?;
            self.at += rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))?;
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

    fn number(&mut self, rule: &Range) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        let end = rest.bytes().position(|byte| !matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
        let token = rest.get(..end.unwrap_or(rest.len()))?;
        let digits = token.strip_prefix('-').unwrap_or(token);
        let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, rest)| (whole, Some(rest)));
        let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_sound = is_plain(whole)
            && (!whole.starts_with('0') || token == "0" || (whole == "0" && fraction.is_some()))
            && fraction.is_none_or(|fraction| !rule.whole && is_plain(fraction))
            && digits.len() <= DIGITS;
        if !is_sound {
            return None;
        }
        self.at += token.len();
        let number: f64 = token.parse().ok()?;
        let holds = number >= rule.least && number <= rule.most && number > rule.above && number < rule.below;
        holds.then_some(())
    }

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

    fn skip_space(&mut self) {
        let start = self.at;
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        if self.canonical && self.at > start {
            let out = self.out.get_or_insert_with(|| Vec::with_capacity(self.text.len()));
            out.extend_from_slice(self.text.as_bytes().get(self.copied..start).unwrap_or_default());
            self.copied = self.at;
        }
    }
}

/// How many digits a number may have, its point counted as one: a float holds each of fifteen.
const DIGITS: usize = 15;
