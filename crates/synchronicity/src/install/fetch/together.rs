//! One artifact from several places at once, a piece from each.
//!
//! Pieces are taken in order, and only so far ahead of what is written that few wait in memory; they are written in order,
//! hashed as they are. A piece that is long in coming is asked of a second place too, so that a slow one holds nobody
//! up: it is left behind with its piece, and its thread ends with its request.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Part, PlaceTrouble, Told, Wanted, copy, open};
use crate::source::Source;

/// The most places that are asked at once: the first.
const PLACES_MAX: usize = 8;

/// The shortest and the longest piece, in bytes.
const PIECE: Range<u64> = 256 << 10..2 << 20;

/// Pieces for each place that may be ahead of what is written.
const AHEAD: u64 = 2;

/// A piece that takes longer is asked of another place, too.
const LONG: Duration = Duration::from_secs(1);

/// What the threads share.
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Where the first piece begins.
    begin: u64,
    piece: u64,
    size: u64,
    /// Pieces from the first one on that are written.
    written: u64,
    /// Pieces that may be ahead of these.
    ahead: u64,
    /// Pieces that are under way: when, and at which places.
    asked: BTreeMap<u64, (Instant, Vec<usize>)>,
    /// Pieces that wait for those before them.
    arrived: BTreeMap<u64, Vec<u8>>,
    troubles: BTreeMap<usize, PlaceTrouble>,
    places: usize,
    over: bool,
}

/// Appends to `part` what can be had. It need not be right, nor whole: then `troubles` has why each place gave up.
pub(super) fn together(
    wanted: &Wanted,
    places: &[Source],
    part: &mut Part,
    told: &mut Told<'_>,
    troubles: &mut [Option<PlaceTrouble>],
) -> std::io::Result<()> {
    let asked = &places[..places.len().min(PLACES_MAX)];
    let shared = Arc::new(Shared::new(part.length(), wanted.artifact.size, asked.len()));
    for (me, place) in asked.iter().cloned().enumerate() {
        let (shared, wanted) = (Arc::clone(&shared), wanted.clone());
        // Not waited for: one that hangs must not hold up what others brought.
        std::thread::spawn(move || serve(&shared, me, &place, &wanted));
    }
    let mut kept = Ok(());
    while let Some((piece, places)) = shared.next() {
        kept = part.append(&piece);
        told.detail(&piece, part.length(), places);
        if kept.is_err() {
            break;
        }
    }
    let mut state = shared.lock();
    state.over = true;
    for (place, trouble) in std::mem::take(&mut state.troubles) {
        troubles[place] = Some(trouble);
    }
    shared.changed.notify_all();
    kept
}

/// One place's thread: a piece after another until all is there, or the place has trouble.
fn serve(shared: &Shared, me: usize, place: &Source, wanted: &Wanted) {
    while let Some((piece, range)) = shared.take(me) {
        let ended = piece_of(wanted, place, &range);
        let mut state = shared.lock();
        match ended {
            Ok(bytes) => state.arrive(piece, bytes),
            Err(trouble) => state.fail(me, piece, trouble),
        }
        shared.changed.notify_all();
    }
}

/// A piece, from a place that knows parts: others would send the beginning of the file again and again.
fn piece_of(wanted: &Wanted, place: &Source, range: &Range<u64>) -> Result<Vec<u8>, PlaceTrouble> {
    let (stream, begin) = open(wanted, place, range)?;
    if begin != range.start {
        return Err(PlaceTrouble::NoParts);
    }
    let mut bytes = Vec::with_capacity((range.end - range.start) as usize);
    copy(stream, begin, range, |piece| {
        bytes.extend_from_slice(piece);
        true
    })?;
    Ok(bytes)
}

