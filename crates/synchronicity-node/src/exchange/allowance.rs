//! How much each member is given, and how often it is answered: a member that asks without end costs this node's line so
//! much and no more, and nothing of what the others and this node itself need.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use synchronicity_consensus::PARCEL_PAUSE;

/// What one member is given in a [`WINDOW`], in bytes.
pub const PEER_BYTES_MAX: u64 = 512 << 20;

/// How long that lasts.
pub const WINDOW: Duration = Duration::from_secs(60 * 60);

/// What each member, by its place in the group, was given in its present window.
#[derive(Debug, Default)]
pub struct Allowance(BTreeMap<usize, (Instant, u64)>);

impl Allowance {
    /// Whether a member may be given `bytes` more now; then it is charged for them.
    pub fn take(&mut self, member: usize, bytes: u64, now: Instant) -> bool {
        let (since, given) = self.0.entry(member).or_insert((now, 0));
        if now.duration_since(*since) >= WINDOW {
            (*since, *given) = (now, 0);
        }
        let is_within = given.saturating_add(bytes) <= PEER_BYTES_MAX;
        if is_within {
            *given += bytes;
        }
        is_within
    }
}

/// Questions of one member that are answered though they come at once: on the way their distances change.
const AT_ONCE: u32 = 2;

/// The least time between two questions of one member to another, in a group of so many. If all others ask one of them as
/// often as that, there is room on its line for them and for its own questions.
pub fn gap(members: usize) -> Duration {
    PARCEL_PAUSE.saturating_mul(u32::try_from(members).unwrap_or(u32::MAX))
}

/// When each member, by its place in the group, may ask again.
#[derive(Debug)]
pub struct Pace {
    gap: Duration,
    due: BTreeMap<usize, Instant>,
}

impl Pace {
    /// Nobody has asked yet; the group has so many members.
    pub fn new(members: usize) -> Pace {
        Pace { gap: gap(members), due: BTreeMap::new() }
    }

    /// Whether a member's question is to be answered, even with a refusal.
    pub fn admits(&mut self, member: usize, now: Instant) -> bool {
        let due = self.due.entry(member).or_insert(now);
        let is_in_time = *due <= now + self.gap * (AT_ONCE - 1);
        if is_in_time {
            *due = now.max(*due) + self.gap;
        }
        is_in_time
    }
}
