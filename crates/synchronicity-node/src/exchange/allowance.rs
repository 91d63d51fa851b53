//! How much each member is given: a member that asks without end costs this node's line so much and no more.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

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
