//! A member's node as its engine sees it, and all members with their engines and links.

use std::collections::BTreeMap;
use std::future::{Future, ready};
use std::time::Duration;

use synchronicity_consensus::simulation::{DiskFaults, World as Links};
use synchronicity_consensus::{ExecuteError, Executor, Handle};
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::Command;
use synchronicity_core::group::Group;
use synchronicity_core::machine::{Executed, Machine};
use synchronicity_core::rejection::Rejection;
use synchronicity_verify::digest::Digest;

use super::mask::{Mask, Twin};
use super::stage::Stage;
use super::weather::{CLEAR, Weather};
use crate::event::Event;
use crate::invariants::Violation;

/// How often the driver looks at what members want to say.
const GLANCE: Duration = Duration::from_millis(50);

/// One member's node.
#[derive(Clone)]
struct Actor {
    stage: Stage,
    member: usize,
    group: Group,
    mask: Option<Mask>,
}

impl Executor for Actor {
    fn executed(&self) -> Executed {
        let executed = self.stage.executed(self.member);
        match self.mask {
            Some(Mask::Pretender) => {
                Executed { log_root: Digest::of(b"a root that the blocks do not give"), ..executed }
            }
            _ => executed,
        }
    }

    fn begun(&self) -> Executed {
        Executed::NOTHING
    }

    fn screen(&self, command: &Command) -> Result<(), Rejection> {
        let judge = |machine: &Machine| machine.screen(command);
        self.stage.look(|world| {
            if self.mask == Some(Mask::Censor) && command.author() != world.founding.commands[self.member].id() {
                return Err(Rejection::TooManyOpen);
            }
            let node = &world.nodes[self.member];
            // Whoever is hostile lets everything pass, into its own blocks too.
            if node.role.is_honest() { node.machine.as_ref().map_or(Ok(()), judge) } else { Ok(()) }
        })
    }

    fn group(&self) -> &Group {
        &self.group
    }

    fn execute(&self, block: OrderedBlock) -> impl Future<Output = Result<(), ExecuteError>> + Send {
        self.stage.execute(self.member, &block);
        ready(Ok(()))
    }
}

/// Everybody.
pub(super) struct Theatre {
    links: Links,
    stage: Stage,
    /// What runs in each member's place. A double voter has nothing that one could talk to.
    engines: BTreeMap<usize, Vec<Handle>>,
    masks: BTreeMap<usize, Mask>,
    twins: BTreeMap<usize, Twin>,
}

impl Theatre {
    pub(super) fn new(links: Links, stage: Stage, masks: BTreeMap<usize, Mask>) -> Theatre {
        stage.estrange(masks.keys().copied().collect());
        Theatre { links, stage, engines: BTreeMap::new(), masks, twins: BTreeMap::new() }
    }

    /// Starts every engine upon an empty disk.
    pub(super) async fn open(&mut self) {
        for member in 0..self.links.size() {
            self.start(member).await;
        }
    }

    /// Members whose engine runs, and those that are down.
    pub(super) fn members(&self) -> (Vec<usize>, Vec<usize>) {
        (0..self.links.size()).partition(|member| self.engines.contains_key(member))
    }

    /// Lets something happen to links or members.
    pub(super) async fn change(&mut self, weather: Weather) {
        self.stage.note(weather.to_string());
        match weather {
            Weather::Road(road) => self.links.connect_all(road).await,
            Weather::Deaf { from, to } => self.links.cut_one_way(from, to).await,
            Weather::Muddle(percent) => self.links.muddle(percent),
            Weather::Clock(member, ahead_ms) => self.links.set_clock(member, ahead_ms),
            Weather::Disks(faults) => self.links.trouble_disks(faults),
            Weather::SlowDisk(member, sync_ms) => self.links.slow_disk(member, Duration::from_millis(sync_ms)),
            Weather::Cut(member) => {
                let others: Vec<usize> = (0..self.links.size()).filter(|other| *other != member).collect();
                self.links.cut(&[member], &others).await;
            }
            Weather::Kill(member) => {
                self.links.kill(member);
                self.engines.remove(&member);
                self.stage.perform(&Event::Crash { member });
            }
            Weather::Restart(member) => {
                self.stage.perform(&Event::Restart { member });
                self.start(member).await;
                self.stage.perform(&Event::Act { member });
            }
            Weather::Submit(member, name) => self.stage.perform(&Event::Submit { member, name }),
        }
    }

    /// Ends what the weather did to links, clocks and disks.
    pub(super) async fn clear_up(&mut self) {
        for weather in [Weather::Road(CLEAR), Weather::Muddle(0), Weather::Disks(DiskFaults::default())] {
            self.change(weather).await;
        }
        for member in 0..self.links.size() {
            self.change(Weather::Clock(member, 0)).await;
            self.change(Weather::SlowDisk(member, 0)).await;
        }
    }

    pub(super) async fn restart_all(&mut self) {
        for member in self.members().1 {
            self.change(Weather::Restart(member)).await;
        }
    }

