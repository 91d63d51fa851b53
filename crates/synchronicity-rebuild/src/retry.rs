//! One more try of a build that failed in a way that chance can bring about, before anybody is told.
//!
//! A busy machine makes a build slow, two compilers at once may need memory that one after the other would not, and a compiler that
//! crashes may not crash again. Such a failure is tried once more, and what comes of the second try counts, whatever it
//! is. That there were two is told to the one who asked and written into the transcript, and is no part of the
//! result: results are tallied by their bytes, and a builder who was lucky at once would disagree with one who was not.
//! Trouble of the machine itself is no result at all, and is left to the one who asked.

use std::time::Duration;

use synchronicity_verify::result::{BuildResult, Failure};

use crate::make::Halt;

/// What came of one try or two.
pub(crate) struct Tried {
    pub(crate) result: Result<BuildResult, Halt>,
    /// What the first try came to, where there were two: the failure's name, and why.
    pub(crate) first: Option<String>,
}

/// Whether a failure may be missing the next time though nothing was changed. Disk, transcript and what the compiler
/// says of the source do not depend on the moment.
pub(crate) fn may_be_chance(failure: Failure) -> bool {
    matches!(failure, Failure::Time | Failure::Memory | Failure::Processes)
}

/// What the one who asked needs after a build, at least: the sandbox is torn down, the products are hashed and kept, the
/// result is sealed and its commitment ordered. What takes long to build may be large, so a longer limit leaves more.
const MARGIN: Duration = Duration::from_secs(60);
const MARGIN_SHARE: u32 = 10;

/// Whether a second try can take its whole time limit and still be of use: the one who asked waits until `patience` is over,
/// of which `spent` has passed; without it, as long as it takes.
pub(crate) fn has_time(patience: Option<Duration>, spent: Duration, limit: Duration) -> bool {
    let margin = MARGIN.max(limit / MARGIN_SHARE);
    patience.is_none_or(|patience| spent.saturating_add(limit).saturating_add(margin) <= patience)
}

/// Makes an `attempt`, and a second one after a failure that may be chance if `has_time` says so then. `tell` is told
/// what the first came to before the second begins.
pub(crate) fn at_most_twice(
    mut attempt: impl FnMut() -> Result<BuildResult, Halt>,
    has_time: impl FnOnce() -> bool,
    tell: impl FnOnce(&str),
) -> Tried {
    match attempt() {
        Err(Halt::Chance(failure, reason)) if has_time() => {
            let first = format!("{failure}: {reason}");
            tell(&first);
            Tried { result: attempt(), first: Some(first) }
        }
        result => Tried { result, first: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    fn chance() -> Result<BuildResult, Halt> {
        Err(Halt::Chance(Failure::Memory, "it was full".into()))
    }

    fn other() -> Result<BuildResult, Halt> {
        Ok(BuildResult::Failed(Failure::Compile))
    }

    /// What came of these attempts, how many were made, and what was told between them.
    fn tried(attempts: &[fn() -> Result<BuildResult, Halt>], has_time: bool) -> (Tried, usize, String) {
        let (mut made, mut told) = (0, String::new());
        let attempt = || {
            made += 1;
            attempts[made - 1]()
        };
        let tried = at_most_twice(attempt, || has_time, |first| told.push_str(first));
        (tried, made, told)
    }

    #[test]
    fn a_failure_that_may_be_chance_is_tried_once_more_and_the_second_result_counts() {
        let (done, made, told) = tried(&[chance, other], true);
        assert!(matches!(done.result, Ok(BuildResult::Failed(Failure::Compile))));
        assert_eq!((made, done.first.as_deref()), (2, Some("out-of-memory: it was full")));
        assert_eq!(told, "out-of-memory: it was full");
        let (done, made, _) = tried(&[chance, chance], true);
        assert!(matches!(done.result, Err(Halt::Chance(Failure::Memory, _))));
        assert_eq!(made, 2, "never three times");
    }

    #[test]
    fn any_other_end_stands_at_once() {
        let failed = || Err(Halt::Failed(Failure::Network, String::new()));
        let broken = || Err(Halt::Broken(String::new()));
        for attempt in [failed, broken, other] {
            let (done, made, _) = tried(&[attempt], true);
            assert_eq!((made, done.first), (1, None));
        }
        assert_eq!(Failure::ALL.into_iter().filter(|failure| may_be_chance(*failure)).count(), 3);
    }

    #[test]
    fn a_second_try_that_nobody_would_wait_for_is_not_begun() {
        assert_eq!(tried(&[chance], false).1, 1);
        let seconds = Duration::from_secs;
        assert!(has_time(None, seconds(1000), LIMIT));
        assert!(has_time(Some(seconds(160)), seconds(40), LIMIT));
        assert!(!has_time(Some(seconds(160)), seconds(41), LIMIT));
        // Of a long limit, a tenth on top.
        assert!(has_time(Some(seconds(12_000)), seconds(1000), seconds(10_000)));
        assert!(!has_time(Some(seconds(12_000)), seconds(1001), seconds(10_000)));
        assert!(!has_time(Some(seconds(100)), Duration::MAX, LIMIT));
    }
}
