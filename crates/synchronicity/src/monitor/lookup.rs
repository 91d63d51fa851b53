//! What a node says of a crate or a file, against the map that follows from the entries.

use synchronicity_verify::lookup::{Answer, LOOKUP_BYTES_MAX, Lookup, verify};
use synchronicity_verify::map::{MapKey, Prefix};

use super::events::Kind;
use super::extend::contradiction;
use super::own::Own;
use super::reader::{Reader, Trouble};
use super::seen::{Seen, relate};
use super::trusted::Trusted;

pub(super) enum Said {
    /// What the map says.
    Right,
    /// The node answers no lookups, or not now.
    NotOffered(String),
}

/// Asks a node about a key.
pub(super) fn check(key: &MapKey, own: &Own, trusted: &Trusted, reader: &Reader<'_>) -> Result<Said, Trouble> {
    let name = format!("lookup/{}", Prefix::from(*key));
    let bytes = match reader.read(&name, LOOKUP_BYTES_MAX as u64, Kind::Lookup) {
        Ok(bytes) => bytes,
        Err(Trouble::Alarm(alarm)) if alarm.kind == Kind::Missing => {
            return Ok(Said::NotOffered("it answers no lookups".into()));
        }
        Err(Trouble::Away(words)) => return Ok(Said::NotOffered(format!("it answers no lookups now: {words}"))),
        Err(trouble) => return Err(trouble),
    };
    let wrong = |words: String| reader.alarm(Kind::Lookup, format!("{name}: {words}")).with("answer", bytes.clone());
    let size = |answer: &Answer| answer.checkpoint.checkpoint.size;
    let answer = trusted.under(size, |policy| verify(&bytes, policy, key)).map_err(|error| wrong(error.to_string()))?;
    let size = answer.checkpoint.checkpoint.size;
    if size <= own.size()
        && let Some(newest) = &own.seen
    {
        let note = Lookup::parse(&bytes).map_err(|error| wrong(error.to_string()))?.checkpoint;
        let seen = Seen { note, checkpoint: answer.checkpoint.checkpoint, vouched_s: answer.checkpoint.vouched_s };
        let relation = relate(&seen, newest, own.size(), trusted, |path| own.tile(path))?;
        if let Some(alarm) = contradiction(reader, &seen, newest, relation) {
            return Err(alarm.with("answer", bytes).into());
        }
    }
    // An answer may be of another size than the copy: compared is what both know.
    let both = size.min(own.size());
    let right: Vec<u64> = own.replay.map().indices(key).iter().copied().filter(|index| *index < both).collect();
    let said: Vec<u64> = answer.entries.iter().map(|(index, _)| *index).filter(|index| *index < both).collect();
    if said == right {
        return Ok(Said::Right);
    }
    Err(wrong(format!("it names the entries {said:?} of the first {both}, and the log has {right:?}")).into())
}
