//! What one replica knows of commands: those that wait, those that are final, and how long it took.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use hotstuff_rs::types::crypto_primitives::{Signature, Signer, SigningKey, VerifyingKey};

/// As a commitment of ours: a number, its author, what it says, and a signature over all of it.
pub(crate) const COMMAND_BYTES: usize = 176;

const SIGNATURE_BYTES: usize = 64;

/// Commands of one author that may wait, as in our mempool.
const AUTHOR_COMMANDS_MAX: usize = 1024;

/// Commands in a block, as in ours. So many are less than the mebibyte that a block of ours may have.
const BLOCK_COMMANDS_MAX: usize = 4096;

/// No two commands of a run have the same.
pub(crate) type Number = u64;

pub(crate) struct Pool {
    authors: Vec<VerifyingKey>,
    begun: Instant,
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    waiting: BTreeMap<Number, Vec<u8>>,
    /// Those whose signature was right.
    checked: HashSet<Number>,
    ordered: HashSet<Number>,
    /// When this replica's own commands were submitted.
    submitted: HashMap<Number, Instant>,
    took: Vec<(Instant, Duration)>,
    blocks: Vec<Instant>,
}

/// A command that says nothing.
pub(crate) fn command(key: &SigningKey, place: usize, number: Number) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.push(u8::try_from(place).unwrap());
    bytes.resize(COMMAND_BYTES - SIGNATURE_BYTES, 0x5a);
    let signature = key.sign(&bytes);
    bytes.extend(signature.to_bytes());
    bytes
}

pub(crate) fn number_of(command: &[u8]) -> Option<Number> {
    command.first_chunk().map(|number| Number::from_be_bytes(*number))
}

impl Pool {
    pub(crate) fn new(authors: Vec<VerifyingKey>) -> Self {
        Self { authors, begun: Instant::now(), state: Mutex::default(), news: Condvar::new() }
    }

    /// Whether one more own command finds room; it then waits.
    pub(crate) fn submit(&self, command: Vec<u8>) -> bool {
        let number = number_of(&command).unwrap();
        let mut state = self.lock();
        if state.submitted.len() >= AUTHOR_COMMANDS_MAX {
            return false;
        }
        state.submitted.insert(number, Instant::now());
        state.checked.insert(number);
        state.waiting.insert(number, command);
        self.news.notify_all();
        true
    }

    /// Takes a command of another replica.
    pub(crate) fn hear(&self, command: Vec<u8>) {
        let Some(number) = self.check(&command) else { return };
        let mut state = self.lock();
        if !state.ordered.contains(&number) {
            state.waiting.insert(number, command);
            self.news.notify_all();
        }
    }

    /// A command's number, if it is well signed. Each is checked once.
    pub(crate) fn check(&self, command: &[u8]) -> Option<Number> {
        let number = number_of(command)?;
        if self.lock().checked.contains(&number) {
            return Some(number);
        }
        let (said, signature) = command.split_last_chunk::<SIGNATURE_BYTES>()?;
        let author = self.authors.get(usize::from(*said.get(8)?))?;
        author.verify_strict(said, &Signature::from_bytes(signature)).ok()?;
        self.lock().checked.insert(number);
        Some(number)
    }

    /// Commands for a block upon others that are not final and hold those in `pending`. If there is nothing to do at
    /// all, the leader waits a little, as ours does.
    pub(crate) fn select(&self, pending: &HashSet<Number>, wait: Duration) -> Vec<Vec<u8>> {
        let mut state = self.lock();
        if pending.is_empty() && state.waiting.is_empty() {
            state = self.news.wait_timeout_while(state, wait, |state| state.waiting.is_empty()).unwrap().0;
        }
        let fresh = state.waiting.iter().filter(|(number, _)| !pending.contains(number));
        fresh.take(BLOCK_COMMANDS_MAX).map(|(_, command)| command.clone()).collect()
    }

    /// A block is final, and on this replica's disk.
    pub(crate) fn committed(&self, commands: &[Vec<u8>]) {
        let (now, state) = (Instant::now(), &mut *self.lock());
        state.blocks.push(now);
        for number in commands.iter().filter_map(|command| number_of(command)) {
            state.waiting.remove(&number);
            state.ordered.insert(number);
            if let Some(at) = state.submitted.remove(&number) {
                state.took.push((at, now - at));
            }
        }
    }

    pub(crate) fn height(&self) -> u64 {
        self.lock().blocks.len() as u64
    }

    pub(crate) fn ordered(&self) -> usize {
        self.lock().ordered.len()
    }

    pub(crate) fn under_way(&self) -> usize {
        self.lock().submitted.len()
    }

    /// How long no block was final.
    pub(crate) fn silence(&self) -> Duration {
        self.lock().blocks.last().unwrap_or(&self.begun).elapsed()
    }

    pub(crate) fn took_since(&self, begin: Instant) -> Vec<Duration> {
        self.lock().took.iter().filter(|(at, _)| *at >= begin).map(|(_, took)| *took).collect()
    }

    /// The longest time without a block, from `begin` to the last block.
    pub(crate) fn longest_pause(&self, begin: Instant) -> Duration {
        let state = self.lock();
        let since: Vec<Instant> = state.blocks.iter().copied().filter(|at| *at >= begin).collect();
        let pauses = since.windows(2).map(|pair| pair[1] - pair[0]);
        pauses.chain(since.first().map(|first| *first - begin)).max().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}
