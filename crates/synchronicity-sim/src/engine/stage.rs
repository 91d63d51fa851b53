//! What all members of a run share: the world of the simulation, its invariants, and the trace.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::Command;
use synchronicity_core::machine::{Executed, Machine};
use synchronicity_verify::digest::Digest;

use super::plan::Step;
use crate::event::Event;
use crate::invariants::{Invariants, Violation};
use crate::world::World;

/// Clones share one stage.
#[derive(Clone)]
pub(super) struct Stage(Arc<Mutex<Scene>>);

struct Scene {
    world: World,
    invariants: Invariants,
    trace: Vec<String>,
    script: Vec<Step>,
    violations: Vec<Violation>,
    /// Heed this invariant only.
    heed: Option<&'static str>,
    /// Whether disks have ever failed.
    troubled: bool,
    /// Ids of the waiting commands that an engine has.
    handed_in: BTreeSet<Digest>,
    /// What each member showed last, for as long as it is down.
    shown: Vec<Executed>,
}

impl Stage {
    pub(super) fn new(world: World, first: String, heed: Option<&'static str>) -> Stage {
        let shown = vec![world.reference.executed(); world.nodes.len()];
        let scene = Scene {
            world,
            invariants: Invariants::default(),
            trace: vec![first],
            script: Vec::new(),
            violations: Vec::new(),
            heed,
            troubled: false,
            handed_in: BTreeSet::new(),
            shown,
        };
        Stage(Arc::new(Mutex::new(scene)))
    }

    /// Reads the world.
    pub(super) fn look<T>(&self, at: impl FnOnce(&World) -> T) -> T {
        at(&self.scene().world)
    }

    pub(super) fn trace(&self) -> Vec<String> {
        self.scene().trace.clone()
    }

    pub(super) fn script(&self) -> Vec<Step> {
        self.scene().script.clone()
    }

    /// Writes down a step that was not made up after the others.
    pub(super) fn take_step(&self, step: Step) {
        let scene = &mut *self.scene();
        scene.line(format!("{}{step}", Step::MARK));
        scene.script.push(step);
    }

    /// Whether a member's node is up.
    pub(super) fn is_up(&self, member: usize) -> bool {
        self.look(|world| world.nodes[member].machine.is_some())
    }

    /// Disks fail from now on, or fail no more.
    pub(super) fn trouble(&self, fail: bool) {
        self.scene().troubled |= fail;
    }

    /// Whether disks have ever failed.
    pub(super) fn was_troubled(&self) -> bool {
        self.scene().troubled
    }

    /// Whether nothing is open, and everybody of whom something is promised has executed everything.
    pub(super) fn is_at_rest(&self) -> bool {
        self.look(|world| {
            // Nothing carries the commands of a member that has no engine, or one that few listen to.
            let strangers: Vec<_> = world.estranged.iter().map(|seat| world.founding.commands[*seat].id()).collect();
            let mut due = world.waiting.iter().filter(|command| !strangers.contains(&command.author()));
            let due = due.any(|command| world.reference.screen(command).is_ok());
            let idle = !due && world.reference.open_rounds().next().is_none();
            let engaged = world.nodes.iter().filter(|node| !world.estranged.contains(&node.member));
            idle && engaged.into_iter().all(|node| node.machine.as_ref() == Some(&world.reference))
        })
    }

    /// Nothing is promised of these members' state.
    pub(super) fn estrange(&self, members: Vec<usize>) {
        self.scene().world.estranged = members;
    }

    /// Adds a line to the trace about something that is no event of the world.
    pub(super) fn note(&self, what: String) {
        self.scene().line(what);
    }

    /// Lets an event happen and judges the world after it.
    pub(super) fn perform(&self, event: &Event) {
        self.scene().perform(event);
    }

    /// Remembers what an invariant that is not about the world alone has seen.
    pub(super) fn accuse(&self, invariant: &'static str, what: String) {
        self.scene().violations.push(Violation { invariant, what });
    }

