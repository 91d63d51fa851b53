//! What this member sees of the others: who speaks, how far the chain is, and how its clock compares with theirs.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use commonware_cryptography::ed25519;
use synchronicity_verify::digest::Digest;
use tokio::sync::mpsc;

use crate::offence::{Conduct, Offence};

/// A member's consensus public key.
pub(crate) type Key = [u8; 32];

/// The collected observations of one engine.
pub(crate) struct Sightings {
    seen: Mutex<Seen>,
    /// A member counts as connected while its last message is younger than this.
    fresh: Duration,
    /// To the node, which keeps them.
    offences: mpsc::Sender<Offence>,
}

#[derive(Default)]
struct Seen {
    view: u64,
    final_height: Option<u64>,
    heard: BTreeMap<Key, SystemTime>,
    ahead_ms: BTreeMap<Key, i64>,
}

impl Sightings {
    pub(crate) fn new(fresh: Duration, offences: mpsc::Sender<Offence>) -> Self {
        Self { seen: Mutex::default(), fresh, offences }
    }

    /// A message of `member` arrived.
    pub(crate) fn heard(&self, member: Key, now: SystemTime) {
        self.lock().heard.insert(member, now);
    }

    /// The group certified something about `view`.
    pub(crate) fn certified(&self, view: u64) {
        let mut seen = self.lock();
        seen.view = seen.view.max(view);
    }

    /// A member did what none does that keeps to the protocol.
    pub(crate) fn offended(&self, member: Key, conduct: Conduct) {
        tracing::warn!(member = %hex(&member), conduct = conduct.as_str(), "an offence");
        if self.offences.try_send(Offence { member, conduct }).is_err() {
            tracing::warn!("nobody takes offences up as fast as they come: dropping one");
        }
    }

    /// A certificate shows that the block at `height` is final.
    pub(crate) fn finalized(&self, height: u64) {
        let mut seen = self.lock();
        // The first block is final by agreement, which shows nothing about the group.
        if height > 0 {
            seen.final_height = seen.final_height.max(Some(height));
        }
    }

    /// A fresh proposal of `leader` carries `proposed_ms` while the local clock shows `now_ms`.
    pub(crate) fn proposed(&self, leader: Key, proposed_ms: u64, now_ms: u64) {
        let ahead = i128::from(now_ms) - i128::from(proposed_ms);
        let ahead = ahead.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64;
        self.lock().ahead_ms.insert(leader, ahead);
    }

    pub(crate) fn view(&self) -> u64 {
        self.lock().view
    }

    /// The highest height that was seen to be final since the engine started.
    pub(crate) fn final_height(&self) -> Option<u64> {
        self.lock().final_height
    }

    /// Members, other than this one, that were heard of lately.
    pub(crate) fn connected(&self, me: &Key, now: SystemTime) -> Vec<Key> {
        let seen = self.lock();
        let fresh = |at: &SystemTime| now.duration_since(*at).map_or(true, |age| age < self.fresh);
        seen.heard.iter().filter(|(key, at)| *key != me && fresh(at)).map(|(key, _)| *key).collect()
    }

    /// How far the local clock is ahead of the other leaders' (behind: negative), in milliseconds: the median, so that
    /// one leader with a wrong clock does not decide. It includes the time that a proposal is on its way.
    pub(crate) fn clock_skew_ms(&self) -> Option<i64> {
        let mut ahead: Vec<i64> = self.lock().ahead_ms.values().copied().collect();
        ahead.sort_unstable();
        ahead.get(ahead.len() / 2).copied()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The 32 bytes of a consensus key.
pub(crate) fn key_of(key: &ed25519::PublicKey) -> Key {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(key.as_ref());
    bytes
}

pub(crate) fn hex(key: &Key) -> String {
    Digest(*key).to_string()
}

#[cfg(test)]
mod tests;
