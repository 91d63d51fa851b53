//! The entries that a node has and the copy has not: fetched, replayed, and hashed up to the root that was signed.

use std::path::PathBuf;

use synchronicity_verify::merkle::leaf_hash;
use synchronicity_verify::proof::Proof;
use synchronicity_verify::replay::ReplayError;
use synchronicity_verify::tile::{TILE_WIDTH, TileLevel, TilePath, parse_bundle};
use synchronicity_verify::tiled;

use super::events::{Alarm, Kind};
use super::own::{Candidate, Own, bundle_path};
use super::reader::{Reader, Trouble};
use super::seen::{Relation, Seen, relate};
use super::trusted::Trusted;

/// The first entry that breaks a rule.
struct Broken {
    index: u64,
    error: ReplayError,
    entry: Vec<u8>,
}

/// The copy, extended to `seen`. Nothing of it is taken over yet.
pub(super) fn extend(
    own: &Own,
    seen: &Seen,
    reader: &Reader<'_>,
    trusted: &Trusted,
    spool: PathBuf,
) -> Result<Candidate, Trouble> {
    let mut candidate = Candidate::new(own, seen.clone(), spool);
    let (mut broken, mut differs) = (None, false);
    let width = u64::from(TILE_WIDTH);
    for n in own.size() / width..seen.size().div_ceil(width) {
        let path = bundle_path(n, seen.size());
        let bytes = reader.tile(path, Kind::Entries)?;
        let Ok(entries) = parse_bundle(&bytes, path.width) else {
            let alarm = reader.alarm(Kind::Entries, format!("{path} is no bundle of {} entries", path.width));
            return Err(alarm.with("served", bytes).into());
        };
        // Of the first bundle the copy has the beginning.
        let known = own.size().saturating_sub(n * width).min(width);
        let known = u16::try_from(known).unwrap_or(TILE_WIDTH);
        differs |= known > 0 && !bytes.starts_with(&own.bundle(n, known)?);
        for (at, entry) in entries.iter().enumerate().skip(usize::from(known)) {
            let taken = if broken.is_none() { candidate.replay.append(entry).err() } else { None };
            // Hashed all the same: only the root says whether the group signed it.
            broken = broken
                .or_else(|| taken.map(|error| Broken { index: n * width + at as u64, error, entry: entry.to_vec() }));
            for tile in candidate.edge.append(leaf_hash(entry)) {
                candidate.write(tile.path, &tile.bytes)?;
            }
        }
        candidate.write(path, &bytes)?;
    }
    if differs || candidate.edge.root() != seen.root() {
        return Err(blame(own, &candidate, reader, trusted)?.into());
    }
    match broken {
        Some(broken) => Err(accuse(seen, reader, broken).into()),
        None => Ok(candidate),
    }
}

/// The entries are not those of the checkpoint: either these bytes are wrong, or the log is another than before.
fn blame(own: &Own, candidate: &Candidate, reader: &Reader<'_>, trusted: &Trusted) -> Result<Alarm, Trouble> {
    let seen = &candidate.seen;
    if let Some(older) = &own.seen {
        let relation = relate(older, seen, seen.size(), trusted, |path| reader.tile(path, Kind::Tiles))?;
        if let Some(alarm) = contradiction(reader, older, seen, relation) {
            return Ok(alarm);
        }
    }
    let checkpoint = seen.note.to_string();
    for path in candidate.files.iter().filter(|path| path.level == TileLevel::Entries) {
        let tile = reader.tile(TilePath { level: TileLevel::Hashes(0), ..*path }, Kind::Tiles)?;
        let bytes = candidate.read(*path).unwrap_or_default();
        let entries = parse_bundle(&bytes, path.width).unwrap_or_default();
        let hashes: Vec<u8> = entries.iter().flat_map(|entry| leaf_hash(entry).0).collect();
        if hashes != tile {
            let words = format!("{path} does not hash to the tile of level 0 beside it; the checkpoint is good");
            let alarm = reader.alarm(Kind::Entries, words);
            return Ok(alarm.with("served", bytes).with("tile", tile).with("checkpoint", checkpoint));
        }
    }
    let words = "its entries do not lead to the root that was signed, and its tiles agree with them";
    Ok(reader.alarm(Kind::Entries, words).with("checkpoint", checkpoint))
}

/// A signed entry breaks a rule: the bytes, in a proof that they were signed.
fn accuse(seen: &Seen, reader: &Reader<'_>, broken: Broken) -> Alarm {
    let Broken { index, error, entry } = broken;
    let words = format!("entry {index}, signed by a quorum, breaks a rule of the log: {error}");
    let subject = format!("{index} {}", leaf_hash(&entry));
    let alarm = reader.alarm(Kind::Rules, words).about(subject).with("entry", entry.clone());
    let alarm = alarm.with("checkpoint", seen.note.to_string());
    match tiled::inclusion_proof(seen.size(), index, seen.size(), |path| reader.tile(path, Kind::Tiles)) {
        Ok(path) => alarm.with("tlog-proof", Proof { entry, index, path, checkpoint: seen.note.clone() }.to_string()),
        Err(_) => alarm,
    }
}

/// The alarm for two checkpoints that do not belong to one growing log; none if they do.
pub(super) fn contradiction(reader: &Reader<'_>, older: &Seen, newer: &Seen, relation: Relation) -> Option<Alarm> {
    let both = format!("{}, and {}", older.in_words(), newer.in_words());
    let alarm = match relation {
        Relation::Extends => return None,
        Relation::Fork(proof) => {
            let words = format!("the log was signed in two ways that contradict each other: {both}");
            let alarm = reader.alarm(Kind::Fork, words).about(both);
            match proof {
                Some(proof) => alarm.with("proof.fork", proof.to_string()),
                None => alarm,
            }
        }
        Relation::Unproven(why) => {
            reader.alarm(Kind::Unproven, format!("it is not shown that one extends the other: {both}: {why}"))
        }
    };
    Some(alarm.with("older", older.note.to_string()).with("newer", newer.note.to_string()))
}
