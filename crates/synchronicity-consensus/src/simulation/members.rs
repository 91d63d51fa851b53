//! Who is in a member's place: its engine, or something hostile with its key.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_cryptography::ed25519::PublicKey;
use commonware_macros::select;
use commonware_p2p::{Receiver, Sender};
use commonware_runtime::{Clock, Spawner, Supervisor};
use commonware_utils::ordered::Set;
use synchronicity_verify::equivocation::namespace;
use tokio::sync::watch;

use super::{Channel, World, babbler, ballots, double_voter, muddle, partial, slow};
use crate::certified::Certified;
use crate::engine::{self, Member, Stopped};
use crate::executor::Executor;
use crate::handle::{Assembled, Handle, assemble};
use crate::local::Pace;
use crate::network::{CHANNELS, FETCHED_BLOCKS_CHANNEL, FRESH_BLOCKS_CHANNEL, Network, VOTES_CHANNEL};

/// What an engine is started upon.
struct Upon<'a> {
    /// Which of the member's disks: its first one has no name.
    disk: &'a str,
    vouched: bool,
    floor: Option<Certified>,
}

impl World {
    /// Starts the engine of a member upon its disk, with an executor that holds its state.
    pub async fn start<X: Executor>(&mut self, place: usize, executor: X) -> Handle {
        let channels = self.channels(place).await;
        self.launch(place, Upon { disk: "", vouched: false, floor: None }, executor, channels)
    }

    /// Starts the engine of a member upon another disk of its own, which is empty at first: as after a loss, or, if it was
    /// used before others were, as after a backup was restored.
    pub async fn start_upon<X: Executor>(&mut self, place: usize, disk: &str, executor: X) -> Handle {
        let channels = self.channels(place).await;
        self.launch(place, Upon { disk, vouched: false, floor: None }, executor, channels)
    }

    /// The same for an operator who vouches, rightly or not, for what is on that disk.
    pub async fn start_vouched<X: Executor>(&mut self, place: usize, disk: &str, executor: X) -> Handle {
        let channels = self.channels(place).await;
        self.launch(place, Upon { disk, vouched: true, floor: None }, executor, channels)
    }

    /// Starts the engine of a member with a state that others have signed, and the block that says so. Its disk is another one of
    /// its own, or with an empty name the first.
    pub async fn start_from<X: Executor>(&mut self, place: usize, disk: &str, executor: X, floor: Certified) -> Handle {
        let channels = self.channels(place).await;
        self.launch(place, Upon { disk, vouched: false, floor: Some(floor) }, executor, channels)
    }

    /// Starts an engine that tells only `confidants` which blocks it proposes, and gives them to nobody else.
    pub async fn start_withholding<X: Executor>(&mut self, place: usize, executor: X, confidants: &[usize]) -> Handle {
        let (everybody, few) = (self.keys(|_| true), self.keys(|other| confidants.contains(&other)));
        let channels = (0u64..).zip(self.channels(place).await).map(|(number, (sender, receiver))| {
            let withheld = [FRESH_BLOCKS_CHANNEL, FETCHED_BLOCKS_CHANNEL].contains(&number);
            let reached = if withheld { &few } else { &everybody };
            (sender.split_with(partial::reaching(reached.clone(), Vec::new())).0, receiver)
        });
        let channels = channels.collect();
        self.launch(place, Upon { disk: "", vouched: false, floor: None }, executor, channels)
    }

    /// Starts two engines in the place of a member, with its key and a disk each, as when a node was copied. The first
    /// talks to the members in `half` and hears them alone, the second to all others: they vote twice, and as leaders
    /// propose two blocks.
    pub async fn start_twins<A: Executor, B: Executor>(
        &mut self,
        place: usize,
        twins: (A, B),
        half: &[usize],
    ) -> [Handle; 2] {
        let (one, other) = (self.keys(|key| half.contains(&key)), self.keys(|key| !half.contains(&key)));
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for (sender, receiver) in self.channels(place).await {
            let senders = sender.split_with(partial::reaching(one.clone(), other.clone()));
            let receivers = receiver.split_with(self.context.child("split"), partial::hearing(one.clone()));
            first.push((senders.0, receivers.0));
            second.push((senders.1, receivers.1));
        }
        let upon = |disk| Upon { disk, vouched: true, floor: None };
        [self.launch(place, upon(""), twins.0, first), self.launch(place, upon("twin-"), twins.1, second)]
    }

