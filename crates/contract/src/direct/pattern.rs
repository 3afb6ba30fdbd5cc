//! Patterns that mean the same to ECMA-262, which JSON Schema asks for, and here.
//!
//! Most patterns of contracts are a few kinds of letters behind each other, such as `^[A-Z]{3}-[0-9]{4}$`. Where each
//! letter of a text can belong to one step only, one walk over the text tells whether it matches. Others are a regular
//! expression.

use regex::Regex;

/// A pattern.
#[derive(Debug)]
pub(super) enum Pattern {
    Expression(Regex),
    Steps(Box<[Step]>),
}

/// So many letters of a kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// One bit for each ASCII letter.
    kind: u128,
    least: usize,
    most: usize,
}

impl Pattern {
    /// `None` where the two dialects differ, or may differ.
    pub(super) fn of(written: &str) -> Option<Self> {
        match steps(written) {
            Some(steps) if is_unambiguous(&steps) => Some(Self::Steps(steps.into())),
            _ => expression(written).map(Self::Expression),
        }
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Expression(regex) => regex.is_match(text),
            Self::Steps(steps) => walk(steps, text.as_bytes()),
        }
    }
}

fn walk(steps: &[Step], text: &[u8]) -> bool {
    let mut rest = text;
    for step in steps {
        let count = rest.iter().take(step.most).take_while(|byte| has(step.kind, **byte)).count();
        if count < step.least {
            return false;
        }
        rest = rest.get(count..).unwrap_or_default();
    }
    rest.is_empty()
}

fn has(kind: u128, byte: u8) -> bool {
    byte < 128 && kind >> byte & 1 == 1
}

/// Whether no letter that a step may leave over can belong to a later one.
fn is_unambiguous(steps: &[Step]) -> bool {
    steps.iter().enumerate().all(|(at, step)| {
        let mut behind = steps.iter().skip(at + 1);
        let mut possible = 0;
        for next in &mut behind {
            possible |= next.kind;
            if next.least > 0 {
                break;
            }
        }
        step.least == step.most || step.kind & possible == 0
    })
}

/// The steps of a pattern from `^` to `$` without groups and alternatives.
fn steps(written: &str) -> Option<Vec<Step>> {
    let mut rest = written.strip_prefix('^')?.strip_suffix('$').filter(|rest| !rest.ends_with('\\'))?;
    let mut steps = Vec::new();
    while let Some(letter) = rest.chars().next() {
        rest = rest.get(letter.len_utf8()..)?;
        let kind = match letter {
            '[' => {
                let (kind, after) = class(rest)?;
                rest = after;
                kind
            }
            '\\' => {
                let (kind, after) = escaped(rest)?;
                rest = after;
                kind
            }
            '(' | ')' | '|' | '.' | '^' | '$' | '*' | '+' | '?' | '{' | '}' | ']' => return None,
            letter => bit(letter)?,
        };
        let (least, most, after) = times(rest)?;
        // `a+?` and `a{2}{3}` are something else.
        if after.len() < rest.len() && after.starts_with(['?', '*', '+', '{']) {
            return None;
        }
        rest = after;
        steps.push(Step { kind, least, most });
    }
    Some(steps)
}

/// How often the atom before may stand, and what is behind the count.
fn times(rest: &str) -> Option<(usize, usize, &str)> {
    let Some(first) = rest.chars().next() else { return Some((1, 1, rest)) };
    let after = rest.get(first.len_utf8()..)?;
    Some(match first {
        '?' => (0, 1, after),
        '*' => (0, usize::MAX, after),
        '+' => (1, usize::MAX, after),
        '{' => {
            let (counts, after) = after.split_once('}')?;
            let (least, most) = counts.split_once(',').map_or((counts, None), |(least, most)| (least, Some(most)));
            let least = number(least)?;
            let most = match most {
                None => least,
                Some("") => usize::MAX,
                Some(most) => number(most)?,
            };
            (least <= most).then_some((least, most, after))?
        }
        _ => (1, 1, rest),
    })
}

