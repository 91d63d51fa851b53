//! One run: a seed, a number of random events, then calm, then one more request to see that the group still works.

use core::fmt;
use std::collections::BTreeSet;

use synchronicity_core::machine::MAX_OPEN_ROUNDS;
use synchronicity_verify::membership::faults;

use crate::dice::Dice;
use crate::event::Event;
use crate::founding::{self, Founding};
use crate::invariants::{Invariants, Violation};
use crate::panics::caught;
use crate::plant::Plant;
use crate::role;
use crate::script::Course;
use crate::shrink::shrink;
use crate::world::World;

/// Name of the crate that is submitted after the faults.
const LAST_REQUEST: &str = "steady-last";

/// Blocks after which whatever is open stays open. As many rounds as there can be, opened at once, have windows that
/// add up to so many commitment windows of four blocks each; the rest is for rounds that replayed submissions open.
const SETTLING_BLOCKS_MAX: usize = 5 * MAX_OPEN_ROUNDS + 500;

/// Runs that are tried before the shortest so far must do.
const TRIES_MAX: usize = 4000;

/// What a run is made of, besides its seed.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Members of the group; by default 4 to 31, by the seed, and mostly 4 to 7.
    pub members: Option<usize>,
    /// Random events before the calm.
    pub steps: usize,
    /// Which kinds of events there are more of.
    pub course: Course,
    /// A bug to plant.
    pub plant: Option<Plant>,
    /// Heed this invariant only, by its name: to see one fail although others fail before it.
    pub heed: Option<&'static str>,
}

/// A run that ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// One line for each event.
    pub trace: Vec<String>,
    /// Entries in the log at the end.
    pub entries: u64,
    /// Epochs that ended.
    pub epochs: u64,
    /// Checkpoints that reached a quorum.
    pub published: usize,
    /// Verdicts and rejections that occurred, by name.
    pub reached: BTreeSet<String>,
}

/// A run that broke an invariant. What happened in it are events, or steps of a run over the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken<E = Event> {
    /// The command of `synchronicity-sim` that runs it.
    pub command: &'static str,
    /// The seed, with which it happens again.
    pub seed: u64,
    /// What did not hold after the last event of the trace.
    pub violations: Vec<Violation>,
    /// One line for each event.
    pub trace: Vec<String>,
    /// What happened at random up to the calm: a replay repeats the run from it.
    pub script: Vec<E>,
}

impl Default for Options {
    fn default() -> Options {
        Options { members: None, steps: 400, course: Course::Usual, plant: None, heed: None }
    }
}

impl<E> fmt::Display for Broken<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} of seed {}: after event {}", self.command, self.seed, self.trace.len())?;
        for violation in &self.violations {
            writeln!(f, "  {violation}")?;
        }
        for line in self.trace.iter().rev().take(12).rev() {
            writeln!(f, "  | {line}")?;
        }
        let (command, seed) = (self.command, self.seed);
        write!(f, "again: synchronicity-sim {command} --seeds {seed}..{} --trace FILE", seed + 1)
    }
}

/// Runs one seed.
///
/// # Errors
/// [`Broken`] at the first event after which an invariant does not hold.
pub fn run(seed: u64, options: &Options) -> Result<Finished, Broken> {
    let mut dice = Dice::new(seed);
    let mut run = Run::new(seed, options, &mut dice);
    let outcome = run.improvise(options, &mut dice);
    run.end(outcome)
}

/// Runs the group of a seed through these events instead of the seed's own, and then to the same end.
///
/// # Errors
/// [`Broken`] as for [`run`].
pub fn replay(seed: u64, options: &Options, script: &[Event]) -> Result<Finished, Broken> {
    let mut run = Run::new(seed, options, &mut Dice::new(seed));
    let outcome = run.follow(script);
    run.end(outcome)
}

/// What is left of a failing run without every event that does not matter.
pub fn shortened(broken: Broken, options: &Options) -> Broken {
    let seed = broken.seed;
    shrink(broken, TRIES_MAX, |script| replay(seed, options, script).err())
}

struct Run {
    seed: u64,
    heed: Option<&'static str>,
    world: World,
    invariants: Invariants,
    trace: Vec<String>,
    script: Vec<Event>,
}

impl Run {
    fn new(seed: u64, options: &Options, dice: &mut Dice) -> Run {
        // Rolled in any case, so that the members of a group do not depend on who says how many there are.
        let rolled = founding::size(dice);
        let members = options.members.unwrap_or(rolled);
        // From the smallest majority up to all but one of the members, or all where there is no room between.
        let least = members / 2 + 1;
        let threshold = (least + dice.below(members.saturating_sub(least).max(1))) as u16;
        let lowered = options.plant == Some(Plant::LowersTheThreshold);
        let (meant, executed) = if lowered { (threshold + 1, threshold) } else { (threshold, threshold) };
        let roles = role::deal(members, meant, dice);
        let founding = Founding::new(seed, members, meant, executed);
        let names: Vec<String> = roles.iter().map(ToString::to_string).collect();
        let first = format!("seed {seed}: {members} members, threshold {meant}: {}", names.join(" "));
        let world = World::new(founding, &roles, seed, options.plant);
        let (heed, trace, script) = (options.heed, vec![first], Vec::new());
        Run { seed, heed, world, invariants: Invariants::default(), trace, script }
    }

