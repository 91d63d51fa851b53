//! Appending an entry: hashing it and what becomes complete above it.

use std::hint::black_box;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use sha2::Sha256;
use synchronicity_verify::merkle::{Frontier, leaf_hash};

use crate::report::{Bound, Report};
use crate::sample;
use crate::stored::Stored;
use crate::turns::{Contender, take_turns};
use crate::{BOUND_LOG2, CT_MERKLE_LOG2_MAX};

const ROUNDS: usize = 41;
/// Entries appended each round.
const BATCH: usize = 256;
const SHORT_ENTRY_BYTES: usize = 32;
/// The peer that cannot go back appends this many entries at most, and the tree must not reach its next power of two:
/// just beyond one, the path to the newest leaf is short, and the peer's work untypically little.
const ROOM: u64 = 1 << 15;

/// The number of leaves from which trees are grown, so that they stay below 2^log2.
pub(crate) fn start(log2: u32) -> u64 {
    (1 << log2) - ROOM.min(1 << (log2 - 1))
}

/// Our tree, and by how much the process grew while it was filled.
pub(crate) struct Ours {
    frontier: Frontier,
    pub(crate) resident_kib: i64,
}

impl Ours {
    pub(crate) fn grown_to(size: u64) -> Self {
        let before = resident_kib();
        let mut frontier = Frontier::new();
        (0..size).for_each(|entry| frontier.append(leaf_hash(&entry.to_be_bytes())));
        Self { frontier, resident_kib: resident_kib() - before }
    }
}

/// Compares for short entries and for entries as the log has them; returns our cost for short ones.
pub(crate) fn compare(log2: u32, ours: &Ours, stored: &mut Stored, report: &mut Report) -> f64 {
    let mut ct_merkle = (log2 <= CT_MERKLE_LOG2_MAX).then(|| {
        let mut tree = Tree::new();
        (0..start(log2)).for_each(|entry| tree.push(entry.to_be_bytes().to_vec()));
        tree
    });
    let logged = sample::reproduced().to_bytes();
    compare_entries(log2, &logged, &ours.frontier, stored, ct_merkle.as_mut(), report);
    let short = &logged[..SHORT_ENTRY_BYTES];
    compare_entries(log2, short, &ours.frontier, stored, ct_merkle.as_mut(), report)
}

type Tree = MemoryBackedTree<Sha256, Vec<u8>>;

fn compare_entries(
    log2: u32,
    entry: &[u8],
    frontier: &Frontier,
    stored: &mut Stored,
    ct_merkle: Option<&mut Tree>,
    report: &mut Report,
) -> f64 {
    let mut ours = Frontiers { from: frontier, at: frontier.clone(), entry };
    let mut theirs = Batches { from: (stored.size, stored.hashes()), stored, entry };
    let what = format!("append, entries of {} bytes, below 2^{log2}", entry.len());
    // Ratios are promised for one size; at the others they show how they grow. And for short entries, where the tree
    // is the work: to hash a long one costs the same for all.
    let at_most = |limit| if log2 == BOUND_LOG2 { Bound::AtMost(limit) } else { Bound::None };
    let tree_only = if entry.len() == SHORT_ENTRY_BYTES { at_most(1.0 / 2.5) } else { Bound::None };
    let turns = if let Some(tree) = ct_merkle {
        let small = tree.len() < ROOM;
        let mut trees = Trees { from: small.then(|| tree.clone()), at: tree, entry, owned: Vec::new() };
        let turns = take_turns(ROUNDS, &mut [&mut ours, &mut theirs, &mut trees]);
        report.row(&what, "ct-merkle", &turns, (0, 2), BATCH, tree_only);
        turns
    } else {
        take_turns(ROUNDS, &mut [&mut ours, &mut theirs])
    };
    report.row(&what, "tlog_tiles", &turns, (0, 1), BATCH, at_most(1.1));
    turns.nanos(0, BATCH)
}

struct Frontiers<'a> {
    from: &'a Frontier,
    at: Frontier,
    entry: &'a [u8],
}

impl Contender for Frontiers<'_> {
    fn prepare(&mut self) {
        self.at.clone_from(self.from);
    }

    fn run(&mut self) {
        for _ in 0..BATCH {
            self.at.append(leaf_hash(black_box(self.entry)));
        }
    }
}

struct Batches<'a> {
    from: (u64, usize),
    stored: &'a mut Stored,
    entry: &'a [u8],
}

impl Contender for Batches<'_> {
    fn prepare(&mut self) {
        self.stored.cut_back_to(self.from.0, self.from.1);
    }

    fn run(&mut self) {
        for _ in 0..BATCH {
            self.stored.append(black_box(self.entry));
        }
    }
}

impl Drop for Batches<'_> {
    fn drop(&mut self) {
        self.prepare();
    }
}

/// The tree cannot go back: a small one is copied for each round, a large one grows a little.
struct Trees<'a> {
    from: Option<Tree>,
    at: &'a mut Tree,
    entry: &'a [u8],
    owned: Vec<Vec<u8>>,
}

impl Contender for Trees<'_> {
    fn prepare(&mut self) {
        if let Some(from) = &self.from {
            self.at.clone_from(from);
        }
        // It keeps the entries; to copy them is not its work.
        self.owned = vec![self.entry.to_vec(); BATCH];
    }

    fn run(&mut self) {
        for entry in self.owned.drain(..) {
            self.at.push(black_box(entry));
        }
    }
}

impl Drop for Trees<'_> {
    fn drop(&mut self) {
        if let Some(from) = self.from.take() {
            *self.at = from;
        }
    }
}

/// Memory of this process that is resident, in KiB; 0 where the system does not say.
pub(crate) fn resident_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
