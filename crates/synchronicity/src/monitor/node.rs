//! What is checked at one node in one pass. Each node has a thread of its own and its own time.

use std::path::PathBuf;
use std::time::Duration;

use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::note::NOTE_BYTES_MAX;
use synchronicity_verify::succession::SUCCESSION_BYTES_MAX;
use synchronicity_verify::tile::{TILE_WIDTH, TileLevel, tiles_between};

use super::events::{Alarm, Kind};
use super::extend::{contradiction, extend};
use super::lookup;
use super::own::{Candidate, Own};
use super::reader::{Reader, Trouble};
use super::seen::{Seen, relate};
use super::state::Done;
use super::trusted::Trusted;
use crate::age::Age;
use crate::source::Source;

/// New entries of which a node is asked what it says, in one pass.
const LOOKUPS_MAX: u64 = 8;

/// Keys of an entry that are asked about: of its crate, and of artifacts.
const KEYS_MAX: usize = 2;

/// What was asked for on the command line and is the same for each node.
pub(super) struct Rules {
    pub(super) trusted: Trusted,
    pub(super) max_age: Option<Age>,
    pub(super) patience: Duration,
}

pub(super) struct Node {
    pub(super) url: String,
    pub(super) source: Source,
    /// The newest good checkpoint.
    pub(super) last: Option<Seen>,
    pub(super) done: Done,
    /// Whether it was told that the node answers no lookups.
    pub(super) told_no_lookup: bool,
}

/// What one pass finds at a node.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) seen: Option<Seen>,
    pub(super) candidate: Option<Candidate>,
    pub(super) alarms: Vec<Alarm>,
    /// Why not everything was checked.
    pub(super) away: Option<String>,
    pub(super) stale: Option<String>,
    pub(super) warnings: Vec<String>,
    pub(super) no_lookup: bool,
    pub(super) done: Done,
    /// Where the node's changes of members lead, and the file that says so, if it was needed.
    pub(super) followed: Option<(Trusted, Vec<u8>)>,
    /// Whether its checkpoint belongs to the log as it was seen before.
    pub(super) related: bool,
}

impl Findings {
    /// Notes what ended a check early.
    pub(super) fn take(&mut self, trouble: Trouble) -> Result<(), super::error::MonitorError> {
        match trouble {
            Trouble::Away(words) => self.away = Some(words),
            Trouble::Alarm(alarm) => self.alarms.push(*alarm),
            Trouble::Own(error) => return Err(error),
        }
        Ok(())
    }
}

/// First: the checkpoint, and the entries that the copy has not.
pub(super) fn first(
    node: &Node,
    own: &Own,
    rules: &Rules,
    spool: PathBuf,
    findings: &mut Findings,
) -> Result<(), Trouble> {
    let mut reader = Reader::new(&node.url, &node.source, rules.patience);
    let note = reader.read("checkpoint", NOTE_BYTES_MAX as u64, Kind::Checkpoint)?;
    let read = rules.trusted.checkpoint(&note);
    if read.is_err() {
        findings.followed = successors(&reader, &rules.trusted);
    }
    let trusted = findings.followed.as_ref().map_or(&rules.trusted, |(trusted, _)| trusted).clone();
    let seen = read.or_else(|_| trusted.checkpoint(&note)).map_err(|error| refused(&reader, &error, note))?;
    if let Some(age) = rules.max_age {
        findings.stale = age.check(seen.vouched_s).err().map(|stop| stop.report.to_string());
    }
    if let Some(last) = node.last.as_ref().filter(|last| last.size() > seen.size()) {
        findings.warnings.push(format!("it went back from size {} to {}", last.size(), seen.size()));
    }
    findings.seen = Some(seen.clone());
    if seen.size() > own.size() {
        reader.grant((seen.size() - own.size()) / u64::from(TILE_WIDTH) * 2 + 16);
        findings.candidate = Some(extend(own, &seen, &reader, &trusted, spool)?);
        findings.done.entries = seen.size();
    }
    // Those who stayed may sign for the policy before, too; files are signed by all.
    let epoch = findings.candidate.as_ref().map_or(&own.replay, |candidate| &candidate.replay).epoch();
    if epoch > 0 && !trusted.is_of(epoch) {
        findings.followed = successors(&reader, &trusted).or(findings.followed.take());
    }
    Ok(())
}