    /// Puts a hostile voter in the place of a member: it signs two contradictory votes for every vote that it hears.
    pub async fn start_double_voter(&mut self, place: usize) {
        let network = self.channel(place, VOTES_CHANNEL).await;
        let keys = Set::from_iter_dedup(self.keys(|_| true));
        let namespace = namespace(&self.cast.group.id());
        let scheme = Scheme::signer(&namespace, keys, self.identity(place)).expect("it is a member");
        let task = self.context.child("double_voter").spawn(|context| double_voter::run(context, scheme, network));
        self.running.insert(place, vec![task]);
    }

    /// Puts a babbler in the place of a member: whatever it hears, on any channel, it passes on to everybody, altered.
    pub async fn start_babbler(&mut self, place: usize) {
        let mut tasks = Vec::new();
        for channel in self.channels(place).await {
            tasks.push(self.context.child("babbler").spawn(|context| babbler::run(context, channel)));
        }
        self.running.insert(place, tasks);
    }

    /// Kills whatever is in a member's place between two of its steps. What it had written, even unsynced, stays on its
    /// disk.
    pub fn kill(&mut self, place: usize) {
        for task in self.running.remove(&place).into_iter().flatten() {
            task.abort();
        }
    }

    fn launch<X, S, R>(&mut self, place: usize, upon: Upon<'_>, executor: X, channels: Vec<(S, R)>) -> Handle
    where
        X: Executor,
        S: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
    {
        let pace = Pace { heartbeat: self.cast.heartbeat, max_clock_skew: self.cast.max_clock_skew };
        let Assembled { member, handle, stopped } =
            assemble(executor, self.identity(place), self.members.clone(), place, pace, self.clock(place));
        let Upon { disk, vouched, floor } = upon;
        let member = Member { folder: format!("{disk}member-{place}-"), vouched, floor, kept: self.kept, ..member };
        let channels = (0u64..).zip(channels).map(|(number, (sender, receiver))| {
            let ballots = (number == VOTES_CHANNEL).then(|| self.ballots.clone());
            let receiver = ballots::Tapped::new(receiver, ballots);
            (sender, muddle::Muddled::new(receiver, self.muddle.clone(), self.context.child("muddle")))
        });
        let channels: [_; CHANNELS] =
            channels.collect::<Vec<_>>().try_into().unwrap_or_else(|_| unreachable!("as many were made"));
        let network = Network::new(channels, self.oracle.manager(), self.oracle.control(self.key(place)));
        let context = self.context.child("member").with_attribute("place", place);
        let (panicked, mut panics) = watch::channel(None);
        let context = slow::Slow::new(context, self.temper[place].clone(), Arc::new(panicked));
        let task = context.spawn(|context| async move {
            let panic = panics.wait_for(Option::is_some);
            let outcome = select! {
                outcome = engine::run(context, member, network) => outcome,
                panic = panic => Stopped::Failed(panic.ok().and_then(|words| words.clone()).unwrap_or_default()),
            };
            stopped.send_replace(Some(outcome));
        });
        self.running.entry(place).or_default().push(task);
        handle
    }

    /// A member's clock, which [`set_clock`](World::set_clock) sets.
    fn clock(&self, place: usize) -> impl Fn() -> SystemTime + Send + Sync + 'static {
        let (clock, ahead) = (self.context.child("clock"), self.clocks[place].clone());
        move || {
            let (time, ahead) = (clock.current(), ahead.load(Ordering::Relaxed));
            let by = Duration::from_millis(ahead.unsigned_abs());
            let moved = if ahead < 0 { time.checked_sub(by) } else { time.checked_add(by) };
            moved.unwrap_or(time)
        }
    }

    /// All channels of a member that starts. Whom it cut off before it has forgotten, as a node has that starts again; what
    /// others hold against it stays.
    async fn channels(&self, place: usize) -> Vec<Channel> {
        let (blocked, me) = (self.oracle.blocked().await.unwrap_or_default(), self.key(place));
        for (_, other) in blocked.into_iter().filter(|(by, _)| *by == me) {
            // It fails only where the network is gone, and then there is nothing to talk to.
            let _ = self.oracle.unblock(me.clone(), other).await;
        }
        let mut channels = Vec::new();
        for number in 0..CHANNELS as u64 {
            channels.push(self.channel(place, number).await);
        }
        channels
    }

    fn keys(&self, of: impl Fn(usize) -> bool) -> Vec<PublicKey> {
        (0..self.size()).filter(|place| of(*place)).map(|place| self.key(place)).collect()
    }
}