    /// What did not hold so far.
    pub(super) fn violations(&self) -> Vec<Violation> {
        // Whoever panics while it has the stage leaves that behind, whatever becomes of the engine that it is the node of.
        let panicked = self.0.is_poisoned().then(|| Violation {
            invariant: "nothing_panics",
            what: "a node did, while it executed or looked at a block".to_owned(),
        });
        let scene = self.scene();
        let all = scene.violations.iter().cloned().chain(panicked);
        all.filter(|violation| scene.heed.is_none_or(|heed| violation.invariant == heed)).collect()
    }

    /// What holds only at the end.
    pub(super) fn judge_end(&self, last_request: &str) -> Vec<Violation> {
        {
            let scene = &mut *self.scene();
            let violations = scene.invariants.check_end(&scene.world, last_request);
            scene.violations.extend(violations);
        }
        self.violations()
    }

    /// A member executes a block that its engine says is final, and then acts upon it; or it panics, where that is planted.
    pub(super) fn execute(&self, member: usize, block: &OrderedBlock, panics: bool) {
        let mut scene = self.scene();
        assert!(!panics, "a planted panic");
        scene.adopt(member, block);
        scene.perform(&Event::Deliver { member, blocks: 1 });
        scene.perform(&Event::Act { member });
    }

    pub(super) fn executed(&self, member: usize) -> Executed {
        let mut scene = self.scene();
        if let Some(executed) = scene.world.nodes[member].machine.as_ref().map(Machine::executed) {
            scene.shown[member] = executed;
        }
        scene.shown[member]
    }

    /// Waiting commands that no engine has yet, each with its author's seat.
    pub(super) fn to_hand_in(&self) -> Vec<(usize, Command)> {
        let scene = &mut *self.scene();
        let new = scene.world.waiting.iter().filter(|command| scene.handed_in.insert(command.id()));
        let keys = &scene.world.founding.commands;
        let seat = |command: &Command| keys.iter().position(|key| key.id() == command.author());
        new.filter_map(|command| Some((seat(command)?, command.clone()))).collect()
    }

    /// A command that its author's engine refused waits no longer.
    pub(super) fn withdraw(&self, command: &Command) {
        let scene = &mut *self.scene();
        scene.world.waiting.retain(|waiting| waiting.id() != command.id());
        scene.handed_in.remove(&command.id());
    }

    /// An engine that was just started has no commands of its member yet.
    pub(super) fn forget_handed_in(&self, member: usize) {
        let scene = &mut *self.scene();
        let author = scene.world.founding.commands[member].id();
        for command in scene.world.waiting.iter().filter(|command| command.author() == author) {
            scene.handed_in.remove(&command.id());
        }
    }

    fn scene(&self) -> MutexGuard<'_, Scene> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scene {
    /// Whoever executes a block first puts it on the chain; for everybody else it must be the same one.
    fn adopt(&mut self, member: usize, block: &OrderedBlock) {
        let world = &mut self.world;
        match world.chain.get(block.height as usize - 1) {
            Some(known) if known == block => {}
            Some(_) => {
                let what = format!("member {member} got another block at height {}", block.height);
                self.violations.push(Violation { invariant: "everybody_gets_the_same_blocks", what });
            }
            None => match world.reference.apply(block) {
                Ok(applied) => {
                    world.record(block.clone(), applied);
                    self.clear_waiting(block);
                }
                Err(error) => {
                    let what = format!("the engine ordered a block that cannot follow: {error}");
                    self.violations.push(Violation { invariant: "blocks_follow_each_other", what });
                }
            },
        }
    }

    /// Removes what was ordered, and what no later block can take.
    fn clear_waiting(&mut self, block: &OrderedBlock) {
        let world = &mut self.world;
        let reference = &world.reference;
        world.waiting.retain(|command| {
            let ordered = block.commands.iter().any(|other| other.id() == command.id());
            !ordered && reference.screen(command).err().is_none_or(|rejection| rejection.may_pass_later())
        });
        let waiting: BTreeSet<Digest> = world.waiting.iter().map(Command::id).collect();
        self.handed_in.retain(|id| waiting.contains(id));
    }

    fn perform(&mut self, event: &Event) {
        self.world.perform(event);
        self.line(event);
        let violations = self.invariants.check(&self.world);
        self.violations.extend(violations);
    }

    fn line(&mut self, what: impl Display) {
        self.trace.push(self.world.trace_line(self.trace.len(), what));
    }
}
