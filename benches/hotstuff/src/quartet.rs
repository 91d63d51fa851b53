//! Four replicas in this process, and those who keep them busy.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use hotstuff_rs::replica::{Configuration, Replica, ReplicaSpec};
use hotstuff_rs::types::crypto_primitives::{SigningKey, VerifyingKey};
use hotstuff_rs::types::data_types::{BufferSize, ChainID, EpochLength, Power};
use hotstuff_rs::types::update_sets::AppStateUpdates;
use hotstuff_rs::types::validator_set::{ValidatorSet, ValidatorSetState};

use crate::PATIENCE;
use crate::application::Application;
use crate::pool::{Pool, command};
use crate::store::Store;
use crate::wire::Wire;

/// All members.
pub(crate) const ALL: [usize; 4] = [0, 1, 2, 3];

/// Commands that one frame hands on to the others, when there are many.
const BUNDLE: usize = 64;

pub(crate) struct Quartet {
    keys: Vec<SigningKey>,
    folder: PathBuf,
    pools: Vec<Arc<Pool>>,
    wires: Vec<Wire>,
    replicas: Vec<Option<Replica<Store>>>,
    number: AtomicU64,
}

impl Quartet {
    pub(crate) fn start(folder: &Path) -> Self {
        let keys: Vec<SigningKey> = ALL.iter().map(|place| SigningKey::from_bytes(&[*place as u8 + 1; 32])).collect();
        let public: Arc<Vec<VerifyingKey>> = Arc::new(keys.iter().map(SigningKey::verifying_key).collect());
        let listeners: Vec<_> = ALL.iter().map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
        let addresses: Vec<SocketAddr> = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
        let pools: Vec<Arc<Pool>> = ALL.iter().map(|_| Arc::new(Pool::new(public.to_vec()))).collect();
        let wire =
            |(place, listener)| Wire::new(place, listener, &addresses, public.clone(), Arc::clone(&pools[place]));
        let wires = listeners.into_iter().enumerate().map(wire).collect();
        let (replicas, number) = (ALL.iter().map(|_| None).collect(), AtomicU64::new(0));
        let mut quartet = Self { keys, folder: folder.to_owned(), pools, wires, replicas, number };
        ALL.iter().for_each(|place| quartet.revive(*place));
        quartet
    }

    /// Starts a replica upon its disk.
    pub(crate) fn revive(&mut self, place: usize) {
        let store = Store::open(&self.folder.join(format!("store-{place}")), self.pools[place].clone());
        if store.is_empty() {
            let mut members = ValidatorSet::new();
            self.keys.iter().for_each(|key| members.put(&key.verifying_key(), Power::new(1)));
            let members = ValidatorSetState::new(members.clone(), members, None, true);
            Replica::initialize(store.clone(), AppStateUpdates::new(), members);
        }
        self.wires[place].set_alive(true);
        let spec = ReplicaSpec::builder()
            .app(Application(self.pools[place].clone()))
            .network(self.wires[place].clone())
            .kv_store(store)
            .configuration(configuration(self.keys[place].clone()))
            .build();
        self.replicas[place] = Some(spec.start());
    }

    /// Ends a replica without any leave-taking from the others.
    pub(crate) fn kill(&mut self, place: usize) {
        self.wires[place].set_alive(false);
        let (ended, has_ended) = channel();
        let replica = self.replicas[place].take();
        // Whoever drops a replica waits for its threads, and panics if one of them has.
        thread::spawn(move || {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(replica)));
            let _ = ended.send(());
        });
        let _ = has_ended.recv_timeout(PATIENCE);
    }

    /// How many of `count` own commands the member takes.
    fn submit(&self, place: usize, count: usize) -> usize {
        let numbers = (0..count).map(|_| self.number.fetch_add(1, Ordering::Relaxed));
        let commands = numbers.map(|number| command(&self.keys[place], place, number));
        let taken: Vec<_> = commands.take_while(|command| self.pools[place].submit(command.clone())).collect();
        let count = taken.len();
        if count > 0 {
            self.wires[place].tell(taken);
        }
        count
    }

    /// So many commands a second, from the members at `places` in turn; how many were taken.
    pub(crate) fn submit_steadily(&self, places: &[usize], rate: u64, window: Duration) -> usize {
        let (begin, mut sent, mut taken) = (Instant::now(), 0_u64, 0);
        while begin.elapsed() < window {
            let due = (begin.elapsed().as_secs_f64() * rate as f64) as u64;
            while sent < due {
                taken += self.submit(places[sent as usize % places.len()], 1);
                sent += 1;
            }
            thread::sleep(Duration::from_micros(500));
        }
        taken
    }

    /// As many as they take, from a thread for each of the members at `places`.
    pub(crate) fn submit_flat_out(&self, places: &[usize], window: Duration) {
        let begin = Instant::now();
        thread::scope(|scope| {
            for place in places {
                scope.spawn(move || {
                    while begin.elapsed() < window {
                        if self.submit(*place, BUNDLE) < BUNDLE {
                            thread::sleep(Duration::from_millis(1));
                        }
                    }
                });
            }
        });
    }

    /// Waits until nothing that was taken is still on its way.
    ///
    /// # Errors
    /// As [`until`](Self::until).
    pub(crate) fn drain(&self) -> Result<(), String> {
        self.until(|quartet| quartet.pools.iter().all(|pool| pool.under_way() == 0))
    }

    /// Waits until something holds.
    ///
    /// # Errors
    /// What is to be told if that takes too long.
    pub(crate) fn until(&self, holds: impl Fn(&Self) -> bool) -> Result<(), String> {
        let begin = Instant::now();
        while !holds(self) {
            let (waited, silence) = (begin.elapsed(), self.silence());
            if waited > PATIENCE && silence > PATIENCE {
                return Err(stalled(silence));
            }
            if waited > 3 * PATIENCE {
                return Err(format!("given up after {} s, though there are final blocks", waited.as_secs()));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// How long nothing was final at the member that is never killed.
    pub(crate) fn silence(&self) -> Duration {
        self.pools[0].silence()
    }

    pub(crate) fn height_of(&self, place: usize) -> u64 {
        self.pools[place].height()
    }

    pub(crate) fn height(&self) -> u64 {
        self.height_of(0)
    }

    pub(crate) fn ordered(&self) -> usize {
        self.pools[0].ordered()
    }

    pub(crate) fn longest_pause(&self, begin: Instant) -> Duration {
        self.pools[0].longest_pause(begin)
    }

    pub(crate) fn latencies(&self, begin: Instant) -> Vec<Duration> {
        self.pools.iter().flat_map(|pool| pool.took_since(begin)).collect()
    }
}

fn stalled(silence: Duration) -> String {
    format!("stalled: nothing final for {} s", silence.as_secs())
}

fn configuration(me: SigningKey) -> Configuration {
    Configuration::builder()
        .me(me)
        .chain_id(ChainID::new(0))
        .block_sync_request_limit(256)
        .block_sync_server_advertise_time(Duration::from_secs(1))
        .block_sync_response_timeout(Duration::from_secs(3))
        .block_sync_blacklist_expiry_time(Duration::from_secs(10))
        .block_sync_trigger_min_view_difference(2)
        .block_sync_trigger_timeout(Duration::from_secs(5))
        .progress_msg_buffer_capacity(BufferSize::new(64 << 20))
        // Deadlines of an epoch's views are counted from where it began, so a view that hangs in a long one hangs for long.
        .epoch_length(EpochLength::new(8))
        // It counts in whole seconds, so nothing below one can be asked for.
        .max_view_time(Duration::from_secs(1))
        .log_events(false)
        .build()
}
