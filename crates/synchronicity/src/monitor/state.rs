//! What outlives the process: the copy of the log, the last good checkpoint of each node, and the alarms.
//!
//! ```text
//! lock                       held by the monitor that works here
//! log/                       its own copy of the log
//! nodes/<id>.checkpoint      the newest good checkpoint of a node
//! nodes/<id>.json            how far the node was compared with the copy
//! alarms.json                what is wrong
//! evidence/<alarm>/          the bytes that show it
//! told                       how many entries were told
//! succession                 the changes of members since the policy that was named
//! spool/                     what is being fetched; emptied by each pass
//! ```
//!
//! Everything is on the disk before it is told.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use synchronicity_verify::digest::Digest;

use super::error::MonitorError;
use super::events::{Alarm, Kind};
use super::seen::Seen;
use super::trusted::Trusted;
use crate::age::now_s;
use crate::durable;

/// The most alarms that are remembered: more are told, and counted by nobody.
const ALARMS_MAX: usize = 1000;

pub(super) struct State {
    pub(super) folder: PathBuf,
    _lock: File,
    alarms: BTreeMap<String, Open>,
    told: u64,
}

/// An alarm that is not over.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) kind: Kind,
    pub(super) node: String,
    pub(super) words: String,
    pub(super) since_s: u64,
}

/// How far a node was compared with the copy: numbers of entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) entries: u64,
    pub(super) tiles: u64,
    pub(super) lookups: u64,
}

impl State {
    pub(super) fn open(folder: &Path) -> Result<Self, MonitorError> {
        for part in ["nodes", "evidence"] {
            fs::create_dir_all(folder.join(part)).map_err(MonitorError::disk(folder))?;
        }
        let path = folder.join("lock");
        let lock = File::create(&path).map_err(MonitorError::disk(&path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => MonitorError::Locked(folder.to_owned()),
            TryLockError::Error(error) => MonitorError::Disk { path: path.clone(), error },
        })?;
        let mut state = Self { folder: folder.to_owned(), _lock: lock, alarms: BTreeMap::new(), told: 0 };
        if let Some(text) = state.read("alarms.json")? {
            state.alarms = parse_alarms(&text).ok_or_else(|| state.damaged("alarms.json"))?;
        }
        if let Some(text) = state.read("told")? {
            state.told = text.trim().parse().map_err(|_| state.damaged("told"))?;
        }
        Ok(state)
    }

    /// Where the changes of members that were seen lead from the policy that was named. One that is newer than all of them leads
    /// nowhere, and is enough.
    pub(super) fn trusted(&self, named: Trusted) -> Result<Trusted, MonitorError> {
        let kept = self.read("succession")?;
        Ok(kept.and_then(|succession| named.followed(succession.as_bytes()).ok()).unwrap_or(named))
    }

    pub(super) fn keep_succession(&self, succession: &[u8]) -> Result<(), MonitorError> {
        self.write("succession", succession)
    }

    /// The newest good checkpoint of a node, and how far it was compared.
    pub(super) fn node(&self, url: &str, trusted: &Trusted) -> Result<(Option<Seen>, Done), MonitorError> {
        let name = format!("nodes/{}", node_id(url));
        let note = self.read(&format!("{name}.checkpoint"))?;
        // One that does not count any more, as under another policy, is none: the node is compared anew.
        let seen = note.and_then(|note| trusted.checkpoint(note.as_bytes()).ok());
        let done = self.read(&format!("{name}.json"))?.and_then(|text| {
            let done: Value = serde_json::from_str(&text).ok()?;
            let number = |name: &str| done[name].as_u64();
            Some(Done { entries: number("entries")?, tiles: number("tiles")?, lookups: number("lookups")? })
        });
        // Without it everything is compared again.
        Ok((seen, done.unwrap_or_default()))
    }

