//! Recognises what is known of each build: its value in its own file, and the other's in the other.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::{Captures, Regex};

use crate::cause::{Cause, Certainty};
use crate::facts::{Circumstances, Facts};
use crate::guess::Guess;
use crate::looks::COUNT_WORDS;
use crate::spot::{Side, Spot};

static NUMBER: LazyLock<Regex> = LazyLock::new(|| regex(r"[0-9]+"));
static DATE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T _]([0-9]{2}):?([0-9]{2}):?([0-9]{2})?)?"));

/// A pattern of this crate, on bytes.
pub(crate) fn regex(pattern: &str) -> Regex {
    regex::bytes::RegexBuilder::new(pattern)
        .unicode(false)
        .build()
        .expect("invariant: the catalogue's patterns compile")
}

/// A host name, user, folder, variable or moment of both builds.
pub(crate) fn value(spot: &Spot<'_>, facts: &Facts) -> Option<Guess> {
    let (a, b) = (&facts.first, &facts.second);
    let lists = [
        (Cause::HostName, "host names", &a.hosts, &b.hosts),
        (Cause::UserOrHome, "home folders", &a.homes, &b.homes),
        (Cause::BuildPath, "build folders", &a.paths, &b.paths),
        (Cause::UserOrHome, "users", &a.users, &b.users),
    ];
    let pair = |first: &[String], second: &[String]| {
        first.iter().any(|x| second.iter().any(|y| x != y && spot.first.holds(x) && spot.second.holds(y)))
    };
    if let Some((cause, what, ..)) = lists.into_iter().find(|(_, _, first, second)| pair(first, second)) {
        return Some(Guess::new(cause, Certainty::Known, format!("it holds both builds' own {what}")));
    }
    variable(spot, facts).or_else(|| moment(spot, facts))
}

fn variable(spot: &Spot<'_>, facts: &Facts) -> Option<Guess> {
    // Shorter values stand anywhere by chance.
    const VALUE_BYTES_MIN: usize = 3;
    let (a, b) = (&facts.first.env, &facts.second.env);
    let holds = |side: &Side<'_>, value: Option<&String>| {
        value.is_some_and(|value| value.len() >= VALUE_BYTES_MIN && side.holds(value))
    };
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let name = names.into_iter().find(|name| match (a.get(*name), b.get(*name)) {
        (first, second) if first == second => false,
        (first @ Some(_), second @ Some(_)) => holds(&spot.first, first) && holds(&spot.second, second),
        (first, second) => holds(&spot.first, first) || holds(&spot.second, second),
    })?;
    Some(Guess::new(Cause::Environment, Certainty::Known, format!("it holds both builds' own value of {name}")))
}

fn moment(spot: &Spot<'_>, facts: &Facts) -> Option<Guess> {
    let within = |side: &Side<'_>, build: &Circumstances| {
        let at = |pattern: &Regex, matches: &dyn Fn(&Captures<'_>) -> bool| {
            pattern.captures_iter(side.text()).any(|found| touching(side, &found) && matches(&found))
        };
        at(&NUMBER, &|found| seconds(&found[0]).is_some_and(|second| build.was_under_way(second)))
            || at(&DATE, &|found| day_of(found).is_some_and(|day| was_that_day(build, day)))
    };
    (within(&spot.first, &facts.first) && within(&spot.second, &facts.second)).then(|| {
        Guess::new(Cause::BuildTime, Certainty::Known, "it holds moments at which these builds were under way")
    })
}

/// The numbers of jobs of both builds. Small numbers are equal by chance, so they come after everything with a form.
pub(crate) fn number(spot: &Spot<'_>, facts: &Facts) -> Option<Guess> {
    let numbers = |side: &Side<'_>, known: &[u64]| -> Vec<u64> {
        let found = NUMBER.captures_iter(side.text()).filter(|found| touching(side, found));
        let parsed = found.filter_map(|found| std::str::from_utf8(&found[0]).ok()?.parse().ok());
        parsed.filter(|number| known.contains(number)).collect()
    };
    let (first, second) = (numbers(&spot.first, &facts.first.jobs), numbers(&spot.second, &facts.second.jobs));
    first.iter().any(|a| second.iter().any(|b| a != b)).then(|| {
        let named = [&spot.first, &spot.second].iter().all(|side| COUNT_WORDS.is_match(side.text()));
        let certainty = if named { Certainty::Known } else { Certainty::Likely };
        Guess::new(Cause::JobCount, certainty, "it holds both builds' own number of jobs or processors")
    })
}

