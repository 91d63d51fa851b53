//! The same engine on the deterministic runtime, with links that lose, delay and are cut, members that are killed and
//! members that lie. One seed is one history: every random choice, of the links too, comes from it.

mod babbler;
mod ballots;
mod double_voter;
mod members;
mod muddle;
mod partial;
mod slow;

use std::collections::BTreeMap;
use std::future::Future;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use commonware_cryptography::{Signer, ed25519};
use commonware_p2p::simulated::{self, Link, Oracle};
use commonware_p2p::{Recipients, Sender};
use commonware_runtime::Quota;
use commonware_runtime::deterministic::{FaultConfig, PartialWriteMode, WriteConfig};
use commonware_runtime::{Clock, Supervisor, deterministic};
use commonware_utils::{NZU32, NZUsize, Probability};
use synchronicity_core::group::Group;
use synchronicity_verify::identity::BuilderId;

use crate::local::unix_ms;
use crate::network::{COMMANDS_CHANNEL, message_bytes_max};
use crate::start::{identity, public_keys};
use crate::storage::BLOCKS_KEPT;
use ballots::Ballots;
pub use ballots::Contradiction;

type Context = deterministic::Context;

/// Sender and receiver of one channel of a member.
type Channel = (simulated::Sender<ed25519::PublicKey, Context>, simulated::Receiver<ed25519::PublicKey>);

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
    /// Whether disks will fail. A part of an engine that panics then ends that engine, as it ends a process; otherwise
    /// it ends the run, because no panic is right.
    pub disks_fail: bool,
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

/// How often disks fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskFaults {
    /// Writes of a thousand that fail, and syncs.
    pub failures_per_mille: u16,
    /// Bytes of a thousand that such a write, or one that a power cut caught, leaves on the disk nevertheless.
    pub kept_per_mille: u16,
}

/// A finished run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run<T> {
    /// What the driver returned.
    pub value: T,
    /// Digest of everything that happened, in order. Equal seeds and drivers give equal histories.
    pub history: String,
}

/// What survives a run: of the disks what was synced, and nothing else. What members said is remembered too, so that a vote
/// which was sent before it was synced shows when its member gives another.
pub struct Disk {
    checkpoint: deterministic::Checkpoint,
    ballots: Arc<Mutex<Ballots>>,
}

/// A group, its links and its clock, in the hands of a driver.
pub struct World {
    context: Context,
    oracle: Oracle<ed25519::PublicKey, Context>,
    cast: Cast,
    members: Vec<(ed25519::PublicKey, BuilderId)>,
    ballots: Arc<Mutex<Ballots>>,
    running: BTreeMap<usize, Vec<commonware_runtime::Handle<()>>>,
    /// How far each member's clock is ahead of simulated time, in milliseconds.
    clocks: Vec<Arc<AtomicI64>>,
    muddle: muddle::Percent,
    temper: Vec<slow::Temper>,
    kept: NonZeroU64,
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
    let config = config.with_catch_panics(cast.disks_fail);
    let members = public_keys(&cast.group).expect("a simulated group has sound keys");
    let ballots = Ballots::new(&cast.group, members.into_iter().map(|(key, _)| key));
    play(deterministic::Runner::new(config), (cast, Arc::new(Mutex::new(ballots))), drive)
}

/// Goes on from a disk that survived.
pub fn resume<F, Fut, T>(disk: Disk, cast: Cast, drive: F) -> (Run<T>, Disk)
where
    F: FnOnce(World) -> Fut,
    Fut: Future<Output = T>,
{
    play(deterministic::Runner::from(disk.checkpoint), (cast, disk.ballots), drive)
}

fn play<F, Fut, T>(
    runner: deterministic::Runner,
    (cast, ballots): (Cast, Arc<Mutex<Ballots>>),
    drive: F,
) -> (Run<T>, Disk)
where
    F: FnOnce(World) -> Fut,
    Fut: Future<Output = T>,
{
    let heard = ballots.clone();
    let (value, checkpoint) = runner.start_and_recover(|context| async move {
        let world = World::new(context, cast, heard).await;
        drive(world).await
    });
    let history = checkpoint.auditor().state();
    (Run { value, history }, Disk { checkpoint, ballots })
}

