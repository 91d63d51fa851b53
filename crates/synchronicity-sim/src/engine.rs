//! The same members, machines and invariants, with the order of blocks from the real engine.
//!
//! Members run the engine that a node runs, on its deterministic runtime. Links lose, delay, double and reorder messages
//! and are cut, one way or both; clocks are wrong and jump; writes fail and are torn, or take long; members are killed and start again
//! upon their disk; for a while more are gone than the group bears; the power is cut. Hostile members say what they like and
//! let anything pass that others say, and fewer than a third have an engine that is hostile too. One seed is one history, down
//! to each message.
//!
//! * `deal.rs` says who is in the group of a seed;
//! * `plan.rs` is what a run goes through, and how it is written down; `weather.rs` chooses faults;
//! * `theatre.rs` has the members, engines and links in hand, and judges what the world cannot show;
//! * `stage.rs` is what the members share: the world that the invariants judge;
//! * `actor.rs` is a member's node, as its engine sees it;
//! * `mask.rs` is what is in its place where the engine is hostile;
//! * `plant.rs`: bugs to see all of this fail.

mod actor;
mod deal;
mod mask;
mod plan;
mod plant;
mod stage;
mod theatre;
mod weather;

use std::collections::BTreeMap;
use std::time::Duration;

use synchronicity_consensus::simulation::{self, Cast, World as Links};

use crate::dice::Dice;
use crate::event::Event;
use crate::invariants::Violation;
use crate::panics::caught;
use crate::run::Broken;
use crate::shrink::shrink;
use crate::world::World;
use deal::Deal;
use plan::Cue;
pub use plan::{Script, Step};
pub use plant::Plant;
use stage::Stage;
use theatre::{Theatre, Troupe};
pub use weather::Weather;

const HEARTBEAT: Duration = Duration::from_secs(4);
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(10);

/// Name of the crate that is submitted after the faults.
const LAST_REQUEST: &str = "steady-last";

/// Simulated time after which whatever is still open stays open: with all rounds open that there can be, their windows
/// add up to a few hours.
const SETTLING: Duration = Duration::from_secs(8 * 60 * 60);

/// How long the group is without a quorum, and how long blocks that were final before may take to those that are left.
const DEARTH: Duration = Duration::from_secs(60);
const AFTERMATH: Duration = Duration::from_secs(30);

/// Longest time from one change of the weather to the next, in milliseconds.
const WAIT_MS_MAX: usize = 6_000;

/// Runs that are tried before the shortest so far must do: each takes seconds.
const TRIES_MAX: usize = 300;

/// What a run is made of, besides its seed.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Members of the group; by default 4 to 31, by the seed, and mostly 4 to 7.
    pub members: Option<usize>,
    /// Random changes of the weather before the calm.
    pub steps: usize,
    /// A bug to plant.
    pub plant: Option<Plant>,
    /// Heed this invariant only, by its name: to see one fail although others fail before it.
    pub heed: Option<&'static str>,
    /// Simulated time that the group has to get done once the faults are over.
    pub settling: Duration,
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
        Options { members: None, steps: 60, plant: None, heed: None, settling: SETTLING }
    }
}

/// Runs one seed.
///
/// # Errors
/// [`Broken`] at the first event after which an invariant does not hold.
pub fn run(seed: u64, options: &Options) -> Result<Finished, Broken<Step>> {
    let (deal, dice) = Deal::new(seed, options.members);
    let plan = plan::plan(options.steps, deal.power_is_cut);
    play(deal, options, &plan, dice)
}

/// Runs the group of a seed through these steps instead of the seed's own, and then to the same end.
///
/// # Errors
/// [`Broken`] as for [`run`].
pub fn replay(seed: u64, options: &Options, script: &[Step]) -> Result<Finished, Broken<Step>> {
    let (deal, dice) = Deal::new(seed, options.members);
    let plan: Vec<Cue> = script.iter().cloned().map(Cue::Told).collect();
    play(deal, options, &plan, dice)
}

/// What is left of a failing run without every step that does not matter.
pub fn shortened(broken: Broken<Step>, options: &Options) -> Broken<Step> {
    let seed = broken.seed;
    shrink(broken, TRIES_MAX, |script| replay(seed, options, script).err())
}

/// Who is in the group of a seed, as the first line of its trace says.
pub fn group(seed: u64, options: &Options) -> String {
    Deal::new(seed, options.members).0.title
}