fn number(digits: &str) -> Option<usize> {
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// The letters between brackets, and what is behind them. A class that is turned around or has sets in it is left alone.
fn class(rest: &str) -> Option<(u128, &str)> {
    let (mut rest, mut kind) = (rest, 0);
    if rest.starts_with(['^', ']']) {
        return None;
    }
    loop {
        let letter = rest.chars().next()?;
        rest = rest.get(letter.len_utf8()..)?;
        let (low, single) = match letter {
            ']' => return Some((kind, rest)),
            '[' | '&' | '~' => return None,
            '\\' => {
                let (kind, after) = escaped(rest)?;
                rest = after;
                (None, kind)
            }
            letter => (Some(letter), bit(letter)?),
        };
        let end = rest.strip_prefix('-').filter(|end| !end.starts_with(']'));
        match (low, end) {
            (_, None) => kind |= single,
            (Some(low), Some(end)) => {
                let high = end.chars().next().filter(|high| high.is_ascii_alphanumeric() && low <= *high)?;
                for letter in low..=high {
                    kind |= bit(letter)?;
                }
                rest = end.get(1..)?;
            }
            (None, Some(_)) => return None,
        }
    }
}

/// What stands behind a backslash, and what is behind that.
fn escaped(rest: &str) -> Option<(u128, &str)> {
    let letter = rest.chars().next()?;
    let kind = match letter {
        'd' => ('0'..='9').filter_map(bit).sum(),
        'w' => ('0'..='9').chain('A'..='Z').chain('a'..='z').chain(['_']).filter_map(bit).sum(),
        letter if ESCAPED.contains(letter) => bit(letter)?,
        _ => return None,
    };
    Some((kind, rest.get(1..)?))
}

fn bit(letter: char) -> Option<u128> {
    (letter.is_ascii_graphic() || letter == ' ').then(|| 1 << u32::from(letter))
}

/// The same expression for this engine, if its letters mean the same to both.
fn expression(written: &str) -> Option<Regex> {
    let mut letters = written.chars().peekable();
    let mut translated = String::new();
    let mut in_class = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match (letters.next()?, in_class) {
                ('d', false) => translated.push_str("[0-9]"),
                ('d', true) => translated.push_str("0-9"),
                ('w', false) => translated.push_str("[0-9A-Za-z_]"),
                ('w', true) => translated.push_str("0-9A-Za-z_"),
                (escaped, _) if ESCAPED.contains(escaped) => {
                    translated.push('\\');
                    translated.push(escaped);
                }
                _ => return None,
            },
            '[' if in_class || letters.peek() == Some(&'^') || letters.peek() == Some(&']') => return None,
            '[' => {
                in_class = true;
                translated.push(letter);
            }
            ']' => {
                in_class = false;
                translated.push(letter);
            }
            '.' if !in_class => return None,
            // Here these are operators of sets, and groups that only look.
            '&' | '~' if in_class => return None,
            '-' if in_class && letters.peek() == Some(&'-') => return None,
            '(' if !in_class && letters.peek() == Some(&'?') => return None,
            '{' if !in_class && letters.peek() == Some(&',') => return None,
            letter if letter.is_ascii_graphic() || letter == ' ' => translated.push(letter),
            _ => return None,
        }
    }
    Regex::new(&translated).ok()
}

/// The letters that stand for themselves behind a backslash.
const ESCAPED: &str = ".-/+*?()[]{}|$^";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_two_engines_read_differently_is_not_read() {
        for pattern in
            [".", "[^a]", "\\s", "\\bword", "(?i)a", "a{,3}", "[a&&b]", "[a--b]", "é", "[[:alpha:]]", "\\p{L}", "^a\\"]
        {
            assert!(Pattern::of(pattern).is_none(), "{pattern}");
        }
    }

    #[test]
    fn letters_that_belong_to_one_step_are_walked_over() {
        for (pattern, is_walked, good, bad) in [
            ("^[A-Z]{3}-[0-9]{4}$", true, "APL-0001", "APL-00012"),
            ("^u-[a-z]{1,20}$", true, "u-al", "u-"),
            ("^\\w+\\.\\d$", true, "a_1.2", "a.b"),
            ("^[a-z0-9]+(-[a-z0-9]+)*$", false, "a-b1", "a--b"),
            ("^a*ab$", false, "aab", "b"),
            ("^a?b*a$", false, "a", "b"),
            ("^[+]?[0-9 ]{3,}$", true, "+49 1", "49+1"),
            ("a|b", false, "xb", "c"),
            ("^[A-Z]{2}$", true, "GB", "GBé"),
            ("^a+?$", false, "aa", "b"),
            ("^[a-]$", true, "-", "b"),
            ("^$", true, "", "a"),
            ("^a\\$", false, "a$", "a"),
        ] {
            let read = Pattern::of(pattern);
            let Some(read) = read else { panic!("{pattern}") };
            assert_eq!(matches!(read, Pattern::Steps(_)), is_walked, "{pattern}");
            assert!(read.is_match(good) && !read.is_match(bad), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn a_walk_finds_what_an_expression_finds(
            atoms in prop::collection::vec(("a|b|-|[ab]|[a-c]|[b-]|\\\\d|\\\\w|\\\\.", "|[?]|[*]|[+]|[{]2[}]|[{]0,2[}]|[{]1,[}]"), 0..5),
            text in "[abc.1é-]{0,8}",
        ) {
            let written: String = atoms.iter().map(|(atom, count)| format!("{atom}{}", count.replace(['[', ']'], ""))).collect();
            let written = format!("^{written}$");
            if let (Some(walked), Some(expression)) = (Pattern::of(&written), expression(&written)) {
                prop_assert_eq!(walked.is_match(&text), expression.is_match(&text), "{} {}", written, text);
            }
        }
    }
}
