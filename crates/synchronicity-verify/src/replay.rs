//! Reads a log from its first entry on, and holds each entry against the rules that honest members execute.
//!
//! A quorum that signs is believed by clients; whoever replays the whole log finds out whether the quorum deserved it.
//! What an entry shows by itself (openings that open, a verdict that its openings earn) its strict reader has checked;
//! here is what only its place in the log shows.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::digest::Digest;
use crate::entry::{Entry, EntryError};
use crate::identity::{BuilderId, RequestId};
use crate::map::{MapKey, PrefixMap};
use crate::merkle::{Frontier, leaf_hash};

/// A log, replayed as far as it was read.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    frontier: Frontier,
    map: PrefixMap,
    last: Option<Last>,
    /// The last attempt at each request, and whether its verdict stands.
    attempts: BTreeMap<RequestId, (u32, bool)>,
}

/// What the entry before says about the next one.
#[derive(Clone, Debug)]
struct Last {
    epoch: u64,
    founding: Founding,
    height: u64,
    time_ms: u64,
}

/// What cannot change within an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Founding {
    group: Digest,
    threshold: u16,
    members: Vec<(BuilderId, String)>,
}

/// An entry that an honest group does not log after those before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// No entry, or one that contradicts itself.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The epoch falls.
    #[error("an entry of epoch {found} after one of epoch {before}")]
    Epoch {
        /// Epoch of the entry before.
        before: u64,
        /// Epoch of this entry.
        found: u64,
    },
    /// Group, threshold or members change without a new epoch.
    #[error("group, threshold or members are others than before, in the same epoch {0}")]
    Group(u64),
    /// Height or time run backwards, or one height has two times.
    #[error("block {found_height} of {found_ms} ms after block {height} of {time_ms} ms")]
    Order {
        /// Height of the block of the entry before.
        height: u64,
        /// Its time, in milliseconds since 1970.
        time_ms: u64,
        /// Height of this entry's block.
        found_height: u64,
        /// Its time.
        found_ms: u64,
    },
    /// Not the next attempt at its request, or one after a verdict that stands.
    #[error("attempt {found} at request {request}, where {}", expected.map_or("its verdict stands".to_owned(), |round| format!("attempt {round} is the next")))]
    Attempt {
        /// The request.
        request: RequestId,
        /// The attempt of this entry.
        found: u32,
        /// The one that could follow; `None` after a verdict that stands.
        expected: Option<u32>,
    },
    /// The root of the map is not that of the entries so far.
    #[error("the entry states the map root {stated}, and the entries up to it give {computed}")]
    MapRoot {
        /// The root in the entry.
        stated: Digest,
        /// The root of the map with this entry recorded.
        computed: Digest,
    },
}

impl Replay {
    /// The log without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// [`ReplayError`]; the replay is as before then.
    pub fn append(&mut self, bytes: &[u8]) -> Result<Entry, ReplayError> {
        let entry = Entry::from_bytes(bytes)?;
        self.check_order(&entry)?;
        let request = entry.request.id();
        self.check_attempt(&entry, request)?;
        let mut map = self.map.clone();
        MapKey::of_entry(&entry).into_iter().for_each(|key| map.insert(key, self.size()));
        if map.root() != entry.map_root {
            return Err(ReplayError::MapRoot { stated: entry.map_root, computed: map.root() });
        }
        self.map = map;
        self.frontier.append(leaf_hash(bytes));
        self.attempts.insert(request, (entry.round, entry.verdict.is_final()));
        let (epoch, height, time_ms) = (entry.epoch, entry.height, entry.time_ms);
        self.last = Some(Last { epoch, founding: founding(&entry), height, time_ms });
        Ok(entry)
    }

    /// How many entries were read.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Merkle root of the entries that were read.
    pub fn root(&self) -> Digest {
        self.frontier.root()
    }

    /// Which entries speak of what, so far.
    pub fn map(&self) -> &PrefixMap {
        &self.map
    }

    fn check_order(&self, entry: &Entry) -> Result<(), ReplayError> {
        let Some(last) = &self.last else { return Ok(()) };
        if entry.epoch < last.epoch {
            return Err(ReplayError::Epoch { before: last.epoch, found: entry.epoch });
        }
        if entry.epoch == last.epoch && founding(entry) != last.founding {
            return Err(ReplayError::Group(entry.epoch));
        }
        let (same_block, later) = (entry.height == last.height, entry.height > last.height);
        if (same_block && entry.time_ms == last.time_ms) || (later && entry.time_ms > last.time_ms) {
            return Ok(());
        }
        let (found_height, found_ms) = (entry.height, entry.time_ms);
        Err(ReplayError::Order { height: last.height, time_ms: last.time_ms, found_height, found_ms })
    }

    fn check_attempt(&self, entry: &Entry, request: RequestId) -> Result<(), ReplayError> {
        let expected = match self.attempts.get(&request) {
            None => Some(0),
            Some((_, true)) => None,
            Some((round, false)) => round.checked_add(1),
        };
        if expected == Some(entry.round) {
            return Ok(());
        }
        Err(ReplayError::Attempt { request, found: entry.round, expected })
    }
}

fn founding(entry: &Entry) -> Founding {
    let members = entry.members.iter().map(|member| (member.builder, member.name.clone())).collect();
    Founding { group: entry.group, threshold: entry.threshold, members }
}
