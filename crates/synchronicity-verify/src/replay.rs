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
use crate::entry::Entry;
use crate::identity::{BuilderId, RequestId};
use crate::leaf::{Leaf, LeafError};
use crate::map::PrefixMap;
use crate::membership::MembershipEntry;
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
    group: Founding,
    /// Whether it ended an epoch, so that `group` is one of which there is no entry yet.
    begins: bool,
    height: u64,
    time_ms: u64,
}

/// What cannot change within an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Founding {
    epoch: u64,
    group: Digest,
    threshold: u16,
    /// Those that build.
    members: Vec<(BuilderId, String)>,
}

/// An entry that an honest group does not log after those before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// No entry, or one that contradicts itself.
    #[error(transparent)]
    Entry(#[from] LeafError),
    /// Another epoch than the one that is in force there: it changes by an entry that says who follows, and not otherwise.
    #[error("an entry of epoch {found} where epoch {expected} is in force")]
    Epoch {
        /// The epoch in force.
        expected: u64,
        /// Epoch of this entry.
        found: u64,
    },
    /// Group, threshold or members are not those that the entries before have shown or agreed on.
    #[error("group, threshold or members are not those that are in force in epoch {0}")]
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
    pub fn append(&mut self, bytes: &[u8]) -> Result<Leaf, ReplayError> {
        let leaf = Leaf::from_bytes(bytes)?;
        let (stated, height, time_ms) = of_leaf(&leaf);
        self.check_order(&stated, (height, time_ms))?;
        let mut map = self.map.clone();
        leaf.keys().into_iter().for_each(|key| map.insert(key, self.size()));
        let attempt = match &leaf {
            Leaf::Build(entry) => Some((self.attempt(entry)?, (entry.round, entry.verdict.is_final()))),
            Leaf::Membership(_) => None,
        };
        if map.root() != leaf.map_root() {
            return Err(ReplayError::MapRoot { stated: leaf.map_root(), computed: map.root() });
        }
        self.map = map;
        self.frontier.append(leaf_hash(bytes));
        self.attempts.extend(attempt);
        let (group, begins) = match &leaf {
            Leaf::Build(_) => (stated, false),
            Leaf::Membership(entry) => (following(entry), true),
        };
        self.last = Some(Last { group, begins, height, time_ms });
        Ok(leaf)
    }

    /// How many entries were read.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The epoch that is in force behind the last entry; 0 where there is none.
    pub fn epoch(&self) -> u64 {
        self.last.as_ref().map_or(0, |last| last.group.epoch)
    }

    /// Merkle root of the entries that were read.
    pub fn root(&self) -> Digest {
        self.frontier.root()
    }

    /// Which entries speak of what, so far.
    pub fn map(&self) -> &PrefixMap {
        &self.map
    }

    /// Right edge of the tree over the entries that were read.
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    fn check_order(&self, stated: &Founding, (found_height, found_ms): (u64, u64)) -> Result<(), ReplayError> {
        let Some(last) = &self.last else { return Ok(()) };
        if stated.epoch != last.group.epoch {
            return Err(ReplayError::Epoch { expected: last.group.epoch, found: stated.epoch });
        }
        if *stated != last.group {
            return Err(ReplayError::Group(stated.epoch));
        }
        // The entry that ends an epoch is the last of its block.
        let same_block = found_height == last.height && found_ms == last.time_ms && !last.begins;
        if same_block || (found_height > last.height && found_ms > last.time_ms) {
            return Ok(());
        }
        Err(ReplayError::Order { height: last.height, time_ms: last.time_ms, found_height, found_ms })
    }

    /// The request, if this is the next attempt at it.
    fn attempt(&self, entry: &Entry) -> Result<RequestId, ReplayError> {
        let request = entry.request.id();
        let expected = match self.attempts.get(&request) {
            None => Some(0),
            Some((_, true)) => None,
            Some((round, false)) => round.checked_add(1),
        };
        if expected == Some(entry.round) {
            return Ok(request);
        }
        Err(ReplayError::Attempt { request, found: entry.round, expected })
    }
}

/// The group that a leaf states, and height and time of its block.
fn of_leaf(leaf: &Leaf) -> (Founding, u64, u64) {
    match leaf {
        Leaf::Build(entry) => {
            let members = entry.members.iter().map(|member| (member.builder, member.name.clone())).collect();
            let Entry { epoch, group, threshold, height, time_ms, .. } = *entry;
            (Founding { epoch, group, threshold, members }, height, time_ms)
        }
        Leaf::Membership(entry) => {
            let MembershipEntry { epoch, group, threshold, height, time_ms, .. } = *entry;
            (Founding { epoch, group, threshold, members: entry.building() }, height, time_ms)
        }
    }
}

/// The group that is in force behind the entry.
fn following(entry: &MembershipEntry) -> Founding {
    let next = &entry.next;
    let building = next.members.iter().filter(|member| !member.absent);
    let mut members: Vec<_> = building.map(|member| (member.builder, member.cosigner.name().to_owned())).collect();
    members.sort_unstable();
    Founding { epoch: next.epoch, group: entry.next_group, threshold: next.threshold, members }
}
