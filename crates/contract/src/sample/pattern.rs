//! A text that meets a pattern, for the patterns people write: classes, groups, alternatives, counted repetition.

use regex::Regex;

/// A text of at least `least` and at most `most` characters. `None` when the pattern has more than is understood here;
/// the result is always checked against the pattern itself.
pub(crate) fn meet(pattern: &str, least: usize, most: usize) -> Option<String> {
    let regex = Regex::new(pattern).ok()?;
    let mut parser = Parser { rest: pattern.chars().collect::<Vec<_>>().into_iter().peekable() };
    let tree = parser.alternatives(0)?;
    if parser.rest.peek().is_some() {
        return None;
    }
    // Repetitions grow together until the text is long enough.
    (0..=least.min(MAX_GROWTH)).find_map(|growth| {
        let mut text = String::new();
        tree.write(growth, &mut text);
        let length = text.chars().count();
        (length >= least && length <= most && regex.is_match(&text)).then_some(text)
    })
}

enum Piece {
    Letter(char),
    Nothing,
    Repeat(Box<Self>, usize, usize),
    Sequence(Vec<Self>),
}

impl Piece {
    fn write(&self, growth: usize, text: &mut String) {
        match self {
            Self::Letter(letter) => text.push(*letter),
            Self::Nothing => {}
            Self::Repeat(piece, least, most) => {
                for _ in 0..least.saturating_add(growth).min(*most) {
                    if text.len() < MAX_TEXT {
                        piece.write(growth, text);
                    }
                }
            }
            Self::Sequence(pieces) => pieces.iter().for_each(|piece| piece.write(growth, text)),
        }
    }
}

struct Parser {
    rest: std::iter::Peekable<std::vec::IntoIter<char>>,
}

impl Parser {
    /// The first of several alternatives; the others are only read.
    fn alternatives(&mut self, depth: usize) -> Option<Piece> {
        if depth > MAX_DEPTH {
            return None;
        }
        let first = self.sequence(depth)?;
        while self.rest.next_if_eq(&'|').is_some() {
            self.sequence(depth)?;
        }
        Some(first)
    }

    fn sequence(&mut self, depth: usize) -> Option<Piece> {
        let mut pieces = Vec::new();
        while let Some(letter) = self.rest.next_if(|letter| !matches!(letter, '|' | ')')) {
            let piece = match letter {
                '^' | '$' => Piece::Nothing,
                '.' => Piece::Letter('a'),
                '[' => Piece::Letter(self.class()?),
                '(' => self.group(depth)?,
                '\\' => self.escape()?,
                '*' | '+' | '?' => return None,
                letter => Piece::Letter(letter),
            };
            pieces.push(self.repeated(piece)?);
        }
        Some(Piece::Sequence(pieces))
    }

    fn group(&mut self, depth: usize) -> Option<Piece> {
        if self.rest.next_if_eq(&'?').is_some() {
            match self.rest.next()? {
                ':' => {}
                'P' | '<' => while self.rest.next()? != '>' {},
                _ => return None,
            }
        }
        let piece = self.alternatives(depth + 1)?;
        self.rest.next_if_eq(&')').map(|_| piece)
    }

    fn repeated(&mut self, piece: Piece) -> Option<Piece> {
        let (least, most) = match self.rest.peek() {
            Some('*') => (0, usize::MAX),
            Some('+') => (1, usize::MAX),
            Some('?') => (0, 1),
            Some('{') => {
                self.rest.next();
                let counts: String = std::iter::from_fn(|| self.rest.next_if(|letter| *letter != '}')).collect();
                let (least, most) = counts.split_once(',').map_or((counts.as_str(), None), |(l, m)| (l, Some(m)));
                let least = least.parse().ok()?;
                (least, most.map_or(Some(least), |m| if m.is_empty() { Some(usize::MAX) } else { m.parse().ok() })?)
            }
            _ => return Some(piece),
        };
        self.rest.next();
        self.rest.next_if_eq(&'?');
        // A character that repeats as often as it likes should be there once.
        let least = if matches!(piece, Piece::Letter(_)) && least == 0 && most > 1 { 1 } else { least };
        Some(Piece::Repeat(Box::new(piece), least, most))
    }

