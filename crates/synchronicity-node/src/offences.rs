//! What other members did wrong, kept: how often, since when, and the proof where there is one.
//!
//! The engine tells of an offence once and forgets it. Here it is on disk before any status shows it: the proof first,
//! then the list that counts it. A crash in between leaves a proof that the list does not count, and the proof is shown all
//! the same: proofs are found by their files.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use synchronicity_consensus::{Conduct, Offence};
use synchronicity_core::group::Group;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::equivocation::{EQUIVOCATION_BYTES_MAX, Equivocation, verify};
use tokio::sync::watch;

use crate::durable::Disk;
use crate::health::{Health, Topic};
use crate::status::OffenceStatus;

/// Proofs that are kept of one member. More of them show nothing more, and each is a file.
pub const PROOFS_MAX: usize = 16;

/// The largest list that is read: for every member and kind of offence a line of some 200 bytes.
const LIST_BYTES_MAX: u64 = 64 * 1024;

/// Pause before a failed write is tried again.
const AGAIN: Duration = Duration::from_secs(1);

const LIST: &str = "offences.json";
const SUFFIX: &str = ".equivocation";

/// The offences of a group's members. Clones share them.
#[derive(Clone)]
pub struct Offences(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    group: Arc<Group>,
    kept: Mutex<Kept>,
}

struct Kept {
    disk: Box<dyn Disk>,
    list: BTreeMap<Key, Count>,
    /// The member whose equivocation each proof shows, by the proof's id.
    proofs: BTreeMap<Digest, Digest>,
}

/// Consensus key of a member, and what it did.
type Key = (Digest, String);

#[derive(Clone, Debug, Default)]
struct Count {
    count: u64,
    first_s: u64,
    last_s: u64,
    last: Option<String>,
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

impl Offences {
    /// What `folder` holds, which need not exist. A list that is damaged is begun anew; proofs that are damaged, or of
    /// another group, are left alone and not shown.
    pub fn open(folder: PathBuf, group: Arc<Group>, disk: impl Disk + 'static) -> Offences {
        let list = read_list(&folder.join(LIST)).unwrap_or_else(|error| {
            tracing::warn!(path = %folder.join(LIST).display(), %error, "the list of offences is damaged: beginning anew");
            BTreeMap::new()
        });
        let proofs = read_proofs(&folder, &group);
        let kept = Kept { disk: Box::new(disk), list, proofs };
        Offences(Arc::new(Inner { folder, group, kept: Mutex::new(kept) }))
    }

