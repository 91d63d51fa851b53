//! What happens to links and members, by chance.

use core::fmt;
use std::time::Duration;

use synchronicity_consensus::simulation::{DiskFaults, Road};

use super::actor::Theatre;
use crate::dice::Dice;

/// Links in good weather.
pub(super) const CLEAR: Road =
    Road { latency: Duration::from_millis(20), jitter: Duration::from_millis(5), loss_percent: 0 };

/// Links in bad weather.
const ROUGH: Road = Road { latency: Duration::from_millis(150), jitter: Duration::from_millis(80), loss_percent: 8 };

/// Clocks that are right, within the bound, out of it, and set to another day; ahead and behind.
const AHEAD_MS: [i64; 7] = [0, 4_000, -4_000, 60_000, -60_000, 86_400_000, -86_400_000];

/// Disks that are well most of the time.
const DISKS: [DiskFaults; 3] = [
    DiskFaults { failures_per_mille: 0, kept_per_mille: 0 },
    DiskFaults { failures_per_mille: 0, kept_per_mille: 0 },
    DiskFaults { failures_per_mille: 2, kept_per_mille: 500 },
];

/// Milliseconds for a sync: a good disk, a slow one, one that other programs saturate, and one that is about to die.
const SYNC_MS: [u64; 4] = [0, 50, 500, 3_000];

/// How many different crates of each kind operators ask for.
const CRATES_OF_A_KIND: usize = 6;

/// Something that happens to links or members.
pub(super) enum Weather {
    /// New roads between all, also where they were cut.
    Road(Road),
    /// One member is cut off from all others.
    Cut(usize),
    /// One member does not hear another any more; the way back stays.
    Deaf { from: usize, to: usize },
    /// So many messages of a hundred come twice, and as many after the next one.
    Muddle(u8),
    /// A member's clock is set to this many milliseconds ahead of true time.
    Clock(usize, i64),
    /// Disks fail so often.
    Disks(DiskFaults),
    /// Every sync of a member's disk takes so many milliseconds.
    SlowDisk(usize, u64),
    /// An engine and its node die.
    Kill(usize),
    /// They start again.
    Restart(usize),
    /// An operator asks for a crate.
    Submit(usize, String),
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Weather::Road(road) => write!(f, "roads of {:?} that lose {} %", road.latency, road.loss_percent),
            Weather::Cut(member) => write!(f, "cut off {member}"),
            Weather::Deaf { from, to } => write!(f, "{to} does not hear {from}"),
            Weather::Muddle(percent) => write!(f, "muddle {percent} %"),
            Weather::Clock(member, ahead_ms) => write!(f, "clock of {member} {ahead_ms} ms ahead"),
            Weather::Disks(faults) => write!(f, "disks fail {} of 1000", faults.failures_per_mille),
            Weather::SlowDisk(member, sync_ms) => write!(f, "disk of {member} takes {sync_ms} ms to sync"),
            Weather::Kill(member) => write!(f, "kill {member}"),
            Weather::Restart(member) => write!(f, "start {member}"),
            Weather::Submit(member, name) => write!(f, "ask {member} for {name}"),
        }
    }
}

/// What happens next. Members are killed also beyond what the group can bear: it halts then, and goes on later.
pub(super) fn next(theatre: &Theatre, dice: &mut Dice) -> Weather {
    let (running, down) = theatre.members();
    let ask = |dice: &mut Dice| {
        let kind = dice.pick(&["steady", "steady", "steady", "network", "clock"]).copied().unwrap_or("steady");
        let member = dice.pick(&running).copied().unwrap_or(0);
        Weather::Submit(member, format!("{kind}-{}", dice.below(CRATES_OF_A_KIND)))
    };
    let size = running.len() + down.len();
    match dice.below(32) {
        0..=10 => ask(dice),
        11..=13 => Weather::Road(if dice.once_in(2) { ROUGH } else { CLEAR }),
        14..=15 => Weather::Cut(dice.below(size)),
        16..=17 => Weather::Deaf { from: dice.below(size), to: dice.below(size) },
        18 => Weather::Muddle([0, 5, 30][dice.below(3)]),
        // Always the same few, so that most clocks are right.
        19..=20 => Weather::Clock(dice.below((size - 1) / 3), AHEAD_MS[dice.below(AHEAD_MS.len())]),
        21 => Weather::Disks(DISKS[dice.below(DISKS.len())]),
        22..=23 => Weather::SlowDisk(dice.below(size), SYNC_MS[dice.below(SYNC_MS.len())]),
        24..=26 if running.len() > 1 => Weather::Kill(running[dice.below(running.len())]),
        _ => match dice.pick(&down) {
            Some(member) => Weather::Restart(*member),
            None => ask(dice),
        },
    }
}
