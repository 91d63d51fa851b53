//! What is told: an entry of the log, or how the node is, as JSON with an id.

use std::sync::Arc;

use serde_json::{Value, json};
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::leaf::{Leaf, LeafError};
use synchronicity_verify::membership::MembershipEntry;
use synchronicity_web::model::Moment;
use thiserror::Error;

use crate::chronicle;
use crate::health::Health;
use crate::log_reader::{LogReader, ReadError};
use crate::publisher::Published;

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Of an entry the same each time that it is told, and by every node of the group; of a node's health one for each attempt.
    pub id: String,
    /// JSON.
    pub body: String,
}

/// What events are made from. Clones see the same.
#[derive(Clone)]
pub struct Sources {
    /// Name of the group's log.
    pub origin: Arc<str>,
    /// The member's name.
    pub node: Arc<str>,
    /// Where clients reach this node, without a slash at the end.
    pub url: Arc<str>,
    /// What happened.
    pub chronicle: chronicle::Shown,
    /// The published checkpoint: what it covers can be proved to whoever is told.
    pub published: Published,
    /// Reads what is published.
    pub reader: LogReader,
    /// Complaints.
    pub health: Health,
}

/// Why there is no event yet.
#[derive(Debug, Error)]
pub enum Untold {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What is read is no leaf.
    #[error(transparent)]
    Leaf(#[from] LeafError),
    /// The log does not reach so far.
    #[error("entry {0} is not in the published log")]
    Missing(u64),
}

impl Sources {
    /// How many entries can be told: those that are published, and that pages show.
    pub fn ready(&self) -> u64 {
        size(&self.published).min(self.chronicle.borrow().size())
    }

    /// An entry that is ready. Reads the disk.
    ///
    /// # Errors
    /// [`Untold`].
    pub fn entry(&self, index: u64) -> Result<Event, Untold> {
        let verdict = self.chronicle.borrow().verdict(index).cloned();
        let (kind, time, mut data) = match verdict {
            Some(concluded) => {
                let row = concluded.row();
                let page = format!("{}/requests/{}?round={}", self.url, row.request, row.round);
                ("log.entry", row.time, json!({ "entry": row, "page": page }))
            }
            None => {
                let entry = self.reader.entry(size(&self.published), index)?.ok_or(Untold::Missing(index))?;
                let Leaf::Membership(entry) = Leaf::from_bytes(&entry)? else { return Err(Untold::Missing(index)) };
                ("log.membership", Moment(entry.time_ms), membership(index, &entry))
            }
        };
        data["proof"] = format!("{}/proof/index/{index}", self.url).into();
        let log = Digest::of(self.origin.as_bytes()).to_string();
        Ok(Event { id: format!("entry_{}_{index}", &log[..16]), body: self.body(kind, time, data) })
    }

    /// How this node is at a time.
    pub fn health(&self, health: &str, now: Moment) -> Event {
        let node = Digest::of(format!("{}\n{}", self.origin, self.node).as_bytes()).to_string();
        let body = self.body("node.health", now, json!({ "well": health == "ok", "health": health }));
        Event { id: format!("health_{}_{}", &node[..16], now.0), body }
    }

    fn body(&self, kind: &str, time: Moment, mut data: Value) -> String {
        data["log"] = (*self.origin).into();
        data["node"] = (*self.node).into();
        json!({ "type": kind, "timestamp": time.iso(), "data": data }).to_string()
    }
}

fn membership(index: u64, entry: &MembershipEntry) -> Value {
    let names: Vec<&str> = entry.next.members.iter().map(|member| member.name.as_str()).collect();
    json!({
        "index": index,
        "epoch": entry.next.epoch,
        "group": entry.next_group.to_string(),
        "threshold": entry.next.threshold,
        "members": names,
    })
}

/// Entries under the published checkpoint.
pub(super) fn size(published: &Published) -> u64 {
    let checkpoint = published.borrow().as_ref().and_then(|note| note.text.parse::<Checkpoint>().ok());
    checkpoint.map_or(0, |checkpoint| checkpoint.size)
}
