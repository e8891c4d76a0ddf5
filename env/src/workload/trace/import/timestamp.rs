//! `YYYY-MM-DD HH:MM:SS` with up to nine digits of a second, as the sources write instants.

/// What [`nanoseconds`] accepts, for messages.
pub(super) const EXPECTED: &str =
    "an instant like 2023-11-16 18:15:46.6805900 (years 1970 to 2200, at most 9 digits after the point)";

const NS_PER_S: u64 = 1_000_000_000;

/// Nanoseconds since 1970-01-01 00:00:00 of the source's own clock; no time zone is applied.
pub(super) fn nanoseconds(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let separators = [(4, b'-'), (7, b'-'), (10, b' '), (13, b':'), (16, b':')];
    if bytes.len() < 19 || separators.iter().any(|(place, separator)| bytes[*place] != *separator) {
        return None;
    }
    let [year, month, day, hour, minute, second] =
        [(0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19)].map(|(from, to)| digits(&bytes[from..to]));
    let (year, month, day) = (year?, month?, day?);
    let (hour, minute, second) = (hour?, minute?, second?);
    let fraction = match &bytes[19..] {
        [] => 0,
        [b'.', rest @ ..] if (1..=9).contains(&rest.len()) => {
            digits(rest)? * 10_u64.pow(9 - rest.len() as u32)
        }
        _ => return None,
    };
    if !(1970..=2200).contains(&year) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_since_1970(year, month, day)?;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * NS_PER_S + fraction)
}

fn digits(bytes: &[u8]) -> Option<u64> {
    bytes.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0')))
}

fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap_days_before = |year: u64| (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let month_days = [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let month = usize::try_from(month).ok()?.checked_sub(1)?;
    if day == 0 || day > *month_days.get(month)? {
        return None;
    }
    let before: u64 = month_days[..month].iter().sum();
    Some((year - 1970) * 365 + leap_days_before(year) - leap_days_before(1970) + before + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_counted_from_1970() {
        let cases = [
            ("1970-01-01 00:00:00", 0),
            ("1970-01-02 00:00:01.5", 86_401_500_000_000),
            ("2000-03-01 00:00:00", 951_868_800 * NS_PER_S),
            ("2023-11-16 18:15:46.6805900", 1_700_158_546_680_590_000),
            ("2024-12-08 17:33:57", 1_733_679_237 * NS_PER_S),
        ];
        for (text, expected) in cases {
            assert_eq!(nanoseconds(text), Some(expected), "{text}");
        }
        let leap = nanoseconds("2024-03-01 00:00:00").unwrap() - nanoseconds("2024-02-28 00:00:00").unwrap();
        assert_eq!(leap, 2 * 86_400 * NS_PER_S);
    }

    #[test]
    fn what_is_not_an_instant_is_refused() {
        let bad = [
            "",
            "2023-11-16",
            "2023-11-16T18:15:46",
            "2023-02-29 00:00:00",
            "2023-13-01 00:00:00",
            "2023-00-01 00:00:00",
            "2023-01-00 00:00:00",
            "2023-01-01 24:00:00",
            "2023-01-01 00:60:00",
            "2023-01-01 00:00:60",
            "1969-12-31 23:59:59",
            "2023-01-01 00:00:00.",
            "2023-01-01 00:00:00.1234567890",
            "2023-01-01 00:00:00Z",
            "+023-01-01 00:00:00",
            "2023-01-01 00:00:0é",
        ];
        for text in bad {
            assert_eq!(nanoseconds(text), None, "{text}");
        }
    }
}
