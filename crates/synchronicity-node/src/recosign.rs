//! When an unchanged log is signed again, and when the newer times are worth another write.
//!
//! The time in a cosignature is all that tells a client that the group is alive and that nobody keeps a newer
//! checkpoint from it. Time is cut into periods, counted from 1970 so that the members of a group need not agree on
//! a beginning: a member signs once in each period, and the files are written again when a quorum has, and once more
//! when all have. However often members sign, that is two writes for each period.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use synchronicity_verify::note::NoteSignature;

/// How long a period is, unless the operator says otherwise, in seconds.
pub const RECOSIGN_SECONDS: u64 = 3600;

/// When to sign again, and which times of others to believe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Length of a period in seconds; 0 for a node that signs each state of the log once.
    pub period_s: u64,
    /// How far another member's clock may be ahead of this one's, in milliseconds.
    pub skew_ms_max: u64,
}

impl Schedule {
    /// Whether a statement that was signed at `signed_s` is to be signed again. A clock that was set back makes this
    /// false, because the time of a statement never runs backwards.
    pub fn is_due(&self, signed_s: u64, now_s: u64) -> bool {
        self.period(now_s) > self.period(signed_s)
    }

    /// The latest time, in seconds, that a line of another member may state at this moment.
    pub fn latest_s(&self, now: Duration) -> u64 {
        now.saturating_add(Duration::from_millis(self.skew_ms_max)).as_secs()
    }

    /// Whether `offered`, the times of a statement's lines, are worth another write over those that are `published`:
    /// a quorum of them is of a later period, or all are.
    pub fn is_fresher(&self, offered: &[u64], published: &[u64], quorum: usize) -> bool {
        let later = |count: usize| self.reached(offered, count) > self.reached(published, count);
        later(quorum) || (offered.len() == published.len() && later(offered.len()))
    }

    /// Whether a quorum of these times is at least of the period in which `own_s` is.
    pub fn is_joined(&self, times: &[u64], own_s: u64, quorum: usize) -> bool {
        self.reached(times, quorum) >= Some(self.period(own_s))
    }

    /// The latest period that `count` of these times have reached.
    fn reached(&self, times: &[u64], count: usize) -> Option<u64> {
        let mut times = times.to_vec();
        times.sort_unstable_by(|a, b| b.cmp(a));
        times.get(count.checked_sub(1)?).map(|time_s| self.period(*time_s))
    }

    fn period(&self, time_s: u64) -> u64 {
        time_s.checked_div(self.period_s).unwrap_or(0)
    }
}

/// The time since 1970 by this machine's clock; none at all before.
pub fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The time in a cosignature that was verified; 0 for a line that is no cosignature.
pub fn time_s(line: &NoteSignature) -> u64 {
    line.signature.first_chunk().map_or(0, |time| u64::from_be_bytes(*time))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOURLY: Schedule = Schedule { period_s: 3600, skew_ms_max: 5_000 };

    #[test]
    fn a_member_signs_once_in_each_period_and_never_because_its_clock_was_set_back() {
        assert!(!HOURLY.is_due(7200, 7200) && !HOURLY.is_due(7200, 10_799));
        assert!(HOURLY.is_due(7200, 10_800) && HOURLY.is_due(10_799, 10_800));
        assert!(!HOURLY.is_due(10_800, 7200));
        let never = Schedule { period_s: 0, ..HOURLY };
        assert!(!never.is_due(0, u64::MAX) && !never.is_fresher(&[9999; 4], &[1; 4], 3));
    }

    #[test]
    fn files_are_written_again_for_a_quorum_and_for_all_and_not_for_each_line() {
        let published = [3600, 3600, 3600, 3600];
        assert!(!HOURLY.is_fresher(&[7200, 3600, 3600, 3600], &published, 3));
        assert!(!HOURLY.is_fresher(&[7200, 7201, 3600, 3600], &published, 3));
        assert!(HOURLY.is_fresher(&[7200, 3600, 7201, 7202], &published, 3));
        let published = [7200, 3600, 7201, 7202];
        assert!(!HOURLY.is_fresher(&[7300, 3600, 7301, 7302], &published, 3));
        assert!(HOURLY.is_fresher(&[7200, 7205, 7201, 7202], &published, 3));
    }

    #[test]
    fn a_time_of_another_member_may_be_ahead_by_the_tolerated_skew_only() {
        assert_eq!(HOURLY.latest_s(Duration::from_secs(100)), 105);
        assert_eq!(HOURLY.latest_s(Duration::MAX), u64::MAX);
    }

    proptest! {
        #[test]
        fn however_members_sign_the_files_are_written_twice_a_period_at_most(
            steps in proptest::collection::vec((0..4usize, 0..9u64), 0..400),
        ) {
            let schedule = Schedule { period_s: 60, skew_ms_max: 0 };
            let (mut held, mut published, mut now, mut writes) = ([0u64; 4], [0u64; 4], 0, 0);
            for (member, pause) in steps {
                now += pause;
                held[member] = now;
                if schedule.is_fresher(&held, &published, 3) {
                    published = held;
                    writes += 1;
                }
            }
            prop_assert!(writes <= 2 * (now / 60 + 1), "{} writes in {} s", writes, now);
        }
    }
}
