//! The same engine on the deterministic runtime, with links that lose, delay and are cut, members that are killed and
//! members that lie. One seed is one history: every random choice, of the links too, comes from it.

mod ballots;
mod double_voter;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_cryptography::{Signer, ed25519};
use commonware_p2p::simulated::{self, Link, Oracle};
use commonware_p2p::{Recipients, Sender};
use commonware_runtime::Quota;
use commonware_runtime::{Clock, Spawner, Supervisor, deterministic};
use commonware_utils::ordered::Set;
use commonware_utils::{NZU32, NZUsize, Probability};
use synchronicity_core::group::Group;
use synchronicity_verify::identity::BuilderId;

use crate::engine::{self, Member};
use crate::executor::Executor;
use crate::handle::{Assembled, Handle, assemble};
use crate::local::{Pace, unix_ms};
use crate::network::{CHANNELS, COMMANDS_CHANNEL, Network, VOTES_CHANNEL, message_bytes_max};
use crate::start::{identity, public_keys};
use ballots::Ballots;
pub use ballots::Contradiction;

type Context = deterministic::Context;

/// Simulated time after which a run is taken for hung, and panics.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// What a simulated group is made of.
#[derive(Clone)]
pub struct Cast {
    /// The group. Its members' consensus keys belong to `seeds`.
    pub group: Group,
    /// Secret consensus keys, in the order of the group's members.
    pub seeds: Vec<[u8; 32]>,
    /// See [`EngineConfig`](crate::EngineConfig).
    pub heartbeat: Duration,
    /// See [`EngineConfig`](crate::EngineConfig).
    pub max_clock_skew: Duration,
}

/// How messages travel between two members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Road {
    /// One way, at the mean.
    pub latency: Duration,
    /// Standard deviation of the latency.
    pub jitter: Duration,
    /// Messages of a hundred that are lost.
    pub loss_percent: u8,
}

/// A finished run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run<T> {
    /// What the driver returned.
    pub value: T,
    /// Digest of everything that happened, in order. Equal seeds and drivers give equal histories.
    pub history: String,
}

/// A disk that survived a run: what was synced, and nothing else.
pub struct Disk(deterministic::Checkpoint);

/// A group, its links and its clock, in the hands of a driver.
pub struct World {
    context: Context,
    oracle: Oracle<ed25519::PublicKey, Context>,
    cast: Cast,
    members: Vec<(ed25519::PublicKey, BuilderId)>,
    ballots: Arc<Mutex<Ballots>>,
    running: BTreeMap<usize, commonware_runtime::Handle<()>>,
}

/// Runs `drive` over a fresh group from a seed.
///
/// # Panics
/// If `drive` or any part of an engine does, or if simulated time passes a day.
pub fn run<F, Fut, T>(seed: u64, cast: Cast, drive: F) -> Run<T>
where
    F: FnOnce(World) -> Fut,
    Fut: Future<Output = T>,
{
    run_and_lose_power(seed, cast, drive).0
}

/// Like [`run`]; at the end everything stops at once, and the disk keeps only what was synced.
pub fn run_and_lose_power<F, Fut, T>(seed: u64, cast: Cast, drive: F) -> (Run<T>, Disk)
where
    F: FnOnce(World) -> Fut,
    Fut: Future<Output = T>,
{
    let start = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let config = deterministic::Config::new().with_seed(seed).with_start_time(start).with_timeout(Some(PATIENCE));
    play(deterministic::Runner::new(config), cast, drive)
}

/// Goes on from a disk that survived.
pub fn resume<F, Fut, T>(disk: Disk, cast: Cast, drive: F) -> (Run<T>, Disk)
where
    F: FnOnce(World) -> Fut,
    Fut: Future<Output = T>,
{
    play(deterministic::Runner::from(disk.0), cast, drive)
}

fn play<F, Fut, T>(runner: deterministic::Runner, cast: Cast, drive: F) -> (Run<T>, Disk)
where
    F: FnOnce(World) -> Fut,
    Fut: Future<Output = T>,
{
    let (value, checkpoint) = runner.start_and_recover(|context| async move {
        let world = World::new(context, cast).await;
        drive(world).await
    });
    let history = checkpoint.auditor().state();
    (Run { value, history }, Disk(checkpoint))
}

impl World {
    async fn new(context: Context, cast: Cast) -> Self {
        let members = public_keys(&cast.group).expect("a simulated group has sound keys");
        let config = simulated::Config {
            max_size: message_bytes_max(&Arc::new(cast.group.clone())),
            max_peers_per_set: NZUsize!(32),
            disconnect_on_block: true,
            tracked_peer_sets: NZUsize!(1),
        };
        let keys: Vec<_> = members.iter().map(|(key, _)| key.clone()).collect();
        let (network, oracle) = simulated::Network::new_with_peers(context.child("network"), config, keys).await;
        network.start();
        Self { context, oracle, cast, members, ballots: Arc::default(), running: BTreeMap::new() }
    }

    /// Number of members.
    pub fn size(&self) -> usize {
        self.members.len()
    }

