//! What goes wrong, and when: all of it follows from a seed.

use std::fmt;
use std::time::Duration;

use crate::quartet::{TROUBLED, name};

/// What this machine can do to nodes besides killing and stopping them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means {
    pub(crate) cuts: bool,
    pub(crate) clocks: bool,
    pub(crate) disks: bool,
}

/// Some faults at the same time, and how long they last.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) faults: Vec<Fault>,
    pub(crate) lasts: Duration,
    /// How long nothing is wrong afterwards.
    pub(crate) pause: Duration,
}

#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// `kill -9`, and a start on the same folder: sometimes without asking the others, which an operator may do then.
    Kill { node: usize, vouched: bool },
    /// SIGSTOP, SIGCONT.
    Stop { node: usize },
    /// What one sends does not reach the other.
    Cut { from: usize, to: usize },
    /// A node alone in its part of the network.
    Part { node: usize },
    /// Starts with a clock that is off, and again with one that is right.
    Clock { node: usize, ahead: &'static str },
    /// The last node, which has a disk of its own.
    FullDisk,
    /// An old copy of the whole folder takes the place of the folder.
    OldCopy { node: usize },
    /// The folder is lost, and made again from a backup of the keys.
    LostFolder { node: usize },
}

impl Fault {
    /// Whose fault it is, if it is one node's.
    fn node(&self) -> usize {
        match *self {
            Self::Kill { node, .. } | Self::Stop { node } | Self::Part { node } | Self::Clock { node, .. } => node,
            Self::Cut { from, .. } => from,
            Self::OldCopy { node } | Self::LostFolder { node } => node,
            Self::FullDisk => TROUBLED,
        }
    }

    /// The node that has forgotten what it signed, and is silent until the group is past that.
    pub(crate) fn forgets(&self) -> Option<usize> {
        match self {
            Self::OldCopy { node } | Self::LostFolder { node } => Some(*node),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Kill { node, vouched: false } => write!(f, "{} is killed", name(node)),
            Self::Kill { node, vouched: true } => write!(f, "{} is killed, and asks nobody when it starts", name(node)),
            Self::Stop { node } => write!(f, "{} is stopped", name(node)),
            Self::Cut { from, to } => write!(f, "nothing of {} reaches {}", name(from), name(to)),
            Self::Part { node } => write!(f, "{} is alone", name(node)),
            Self::Clock { node, ahead } => write!(f, "the clock of {} is off by {ahead}", name(node)),
            Self::FullDisk => write!(f, "the disk of {} is full", name(TROUBLED)),
            Self::OldCopy { node } => write!(f, "an old copy of the folder of {}", name(node)),
            Self::LostFolder { node } => write!(f, "the folder of {} is lost", name(node)),
        }
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self.faults.iter().map(ToString::to_string).collect();
        write!(f, "{} for {:.1} s", faults.join("; "), self.lasts.as_secs_f32())
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Kill,
    Stop,
    Cut,
    Part,
    Clock,
    FullDisk,
    OldCopy,
    LostFolder,
}

/// So many rounds. Each kind of fault that the machine can do comes once before any comes again.
pub(crate) fn rounds(seed: u64, count: usize, longest: Duration, means: Means) -> Vec<Round> {
    let mut dice = Dice(seed);
    let mut deck = Vec::new();
    let draw = |dice: &mut Dice, deck: &mut Vec<Kind>| {
        if deck.is_empty() {
            *deck = kinds(means);
        }
        let fault = deal(deck.swap_remove(dice.below(deck.len())), dice);
        let (least, most) = (1500, longest.as_millis() as usize);
        let lasts = Duration::from_millis((least + dice.below(most - least)) as u64);
        let mut faults = vec![fault];
        // Who has forgotten needs all others to get over it; everything else may come together.
        if faults[0].forgets().is_none() && dice.below(3) > 0 {
            let others = [Kind::Kill, Kind::Stop].into_iter().chain(means.cuts.then_some(Kind::Cut));
            let others: Vec<Kind> = others.collect();
            let second = deal(others[dice.below(others.len())], dice);
            faults.extend((second.node() != faults[0].node()).then_some(second));
        }
        Round { faults, lasts, pause: Duration::from_millis(dice.below(2000) as u64) }
    };
    (0..count).map(|_| draw(&mut dice, &mut deck)).collect()
}

fn kinds(means: Means) -> Vec<Kind> {
    let always = [Kind::Kill, Kind::Stop, Kind::OldCopy, Kind::LostFolder];
    let cuts = [Kind::Cut, Kind::Part].into_iter().filter(|_| means.cuts);
    let machine = [(means.clocks, Kind::Clock), (means.disks, Kind::FullDisk)];
    let machine = machine.into_iter().filter_map(|(can, kind)| can.then_some(kind));
    always.into_iter().chain(cuts).chain(machine).collect()
}

fn deal(kind: Kind, dice: &mut Dice) -> Fault {
    let node = dice.below(4);
    // The folder of the last node is a file system of its own, which stays where it is.
    let movable = dice.below(TROUBLED);
    match kind {
        Kind::Kill => Fault::Kill { node, vouched: dice.below(3) == 0 },
        Kind::Stop => Fault::Stop { node },
        Kind::Cut => Fault::Cut { from: node, to: (node + 1 + dice.below(3)) % 4 },
        Kind::Part => Fault::Part { node },
        Kind::Clock => Fault::Clock { node, ahead: ["+1h", "-1h", "+20s", "-20s", "+2s"][dice.below(5)] },
        Kind::FullDisk => Fault::FullDisk,
        Kind::OldCopy => Fault::OldCopy { node: movable },
        Kind::LostFolder => Fault::LostFolder { node: movable },
    }
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % bound as u64) as usize
    }
}