    fn improvise(&mut self, options: &Options, dice: &mut Dice) -> Result<(), Vec<Violation>> {
        for _ in 0..options.steps {
            self.act(options.course.next(&self.world, dice))?;
        }
        self.finish()
    }

    fn follow(&mut self, script: &[Event]) -> Result<(), Vec<Violation>> {
        script.iter().try_for_each(|event| self.act(event.clone()))?;
        self.finish()
    }

    /// An event before the calm.
    fn act(&mut self, event: Event) -> Result<(), Vec<Violation>> {
        self.script.push(event.clone());
        self.step(&event)
    }

    fn end(self, outcome: Result<(), Vec<Violation>>) -> Result<Finished, Broken> {
        if let Err(violations) = outcome {
            return Err(Broken { command: "run", seed: self.seed, violations, trace: self.trace, script: self.script });
        }
        Ok(Finished {
            entries: self.world.reference.log().size(),
            epochs: self.world.reference.group().epoch(),
            published: self.world.published.len(),
            reached: self.reached(),
            trace: self.trace,
        })
    }

    /// Calm; then every request that ended without agreement once more, and a last one.
    fn finish(&mut self) -> Result<(), Vec<Violation>> {
        self.step(&Event::Calm)?;
        self.wake()?;
        self.settle()?;
        let unsettled = self.world.unsettled();
        for batch in unsettled.chunks(self.world.requests_at_once()) {
            for name in batch {
                self.submit(name)?;
            }
            self.settle()?;
        }
        self.submit(LAST_REQUEST)?;
        self.settle()?;
        self.spread()?;
        let violations = self.invariants.check_end(&self.world, LAST_REQUEST);
        self.judge(violations)
    }

    /// Starts who is down. In every second group as many stay down as it bears: the others must get done without them.
    fn wake(&mut self) -> Result<(), Vec<Violation>> {
        let mut down: Vec<usize> =
            (0..self.world.nodes.len()).filter(|member| self.world.nodes[*member].machine.is_none()).collect();
        // From the seed, and not from the dice that chose the events: a replay has none.
        let borne = if self.seed.is_multiple_of(2) { faults(self.world.nodes.len()).min(down.len()) } else { 0 };
        self.world.estranged = down.drain(..borne).collect();
        down.into_iter().try_for_each(|member| self.step(&Event::Restart { member }))
    }

    fn submit(&mut self, name: &str) -> Result<(), Vec<Violation>> {
        self.step(&Event::Submit { member: self.world.spokesman(), name: name.to_owned() })
    }

    /// Lets the group work without faults until nothing is open, or until it had far more time than it needs.
    fn settle(&mut self) -> Result<(), Vec<Violation>> {
        for _ in 0..SETTLING_BLOCKS_MAX {
            self.spread()?;
            let take = self.world.waiting.len();
            if take == 0 && self.world.reference.open_rounds().next().is_none() {
                break;
            }
            self.step(&Event::Order { take, repeat: 0, lose: 0, step_ms: self.world.calm_step_ms() })?;
        }
        Ok(())
    }

    fn reached(&self) -> BTreeSet<String> {
        let rejected = self.world.effects.iter().flat_map(|effect| &effect.rejected);
        // The name of a rejection, without its fields.
        let name = |debug: String| debug.split(' ').next().unwrap_or_default().to_owned();
        let rejected = rejected.map(|(_, rejection)| name(format!("{rejection:?}")));
        let entries = (0..self.world.reference.log().size()).filter_map(|index| self.world.entry(index)?.ok());
        entries.map(|entry| entry.verdict.to_string()).chain(rejected).collect()
    }

    /// Everybody gets every block and acts.
    fn spread(&mut self) -> Result<(), Vec<Violation>> {
        for member in 0..self.world.nodes.len() {
            self.step(&Event::Deliver { member, blocks: usize::MAX })?;
            self.step(&Event::Act { member })?;
        }
        Ok(())
    }

    fn step(&mut self, event: &Event) -> Result<(), Vec<Violation>> {
        let (world, invariants) = (&mut self.world, &mut self.invariants);
        let seen = caught(|| {
            world.perform(event);
            invariants.check(world)
        });
        self.trace.push(self.world.trace_line(self.trace.len(), event));
        self.judge(seen.unwrap_or_else(|panicked| vec![panicked]))
    }

    fn judge(&self, mut violations: Vec<Violation>) -> Result<(), Vec<Violation>> {
        violations.retain(|violation| self.heed.is_none_or(|heed| violation.invariant == heed));
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }
}