/// Moments and numbers of jobs as little-endian integers.
pub(crate) fn binary(spot: &Spot<'_>, facts: &Facts) -> Option<Guess> {
    let (first, second) = (&spot.first, &spot.second);
    let shift = |back: usize| Some((first.core.start.checked_sub(back)?, second.core.start.checked_sub(back)?));
    let long = |side: &Side<'_>, at: usize| {
        side.whole.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes)
    };
    let places = (0..8).filter_map(shift).filter_map(|(a, b)| Some((long(first, a)?, long(second, b)?)));
    let scaled = |number: u64, build: &Circumstances| {
        [1, 1000, 1_000_000, 1_000_000_000].iter().any(|scale| build.was_under_way(number / scale))
    };
    if places.clone().any(|(a, b)| a != b && scaled(a, &facts.first) && scaled(b, &facts.second)) {
        let why = "it holds moments at which these builds were under way, as numbers";
        return Some(Guess::new(Cause::BuildTime, Certainty::Known, why));
    }
    let (jobs, others) = (&facts.first.jobs, &facts.second.jobs);
    let small = |number: u64| u64::from(number as u32);
    let counts = |(a, b): (u64, u64)| {
        let pairs = [(a, b), (small(a), small(b))];
        pairs.iter().any(|(a, b)| a != b && jobs.contains(a) && others.contains(b))
    };
    places.clone().any(counts).then(|| {
        let why = "it holds both builds' own number of jobs or processors, as numbers";
        Guess::new(Cause::JobCount, Certainty::Possible, why)
    })
}

fn touching(side: &Side<'_>, found: &Captures<'_>) -> bool {
    found.get(0).is_some_and(|all| side.touches(&Range { start: all.start(), end: all.end() }))
}

/// A decimal number of seconds, milliseconds, microseconds or nanoseconds since 1970, by its length.
fn seconds(digits: &[u8]) -> Option<u64> {
    let scale = match digits.len() {
        10 => 1,
        13 => 1_000,
        16 => 1_000_000,
        19 => 1_000_000_000,
        _ => return None,
    };
    Some(std::str::from_utf8(digits).ok()?.parse::<u64>().ok()? / scale)
}

/// Days since 1970 of a date, proleptic Gregorian.
fn day_of(found: &Captures<'_>) -> Option<u64> {
    let part = |group: usize| std::str::from_utf8(&found[group]).ok()?.parse::<i64>().ok();
    let (year, month, day) = (part(1)?, part(2)?, part(3)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years begin in March here, so that the leap day is the last.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    u64::try_from(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468).ok()
}

/// Time zones included.
fn was_that_day(build: &Circumstances, day: u64) -> bool {
    const ZONE_SECONDS: u64 = 14 * 3600;
    let (begin, end) = (day * 86_400, (day + 1) * 86_400);
    match (build.from, build.until) {
        (Some(from), Some(until)) => begin <= until + ZONE_SECONDS && end + ZONE_SECONDS >= from,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Option<u64> {
        day_of(&DATE.captures(text.as_bytes())?)
    }

    #[test]
    fn days_are_counted_as_everybody_counts_them() {
        for (text, days) in [("1970-01-01", 0), ("2000-02-29", 11_016), ("2000-03-01", 11_017), ("2026-11-24", 20_781)]
        {
            assert_eq!(day(text), Some(days), "{text}");
        }
        assert_eq!(day("2026-13-01"), None);
        assert_eq!(day("1969-12-31"), None);
    }

    #[test]
    fn numbers_are_moments_by_their_length() {
        assert_eq!(seconds(b"1795460931"), Some(1_795_460_931));
        assert_eq!(seconds(b"1795460931487000000"), Some(1_795_460_931));
        assert_eq!(seconds(b"179546093"), None);
    }
}
