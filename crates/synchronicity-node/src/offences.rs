//! What other members did wrong, kept: how often, since when, and the proof where there is one.
//!
//! The engine tells of an offence once and forgets it. Here it is on disk before any status shows it: the proof first,
//! then the list that counts it. A crash in between leaves a proof that the list does not count, and the proof is shown all
//! the same: proofs are found by their files.

mod list;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use synchronicity::age::now_s;
use synchronicity_consensus::{Conduct, Offence};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::equivocation::{EQUIVOCATION_BYTES_MAX, Equivocation, verify};
use tokio::sync::watch;

use self::list::{Count, Key, List};
use crate::durable::Disk;
use crate::groups::Groups;
use crate::health::{Health, Topic};
use crate::status::OffenceStatus;

/// Proofs that are kept of one member in one epoch. More of them show nothing more, and each is a file.
pub const PROOFS_MAX: usize = 16;

/// Proofs that are kept of all members in all epochs: more than any one epoch can have. Those of the oldest epochs go first.
pub const PROOFS_ALL_MAX: usize = 512;

/// Pause before a failed write is tried again.
const AGAIN: Duration = Duration::from_secs(1);

const LIST: &str = "offences.json";
const SUFFIX: &str = ".equivocation";

/// The offences of a group's members. Clones share them.
#[derive(Clone)]
pub struct Offences(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    groups: Groups,
    kept: Mutex<Kept>,
}

struct Kept {
    disk: Box<dyn Disk>,
    list: List,
    /// Whom each proof accuses, by the proof's id.
    proofs: BTreeMap<Digest, Accused>,
}

/// The consensus key of a member, in the group of which identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Accused {
    member: Digest,
    group: Digest,
}

/// A proof of equivocation that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accusation {
    /// Identity of the proof.
    pub id: Digest,
    /// Name of the member that it accuses.
    pub member: String,
    /// Identity of the group in whose epoch it voted.
    pub group: Digest,
}

impl Offences {
    /// What `folder` holds, which need not exist. A list that is damaged is begun anew; proofs that are damaged, or of
    /// none of these groups, are left alone and not shown.
    pub fn open(folder: PathBuf, groups: Groups, disk: impl Disk + 'static) -> Offences {
        let list = list::read(&folder.join(LIST)).unwrap_or_else(|error| {
            tracing::warn!(path = %folder.join(LIST).display(), %error, "the list of offences is damaged: beginning anew");
            List::new()
        });
        let proofs = read_proofs(&folder, &groups);
        let kept = Kept { disk: Box::new(disk), list, proofs };
        Offences(Arc::new(Inner { folder, groups, kept: Mutex::new(kept) }))
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
            let now_s = now_s();
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
        let Inner { folder, groups, .. } = &*self.0;
        let mut kept = self.lock();
        let member = Digest(offence.member);
        let proof = proof_of(offence).filter(|proof| kept.has_room_for(&accused(proof)));
        if let Some(proof) = proof {
            kept.disk.write(&path(folder, &proof.id()), proof.to_string().as_bytes())?;
        }
        let mut list = kept.list.clone();
        let key = (member, offence.conduct.as_str().to_owned());
        let count = list.entry(key.clone()).or_insert(Count { first_s: now_s, ..Count::default() });
        count.count = count.count.saturating_add(1);
        count.last_s = now_s;
        count.last = detail(&offence.conduct);
        let bytes = list::write(&mut list, &key)?;
        kept.disk.write(&folder.join(LIST), &bytes)?;
        kept.list = list;
        kept.proofs.extend(proof.map(|proof| (proof.id(), accused(proof))));
        kept.forget_oldest(groups, folder);
        let name = groups.name(&member, None);
        tracing::warn!(member = name, offence = offence.conduct.as_str(), "kept an offence");
        Ok(())
    }

    /// All of them, by member and then by kind.
    pub fn list(&self) -> Vec<OffenceStatus> {
        let kept = self.lock();
        let status = |((member, offence), count): (&Key, &Count)| OffenceStatus {
            member: self.0.groups.name(member, None),
            offence: offence.clone(),
            count: count.count,
            first_s: count.first_s,
            last_s: count.last_s,
            last: count.last.clone(),
        };
        kept.list.iter().map(status).collect()
    }

    /// Which proofs there are, of all epochs.
    pub fn proofs(&self) -> Vec<Accusation> {
        let kept = self.lock();
        let told = |(id, Accused { member, group }): (&Digest, &Accused)| Accusation {
            id: *id,
            member: self.0.groups.name(member, Some(group)),
            group: *group,
        };
        kept.proofs.iter().map(told).collect()
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

impl Kept {
    fn has_room_for(&self, accused: &Accused) -> bool {
        self.proofs.values().filter(|of| *of == accused).count() < PROOFS_MAX
    }

    /// Removes the proofs of the oldest epochs that are too many.
    fn forget_oldest(&mut self, groups: &Groups, folder: &Path) {
        while self.proofs.len() > PROOFS_ALL_MAX
            && let Some(id) = self.proofs.iter().min_by_key(|(_, of)| groups.place(&of.group)).map(|(id, _)| *id)
        {
            // One that stays is found, and shown, at the next start: that harms nobody.
            if let Err(error) = fs::remove_file(path(folder, &id)) {
                tracing::warn!(%id, %error, "a proof of an old epoch stays");
            }
            self.proofs.remove(&id);
        }
    }
}

fn accused(proof: &Equivocation) -> Accused {
    Accused { member: Digest(*proof.member()), group: proof.occasion().group }
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
        Conduct::ForgedVote | Conduct::CutOff | Conduct::Garbage => None,
    }
}

fn read_proofs(folder: &Path, groups: &Groups) -> BTreeMap<Digest, Accused> {
    let Ok(items) = fs::read_dir(folder) else { return BTreeMap::new() };
    let proof = |path: PathBuf| {
        let id: Digest = path.file_name()?.to_str()?.strip_suffix(SUFFIX)?.parse().ok()?;
        let short = fs::metadata(&path).is_ok_and(|about| about.len() <= EQUIVOCATION_BYTES_MAX as u64);
        let proof = if short { verify(&fs::read(&path).ok()?).ok() } else { None };
        let proof = proof.filter(|proof| proof.id() == id && groups.of(&proof.occasion().group).is_some());
        if proof.is_none() {
            tracing::warn!(path = %path.display(), "no proof of equivocation of this group, in any epoch known here");
        }
        Some((id, accused(&proof?)))
    };
    items.filter_map(|item| proof(item.ok()?.path())).collect()
}
