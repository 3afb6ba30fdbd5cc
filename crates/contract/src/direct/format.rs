//! Formats of texts, each narrower than the engine's: what is unusual is left to that.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A format that can be told in one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Date,
    DateTime,
    Email,
    Ipv4,
    Ipv6,
    Uuid,
}

impl Format {
    /// `Some(None)` where the engine asks nothing either.
    pub(super) fn of(name: &str) -> Option<Option<Self>> {
        Some(match name {
            "date" => Some(Self::Date),
            "date-time" => Some(Self::DateTime),
            "email" => Some(Self::Email),
            "ipv4" => Some(Self::Ipv4),
            "ipv6" => Some(Self::Ipv6),
            "uuid" => Some(Self::Uuid),
            "binary" | "decimal" | "double" | "float" | "int32" | "int64" | "password" => None,
            _ => return None,
        })
    }

    pub(super) fn holds(self, text: &str) -> bool {
        let bytes = text.as_bytes();
        match self {
            Self::Date => is_date(bytes),
            Self::DateTime => is_moment(bytes),
            Self::Email => is_mailbox(bytes),
            Self::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Self::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Self::Uuid => is_uuid(bytes),
        }
    }
}

/// RFC 3339 `full-date`, but for the last days of months.
fn is_date(bytes: &[u8]) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = bytes else { return false };
    let digits = [y1, y2, y3, y4].iter().all(|digit| digit.is_ascii_digit());
    digits && within(*m1, *m2, 1, 12) && within(*d1, *d2, 1, 28) || digits && month_has(*m1, *m2, *d1, *d2)
}

/// The 29th to the 31st of months that always have them.
fn month_has(m1: u8, m2: u8, d1: u8, d2: u8) -> bool {
    match two(m1, m2) {
        Some(1 | 3 | 5 | 7 | 8 | 10 | 12) => within(d1, d2, 29, 31),
        Some(4 | 6 | 9 | 11) => within(d1, d2, 29, 30),
        _ => false,
    }
}

/// RFC 3339 `date-time`, without leap seconds.
fn is_moment(bytes: &[u8]) -> bool {
    let Some((date, rest)) = bytes.split_at_checked(10) else { return false };
    let [b'T', h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = rest else { return false };
    let is_time = within(*h1, *h2, 0, 23) && within(*m1, *m2, 0, 59) && within(*s1, *s2, 0, 59);
    let rest = match rest {
        [b'.', fraction @ ..] => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 || digits > 9 {
                return false;
            }
            fraction.get(digits..).unwrap_or_default()
        }
        rest => rest,
    };
    let is_zone = match rest {
        b"Z" => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => within(*h1, *h2, 0, 23) && within(*m1, *m2, 0, 59),
        _ => false,
    };
    is_date(date) && is_time && is_zone
}

/// Words with dots between them on both sides of the `@`, as nearly all mailboxes are.
fn is_mailbox(bytes: &[u8]) -> bool {
    let mut halves = bytes.split(|byte| *byte == b'@');
    let (Some(local), Some(domain), None) = (halves.next(), halves.next(), halves.next()) else { return false };
    let is_word = |word: &[u8]| {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+');
        !word.is_empty() && word.iter().all(plain)
    };
    let is_label = |label: &[u8]| {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric();
        !label.is_empty() && label.len() <= 63 && label.iter().all(plain)
    };
    local.len() <= 64
        && domain.len() <= 200
        && local.split(|byte| *byte == b'.').all(is_word)
        && domain.contains(&b'.')
        && domain.split(|byte| *byte == b'.').all(is_label)
        && domain.last().is_some_and(u8::is_ascii_alphabetic)
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn two(first: u8, second: u8) -> Option<u8> {
    (first.is_ascii_digit() && second.is_ascii_digit()).then(|| (first - b'0') * 10 + (second - b'0'))
}

fn within(first: u8, second: u8, least: u8, most: u8) -> bool {
    two(first, second).is_some_and(|number| (least..=most).contains(&number))
}
