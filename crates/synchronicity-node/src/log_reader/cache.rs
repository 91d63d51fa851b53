//! Values under a limit in bytes. What was not asked for since the hand came by last goes first (the "clock" of page
//! caches): as good as the least recently used, and looking something up moves nothing.

use std::collections::HashMap;
use std::sync::Arc;

use synchronicity_verify::tile::TilePath;

/// What a value costs beside its own bytes: its slot, its place in the map, its counts.
const OVERHEAD: usize = 128;

#[derive(Debug)]
pub(super) struct Cache<V> {
    slots: Vec<Slot<V>>,
    places: HashMap<TilePath, usize>,
    hand: usize,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Slot<V> {
    path: TilePath,
    value: Arc<V>,
    bytes: usize,
    asked_for: bool,
}

impl<V> Cache<V> {
    pub(super) fn new(bytes_max: usize) -> Cache<V> {
        Cache { slots: Vec::new(), places: HashMap::new(), hand: 0, bytes: 0, bytes_max }
    }

    pub(super) fn get(&mut self, path: &TilePath) -> Option<Arc<V>> {
        let slot = self.slots.get_mut(*self.places.get(path)?)?;
        slot.asked_for = true;
        Some(slot.value.clone())
    }

    /// Keeps a value of so many bytes, and lets others go until there is room. One that is there already stays.
    pub(super) fn put(&mut self, path: TilePath, value: Arc<V>, bytes: usize) {
        let bytes = bytes + OVERHEAD;
        if bytes > self.bytes_max || self.places.contains_key(&path) {
            return;
        }
        while self.bytes + bytes > self.bytes_max {
            self.let_one_go();
        }
        self.bytes += bytes;
        self.places.insert(path, self.slots.len());
        self.slots.push(Slot { path, value, bytes, asked_for: false });
    }

    /// There is one: the bytes are those of the slots.
    fn let_one_go(&mut self) {
        loop {
            self.hand = if self.hand < self.slots.len() { self.hand } else { 0 };
            let slot = &mut self.slots[self.hand];
            if !slot.asked_for {
                break;
            }
            slot.asked_for = false;
            self.hand += 1;
        }
        let gone = self.slots.swap_remove(self.hand);
        self.bytes -= gone.bytes;
        self.places.remove(&gone.path);
        if let Some(moved) = self.slots.get(self.hand) {
            self.places.insert(moved.path, self.hand);
        }
    }
}

#[cfg(test)]
mod tests {
    use synchronicity_verify::tile::TileLevel;

    use super::*;

    fn path(n: u64) -> TilePath {
        TilePath { level: TileLevel::Hashes(0), n, width: 256 }
    }

    #[test]
    fn a_cache_stays_within_its_bytes_and_keeps_what_is_asked_for() {
        let mut cache = Cache::new(10 * (1000 + OVERHEAD));
        cache.put(path(0), Arc::new(0), 1000);
        for n in 1..1000 {
            assert_eq!(cache.get(&path(0)).as_deref(), Some(&0), "what is always asked for went when {n} came");
            cache.put(path(n), Arc::new(n), 1000);
            assert!(cache.bytes <= cache.bytes_max);
            assert_eq!(cache.slots.len(), cache.places.len());
            assert_eq!(cache.slots.iter().map(|slot| slot.bytes).sum::<usize>(), cache.bytes);
            assert!(cache.places.iter().all(|(path, at)| cache.slots[*at].path == *path));
        }
        assert_eq!(cache.slots.len(), 10);
        assert_eq!(cache.get(&path(999)).as_deref(), Some(&999));
        assert_eq!(cache.get(&path(500)), None);
    }

    #[test]
    fn what_is_larger_than_the_cache_is_not_kept() {
        let mut cache = Cache::new(1000);
        cache.put(path(0), Arc::new(0), 1000);
        assert_eq!((cache.get(&path(0)), cache.bytes), (None, 0));
    }
}
