//! The same members, machines and invariants, with the order of blocks from the real engine.
//!
//! Members run the engine that a node runs, on its deterministic runtime. Links lose, delay, double and reorder messages
//! and are cut, one way or both; clocks are wrong and jump; writes fail and are torn, or take long; members are killed and start again
//! upon their disk. Hostile members say what they like and let anything pass that others say, and fewer than a third
//! have an engine that is hostile too. One seed is one history, down to each message.
//!
//! * `stage.rs` is what the members share: the world that the invariants judge;
//! * `actor.rs` is a member's node, as its engine sees it;
//! * `mask.rs` is what is in its place where the engine is hostile;
//! * `weather.rs` chooses faults.

mod actor;
mod mask;
mod stage;
mod weather;

use std::time::Duration;

use synchronicity_consensus::simulation::{self, Cast};

use crate::dice::Dice;
use crate::event::Event;
use crate::founding::Founding;
use crate::invariants::Violation;
use crate::role::{self, Role};
use crate::run::Broken;
use crate::world::World;
use actor::Theatre;
use stage::Stage;
use weather::{CLEAR, Weather};

const HEARTBEAT: Duration = Duration::from_secs(4);
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(10);

/// Name of the crate that is submitted after the faults.
const LAST_REQUEST: &str = "steady-last";

/// Simulated time after which whatever is still open stays open: with all rounds open that there can be, their windows
/// add up to a few hours.
const SETTLING: Duration = Duration::from_secs(8 * 60 * 60);

/// What a run is made of, besides its seed.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Members of the group; by default 4 to 7, by the seed.
    pub members: Option<usize>,
    /// Random events before the calm.
    pub steps: usize,
}

/// A run that ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// One line for each event.
    pub trace: Vec<String>,
    /// Digest of everything that the engine's runtime did.
    pub history: String,
    /// Ordered blocks.
    pub blocks: u64,
    /// Entries in the log at the end.
    pub entries: u64,
    /// Checkpoints that reached a quorum.
    pub published: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { members: None, steps: 60 }
    }
}

/// Runs one seed.
///
/// # Errors
/// [`Broken`] at the first event after which an invariant does not hold.
pub fn run(seed: u64, options: &Options) -> Result<Finished, Broken> {
    let mut dice = Dice::new(seed);
    let members = options.members.unwrap_or_else(|| 4 + dice.below(4));
    let threshold = (members / 2 + 1) as u16;
    let roles = role::deal(members, threshold, &mut dice);
    let founding = Founding::new(seed, members, threshold, threshold);
    let cast = Cast {
        group: founding.group.clone(),
        seeds: founding.consensus.clone(),
        heartbeat: HEARTBEAT,
        max_clock_skew: MAX_CLOCK_SKEW,
        disks_fail: true,
    };
    let masks = mask::deal(&roles, &mut dice);
    let name = |(member, role): (usize, &Role)| match masks.get(&member) {
        Some(mask) => format!("{role}/{mask}"),
        None => role.to_string(),
    };
    let names: Vec<String> = roles.iter().enumerate().map(name).collect();
    let first = format!("seed {seed}: {members} members, threshold {threshold}: {}", names.join(" "));
    let stage = Stage::new(World::new(founding, &roles, seed, None), first);
    let played = simulation::run(seed, cast, async |links| {
        let mut theatre = Theatre::new(links, stage.clone(), masks);
        let outcome = drive(&mut theatre, options.steps, &mut dice).await;
        outcome.and_then(|()| theatre.check_votes())
    });
    let trace = stage.trace();
    match played.value {
        Err(violations) => Err(Broken { command: "engine", seed, violations, trace, script: Vec::new() }),
        Ok(()) => Ok(stage.look(|world| Finished {
            history: played.history,
            blocks: world.reference.executed().height,
            entries: world.reference.log().size(),
            published: world.published.len(),
            trace,
        })),
    }
}

async fn drive(theatre: &mut Theatre, steps: usize, dice: &mut Dice) -> Result<(), Vec<Violation>> {
    theatre.change(Weather::Road(CLEAR)).await;
    theatre.open().await;
    for _ in 0..steps {
        let next = weather::next(theatre, dice);
        theatre.change(next).await;
        theatre.pass(Duration::from_millis(dice.below(6_000) as u64)).await?;
    }
    theatre.clear_up().await;
    theatre.restart_all().await;
    theatre.event(&Event::Calm)?;
    theatre.settle(SETTLING).await?;
    theatre.submit_last(LAST_REQUEST)?;
    theatre.settle(SETTLING).await?;
    theatre.judge_end(LAST_REQUEST).await
}
