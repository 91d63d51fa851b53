//! Moments, durations and sizes: numbers in JSON, words on pages.

use std::fmt;

use chrono::DateTime;
use serde::Serialize;
use utoipa::ToSchema;

/// Milliseconds since 1970-01-01 UTC, as the group ordered them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(transparent)]
pub struct Moment(pub u64);

impl Moment {
    /// `2026-11-30T04:02:09Z`, for machines.
    pub fn iso(self) -> String {
        self.formatted("%Y-%m-%dT%H:%M:%SZ")
    }

    /// `2026-11`.
    pub fn month(self) -> String {
        self.formatted("%Y-%m")
    }

    /// How much later than `earlier` this is.
    pub fn since(self, earlier: Moment) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }

    fn formatted(self, format: &str) -> String {
        let time = i64::try_from(self.0).ok().and_then(DateTime::from_timestamp_millis);
        time.map_or_else(|| format!("{} ms", self.0), |time| time.format(format).to_string())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.formatted("%Y-%m-%d %H:%M:%S UTC"))
    }
}

/// A duration in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1000;
        match seconds {
            0 => write!(f, "{} ms", self.0),
            1..60 => write!(f, "{}.{} s", seconds, self.0 % 1000 / 100),
            60..3600 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            3600..172_800 => write!(f, "{} h {} min", seconds / 3600, seconds / 60 % 60),
            _ => write!(f, "{} days", seconds / 86_400),
        }
    }
}

/// A size in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    /// In groups of three digits, as in `1 291 256 bytes`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_str("\u{a0}")?;
            }
            write!(f, "{digit}")?;
        }
        f.write_str(if self.0 == 1 { " byte" } else { " bytes" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_durations_and_sizes_read_as_people_write_them() {
        let moment = Moment(1_796_011_329_500);
        assert_eq!(
            (moment.to_string(), moment.iso()),
            ("2026-11-30 04:02:09 UTC".into(), "2026-11-30T04:02:09Z".into())
        );
        assert_eq!(moment.month(), "2026-11");
        assert_eq!(Moment(u64::MAX).to_string(), format!("{} ms", u64::MAX));
        let told = [7, 1_250, 61_000, 7_260_000, 259_200_000].map(|ms| Millis(ms).to_string());
        assert_eq!(told, ["7 ms", "1.2 s", "1 min 1 s", "2 h 1 min", "3 days"]);
        let told = [0, 1, 999, 1_291_256].map(|bytes| Bytes(bytes).to_string());
        assert_eq!(told, ["0 bytes", "1 byte", "999 bytes", "1\u{a0}291\u{a0}256 bytes"]);
        assert_eq!(Moment(5).since(Moment(9)), Millis(0));
    }
}
