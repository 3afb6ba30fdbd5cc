//! Durations, sizes and moments: texts with exactly one reading.

use std::time::Duration;

use palisade_core::time::Timestamp;

/// What is wrong with one value, without its place.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) help: String,
}

impl Fault {
    pub(crate) fn new(code: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: help.into() }
    }
}

/// `500ms`, `2s`, `10m`, `1h`, `1d`; never zero, at most a year.
pub(crate) fn duration(text: &str) -> Result<Duration, Fault> {
    let (number, unit) = split_unit(text);
    let millis = match unit {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let span = millis.and_then(|unit| number?.checked_mul(unit)).map(Duration::from_millis);
    span.filter(|span| !span.is_zero() && *span <= YEAR).ok_or_else(|| {
        let help = "write a whole number and a unit, such as `500ms`, `2s`, `10m`, `1h` or `1d`; at most `365d`";
        Fault::new("bad-duration", format!("`{text}` is not a duration"), help)
    })
}

/// `512B`, `8KiB`, `1MiB`, `1GiB`; never zero, at most what a 32-bit number holds.
pub(crate) fn size(text: &str) -> Result<u32, Fault> {
    let (number, unit) = split_unit(text);
    let bytes: Option<u64> = match unit {
        "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    let size = bytes.and_then(|unit| number?.checked_mul(unit)).and_then(|size| u32::try_from(size).ok());
    size.filter(|&size| size > 0).ok_or_else(|| {
        let help = "write a whole number and a unit, such as `512B`, `8KiB` or `1MiB`; at most `3GiB`";
        Fault::new("bad-size", format!("`{text}` is not a size"), help)
    })
}

/// A moment of RFC 3339, from 1970 on, such as `2027-01-01T00:00:00Z` or `2027-01-01T01:00:00+01:00`.
pub(crate) fn timestamp(text: &str) -> Result<Timestamp, Fault> {
    moment(text).ok_or_else(|| {
        let help = "write date, time and zone, such as `2027-01-01T00:00:00Z`";
        Fault::new("bad-timestamp", format!("`{text}` is not a moment"), help)
    })
}

fn split_unit(text: &str) -> (Option<u64>, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    (digits.parse().ok(), unit)
}

fn moment(text: &str) -> Option<Timestamp> {
    let text = text.is_ascii().then_some(text)?;
    let (date, time) = text.split_once('T')?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let zone_at = time.find(['Z', '+', '-'])?;
    let (clock, zone) = time.split_at(zone_at);
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year < 1970 || !(1..=month_days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let offset = match zone.split_at_checked(1)? {
        ("Z", "") => 0,
        (sign, rest) => {
            let [hours, minutes] = numbers(rest, ':', [2, 2])?;
            let offset = (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)?;
            if sign == "+" { offset } else { -offset }
        }
    };
    // Days from March on, so that the leap day is the last of its year; see `palisade_core::time`.
    let shifted_year = if month > 2 { year } else { year - 1 };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = shifted_year * 365 + shifted_year / 4 - shifted_year / 100 + shifted_year / 400 + day_of_year - 719_468;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset;
    u64::try_from(seconds).ok().map(Timestamp::from_secs)
}

/// Numbers of exactly the given widths between separators.
fn numbers<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut found = [0; N];
    for (number, width) in found.iter_mut().zip(widths) {
        let part = parts.next().filter(|part| part.len() == width && part.bytes().all(|b| b.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
}

const YEAR: Duration = Duration::from_secs(365 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations_with_a_unit() {
        for (text, millis) in [("500ms", 500), ("2s", 2000), ("10m", 600_000), ("1h", 3_600_000), ("1d", 86_400_000)] {
            assert_eq!(duration(text).unwrap(), Duration::from_millis(millis), "{text}");
        }
        for text in ["", "5", "s", "0s", "1.5s", "-1s", " 1s", "1 s", "1S", "99999999999999999999s", "400d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reads_sizes_with_a_unit() {
        for (text, bytes) in [("512B", 512), ("8KiB", 8192), ("1MiB", 1 << 20), ("3GiB", 3 << 30)] {
            assert_eq!(size(text).unwrap(), bytes, "{text}");
        }
        for text in ["", "1", "1MB", "0KiB", "1mib", "4GiB", "-1B"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reads_moments_and_prints_them_back() {
        for (text, expect) in [
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
            ("2000-02-29T12:34:56Z", "2000-02-29T12:34:56.000Z"),
            ("2027-01-01T01:30:00+01:30", "2027-01-01T00:00:00.000Z"),
            ("2026-12-31T23:00:00-01:00", "2027-01-01T00:00:00.000Z"),
            ("2100-03-01T00:00:00Z", "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(timestamp(text).unwrap().to_string(), expect, "{text}");
        }
        for text in [
            "2027-01-01",
            "2027-01-01T00:00:00",
            "2027-02-29T00:00:00Z",
            "2027-13-01T00:00:00Z",
            "2027-1-1T00:00:00Z",
            "2027-01-01T24:00:00Z",
            "1969-12-31T23:59:59Z",
            "2027-01-01T00:00:00Zx",
            "2027-01-01T00:00:00+25:00",
        ] {
            assert!(timestamp(text).is_err(), "{text}");
        }
    }
}
