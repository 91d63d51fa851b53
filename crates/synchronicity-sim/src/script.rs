//! Chooses what happens next.

use crate::dice::Dice;
use crate::event::Event;
use crate::world::World;

/// How many different crates of each kind operators ask for: few, so that the same request comes again.
const CRATES_OF_A_KIND: usize = 12;

/// What a run has more of than others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Course {
    /// Nothing.
    #[default]
    Usual,
    /// Operators propose and approve of other members.
    Changing,
    /// Nodes crash often and are soon back.
    Crashing,
}

impl Course {
    /// A random event that can happen in this world.
    pub fn next(self, world: &World, dice: &mut Dice) -> Event {
        match self {
            Course::Usual => next(world, dice),
            Course::Changing => next_with_changes(world, dice),
            Course::Crashing => next_with_crashes(world, dice),
        }
    }
}

fn next(world: &World, dice: &mut Dice) -> Event {
    let members = world.nodes.len();
    let member = dice.below(members);
    match dice.below(100) {
        0..=6 => Event::Submit { member, name: crate_name(dice) },
        7..=44 => Event::Act { member },
        45..=66 => order(world, dice),
        67..=92 => Event::Deliver { member, blocks: 1 + dice.below(5) },
        93..=94 => {
            let reached = world.nodes[member].reached().0;
            let height = if dice.once_in(3) { reached } else { 1 + dice.below(reached as usize) as u64 };
            Event::Redeliver { member, height }
        }
        95..=96 => Event::Crash { member },
        _ => restart(world, dice).unwrap_or(Event::Act { member }),
    }
}

fn restart(world: &World, dice: &mut Dice) -> Option<Event> {
    let down: Vec<usize> = (0..world.nodes.len()).filter(|member| world.nodes[*member].machine.is_none()).collect();
    dice.pick(&down).map(|member| Event::Restart { member: *member })
}

fn next_with_changes(world: &World, dice: &mut Dice) -> Event {
    let members = world.nodes.len();
    let member = dice.below(members);
    match dice.below(40) {
        0 => Event::Propose { member, whom: dice.below(members) },
        1..=12 => Event::Approve { member },
        _ => next(world, dice),
    }
}

fn next_with_crashes(world: &World, dice: &mut Dice) -> Event {
    match dice.below(16) {
        0 => Event::Crash { member: dice.below(world.nodes.len()) },
        1..=4 => restart(world, dice).unwrap_or_else(|| next(world, dice)),
        _ => next(world, dice),
    }
}

fn crate_name(dice: &mut Dice) -> String {
    let kind = dice.pick(&["steady", "steady", "steady", "network", "clock"]).copied().unwrap_or("steady");
    format!("{kind}-{}", dice.below(CRATES_OF_A_KIND))
}

fn order(world: &World, dice: &mut Dice) -> Event {
    let waiting = world.waiting.len();
    let lose = if dice.once_in(8) { dice.below(waiting + 1) } else { 0 };
    let step_ms = match dice.below(20) {
        0 => 60_000 + dice.below(140_000),
        1..=3 => 5_000 + dice.below(20_000),
        _ => 1 + dice.below(2_000),
    };
    Event::Order { take: dice.below(waiting + 1), repeat: dice.below(8) / 6, lose, step_ms: step_ms as u64 }
}
