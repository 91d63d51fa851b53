//! What happens to links and members, by chance.

use core::fmt;
use core::str::FromStr;
use std::time::Duration;

use synchronicity_consensus::simulation::{DiskFaults, Road};

use crate::dice::Dice;
use crate::event::NotAnEvent;

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

/// Something that happens to links or members. Members are counted as in the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weather {
    /// New roads between all, also where they were cut.
    Road(Road),
    /// One member is cut off from all others.
    Cut(usize),
    /// One member does not hear another any more; the way back stays.
    Deaf {
        /// Who is not heard.
        from: usize,
        /// Who does not hear.
        to: usize,
    },
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

impl Weather {
    /// The members that it is about.
    pub(super) fn members(&self) -> impl Iterator<Item = usize> {
        let (one, other) = match self {
            Weather::Road(_) | Weather::Muddle(_) | Weather::Disks(_) => (None, None),
            Weather::Deaf { from, to } => (Some(*from), Some(*to)),
            Weather::Cut(member)
            | Weather::Clock(member, _)
            | Weather::SlowDisk(member, _)
            | Weather::Kill(member)
            | Weather::Restart(member)
            | Weather::Submit(member, _) => (Some(*member), None),
        };
        one.into_iter().chain(other)
    }
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Weather::Road(Road { latency, jitter, loss_percent }) => {
                write!(f, "roads of {} ms jitter {} ms loss {loss_percent} %", latency.as_millis(), jitter.as_millis())
            }
            Weather::Cut(member) => write!(f, "cut off {member}"),
            Weather::Deaf { from, to } => write!(f, "deaf {to} to {from}"),
            Weather::Muddle(percent) => write!(f, "muddle {percent} %"),
            Weather::Clock(member, ahead_ms) => write!(f, "clock {member} ahead {ahead_ms} ms"),
            Weather::Disks(DiskFaults { failures_per_mille, kept_per_mille }) => {
                write!(f, "disks fail {failures_per_mille} keep {kept_per_mille} of 1000")
            }
            Weather::SlowDisk(member, sync_ms) => write!(f, "disk {member} syncs in {sync_ms} ms"),
            Weather::Kill(member) => write!(f, "kill {member}"),
            Weather::Restart(member) => write!(f, "start {member}"),
            Weather::Submit(member, name) => write!(f, "ask {member} for {name}"),
        }
    }
}

/// The words that [`Display`](fmt::Display) writes.
impl FromStr for Weather {
    type Err = NotAnEvent;

    fn from_str(text: &str) -> Result<Weather, NotAnEvent> {
        let wrong = || NotAnEvent(text.to_owned());
        let number = |word: &str| word.parse::<u64>().map_err(|_| wrong());
        let few = |word: &str| word.parse::<u16>().map_err(|_| wrong());
        let percent = |word: &str| word.parse::<u8>().ok().filter(|percent| *percent <= 100).ok_or_else(wrong);
        let seat = |word: &str| word.parse::<usize>().map_err(|_| wrong());
        let words: Vec<&str> = text.split(' ').collect();
        Ok(match words[..] {
            ["roads", "of", latency, "ms", "jitter", jitter, "ms", "loss", loss, "%"] => Weather::Road(Road {
                latency: Duration::from_millis(number(latency)?),
                jitter: Duration::from_millis(number(jitter)?),
                loss_percent: percent(loss)?,
            }),
            ["cut", "off", member] => Weather::Cut(seat(member)?),
            ["deaf", to, "to", from] => Weather::Deaf { from: seat(from)?, to: seat(to)? },
            ["muddle", share, "%"] => Weather::Muddle(percent(share)?),
            ["clock", member, "ahead", ahead, "ms"] => {
                Weather::Clock(seat(member)?, ahead.parse().map_err(|_| wrong())?)
            }
            ["disks", "fail", failures, "keep", kept, "of", "1000"] => {
                Weather::Disks(DiskFaults { failures_per_mille: few(failures)?, kept_per_mille: few(kept)? })
            }
            ["disk", member, "syncs", "in", sync, "ms"] => Weather::SlowDisk(seat(member)?, number(sync)?),
            ["kill", member] => Weather::Kill(seat(member)?),
            ["start", member] => Weather::Restart(seat(member)?),
            ["ask", member, "for", name] => Weather::Submit(seat(member)?, name.to_owned()),
            _ => return Err(wrong()),
        })
    }
}

/// What happens next. Members are killed also beyond what the group can bear: it halts then, and goes on later.
pub(super) fn next((running, down): (&[usize], &[usize]), dice: &mut Dice) -> Weather {
    let ask = |dice: &mut Dice| {
        let kind = dice.pick(&["steady", "steady", "steady", "network", "clock"]).copied().unwrap_or("steady");
        let member = dice.pick(running).copied().unwrap_or(0);
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
        _ => match dice.pick(down) {
            Some(member) => Weather::Restart(*member),
            None => ask(dice),
        },
    }
}

#[cfg(test)]
mod tests;