    /// Keeps what an engine tells, until it ends or `stop` changes.
    pub async fn keep(
        self,
        mut told: synchronicity_consensus::Offences,
        health: Health,
        mut stop: watch::Receiver<bool>,
    ) {
        loop {
            let offence = tokio::select! {
                offence = told.recv() => offence,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            let Some(offence) = offence else { return };
            let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            while let Err(error) = self.record_apart(offence.clone(), now_s).await {
                health.complain(Topic::Offences, format!("an offence of a member cannot be written: {error}"));
                tokio::select! {
                    () = tokio::time::sleep(AGAIN) => {}
                    _ = stop.wait_for(|stop| *stop) => return,
                }
            }
            health.recover(Topic::Offences);
        }
    }

    async fn record_apart(&self, offence: Offence, now_s: u64) -> io::Result<()> {
        let offences = self.clone();
        let recorded = tokio::task::spawn_blocking(move || offences.record(&offence, now_s)).await;
        recorded.unwrap_or_else(|panicked| Err(io::Error::other(panicked)))
    }

    /// Keeps an offence that was seen at `now_s`, in seconds since 1970. It is on disk when this returns, and shown from
    /// then on.
    ///
    /// # Errors
    /// What the operating system said. Nothing new is shown then, and the same call may be repeated.
    pub fn record(&self, offence: &Offence, now_s: u64) -> io::Result<()> {
        let Inner { folder, group, .. } = &*self.0;
        let mut kept = self.lock();
        let member = Digest(offence.member);
        let proof = proof_of(offence).map(|proof| (proof.id(), proof));
        let proof = proof.filter(|_| kept.proofs.values().filter(|of| **of == member).count() < PROOFS_MAX);
        if let Some((id, proof)) = &proof {
            kept.disk.write(&path(folder, id), proof.to_string().as_bytes())?;
        }
        let mut list = kept.list.clone();
        let key = (member, offence.conduct.as_str().to_owned());
        let count = list.entry(key).or_insert(Count { first_s: now_s, ..Count::default() });
        count.count = count.count.saturating_add(1);
        count.last_s = now_s;
        count.last = detail(&offence.conduct);
        kept.disk.write(&folder.join(LIST), &written(&list)?)?;
        kept.list = list;
        kept.proofs.extend(proof.map(|(id, _)| (id, member)));
        let name = name(group, &member);
        tracing::warn!(member = name, offence = offence.conduct.as_str(), "kept an offence");
        Ok(())
    }

    /// All of them, by member and then by kind.
    pub fn list(&self) -> Vec<OffenceStatus> {
        let kept = self.lock();
        let status = |((member, offence), count): (&Key, &Count)| OffenceStatus {
            member: name(&self.0.group, member),
            offence: offence.clone(),
            count: count.count,
            first_s: count.first_s,
            last_s: count.last_s,
            last: count.last.clone(),
        };
        kept.list.iter().map(status).collect()
    }

    /// Ids of the proofs, each with the member's name.
    pub fn proofs(&self) -> Vec<(String, String)> {
        let kept = self.lock();
        kept.proofs.iter().map(|(id, member)| (id.to_string(), name(&self.0.group, member))).collect()
    }

    /// The file of a proof that is kept.
    pub fn proof(&self, id: &Digest) -> Option<Vec<u8>> {
        let known = self.lock().proofs.contains_key(id);
        known.then(|| fs::read(path(&self.0.folder, id)).ok()).flatten()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Both maps are replaced, or added to, only after everything that can fail.
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn path(folder: &Path, id: &Digest) -> PathBuf {
    folder.join(format!("{id}{SUFFIX}"))
}

fn proof_of(offence: &Offence) -> Option<&Equivocation> {
    match &offence.conduct {
        Conduct::Equivocation(proof) => Some(proof),
        _ => None,
    }
}

fn detail(conduct: &Conduct) -> Option<String> {
    match conduct {
        Conduct::Equivocation(proof) => Some(format!("{} in view {}", proof.kind(), proof.occasion().view)),
        Conduct::FalseProposal(flaw) => Some((*flaw).to_owned()),
        Conduct::ForgedVote | Conduct::Garbage => None,
    }
}

/// What the group calls the holder of a consensus key.
fn name(group: &Group, member: &Digest) -> String {
    let known = group.members().iter().find(|known| known.consensus == member.0);
    known.map_or_else(|| member.to_string(), |known| known.name.clone())
}

fn written(list: &BTreeMap<Key, Count>) -> io::Result<Vec<u8>> {
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

fn read_list(path: &Path) -> io::Result<BTreeMap<Key, Count>> {
    let bytes = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
        Ok(about) if about.len() > LIST_BYTES_MAX => return Err(io::Error::other("it is too long")),
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

fn read_proofs(folder: &Path, group: &Group) -> BTreeMap<Digest, Digest> {
    let Ok(items) = fs::read_dir(folder) else { return BTreeMap::new() };
    let proof = |path: PathBuf| {
        let id: Digest = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?.parse().ok()?;
        let short = fs::metadata(&path).is_ok_and(|about| about.len() <= EQUIVOCATION_BYTES_MAX as u64);
        let proof = if short { verify(&fs::read(&path).ok()?).ok() } else { None };
        let proof = proof.filter(|proof| proof.id() == id && proof.occasion().group == group.id());
        if proof.is_none() {
            tracing::warn!(path = %path.display(), "no proof of equivocation of this group");
        }
        Some((id, Digest(*proof?.member())))
    };
    items.filter_map(|item| proof(item.ok()?.path())).collect()
}