    pub(super) fn event(&self, event: &Event) -> Result<(), Vec<Violation>> {
        self.stage.perform(event);
        self.judge()
    }

    /// Lets time pass, and members say what they want to say.
    pub(super) async fn pass(&mut self, time: Duration) -> Result<(), Vec<Violation>> {
        self.until(time, |_| false).await.map(|_| ())
    }

    /// Waits until nothing is open and everybody has executed everything.
    pub(super) async fn settle(&mut self, time: Duration) -> Result<(), Vec<Violation>> {
        if !self.until(time, |theatre| theatre.at_rest()).await? {
            self.stage.accuse("the_group_comes_to_rest", format!("not at rest {time:?} after the faults"));
        }
        self.judge()
    }

    /// An honest member, if there is one, asks for a last crate.
    pub(super) fn submit_last(&self, name: &str) -> Result<(), Vec<Violation>> {
        let honest = self.stage.look(|world| world.nodes.iter().position(|node| node.role.is_honest()));
        self.event(&Event::Submit { member: honest.unwrap_or(0), name: name.to_owned() })
    }

    pub(super) async fn judge_end(&mut self, last_request: &str) -> Result<(), Vec<Violation>> {
        self.settle(Duration::from_secs(60)).await?;
        let violations = self.stage.judge_end(last_request);
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }

    /// Nobody with an honest engine signed two contradictory votes, however its node behaves.
    pub(super) fn check_votes(&self) -> Result<(), Vec<Violation>> {
        let masked: Vec<u32> = self.masks.keys().map(|member| self.links.signer(*member)).collect();
        for contradiction in self.links.contradictions() {
            if masked.contains(&contradiction.signer) {
                continue;
            }
            self.stage.accuse("nobody_votes_twice", format!("{contradiction:?}"));
        }
        self.judge()
    }

    async fn start(&mut self, member: usize) {
        let group = self.stage.look(|world| world.founding.group.clone());
        let mask = self.masks.get(&member).copied();
        let actor = Actor { stage: self.stage.clone(), member, group: group.clone(), mask };
        // Every second member, beginning with one or the other: who masks shows himself to them.
        let half: Vec<usize> = (member % 2..self.links.size()).step_by(2).collect();
        let engines = match mask {
            None | Some(Mask::Censor | Mask::Pretender) => vec![self.links.start(member, actor).await],
            Some(Mask::Withholder) => vec![self.links.start_withholding(member, actor, &half).await],
            Some(Mask::Twins) => {
                let twin = self.twins.entry(member).or_insert_with(|| Twin::new(group)).clone();
                self.links.start_twins(member, (actor, twin), &half).await.into()
            }
            Some(Mask::DoubleVoter) => {
                self.links.start_double_voter(member).await;
                Vec::new()
            }
        };
        self.stage.forget_handed_in(member);
        self.engines.insert(member, engines);
    }

    /// An engine that its disk has ended takes its node with it, as it does in a process.
    fn bury(&mut self) {
        let ended = |engines: &[Handle]| engines.iter().find_map(Handle::ended);
        let ended = self.engines.iter().filter_map(|(member, engines)| Some((*member, ended(engines)?)));
        for (member, why) in ended.collect::<Vec<_>>() {
            self.stage.note(format!("engine {member} ended: {why}"));
            self.links.kill(member);
            self.engines.remove(&member);
            self.stage.perform(&Event::Crash { member });
        }
    }

    async fn until(&mut self, limit: Duration, holds: impl Fn(&Theatre) -> bool) -> Result<bool, Vec<Violation>> {
        let deadline_ms = self.links.now_ms() + limit.as_millis() as u64;
        while self.links.now_ms() < deadline_ms {
            self.bury();
            self.hand_in();
            self.judge()?;
            if holds(self) {
                return Ok(true);
            }
            self.links.sleep(GLANCE).await;
        }
        Ok(false)
    }

    fn at_rest(&self) -> bool {
        self.stage.look(|world| {
            // Nothing carries the commands of a member that has no engine, or one that few listen to.
            let strangers: Vec<_> = world.estranged.iter().map(|seat| world.founding.commands[*seat].id()).collect();
            let mut due = world.waiting.iter().filter(|command| !strangers.contains(&command.author()));
            let due = due.any(|command| world.reference.screen(command).is_ok());
            let idle = !due && world.reference.open_rounds().next().is_none();
            let engaged = world.nodes.iter().filter(|node| !world.estranged.contains(&node.member));
            idle && engaged.into_iter().all(|node| node.machine.as_ref() == Some(&world.reference))
        })
    }

    fn hand_in(&self) {
        for (member, command) in self.stage.to_hand_in() {
            let Some(engine) = self.engines.get(&member).and_then(|engines| engines.first()) else { continue };
            if engine.submit(command.clone()).is_err() {
                self.stage.withdraw(&command);
            }
        }
    }

    fn judge(&self) -> Result<(), Vec<Violation>> {
        let violations = self.stage.violations();
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }
}
