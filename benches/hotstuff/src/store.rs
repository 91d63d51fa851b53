//! The engine's key-value store on disk: all of it in memory, and a file of all batches that is read at the start.
//!
//! The file is synced when a batch makes blocks final, and the replica learns of them here: the engine's own event bus may
//! drop events, and keeps a processor busy.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard};

use borsh::{BorshDeserialize, BorshSerialize};
use hotstuff_rs::block_tree::pluggables::{KVGet, KVStore, WriteBatch};
use hotstuff_rs::block_tree::variables::BLOCK_AT_HEIGHT;
use hotstuff_rs::types::data_types::CryptoHash;

use crate::pool::Pool;

type Map = HashMap<Vec<u8>, Vec<u8>>;

#[derive(Clone)]
pub(crate) struct Store {
    map: Arc<RwLock<Map>>,
    file: Arc<Mutex<File>>,
    pool: Arc<Pool>,
}

/// Values to set, and keys to delete.
#[derive(BorshSerialize, BorshDeserialize)]
pub(crate) struct Batch(Vec<(Vec<u8>, Option<Vec<u8>>)>);

pub(crate) struct Snapshot<'a>(RwLockReadGuard<'a, Map>);

impl Store {
    pub(crate) fn open(path: &Path, pool: Arc<Pool>) -> Self {
        let bytes = std::fs::read(path).unwrap_or_default();
        let (mut rest, mut map) = (bytes.as_slice(), Map::new());
        // A batch that was cut off is the last one.
        while let Ok(batch) = Batch::deserialize(&mut rest) {
            apply(&mut map, batch);
        }
        let file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        Self { map: Arc::new(RwLock::new(map)), file: Arc::new(Mutex::new(file)), pool }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.map.read().unwrap().is_empty()
    }
}

/// The commands of a block, which are its one datum.
pub(crate) fn commands(store: &impl KVGet, block: &CryptoHash) -> Vec<Vec<u8>> {
    let datum = store.block_datum(block, 0);
    datum.and_then(|datum| BorshDeserialize::try_from_slice(datum.bytes()).ok()).unwrap_or_default()
}

fn apply(map: &mut Map, batch: Batch) {
    for (key, value) in batch.0 {
        match value {
            Some(value) => map.insert(key, value),
            None => map.remove(&key),
        };
    }
}

impl KVStore for Store {
    type WriteBatch = Batch;
    type Snapshot<'a> = Snapshot<'a>;

    fn write(&mut self, batch: Batch) {
        let finals = batch.0.iter().filter(|(key, _)| key.starts_with(&BLOCK_AT_HEIGHT));
        let finals: Vec<CryptoHash> =
            finals.filter_map(|(_, hash)| CryptoHash::try_from_slice(hash.as_deref()?).ok()).collect();
        let mut file = self.file.lock().unwrap();
        file.write_all(&batch.try_to_vec().unwrap()).unwrap();
        if !finals.is_empty() {
            file.sync_data().unwrap();
        }
        apply(&mut self.map.write().unwrap(), batch);
        for block in &finals {
            self.pool.committed(&commands(self, block));
        }
    }

    fn clear(&mut self) {
        self.file.lock().unwrap().set_len(0).unwrap();
        self.map.write().unwrap().clear();
    }

    fn snapshot(&self) -> Snapshot<'_> {
        Snapshot(self.map.read().unwrap())
    }
}

impl KVGet for Store {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.map.read().unwrap().get(key).cloned()
    }
}

impl KVGet for Snapshot<'_> {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(key).cloned()
    }
}

impl WriteBatch for Batch {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.0.push((key.to_vec(), Some(value.to_vec())));
    }

    fn delete(&mut self, key: &[u8]) {
        self.0.push((key.to_vec(), None));
    }
}
