//! What the answers of a deprecated operation say about its end.

use http::HeaderValue;
use palisade_core::time::Timestamp;

/// The headers of a deprecated operation's answers.
///
/// ```
/// use palisade_contract::Notice;
/// # use palisade_contract::Contract;
/// # use palisade_core::diagnostic::Source;
/// let source = Source::new("openapi.yaml", "
/// openapi: 3.1.0
/// info: { title: Notes, version: '1' }
/// paths:
///   /notes:
///     get:
///       operationId: listNotes
///       security: []
///       deprecated: true
///       x-palisade: { sunset: '2026-12-31' }
///       responses: { 204: { description: None. } }
/// ");
/// let contract = Contract::compile(&source).unwrap().contract;
/// let operation = &contract.operations()[0];
/// let Notice { sunset, .. } = operation.notice();
/// assert_eq!(sunset.as_ref().unwrap(), "Thu, 31 Dec 2026 00:00:00 GMT");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notice {
    /// `Deprecation` (RFC 9745): since when nobody should begin to use it.
    pub deprecation: Option<HeaderValue>,
    /// `Sunset` (RFC 8594): from when on it may no longer answer.
    pub sunset: Option<HeaderValue>,
}

impl Notice {
    /// The headers for these moments.
    pub(crate) fn of(since: Option<Timestamp>, sunset: Option<Timestamp>) -> Self {
        let header = |text: String| HeaderValue::try_from(text).ok();
        Self {
            deprecation: since.and_then(|since| header(format!("@{}", since.as_secs()))),
            sunset: sunset.and_then(|sunset| header(http_date(sunset)?)),
        }
    }
}

/// Reads `2026-12-31` or `2026-12-31T23:59:59Z`, from 1970 on.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
    let number = |text: &str, digits: usize| {
        let sound = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        sound.then(|| text.parse::<u64>().ok()).flatten()
    };
    let fields = |text: &str, by: char| -> Option<[String; 3]> {
        text.split(by).map(str::to_owned).collect::<Vec<_>>().try_into().ok()
    };
    let [year, month, day] = fields(date, '-')?;
    let (year, month, day) = (number(&year, 4)?, number(&month, 2)?, number(&day, 2)?);
    let seconds = match time {
        None => 0,
        Some(time) => {
            let [hour, minute, second] = fields(time.strip_suffix('Z')?, ':')?;
            let (hour, minute, second) = (number(&hour, 2)?, number(&minute, 2)?, number(&second, 2)?);
            (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)?
        }
    };
    // Days of the years and months before, in the Gregorian calendar.
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let february = if leap(year) { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before = usize::try_from(month.checked_sub(1)?).ok()?;
    if year < 1970 || day == 0 || day > *months.get(before)? {
        return None;
    }
    let years: u64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let days = years + months.iter().take(before).sum::<u64>() + day - 1;
    Some(Timestamp::from_secs(days * 86_400 + seconds))
}

/// `Thu, 31 Dec 2026 23:59:59 GMT` (RFC 9110 section 5.6.7).
fn http_date(at: Timestamp) -> Option<String> {
    let weekday = WEEKDAYS.get(usize::try_from((at.as_secs() / 86_400) % 7).ok()?)?;
    let text = at.to_string();
    let month = MONTHS.get(text.get(5..7)?.parse::<usize>().ok()?.checked_sub(1)?)?;
    Some(format!("{weekday}, {} {month} {} {} GMT", text.get(8..10)?, text.get(..4)?, text.get(11..19)?))
}

/// The first of January 1970 was a Thursday.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_dates_as_their_standards_want_them() {
        for (text, deprecation, sunset) in [
            ("2023-06-30T23:59:59Z", "@1688169599", "Fri, 30 Jun 2023 23:59:59 GMT"),
            ("2018-11-11T23:59:59Z", "@1541980799", "Sun, 11 Nov 2018 23:59:59 GMT"),
            ("1970-01-01", "@0", "Thu, 01 Jan 1970 00:00:00 GMT"),
            ("2000-02-29", "@951782400", "Tue, 29 Feb 2000 00:00:00 GMT"),
            ("2026-12-31", "@1798675200", "Thu, 31 Dec 2026 00:00:00 GMT"),
        ] {
            let at = moment(text);
            let notice = Notice::of(at, at);
            assert_eq!(notice.deprecation.unwrap(), deprecation, "{text}");
            assert_eq!(notice.sunset.unwrap(), sunset, "{text}");
        }
    }

    #[test]
    fn a_moment_has_one_writing() {
        for text in [
            "",
            "2026",
            "2026-1-1",
            "2026-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-01-00",
            "1969-12-31",
            "+026-01-01",
            "2026-01-01T",
            "2026-01-01T00:00:00",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00+01:00",
            "2026-01-01 ",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
