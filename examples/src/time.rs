//! Times as people write them in tables.

use klamm_types::Timestamp;

/// Milliseconds since 1970, or `YYYY-MM-DD` with or without ` HH:MM:SS` (a `T` between and a `Z`
/// behind are fine), UTC.
#[must_use]
pub fn parse_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(millis) = text.parse() {
        return Some(Timestamp::from_millis(millis));
    }
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, "0:0:0"));
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time.trim_end_matches('Z'), ':')?;
    let valid =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 61;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    valid.then(|| Timestamp::from_millis(seconds * 1_000))
}

fn numbers<const N: usize>(text: &str, separator: char) -> Option<[i64; N]> {
    let parts: Option<Vec<i64>> = text.split(separator).map(|part| part.parse().ok()).collect();
    parts?.try_into().ok().filter(|numbers: &[i64; N]| numbers.iter().all(|n| (0..10_000).contains(n)))
}

/// Days in the Gregorian calendar, counted in years that begin in March, so that the leap day comes
/// last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days_before_month = (153 * month + 2) / 5;
    year * 365 + year / 4 - year / 100 + year / 400 + days_before_month + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_numbers_are_times() {
        for (text, want) in [
            ("0", Some(0)),
            ("1700000000123", Some(1_700_000_000_123)),
            ("1970-01-01", Some(0)),
            ("2000-02-29 00:00:01", Some(951_782_401_000)),
            ("2013-01-01T05:00:00Z", Some(1_357_016_400_000)),
            ("2013-13-01", None),
            ("2013-01-01 25:00:00", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(parse_time(text).map(Timestamp::as_millis), want, "{text}");
        }
    }
}
