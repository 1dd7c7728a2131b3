//! Moments as Kubernetes writes them.

use std::cmp::Ordering;

/// A moment of RFC 3339, which orders by time, not by text: `2024-01-01T01:00:00+01:00` is `2024-01-01T00:00:00Z`.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Since 1970, in UTC.
    seconds: i64,
    /// Digits after the second, without zeros at the end.
    fraction: String,
}

impl Moment {
    /// Reads a moment; `None` when the text is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (year, rest) = number(text, 4)?;
        let (month, rest) = number(rest.strip_prefix('-')?, 2)?;
        let (day, rest) = number(rest.strip_prefix('-')?, 2)?;
        let (hour, rest) = number(rest.strip_prefix(['T', 't', ' '])?, 2)?;
        let (minute, rest) = number(rest.strip_prefix(':')?, 2)?;
        let (second, rest) = number(rest.strip_prefix(':')?, 2)?;
        let (fraction, rest) = match rest.strip_prefix('.') {
            Some(rest) => {
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                rest.split_at_checked(digits).filter(|(digits, _)| !digits.is_empty())?
            }
            None => ("", rest),
        };
        let offset = match rest {
            "Z" | "z" => 0,
            _ => {
                let sign = if rest.starts_with('-') { -1 } else { 1 };
                let (hours, rest) = number(rest.strip_prefix(['+', '-'])?, 2)?;
                let (minutes, rest) = number(rest.strip_prefix(':')?, 2)?;
                if !rest.is_empty() || hours > 23 || minutes > 59 {
                    return None;
                }
                sign * (hours * 3600 + minutes * 60)
            }
        };
        // A leap second is written 60.
        let fits =
            (1..=days_of_month(year, month)).contains(&day) && hour < 24 && minute < 60 && second <= 60;
        let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
        fits.then(|| Self { seconds, fraction: fraction.trim_end_matches('0').to_owned() })
    }
}

impl PartialEq for Moment {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Moment {}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Moment {
    fn cmp(&self, other: &Self) -> Ordering {
        // Digits after the point order as text.
        (self.seconds, &self.fraction).cmp(&(other.seconds, &other.fraction))
    }
}

/// A number of so many digits, and what follows.
fn number(text: &str, digits: usize) -> Option<(i64, &str)> {
    let (number, rest) = text.split_at_checked(digits)?;
    number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse().ok().map(|n| (n, rest)))?
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 0,
    }
}

/// Days from 1970 to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that the leap day is the last one.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<i64> {
        Moment::parse(text).map(|m| m.seconds)
    }

    #[test]
    fn dates_are_days_since_1970() {
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("1969-12-31T23:59:59Z"), Some(-1));
        assert_eq!(seconds("2000-02-29T12:00:00Z"), Some(951_825_600));
        assert_eq!(seconds("2024-03-01T00:00:00Z"), Some(1_709_251_200));
        assert_eq!(seconds("0000-03-01T00:00:00Z"), Some(-62_162_035_200));
        assert_eq!(seconds("2016-12-31T23:59:60Z"), seconds("2017-01-01T00:00:00Z"));
    }

    #[test]
    fn s18_moments_order_by_time() {
        let at = |text: &str| Moment::parse(text).unwrap();
        assert_eq!(at("2024-01-01T01:00:00+01:00"), at("2024-01-01T00:00:00Z"));
        assert_eq!(at("2023-12-31t19:30:00.50-04:30"), at("2024-01-01T00:00:00.5z"));
        let ordered = [
            "2024-01-01T00:00:00+00:01",
            "2024-01-01T00:00:00Z",
            "2024-01-01T00:00:00.000000000001Z",
            "2024-01-01T00:00:00.09Z",
            "2024-01-01T00:00:00.1Z",
            "2024-01-01T00:00:01Z",
            "2023-12-31T23:00:02-01:00",
        ];
        assert!(ordered.windows(2).all(|two| at(two[0]) < at(two[1])));
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "yesterday",
            "2024-01-01",
            "2024-01-01T00:00:00",
            "2024-13-01T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2024-01-00T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:60:00Z",
            "2024-01-01T00:00:61Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00Zulu",
            "2024-01-01T00:00:00+1:00",
            "2024-01-01T00:00:00+24:00",
            "+024-01-01T00:00:00Z",
            "2024-01-0\u{661}T00:00:00Z",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }
}