    /// Simulated time, in milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        unix_ms(self.context.current())
    }

    /// Lets simulated time pass.
    pub async fn sleep(&self, duration: Duration) {
        self.context.sleep(duration).await;
    }

    /// Waits, at most `limit` of simulated time, until `holds`; tells whether it did.
    pub async fn until(&self, limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
        let deadline = self.context.current() + limit;
        while !holds() {
            if self.context.current() >= deadline {
                return false;
            }
            self.context.sleep(Duration::from_millis(20)).await;
        }
        true
    }

    /// Lays a road between every two members, or replaces the ones that are there.
    pub async fn connect_all(&self, road: Road) {
        for a in 0..self.size() {
            for b in 0..self.size() {
                if a != b {
                    self.cut_one_way(a, b).await;
                    self.lay_one_way(a, b, road).await;
                }
            }
        }
    }

    /// Cuts every road between a member of `one` and a member of `other`.
    pub async fn cut(&self, one: &[usize], other: &[usize]) {
        for (a, b) in one.iter().flat_map(|a| other.iter().map(move |b| (*a, *b))) {
            self.cut_one_way(a, b).await;
            self.cut_one_way(b, a).await;
        }
    }

    async fn cut_one_way(&self, from: usize, to: usize) {
        // A road that is not there needs no cutting.
        let _ = self.oracle.remove_link(self.key(from), self.key(to)).await;
    }

    async fn lay_one_way(&self, from: usize, to: usize, road: Road) {
        let link = Link {
            latency: road.latency,
            jitter: road.jitter,
            success_rate: Probability::new(u64::from(100 - road.loss_percent.min(100)), 100).expect("at most one"),
        };
        self.oracle.add_link(self.key(from), self.key(to), link).await.expect("the road was cut before");
    }

    /// Starts the engine of a member upon its disk, with an executor that holds its state.
    pub async fn start<X: Executor>(&mut self, place: usize, executor: X) -> Handle {
        let clock = self.context.child("clock");
        let pace = Pace { heartbeat: self.cast.heartbeat, max_clock_skew: self.cast.max_clock_skew };
        let now = move || -> SystemTime { clock.current() };
        let Assembled { member, handle, stopped } =
            assemble(executor, self.identity(place), self.members.clone(), place, pace, now);
        let member = Member { folder: format!("member-{place}-"), ..member };
        let mut channels = Vec::new();
        for number in 0..CHANNELS as u64 {
            let (sender, receiver) = self.channel(place, number).await;
            let ballots = (number == VOTES_CHANNEL).then(|| self.ballots.clone());
            channels.push((sender, ballots::Tapped::new(receiver, ballots)));
        }
        let channels = channels.try_into().unwrap_or_else(|_| unreachable!("as many were made"));
        let network = Network::new(channels, self.oracle.manager(), self.oracle.control(self.key(place)));
        let task = self.context.child("member").with_attribute("place", place).spawn(|context| async move {
            let outcome = engine::run(context, member, network).await;
            stopped.send_replace(Some(outcome));
        });
        self.running.insert(place, task);
        handle
    }

    /// Kills a member's engine between two of its steps. What it had written, even unsynced, stays on its disk.
    pub fn kill(&mut self, place: usize) {
        if let Some(task) = self.running.remove(&place) {
            task.abort();
        }
    }

    /// Puts a hostile voter in the place of a member: it signs two contradictory votes for every vote that it hears.
    pub async fn start_double_voter(&mut self, place: usize) {
        let network = self.channel(place, VOTES_CHANNEL).await;
        let keys = Set::from_iter_dedup(self.members.iter().map(|(key, _)| key.clone()));
        let namespace = engine::namespace(&self.cast.group.id());
        let scheme = Scheme::signer(&namespace, keys, self.identity(place)).expect("it is a member");
        let task = self.context.child("double_voter").spawn(|context| double_voter::run(context, scheme, network));
        self.running.insert(place, task);
    }

    /// Has a member that runs no engine send `messages` on the channel of commands, as fast as the channel lets it.
    pub async fn flood_with_commands(&self, place: usize, messages: Vec<Vec<u8>>) {
        let (mut sender, _receiver) = self.channel(place, COMMANDS_CHANNEL).await;
        for message in messages {
            while sender.send(Recipients::All, message.clone(), false).is_empty() {
                self.context.sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Contradictory votes that any member received so far, of any member.
    pub fn contradictions(&self) -> Vec<Contradiction> {
        self.ballots.lock().unwrap_or_else(PoisonError::into_inner).contradictions()
    }

    /// How many votes were received so far.
    pub fn votes(&self) -> usize {
        self.ballots.lock().unwrap_or_else(PoisonError::into_inner).votes()
    }

    async fn channel(
        &self,
        place: usize,
        number: u64,
    ) -> (simulated::Sender<ed25519::PublicKey, Context>, simulated::Receiver<ed25519::PublicKey>) {
        let quota = Quota::per_second(NZU32!(1024));
        let control = self.oracle.control(self.key(place));
        control.register(number, quota).await.expect("the network lives as long as the world")
    }

    fn key(&self, place: usize) -> ed25519::PublicKey {
        self.members[place].0.clone()
    }

    fn identity(&self, place: usize) -> ed25519::PrivateKey {
        let identity = identity(&self.cast.seeds[place]);
        assert_eq!(identity.public_key(), self.members[place].0, "seeds are in the order of the group's members");
        identity
    }
}