impl World {
    async fn new(context: Context, cast: Cast, ballots: Arc<Mutex<Ballots>>) -> Self {
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
        let clocks = members.iter().map(|_| Arc::default()).collect();
        let temper = members.iter().map(|_| slow::Temper::default()).collect();
        let (running, muddle) = (BTreeMap::new(), Arc::default());
        Self { context, oracle, cast, members, ballots, running, clocks, muddle, temper, kept: BLOCKS_KEPT }
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

    /// Cuts the road on which `to` hears `from`; the way back stays.
    pub async fn cut_one_way(&self, from: usize, to: usize) {
        // A road that is not there needs no cutting.
        let _ = self.oracle.remove_link(self.key(from), self.key(to)).await;
    }

    /// Lays the road on which `to` hears `from`, or replaces the one that is there.
    pub async fn lay_one_way(&self, from: usize, to: usize, road: Road) {
        self.cut_one_way(from, to).await;
        let link = Link {
            latency: road.latency,
            jitter: road.jitter,
            success_rate: Probability::new(u64::from(100 - road.loss_percent.min(100)), 100).expect("at most one"),
        };
        self.oracle.add_link(self.key(from), self.key(to), link).await.expect("the road was cut before");
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

    /// Members that are started from here on keep so many blocks of their chains. To be called before the first is.
    pub fn keep_blocks(&mut self, kept: NonZeroU64) {
        self.kept = kept;
    }

    /// Sets a member's clock to this many milliseconds ahead of simulated time, from here on.
    pub fn set_clock(&self, place: usize, ahead_ms: i64) {
        self.clocks[place].store(ahead_ms, Ordering::Relaxed);
    }

    /// Of a hundred messages to anybody, so many come twice, and so many after the next one of their channel.
    pub fn muddle(&self, percent: u8) {
        self.muddle.store(percent, Ordering::Relaxed);
    }

    /// From here on writes and syncs of all disks fail by this chance. A write that fails leaves some of its bytes, and
    /// so does, in a power cut, one that was not synced.
    pub fn trouble_disks(&self, faults: DiskFaults) {
        let chance = |per_mille: u16| Probability::new(u64::from(per_mille.min(1000)), 1000).expect("at most one");
        let (failure_rate, retention_rate) = (chance(faults.failures_per_mille), chance(faults.kept_per_mille));
        let write =
            FaultConfig::default().write(WriteConfig { failure_rate, retention_rate, mode: PartialWriteMode::Subset });
        *self.context.storage_fault_config().write() = write.sync(failure_rate);
    }

    /// From here on every sync of a member's disk takes so long.
    pub fn slow_disk(&self, place: usize, sync: Duration) {
        self.temper[place].take_for_a_sync(sync);
    }

    /// From here on no sync of any disk does anything, though each says that it did: a bug to be planted, to see what it
    /// leads to.
    pub fn feign_syncs(&self) {
        self.temper.iter().for_each(slow::Temper::feign_syncs);
    }

    /// The number that the engine knows a member by, as in [`Contradiction::signer`].
    pub fn signer(&self, place: usize) -> u32 {
        let before = self.members.iter().filter(|(key, _)| *key < self.members[place].0);
        u32::try_from(before.count()).expect("a group has at most 31 members")
    }

    /// Contradictory votes that any member received so far, of any member, before a power cut too.
    pub fn contradictions(&self) -> Vec<Contradiction> {
        self.contradictions_after(0)
    }

    /// The same without the first `known` of them.
    pub fn contradictions_after(&self, known: usize) -> Vec<Contradiction> {
        self.ballots.lock().unwrap_or_else(PoisonError::into_inner).contradictions(known)
    }

    /// How many votes were received so far.
    pub fn votes(&self) -> usize {
        self.ballots.lock().unwrap_or_else(PoisonError::into_inner).votes()
    }

    async fn channel(&self, place: usize, number: u64) -> Channel {
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