    pub(super) fn keep_node(&self, url: &str, seen: &Seen, done: Done) -> Result<(), MonitorError> {
        let name = format!("nodes/{}", node_id(url));
        self.write(&format!("{name}.checkpoint"), seen.note.to_string().as_bytes())?;
        let Done { entries, tiles, lookups } = done;
        let done = json!({ "url": url, "entries": entries, "tiles": tiles, "lookups": lookups });
        self.write(&format!("{name}.json"), format!("{done}\n").as_bytes())
    }

    pub(super) fn alarms(&self) -> &BTreeMap<String, Open> {
        &self.alarms
    }

    /// Keeps an alarm with its evidence; whether it is a new one.
    pub(super) fn raise(&mut self, alarm: &Alarm) -> Result<bool, MonitorError> {
        let id = alarm.id();
        if self.alarms.contains_key(&id) {
            return Ok(false);
        }
        if self.alarms.len() < ALARMS_MAX {
            let folder = self.evidence(&id);
            fs::create_dir_all(&folder).map_err(MonitorError::disk(&folder))?;
            for (name, bytes) in &alarm.evidence {
                let path = folder.join(name);
                durable::replace(&path, bytes, 0o644).map_err(MonitorError::disk(&path))?;
            }
            let open =
                Open { kind: alarm.kind, node: alarm.node.clone(), words: alarm.words.clone(), since_s: now_s() };
            self.alarms.insert(id, open);
            self.write_alarms()?;
        }
        Ok(true)
    }

    /// Ends alarms.
    pub(super) fn end(&mut self, over: impl Fn(&str, &Open) -> bool) -> Result<Vec<(String, Open)>, MonitorError> {
        let gone: Vec<_> = self.alarms.extract_if(.., |id, open| over(id, open)).collect();
        if !gone.is_empty() {
            self.write_alarms()?;
        }
        Ok(gone)
    }

    /// Where the evidence of an alarm is.
    pub(super) fn evidence(&self, id: &str) -> PathBuf {
        self.folder.join("evidence").join(id)
    }

    /// How many entries were told.
    pub(super) fn told(&self) -> u64 {
        self.told
    }

    pub(super) fn keep_told(&mut self, told: u64) -> Result<(), MonitorError> {
        self.write("told", format!("{told}\n").as_bytes())?;
        self.told = told;
        Ok(())
    }

    /// An empty folder for what a pass fetches.
    pub(super) fn spool(&self) -> Result<PathBuf, MonitorError> {
        let folder = self.folder.join("spool");
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(MonitorError::disk(&folder))?;
        }
        fs::create_dir_all(&folder).map_err(MonitorError::disk(&folder))?;
        Ok(folder)
    }

    fn write_alarms(&self) -> Result<(), MonitorError> {
        let alarms = self.alarms.iter().map(|(id, open)| {
            let Open { kind, node, words, since_s } = open;
            json!({ "id": id, "kind": kind.as_str(), "node": node, "words": words, "since": since_s })
        });
        let text = format!("{:#}\n", alarms.collect::<Value>());
        self.write("alarms.json", text.as_bytes())
    }

    fn read(&self, name: &str) -> Result<Option<String>, MonitorError> {
        let path = self.folder.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(MonitorError::Disk { path, error }),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), MonitorError> {
        let path = self.folder.join(name);
        durable::replace(&path, bytes, 0o644).map_err(MonitorError::disk(&path))
    }

    fn damaged(&self, name: &str) -> MonitorError {
        MonitorError::Damaged { path: self.folder.join(name), reason: "not as it was written".into() }
    }
}

fn parse_alarms(text: &str) -> Option<BTreeMap<String, Open>> {
    let alarms: Vec<Value> = serde_json::from_str(text).ok()?;
    let parse = |alarm: &Value| {
        let text = |name: &str| Some(alarm[name].as_str()?.to_owned());
        let open = Open {
            kind: Kind::parse(&text("kind")?)?,
            node: text("node")?,
            words: text("words")?,
            since_s: alarm["since"].as_u64()?,
        };
        Some((text("id")?, open))
    };
    alarms.iter().map(parse).collect()
}

fn node_id(url: &str) -> String {
    Digest::of(url.as_bytes()).to_string()[..16].to_owned()
}
