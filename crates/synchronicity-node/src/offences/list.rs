//! The list of offences as it lies on disk: a line for each member and kind, and never more of them than are read again.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use synchronicity_verify::digest::Digest;

/// The largest list that is written or read: for every member and kind of offence a line of some 200 bytes, hence of some
/// three hundred. Members that get new keys are new lines, so that without a limit the years would fill it.
pub(super) const LIST_BYTES_MAX: usize = 64 * 1024;

/// Consensus key of a member, and what it did.
pub(super) type Key = (Digest, String);

/// How often, and when.
pub(super) type List = BTreeMap<Key, Count>;

#[derive(Clone, Debug, Default)]
pub(super) struct Count {
    pub(super) count: u64,
    pub(super) first_s: u64,
    pub(super) last_s: u64,
    pub(super) last: Option<String>,
}

/// A line of the list on disk.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    member: String,
    offence: String,
    count: u64,
    first_s: u64,
    last_s: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<String>,
}

/// The bytes of a list in which `newest` was counted just now. What was not seen for the longest time is taken from it until
/// they are few enough.
pub(super) fn write(list: &mut List, newest: &Key) -> io::Result<Vec<u8>> {
    loop {
        let bytes = written(list)?;
        let others = list.iter().filter(|(key, _)| *key != newest);
        let oldest = others.min_by_key(|(_, count)| count.last_s).map(|(key, _)| key.clone());
        match oldest {
            Some(oldest) if bytes.len() > LIST_BYTES_MAX => {
                tracing::warn!(member = %oldest.0, offence = oldest.1, "the list of offences is full: forgetting the oldest");
                list.remove(&oldest);
            }
            _ => return Ok(bytes),
        }
    }
}

fn written(list: &List) -> io::Result<Vec<u8>> {
    let line = |((member, offence), count): (&Key, &Count)| Line {
        member: member.to_string(),
        offence: offence.clone(),
        count: count.count,
        first_s: count.first_s,
        last_s: count.last_s,
        last: count.last.clone(),
    };
    let lines: Vec<Line> = list.iter().map(line).collect();
    serde_json::to_vec_pretty(&lines).map_err(io::Error::other)
}

pub(super) fn read(path: &Path) -> io::Result<List> {
    let bytes = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(List::new()),
        Err(error) => return Err(error),
        Ok(about) if about.len() > LIST_BYTES_MAX as u64 => return Err(io::Error::other("it is too long")),
        Ok(_) => fs::read(path)?,
    };
    let lines: Vec<Line> = serde_json::from_slice(&bytes).map_err(io::Error::other)?;
    let count = |line: Line| {
        let member = line.member.parse().map_err(io::Error::other)?;
        let Line { offence, count, first_s, last_s, last, .. } = line;
        Ok(((member, offence), Count { count, first_s, last_s, last }))
    };
    lines.into_iter().map(count).collect()
}
