//! All members with their engines and links, in the hands of a driver.

use std::collections::BTreeMap;
use std::time::Duration;

use synchronicity_consensus::simulation::{DiskFaults, World as Links};
use synchronicity_consensus::{ChainStatus, Handle};
use synchronicity_verify::membership::faults;

use super::actor::Actor;
use super::mask::{Mask, Twin};
use super::plan::Step;
use super::plant::Plant;
use super::stage::Stage;
use super::weather::{CLEAR, Weather};
use crate::dice::Dice;
use crate::event::Event;
use crate::invariants::Violation;

/// How often the driver looks at what members want to say.
const GLANCE: Duration = Duration::from_millis(50);

/// What of the members outlives a power cut, besides what is on the stage.
pub(super) struct Troupe {
    /// The hostile engines.
    pub(super) masks: BTreeMap<usize, Mask>,
    pub(super) twins: BTreeMap<usize, Twin>,
    /// How many contradictory votes were judged.
    pub(super) contradictions: usize,
    pub(super) plant: Option<Plant>,
}

/// Everybody.
pub(super) struct Theatre<'a> {
    links: Links,
    stage: Stage,
    troupe: &'a mut Troupe,
    /// What runs in each member's place. Double voters and babblers have nothing that one could talk to.
    engines: BTreeMap<usize, Vec<Handle>>,
}

