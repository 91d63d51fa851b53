//! How old evidence may be: `--max-age`, and the clock that it is held against.
//!
//! A log that stands still proves nothing new, and a server that shows an old state of a log proves nothing false.
//! So its builders cosign it again and again, and whoever needs to know that nothing was held back asks how long ago
//! a quorum last vouched for what was shown.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use miette::Diagnostic;

use crate::exit::{self, Stop};

/// How far a signature may be ahead of this machine's clock before the clock is doubted, in seconds.
const AHEAD_MAX_S: u64 = 300;

/// A length of time as a person writes it: a whole number and one of `s`, `m`, `h`, `d`, `w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age {
    /// In seconds.
    pub seconds: u64,
}

/// No length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a whole number above 0 and a unit (s, m, h, d or w), as in 90m, 36h or 7d")]
pub struct NoAge;

/// Why evidence that holds is not fresh enough.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum Stale {
    #[error("too old: a quorum last vouched for it {found} ago, and it may be {most} old at most")]
    #[diagnostic(help(
        "the evidence holds; fetch it again, from another node if it stays old: builders sign the log anew all the time"
    ))]
    TooOld { found: Age, most: Age },
    #[error("nobody says how old it is: the policy asks for no cosignatures")]
    #[diagnostic(help("a policy with a quorum of witnesses does; or leave --max-age out"))]
    NoTime,
    #[error("a quorum vouched for it at a time that is {0} in the future by this machine's clock")]
    #[diagnostic(help("set this machine's clock; if it is right, do not rely on the members who signed"))]
    ClockBehind(Age),
}

impl Age {
    /// Refuses what a quorum vouched for at `vouched_s` (seconds since 1970), if that is longer ago than this.
    pub(crate) fn check(self, vouched_s: Option<u64>) -> Result<(), Stop> {
        self.check_at(vouched_s, now_s())
    }

    fn check_at(self, vouched_s: Option<u64>, now_s: u64) -> Result<(), Stop> {
        let later = |stale| Stop::new(exit::TRY_LATER, stale);
        let vouched_s = vouched_s.ok_or_else(|| later(Stale::NoTime))?;
        let ahead = vouched_s.saturating_sub(now_s);
        if ahead > AHEAD_MAX_S {
            return Err(later(Stale::ClockBehind(Self { seconds: ahead })));
        }
        let found = Self { seconds: now_s.saturating_sub(vouched_s) };
        if found > self { Err(later(Stale::TooOld { found, most: self })) } else { Ok(()) }
    }
}

/// How long ago a quorum vouched for something, in words.
pub(crate) fn how_fresh(vouched_s: Option<u64>) -> String {
    let Some(vouched_s) = vouched_s else { return "nobody says: the policy asks for no cosignatures".into() };
    let now_s = now_s();
    if vouched_s > now_s {
        let ahead = Age { seconds: vouched_s - now_s };
        return format!("vouched for by a quorum {ahead} in the future, by this machine's clock");
    }
    format!("vouched for by a quorum {} ago", Age { seconds: now_s - vouched_s })
}

/// The same in a few words.
pub(crate) fn ago(vouched_s: Option<u64>) -> String {
    match (vouched_s, now_s()) {
        (None, _) => "age unknown".into(),
        (Some(vouched_s), now_s) if vouched_s > now_s => "signed in the future".into(),
        (Some(vouched_s), now_s) => format!("{} ago", Age { seconds: now_s - vouched_s }),
    }
}

/// Seconds since 1970-01-01 UTC, by this machine's clock.
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl FromStr for Age {
    type Err = NoAge;

    fn from_str(text: &str) -> Result<Self, NoAge> {
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or(NoAge)?;
        let unit = UNITS.iter().find(|(name, _)| *name == unit).ok_or(NoAge)?.1;
        // One spelling: the parser of numbers also takes signs and leading zeros.
        let count: u64 =
            number.parse().ok().filter(|count: &u64| *count > 0 && count.to_string() == number).ok_or(NoAge)?;
        Ok(Self { seconds: count.checked_mul(unit).ok_or(NoAge)? })
    }
}

/// In the largest unit that leaves at least two of it, rounded down.
impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, unit) = UNITS.iter().find(|(_, unit)| self.seconds / unit >= 2).unwrap_or(&("s", 1));
        write!(f, "{} {}", self.seconds / unit, name)
    }
}

const UNITS: [(&str, u64); 5] = [("w", 7 * 86_400), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_and_one_unit_make_an_age_and_nothing_else_does() {
        for (text, seconds) in [("1s", 1), ("90m", 5400), ("36h", 129_600), ("7d", 604_800), ("2w", 1_209_600)] {
            assert_eq!(text.parse(), Ok(Age { seconds }));
        }
        for bad in [
            "",
            "h",
            "1",
            "0h",
            "01h",
            "+1h",
            "-1h",
            "1.5h",
            "1 h",
            "1h ",
            "1H",
            "1h30m",
            "1y",
            "1ä",
            "ä",
            "99999999999999999w",
        ] {
            assert_eq!(bad.parse::<Age>(), Err(NoAge), "{bad:?}");
        }
    }

    #[test]
    fn evidence_is_fresh_up_to_the_second_and_then_to_be_fetched_again() {
        let hour = Age { seconds: 3600 };
        let check =
            |vouched_s, now_s| hour.check_at(vouched_s, now_s).map_err(|stop| (stop.code, stop.report.to_string()));
        assert_eq!(check(Some(10_000), 13_600), Ok(()));
        let (code, words) = check(Some(10_000), 13_601).unwrap_err();
        assert_eq!((code, &words[..8]), (75, "too old:"));
        assert!(check(None, 0).unwrap_err().1.contains("asks for no cosignatures"));
    }

    #[test]
    fn a_clock_that_is_behind_is_told_and_a_little_is_forgiven() {
        let hour = Age { seconds: 3600 };
        assert!(hour.check_at(Some(10_300), 10_000).is_ok());
        let stop = hour.check_at(Some(10_301), 10_000).unwrap_err();
        assert!(stop.report.to_string().contains("in the future by this machine's clock"), "{}", stop.report);
    }

    #[test]
    fn an_age_is_told_in_the_unit_that_a_person_would_take() {
        for (seconds, text) in [(0, "0 s"), (119, "119 s"), (120, "2 m"), (86_400, "24 h"), (700_000, "8 d")] {
            assert_eq!(Age { seconds }.to_string(), text);
        }
    }
}
