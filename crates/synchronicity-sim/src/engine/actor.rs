//! A member's node as its engine sees it, and all members with their engines and links.

use std::collections::BTreeMap;
use std::future::{Future, ready};
use std::time::Duration;

use synchronicity_consensus::simulation::World as Links;
use synchronicity_consensus::{ExecuteError, Executor, Handle};
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::Command;
use synchronicity_core::group::Group;
use synchronicity_core::machine::{Executed, Machine};
use synchronicity_core::rejection::Rejection;

use super::stage::Stage;
use super::weather::Weather;
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
}

impl Executor for Actor {
    fn executed(&self) -> Executed {
        self.stage.executed(self.member)
    }

    fn screen(&self, command: &Command) -> Result<(), Rejection> {
        let judge = |machine: &Machine| machine.screen(command);
        self.stage.look(|world| {
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
    engines: BTreeMap<usize, Handle>,
}

impl Theatre {
    pub(super) fn new(links: Links, stage: Stage) -> Theatre {
        Theatre { links, stage, engines: BTreeMap::new() }
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
    pub(super) async fn pass(&self, time: Duration) -> Result<(), Vec<Violation>> {
        self.until(time, |_| false).await.map(|_| ())
    }

    /// Waits until nothing is open and everybody has executed everything.
    pub(super) async fn settle(&self, time: Duration) -> Result<(), Vec<Violation>> {
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

    pub(super) async fn judge_end(&self, last_request: &str) -> Result<(), Vec<Violation>> {
        self.settle(Duration::from_secs(60)).await?;
        let violations = self.stage.judge_end(last_request);
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }

    /// Nobody signed two contradictory votes: every member's engine is honest here, however its node behaves.
    pub(super) fn check_votes(&self) -> Result<(), Vec<Violation>> {
        for contradiction in self.links.contradictions() {
            self.stage.accuse("nobody_votes_twice", format!("{contradiction:?}"));
        }
        self.judge()
    }

    async fn start(&mut self, member: usize) {
        let group = self.stage.look(|world| world.founding.group.clone());
        let actor = Actor { stage: self.stage.clone(), member, group };
        let engine = self.links.start(member, actor).await;
        self.stage.forget_handed_in(member);
        self.engines.insert(member, engine);
    }

    async fn until(&self, limit: Duration, holds: impl Fn(&Theatre) -> bool) -> Result<bool, Vec<Violation>> {
        let deadline_ms = self.links.now_ms() + limit.as_millis() as u64;
        while self.links.now_ms() < deadline_ms {
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
            let due = world.waiting.iter().any(|command| world.reference.screen(command).is_ok());
            let idle = !due && world.reference.open_rounds().next().is_none();
            idle && world.nodes.iter().all(|node| node.machine.as_ref() == Some(&world.reference))
        })
    }

    fn hand_in(&self) {
        for (member, command) in self.stage.to_hand_in() {
            let Some(engine) = self.engines.get(&member) else { continue };
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