    fn escape(&mut self) -> Option<Piece> {
        match self.rest.next()? {
            'b' | 'B' | 'A' | 'z' => Some(Piece::Nothing),
            letter => self.escaped(letter).map(Piece::Letter),
        }
    }

    /// A letter of the class that an escape names.
    fn escaped(&mut self, letter: char) -> Option<char> {
        Some(match letter {
            'd' => '1',
            'w' | 'D' | 'S' => 'a',
            's' | 'W' => ' ',
            't' => '\t',
            'n' => '\n',
            'p' => {
                let name = match self.rest.next()? {
                    '{' => std::iter::from_fn(|| self.rest.next_if(|letter| *letter != '}')).collect::<String>(),
                    letter => letter.to_string(),
                };
                if name.len() > 1 {
                    self.rest.next_if_eq(&'}')?;
                }
                match name.as_str() {
                    "N" | "Nd" => '1',
                    "Lu" => 'A',
                    "L" | "Ll" | "Letter" => 'a',
                    _ => return None,
                }
            }
            letter if letter.is_alphanumeric() => return None,
            letter => letter,
        })
    }

    /// One letter of a class; `None` for a negated one that holds every candidate.
    fn class(&mut self) -> Option<char> {
        let negated = self.rest.next_if_eq(&'^').is_some();
        let mut ranges: Vec<(char, char)> = Vec::new();
        let mut first = true;
        loop {
            let letter = self.rest.next()?;
            if letter == ']' && !first {
                break;
            }
            first = false;
            let low = if letter == '\\' {
                let escape = self.rest.next()?;
                self.escaped(escape)?
            } else {
                letter
            };
            let mut high = low;
            if self.rest.next_if_eq(&'-').is_some() {
                match self.rest.peek()? {
                    ']' => ranges.push(('-', '-')),
                    _ => high = self.rest.next()?,
                }
            }
            ranges.push((low, high));
        }
        let within = |letter: char| ranges.iter().any(|(low, high)| (*low..=*high).contains(&letter));
        if negated {
            ['a', '1', 'A', '-', 'é'].into_iter().find(|letter| !within(*letter))
        } else {
            let likely = ['a', 'A', '1'].into_iter().find(|letter| within(*letter));
            likely.or_else(|| ranges.iter().map(|(low, _)| *low).find(|low| *low != '-')).or(Some('-'))
        }
    }
}

const MAX_DEPTH: usize = 16;
const MAX_GROWTH: usize = 256;
const MAX_TEXT: usize = 4096;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn meets_common_patterns() {
        for pattern in [
            "^o-[0-9]{1,10}$",
            "^u-[a-z0-9]{1,30}$",
            r"^[\p{L}\p{N} -]{1,40}$",
            "^[A-Za-z0-9_-]{43}$",
            r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$",
            r"^\d{3}-\d{4}$",
            "^(foo|bar)+$",
            "^(?:a|b)?c$",
            "^[^/]+$",
            r"^\+?[1-9]\d{1,14}$",
            "^[A-Z]{2}$",
            r"^[\w.-]+@[\w.-]+\.[a-z]{2,}$",
            "",
            "abc",
        ] {
            let text = meet(pattern, 0, 200);
            assert!(
                text.as_deref().is_some_and(|text| Regex::new(pattern).unwrap().is_match(text)),
                "{pattern} {text:?}"
            );
        }
        assert_eq!(meet("^[a-z]+$", 5, 5).as_deref(), Some("aaaaa"));
        assert_eq!(meet("^[a-z]{3}$", 5, 5), None);
    }

    proptest! {
        #[test]
        fn never_panics(pattern in r"[\[\](){}|*+?^$.\\a-c0-9,:<>P-]{0,24}") {
            let _ = meet(&pattern, 3, 20);
        }
    }
}
