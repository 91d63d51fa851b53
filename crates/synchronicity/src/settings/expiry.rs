//! The last day on which an exception holds.

use std::fmt;

use toml::value::{Date, Datetime};

const DAY_S: u64 = 86_400;

/// A day, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expiry(Date);

impl Expiry {
    /// Of a date without a time, from 1970 on.
    pub(super) fn read(written: &Datetime) -> Option<Self> {
        let date = written.date.filter(|_| written.time.is_none() && written.offset.is_none())?;
        (date.year >= 1970).then_some(Self(date))
    }

    /// Whether the day is over at this time, in seconds since 1970-01-01 UTC.
    pub(crate) fn is_over(self, now_s: u64) -> bool {
        now_s / DAY_S > self.days()
    }

    /// Days since 1970-01-01.
    fn days(self) -> u64 {
        let (year, month, day) = (u64::from(self.0.year), u64::from(self.0.month), u64::from(self.0.day));
        // Years from March on, so that the day of a leap year is the last.
        let year = if month <= 2 { year - 1 } else { year };
        let since_march = (month + 9) % 12;
        let before = year * 365 + year / 4 - year / 100 + year / 400;
        // From 0000-03-01 to 1970-01-01 there are 719468 days.
        before + (153 * since_march + 2) / 5 + day - 1 - 719_468
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Expiry {
        Expiry::read(&text.parse().unwrap()).unwrap()
    }

    #[test]
    fn days_are_counted_as_the_calendar_counts_them() {
        for (text, days) in [
            ("1970-01-01", 0),
            ("1970-03-01", 59),
            ("2000-02-29", 11_016),
            ("2000-03-01", 11_017),
            ("2100-02-28", 47_540),
            ("2100-03-01", 47_541),
            ("2027-01-31", 20_849),
        ] {
            assert_eq!(day(text).days(), days, "{text}");
        }
    }

    #[test]
    fn an_exception_holds_to_the_end_of_its_day() {
        let day = day("2027-01-31");
        assert!(!day.is_over(20_850 * DAY_S - 1));
        assert!(day.is_over(20_850 * DAY_S));
        assert_eq!(day.to_string(), "2027-01-31");
    }

    #[test]
    fn a_time_and_a_year_before_computers_are_no_day() {
        for text in ["2027-01-31T00:00:00Z", "2027-01-31T00:00:00", "10:00:00", "1969-12-31"] {
            assert_eq!(Expiry::read(&text.parse().unwrap()), None, "{text}");
        }
    }
}
