//! The engines of a group in this process, and those who keep them busy.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use synchronicity_consensus::{EngineConfig, Handle, Peer, SubmitError, start};
use synchronicity_core::command::{Action, Command};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::RequestId;

use crate::cast::{HEARTBEAT, seeds};
use crate::company::Company;
use crate::machine::disk_bytes;
use crate::sink::Sink;

pub(crate) struct Engines {
    company: Company,
    folder: PathBuf,
    sinks: Vec<Sink>,
    handles: Vec<Handle>,
    number: AtomicUsize,
    runtime: tokio::runtime::Runtime,
}

impl Engines {
    /// Starts `size` of them and waits until they see each other and order.
    pub(crate) fn start(size: usize, folder: &Path) -> Self {
        let listeners: Vec<_> = (0..size).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
        let ports: Vec<u16> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        drop(listeners);
        let company = Company::listening_on(&ports);
        let sink = |place| Sink::new(&company.group, Some(&folder.join(format!("sink-{place}"))));
        let sinks = (0..size).map(sink).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (number, handles) = (AtomicUsize::new(0), Vec::new());
        let mut engines = Self { company, folder: folder.to_owned(), sinks, handles, number, runtime };
        engines.handles = engines.all().map(|place| engines.engine(place)).collect();
        let together = |handle: &Handle| handle.status().connected.len() == size - 1 && handle.status().height > 1;
        let begin = Instant::now();
        while !engines.handles.iter().all(together) {
            assert!(begin.elapsed() < Duration::from_secs(300), "the members do not find each other");
            thread::sleep(Duration::from_millis(20));
        }
        engines
    }

    /// Places of all members.
    pub(crate) fn all(&self) -> Range<usize> {
        0..self.sinks.len()
    }

    fn engine(&self, place: usize) -> Handle {
        let members = self.company.group.members();
        let peer = |member: &synchronicity_core::group::Member| Peer {
            key: member.consensus,
            address: member.address.parse().unwrap(),
        };
        let members: Vec<Peer> = members.iter().map(peer).collect();
        let config = EngineConfig {
            namespace: self.company.group.id(),
            seed: seeds(&self.company)[place],
            listen: members[place].address,
            members,
            storage: self.folder.join(format!("chain-{place}")),
            heartbeat: HEARTBEAT,
            max_clock_skew: Duration::from_secs(10),
            floor: None,
            vouched: false,
        };
        start(config, self.sinks[place].clone()).unwrap()
    }

    /// Ends an engine without any orderly leave-taking from the others.
    pub(crate) fn kill(&mut self, place: usize) {
        self.handles[place].shutdown();
        self.runtime.block_on(self.handles[place].stopped());
    }

    pub(crate) fn revive(&mut self, place: usize) {
        self.handles[place] = self.engine(place);
    }

    pub(crate) fn stop(mut self) {
        self.all().for_each(|place| self.kill(place));
    }

    pub(crate) fn command_bytes(&self, signed_together: usize) -> usize {
        commitments(&self.company, 0, 0..signed_together)[0].to_bytes().len()
    }

    /// Of the member at `place`, that no other call gives, signed together.
    fn new_commands(&self, place: usize, count: usize) -> Vec<Command> {
        let first = self.number.fetch_add(count, Ordering::Relaxed);
        commitments(&self.company, place, first..first + count)
    }

    /// Whether the member's engine takes one more command.
    fn submit(&self, place: usize, command: &Command) -> bool {
        self.sinks[place].submitting(command);
        let taken = self.handles[place].submit(command.clone());
        if let Err(refused) = &taken {
            assert!(matches!(refused, SubmitError::Full), "{refused}");
            self.sinks[place].withdraw(command);
        }
        taken.is_ok()
    }

    /// So many commands a second, from the members at `places` in turn; how many were taken.
    pub(crate) fn submit_steadily(&self, places: Range<usize>, rate: u64, window: Duration) -> usize {
        let (begin, mut sent, mut taken) = (Instant::now(), 0_u64, 0);
        while begin.elapsed() < window {
            let due = (begin.elapsed().as_secs_f64() * rate as f64) as u64;
            while sent < due {
                let place = places.start + sent as usize % places.len();
                taken += usize::from(self.submit(place, &self.new_commands(place, 1)[0]));
                sent += 1;
            }
            thread::sleep(Duration::from_micros(500));
        }
        taken
    }

    /// As many as they take, from a thread for each of the members at `places`, so many under each signature.
    pub(crate) fn submit_flat_out(&self, places: Range<usize>, signed_together: usize, window: Duration) {
        let begin = Instant::now();
        thread::scope(|scope| {
            for place in places {
                scope.spawn(move || {
                    while begin.elapsed() < window {
                        for command in self.new_commands(place, signed_together) {
                            while !self.submit(place, &command) && begin.elapsed() < window {
                                thread::sleep(Duration::from_millis(1));
                            }
                        }
                    }
                });
            }
        });
    }

    /// Waits until nothing that was taken is still on its way, a minute at most.
    pub(crate) fn drain(&self) {
        let begin = Instant::now();
        while self.sinks.iter().any(|sink| sink.under_way() > 0) && begin.elapsed() < Duration::from_secs(60) {
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn height_of(&self, place: usize) -> u64 {
        self.sinks[place].height()
    }

    /// Of the member that is never killed.
    pub(crate) fn height(&self) -> u64 {
        self.height_of(0)
    }

    pub(crate) fn ordered(&self) -> usize {
        self.sinks[0].ordered()
    }

    pub(crate) fn longest_pause(&self, begin: Instant) -> Duration {
        self.sinks[0].longest_pause(begin)
    }

    pub(crate) fn latencies(&self, begin: Instant) -> Vec<Duration> {
        self.sinks.iter().flat_map(|sink| sink.took_since(begin)).collect()
    }

    pub(crate) fn disk_bytes(&self) -> u64 {
        self.all().map(|place| disk_bytes(&self.folder.join(format!("chain-{place}")))).sum()
    }
}

/// A commitment, the commonest command, that no other number gives.
pub(crate) fn commitment(company: &Company, place: usize, number: usize) -> Command {
    commitments(company, place, number..number + 1).remove(0)
}

/// Several, signed together.
pub(crate) fn commitments(company: &Company, place: usize, numbers: Range<usize>) -> Vec<Command> {
    let action = |number: usize| {
        let hash = Digest::of(&number.to_be_bytes());
        Action::Commit { request: RequestId(hash), round: 0, commitment: hash }
    };
    Command::sign_all(&company.keys[place], &company.group, numbers.map(action).collect()).unwrap()
}