fn play(deal: Deal, options: &Options, plan: &[Cue], mut dice: Dice) -> Result<Finished, Broken<Step>> {
    let Deal { seed, founding, roles, masks, title, .. } = deal;
    let cast = Cast {
        group: founding.group.clone(),
        seeds: founding.consensus.clone(),
        heartbeat: HEARTBEAT,
        max_clock_skew: MAX_CLOCK_SKEW,
        disks_fail: true,
    };
    let stage = Stage::new(World::new(founding, &roles, seed, None), title, options.heed);
    let troupe = Troupe { masks, twins: BTreeMap::new(), contradictions: 0, plant: options.plant };
    let played = caught(|| acts(seed, &cast, &stage, (plan, options.settling), troupe, &mut dice));
    let trace = stage.trace();
    match played.unwrap_or_else(|panicked| Err(vec![panicked])) {
        Err(violations) => Err(Broken { command: "engine", seed, violations, trace, script: stage.script() }),
        Ok(history) => Ok(stage.look(|world| Finished {
            history,
            blocks: world.reference.executed().height,
            entries: world.reference.log().size(),
            published: world.published.len(),
            trace,
        })),
    }
}

/// Plays one act after the other, with a power cut between any two. Nodes and their disks are on the stage and live on; of the
/// engines' disks that is left which was synced. Gives the history.
fn acts(
    seed: u64,
    cast: &Cast,
    stage: &Stage,
    (plan, settling): (&[Cue], Duration),
    mut troupe: Troupe,
    dice: &mut Dice,
) -> Result<String, Vec<Violation>> {
    // Another stream than the one that chooses the weather, of which a replay takes nothing.
    let mut luck = Dice::new(seed ^ 0xfa7e);
    let acts: Vec<&[Cue]> = plan.split(|cue| *cue == Cue::Told(Step::PowerCut)).collect();
    let (mut disk, mut history) = (None, String::new());
    for (number, act) in acts.iter().enumerate() {
        let is_last = number + 1 == acts.len();
        let (troupe, dice, luck) = (&mut troupe, &mut *dice, &mut luck);
        let drive = async |links: Links| {
            let mut theatre = Theatre::new(links, stage.clone(), troupe);
            perform(&mut theatre, act, dice, luck).await?;
            if is_last {
                return end(&mut theatre, settling, luck).await;
            }
            theatre.note(&Step::PowerCut);
            theatre.lose_power();
            Ok(())
        };
        let (played, left) = match disk.take() {
            None => simulation::run_and_lose_power(seed, cast.clone(), drive),
            Some(disk) => simulation::resume(disk, cast.clone(), drive),
        };
        played.value?;
        (disk, history) = (Some(left), played.history);
    }
    Ok(history)
}

async fn perform(
    theatre: &mut Theatre<'_>,
    cues: &[Cue],
    dice: &mut Dice,
    luck: &mut Dice,
) -> Result<(), Vec<Violation>> {
    theatre.open().await;
    for cue in cues {
        let step = match cue {
            Cue::Told(step) => step.clone(),
            Cue::Chance => {
                let (running, down) = theatre.members();
                let weather = weather::next((&running, &down), dice);
                Step::Change { weather, wait_ms: dice.below(WAIT_MS_MAX) as u64 }
            }
        };
        theatre.note(&step);
        match step {
            Step::Change { weather, wait_ms } => {
                theatre.suffer(weather).await;
                theatre.pass(Duration::from_millis(wait_ms)).await?;
            }
            Step::Starve => starve(theatre, luck).await?,
            // Between two acts: none is within one.
            Step::PowerCut => {}
        }
    }
    Ok(())
}

/// One more member is gone than the group bears, besides those whose engine is hostile: nothing may become final. In good
/// weather, so that it is the quorum that is missing; and then all are back, so that what comes next has one.
async fn starve(theatre: &mut Theatre<'_>, luck: &mut Dice) -> Result<(), Vec<Violation>> {
    theatre.clear_up().await;
    theatre.thin_out(theatre.too_many(), luck).await;
    theatre.pass(AFTERMATH).await?;
    let before = theatre.height();
    theatre.pass(DEARTH).await?;
    theatre.judge_dearth(before)?;
    theatre.thin_out(0, luck).await;
    Ok(())
}

/// The faults are over. In every second run as many members stay down as the group bears, besides those whose engine is hostile;
/// the others get done without them.
async fn end(theatre: &mut Theatre<'_>, settling: Duration, luck: &mut Dice) -> Result<(), Vec<Violation>> {
    theatre.clear_up().await;
    // A write that failed before may end its engine a little later: whoever falls by that is started again too.
    theatre.pass(AFTERMATH).await?;
    let spare = if luck.once_in(2) { theatre.spare() } else { 0 };
    let gone = theatre.thin_out(spare, luck).await;
    theatre.give_up(gone);
    theatre.event(&Event::Calm)?;
    theatre.settle(settling).await?;
    theatre.ask_again(settling).await?;
    theatre.submit(LAST_REQUEST)?;
    theatre.settle(settling).await?;
    theatre.judge_end(LAST_REQUEST).await
}