/// A checkpoint that is not signed by those who may.
pub(super) fn refused(reader: &Reader<'_>, error: &str, note: impl Into<Vec<u8>>) -> Alarm {
    reader.alarm(Kind::Checkpoint, format!("its checkpoint is refused: {error}")).with("checkpoint", note)
}

/// Where the node's changes of members lead, if that is further, and the file that says so. What leads nowhere says nothing: what is
/// signed by others is refused.
fn successors(reader: &Reader<'_>, trusted: &Trusted) -> Option<(Trusted, Vec<u8>)> {
    let succession = reader.read("succession", SUCCESSION_BYTES_MAX as u64, Kind::Checkpoint).ok()?;
    let led = trusted.followed(&succession).ok()?;
    (led.changes() > trusted.changes()).then_some((led, succession))
}

/// Then, when the copy has grown by what some node has: whether this one agrees with it.
pub(super) fn second(
    node: &Node,
    seen: &Seen,
    own: &Own,
    rules: &Rules,
    findings: &mut Findings,
) -> Result<(), Trouble> {
    let mut reader = Reader::new(&node.url, &node.source, rules.patience);
    reader.grant(seen.size().saturating_sub(findings.done.tiles) / u64::from(TILE_WIDTH) * 3 + 64);
    for older in [own.seen.as_ref(), node.last.as_ref()].into_iter().flatten() {
        let relation = if seen.size() > older.size() {
            relate(older, seen, seen.size(), &rules.trusted, |path| reader.tile(path, Kind::Tiles))?
        } else if older.size() <= own.size() {
            relate(seen, older, own.size(), &rules.trusted, |path| own.tile(path))?
        } else {
            // It went back, from what was never taken over: nothing is there to compare with.
            continue;
        };
        if let Some(alarm) = contradiction(&reader, older, seen, relation) {
            return Err(alarm.into());
        }
    }
    findings.related = true;
    if seen.size() > own.size() {
        return Ok(());
    }
    compare(seen, own, &reader, findings)?;
    lookups(seen, own, &reader, rules, findings)
}

/// Every file that this checkpoint needs and the one before did not.
fn compare(seen: &Seen, own: &Own, reader: &Reader<'_>, findings: &mut Findings) -> Result<(), Trouble> {
    let start = findings.done;
    for path in tiles_between(start.tiles.min(start.entries), seen.size()) {
        let (kind, done) = match path.level {
            TileLevel::Entries => (Kind::Entries, start.entries),
            TileLevel::Hashes(_) => (Kind::Tiles, start.tiles),
        };
        if done >= seen.size() {
            continue;
        }
        let (served, right) = (reader.tile(path, kind)?, own.tile(path)?);
        if served != right {
            let words = format!("{path} is not what the signed entries give");
            return Err(reader.alarm(kind, words).with("served", served).with("right", right).into());
        }
    }
    (findings.done.entries, findings.done.tiles) = (seen.size(), seen.size());
    Ok(())
}

/// What the node says of some of the new entries' crates and artifacts.
fn lookups(seen: &Seen, own: &Own, reader: &Reader<'_>, rules: &Rules, findings: &mut Findings) -> Result<(), Trouble> {
    let (from, to) = (findings.done.lookups.min(seen.size()), seen.size());
    let step = (to - from).div_ceil(LOOKUPS_MAX).max(1);
    // From the newest back, for that is what a stale map lacks.
    for index in (from..to).rev().step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
        let entries = own.entries(index, index + 1)?;
        let leaf = entries.first().and_then(|bytes| Leaf::from_bytes(bytes).ok());
        let keys = leaf.as_ref().map(Leaf::keys).unwrap_or_default();
        for key in keys.iter().take(KEYS_MAX) {
            match lookup::check(key, own, &rules.trusted, reader)? {
                lookup::Said::Right => {}
                lookup::Said::NotOffered(words) => {
                    findings.no_lookup = true;
                    findings.warnings.push(words);
                    return Ok(());
                }
            }
        }
    }
    findings.done.lookups = to;
    Ok(())
}