impl Shared {
    fn new(begin: u64, size: u64, places: usize) -> Self {
        let piece = (size - begin) / (4 * places as u64);
        let state = State {
            begin,
            size,
            piece: piece.clamp(PIECE.start, PIECE.end),
            written: 0,
            ahead: AHEAD * places as u64,
            asked: BTreeMap::new(),
            arrived: BTreeMap::new(),
            troubles: BTreeMap::new(),
            places,
            over: false,
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// The next piece to be written, and how many places serve; `None` when all is there, or nobody brings the rest.
    fn next(&self) -> Option<(Vec<u8>, usize)> {
        let mut state = self.lock();
        loop {
            let serving = state.places - state.troubles.len();
            let written = state.written;
            if let Some(piece) = state.arrived.remove(&written) {
                state.written += 1;
                self.changed.notify_all();
                return Some((piece, serving));
            }
            if serving == 0 || state.range(state.written).is_empty() {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What place `me` should fetch next; waits for something to do.
    fn take(&self, me: usize) -> Option<(u64, Range<u64>)> {
        let mut state = self.lock();
        while !state.over {
            if let Some(piece) = state.claim(me, Instant::now()) {
                return Some((piece, state.range(piece)));
            }
            state = self.changed.wait_timeout(state, LONG / 4).unwrap_or_else(PoisonError::into_inner).0;
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The bytes of a piece; empty beyond the last.
    fn range(&self, piece: u64) -> Range<u64> {
        let at = |piece: u64| self.begin.saturating_add(piece.saturating_mul(self.piece)).min(self.size);
        at(piece)..at(piece + 1)
    }

    /// A piece for place `me`: the first that nobody fetches or has fetched; else the first that takes another long.
    fn claim(&mut self, me: usize, now: Instant) -> Option<u64> {
        let window = self.written..self.written + self.ahead;
        let missing = |piece: &u64| !self.range(*piece).is_empty() && !self.arrived.contains_key(piece);
        let free = |piece: &u64| !self.asked.contains_key(piece);
        let late = |piece: &u64| {
            let asked = self.asked.get(piece);
            asked.is_some_and(|(since, by)| now.duration_since(*since) >= LONG && by.len() < 2 && !by.contains(&me))
        };
        let mut pieces = window.clone().filter(missing);
        let piece = pieces.clone().find(free).or_else(|| pieces.find(late))?;
        self.asked.entry(piece).or_insert((now, Vec::new())).1.push(me);
        Some(piece)
    }

    /// The first to bring a piece counts.
    fn arrive(&mut self, piece: u64, bytes: Vec<u8>) {
        if self.asked.remove(&piece).is_some() && piece >= self.written {
            self.arrived.insert(piece, bytes);
        }
    }

    /// What place `me` leaves undone is there for others.
    fn fail(&mut self, me: usize, piece: u64, trouble: PlaceTrouble) {
        self.troubles.insert(me, trouble);
        if let Some((_, by)) = self.asked.get_mut(&piece) {
            by.retain(|place| *place != me);
            if by.is_empty() {
                self.asked.remove(&piece);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(size: u64, places: usize) -> State {
        Shared::new(0, size, places).state.into_inner().unwrap()
    }

    #[test]
    fn pieces_cover_what_is_missing_once_and_in_order() {
        for (begin, size) in [(0, 1), (0, 256 << 10), (5, (256 << 10) + 5), (7, 40 << 20), (99, 100)] {
            let state = Shared::new(begin, size, 3).state.into_inner().unwrap();
            let mut at = begin;
            for piece in 0.. {
                let range = state.range(piece);
                if range.is_empty() {
                    break;
                }
                assert_eq!(range.start, at);
                at = range.end;
            }
            assert_eq!(at, size);
        }
    }

    #[test]
    fn a_place_gets_what_nobody_fetches_and_then_what_takes_another_long() {
        let (mut state, now) = (state(1 << 20, 2), Instant::now());
        let claims: Vec<_> = (0..6).map(|turn| state.claim(turn % 2, now)).collect();
        assert_eq!(claims, [Some(0), Some(1), Some(2), Some(3), None, None]);
        let later = now + LONG;
        assert_eq!(state.claim(0, later), Some(1), "piece 0 is its own");
        assert_eq!(state.claim(0, later), Some(3));
        assert_eq!(state.claim(0, later), None, "each is asked of two places at most");
        assert_eq!(state.claim(1, later), Some(0));
    }

    #[test]
    fn only_what_is_near_is_fetched_and_what_failed_is_free_again() {
        let (mut state, now) = (state(100 << 20, 2), Instant::now());
        assert_eq!((0..9).filter_map(|_| state.claim(0, now)).collect::<Vec<_>>(), [0, 1, 2, 3]);
        state.fail(0, 2, PlaceTrouble::CutOff);
        assert_eq!(state.claim(1, now), Some(2));
        state.arrive(0, vec![1]);
        state.arrive(0, vec![2]);
        assert_eq!(state.arrived.get(&0), Some(&vec![1]), "the first that came");
        state.arrived.clear();
        state.written = 1;
        state.arrive(0, vec![3]);
        assert!(state.arrived.is_empty(), "it was written before");
    }
}
