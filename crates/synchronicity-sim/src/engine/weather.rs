//! What happens to links and members, by chance.

use core::fmt;
use std::time::Duration;

use synchronicity_consensus::simulation::Road;

use super::actor::Theatre;
use crate::dice::Dice;

/// Links in good weather.
pub(super) const CLEAR: Road =
    Road { latency: Duration::from_millis(20), jitter: Duration::from_millis(5), loss_percent: 0 };

/// Links in bad weather.
const ROUGH: Road = Road { latency: Duration::from_millis(150), jitter: Duration::from_millis(80), loss_percent: 8 };

/// How many different crates of each kind operators ask for.
const CRATES_OF_A_KIND: usize = 6;

/// Something that happens to links or members.
pub(super) enum Weather {
    /// New roads between all, also where they were cut.
    Road(Road),
    /// One member is cut off from all others.
    Cut(usize),
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
    match dice.below(20) {
        0..=8 => ask(dice),
        9..=11 => Weather::Road(if dice.once_in(2) { ROUGH } else { CLEAR }),
        12..=13 => Weather::Cut(dice.below(running.len() + down.len())),
        14..=15 if running.len() > 1 => Weather::Kill(running[dice.below(running.len())]),
        _ => match dice.pick(&down) {
            Some(member) => Weather::Restart(*member),
            None => ask(dice),
        },
    }
}