impl Theatre<'_> {
    pub(super) fn new(links: Links, stage: Stage, troupe: &mut Troupe) -> Theatre<'_> {
        stage.estrange(troupe.masks.keys().copied().collect());
        if troupe.plant == Some(Plant::FeignsSyncs) {
            links.feign_syncs();
        }
        Theatre { links, stage, troupe, engines: BTreeMap::new() }
    }

    /// Starts every engine, upon an empty disk or upon what a power cut has left of it.
    pub(super) async fn open(&mut self) {
        self.change(Weather::Road(CLEAR)).await;
        for member in 0..self.links.size() {
            match self.stage.is_up(member) {
                true => self.start(member).await,
                false => self.change(Weather::Restart(member)).await,
            }
        }
    }

    /// Members whose engine runs, and those that are down.
    pub(super) fn members(&self) -> (Vec<usize>, Vec<usize>) {
        (0..self.links.size()).partition(|member| self.engines.contains_key(member))
    }

    /// How many of those with honest engines may be down for ever while the others go on.
    pub(super) fn spare(&self) -> usize {
        faults(self.links.size()).saturating_sub(self.troupe.masks.len())
    }

    /// One more than may be down of a group whose engines are all honest.
    pub(super) fn too_many(&self) -> usize {
        if self.troupe.plant == Some(Plant::SparesTheQuorum) { 0 } else { faults(self.links.size()) + 1 }
    }

    /// Writes a step into the trace, so that a replay finds it there.
    pub(super) fn note(&self, step: &Step) {
        self.stage.take_step(step.clone());
    }

    /// Lets something happen to links or members, and tells of it.
    pub(super) async fn change(&mut self, weather: Weather) {
        self.stage.note(weather.to_string());
        self.suffer(weather).await;
    }

    /// Lets something happen to links or members. Whoever is down cannot be killed, and whoever runs cannot be started: in a
    /// script from which steps were left out that may be asked for.
    pub(super) async fn suffer(&mut self, weather: Weather) {
        match weather {
            Weather::Road(road) => self.links.connect_all(road).await,
            Weather::Deaf { from, to } => self.links.cut_one_way(from, to).await,
            Weather::Muddle(percent) => self.links.muddle(percent),
            Weather::Clock(member, ahead_ms) => self.links.set_clock(member, ahead_ms),
            Weather::Disks(faults) => {
                self.stage.trouble(faults.failures_per_mille > 0);
                self.links.trouble_disks(faults);
            }
            Weather::SlowDisk(member, sync_ms) => self.links.slow_disk(member, Duration::from_millis(sync_ms)),
            Weather::Cut(member) => {
                let others: Vec<usize> = (0..self.links.size()).filter(|other| *other != member).collect();
                self.links.cut(&[member], &others).await;
            }
            Weather::Kill(member) if self.engines.contains_key(&member) => self.fell(member),
            Weather::Restart(member) if !self.engines.contains_key(&member) => {
                self.stage.perform(&Event::Restart { member });
                self.start(member).await;
                self.stage.perform(&Event::Act { member });
            }
            Weather::Kill(_) | Weather::Restart(_) => {}
            Weather::Submit(member, name) => self.stage.perform(&Event::Submit { member, name }),
        }
    }

    /// Has so many of the members with honest engines down, whom chance says, and everybody else up. Gives those that are down.
    pub(super) async fn thin_out(&mut self, count: usize, dice: &mut Dice) -> Vec<usize> {
        let (mut staying, mut gone) = (self.honest(), Vec::new());
        while gone.len() < count && !staying.is_empty() {
            gone.push(staying.swap_remove(dice.below(staying.len())));
        }
        for member in gone.iter().copied() {
            self.change(Weather::Kill(member)).await;
        }
        for member in self.members().1.into_iter().filter(|member| !gone.contains(member)) {
            self.change(Weather::Restart(member)).await;
        }
        gone
    }

    /// From here on nothing is promised of these members either: nobody starts them again.
    pub(super) fn give_up(&self, gone: Vec<usize>) {
        self.stage.estrange(self.troupe.masks.keys().copied().chain(gone).collect());
    }

    /// Ends what the weather did to links, clocks and disks.
    pub(super) async fn clear_up(&mut self) {
        for weather in [Weather::Road(CLEAR), Weather::Muddle(0), Weather::Disks(DiskFaults::default())] {
            self.change(weather).await;
        }
        for member in 0..self.links.size() {
            self.suffer(Weather::Clock(member, 0)).await;
            self.suffer(Weather::SlowDisk(member, 0)).await;
        }
    }

    /// Everybody falls where he stands.
    pub(super) fn lose_power(&mut self) {
        for member in self.members().0 {
            self.fell(member);
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
        if !self.until(time, |theatre| theatre.stage.is_at_rest()).await? {
            let what = format!("not at rest {time:?} after the faults; {}", self.standings());
            self.stage.accuse("the_group_comes_to_rest", what);
        }
        self.judge()
    }

    /// The highest block that anybody has executed.
    pub(super) fn height(&self) -> u64 {
        self.stage.look(|world| world.reference.executed().height)
    }

    /// Without a quorum no block became final beyond this one.
    pub(super) fn judge_dearth(&self, before: u64) -> Result<(), Vec<Violation>> {
        let now = self.height();
        if now > before {
            let (running, _) = self.members();
            let what = format!("from block {before} to {now} with members {running:?} alone");
            self.stage.accuse("nothing_is_final_without_a_quorum", what);
        }
        self.judge()
    }

    /// An honest member, if there is one, asks for a crate.
    pub(super) fn submit(&self, name: &str) -> Result<(), Vec<Violation>> {
        let member = self.stage.look(|world| world.spokesman());
        self.event(&Event::Submit { member, name: name.to_owned() })
    }

    /// Every request that ended without agreement is asked for once more.
    pub(super) async fn ask_again(&mut self, time: Duration) -> Result<(), Vec<Violation>> {
        let (unsettled, at_once) = self.stage.look(|world| (world.unsettled(), world.requests_at_once()));
        for batch in unsettled.chunks(at_once) {
            for name in batch {
                self.submit(name)?;
            }
            self.settle(time).await?;
        }
        Ok(())
    }

    pub(super) async fn judge_end(&mut self, last_request: &str) -> Result<(), Vec<Violation>> {
        self.settle(Duration::from_secs(60)).await?;
        let violations = self.stage.judge_end(last_request);
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }

    fn honest(&self) -> Vec<usize> {
        (0..self.links.size()).filter(|member| !self.troupe.masks.contains_key(member)).collect()
    }

    async fn start(&mut self, member: usize) {
        let group = self.stage.look(|world| world.founding.group.clone());
        let (plant, is_one) = (self.troupe.plant, self.honest().first() == Some(&member));
        let hidden = (is_one && plant == Some(Plant::HidesADoubleVoter)).then_some(Mask::DoubleVoter);
        let mask = self.troupe.masks.get(&member).copied().or(hidden);
        let actor = Actor { stage: self.stage.clone(), member, group: group.clone(), mask, plant, is_one };
        // Every second member, beginning with one or the other: who masks shows himself to them.
        let half: Vec<usize> = (member % 2..self.links.size()).step_by(2).collect();
        let engines = match mask {
            None | Some(Mask::Censor | Mask::Pretender) => vec![self.links.start(member, actor).await],
            Some(Mask::Withholder) => vec![self.links.start_withholding(member, actor, &half).await],
            Some(Mask::Twins) => {
                let twin = self.troupe.twins.entry(member).or_insert_with(|| Twin::new(group)).clone();
                self.links.start_twins(member, (actor, twin), &half).await.into()
            }
            Some(Mask::DoubleVoter) => {
                self.links.start_double_voter(member).await;
                Vec::new()
            }
            Some(Mask::Babbler) => {
                self.links.start_babbler(member).await;
                Vec::new()
            }
        };
        self.stage.forget_handed_in(member);
        self.engines.insert(member, engines);
    }

    fn fell(&mut self, member: usize) {
        self.links.kill(member);
        self.engines.remove(&member);
        self.stage.perform(&Event::Crash { member });
    }

    /// An engine that has ended takes its node with it, as it does in a process. A disk that failed may end it; nothing else may
    /// end an honest one.
    fn bury(&mut self) {
        let ended = |engines: &[Handle]| engines.iter().find_map(Handle::ended);
        let ended = self.engines.iter().filter_map(|(member, engines)| Some((*member, ended(engines)?)));
        for (member, why) in ended.collect::<Vec<_>>() {
            self.stage.note(format!("engine {member} ended: {why}"));
            if !self.troupe.masks.contains_key(&member) && !self.stage.was_troubled() {
                self.stage.accuse("no_engine_ends_unless_its_disk_failed", format!("that of member {member}: {why}"));
            }
            self.fell(member);
        }
    }

    /// Nobody with an honest engine signed two contradictory votes, however its node behaves.
    fn judge_votes(&mut self) {
        let new = self.links.contradictions_after(self.troupe.contradictions);
        self.troupe.contradictions += new.len();
        let masked: Vec<u32> = self.troupe.masks.keys().map(|member| self.links.signer(*member)).collect();
        for contradiction in new.into_iter().filter(|contradiction| !masked.contains(&contradiction.signer)) {
            self.stage.accuse("nobody_votes_twice", format!("{contradiction:?}"));
        }
    }

    async fn until(&mut self, limit: Duration, holds: impl Fn(&Self) -> bool) -> Result<bool, Vec<Violation>> {
        let deadline_ms = self.links.now_ms() + limit.as_millis() as u64;
        while self.links.now_ms() < deadline_ms {
            self.bury();
            self.hand_in();
            self.judge_votes();
            self.judge()?;
            if holds(self) {
                return Ok(true);
            }
            self.links.sleep(GLANCE).await;
        }
        Ok(false)
    }

    fn hand_in(&self) {
        let kept_back = self.troupe.plant == Some(Plant::KeepsCommandsBack) && self.stage.look(|world| world.calm);
        for (member, command) in self.stage.to_hand_in() {
            let Some(engine) = self.engines.get(&member).and_then(|engines| engines.first()) else { continue };
            if !kept_back && engine.submit(command.clone()).is_err() {
                self.stage.withdraw(&command);
            }
        }
    }

    /// What each engine says of itself.
    fn standings(&self) -> String {
        let told = |(member, engines): (&usize, &Vec<Handle>)| {
            let status = engines.first().map(Handle::status);
            status.map(|status| {
                let ChainStatus { view, height, standing, mempool, .. } = &status;
                let heard = status.connected.len();
                format!(
                    "member {member}: block {height}, view {view}, {standing:?}, hears {heard}, {mempool} commands wait"
                )
            })
        };
        self.engines.iter().filter_map(told).collect::<Vec<_>>().join("; ")
    }

    fn judge(&self) -> Result<(), Vec<Violation>> {
        let violations = self.stage.violations();
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }
}
