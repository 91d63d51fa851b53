//! What a node keeps of the epochs that have ended: a folder with three files for each, named by the epoch's number.
//!
//! ```text
//! epochs/E.toml         the group of epoch E, as its group file was; missing where this node knew no such file
//! epochs/E.policy       the policy of its proofs
//! epochs/E.tlog-proof   the entry that ended it, as its own members signed it; written last
//! ```
//!
//! The proofs in a row are the succession file, with which a client follows the group from any policy to the present
//! one. A node goes over when the third file is there: then nothing of the epoch depends on it any more.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use synchronicity_core::group::Group;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::proof::Proof;
use synchronicity_verify::succession::Succession;

use crate::durable::{Disk, Synced};
use crate::folder::Folder;
use crate::proofs::PROOF_ENDING;

/// The folder of the epochs that have ended.
#[derive(Clone, Debug)]
pub struct Epochs {
    folder: PathBuf,
}

impl Epochs {
    /// Of this node.
    pub fn of(folder: &Folder) -> Epochs {
        Epochs { folder: folder.epochs() }
    }

    /// Whether the end of this epoch is on record.
    pub fn has_ended(&self, epoch: u64) -> bool {
        self.path(epoch, PROOF_ENDING).is_file()
    }

    /// Whether any epoch has ended here.
    pub fn any(&self) -> bool {
        self.proofs().is_ok_and(|proofs| !proofs.is_empty())
    }

    /// Records the end of an epoch, so that it survives a crash. May be repeated.
    ///
    /// # Errors
    /// What the operating system said; the epoch has not ended here then.
    pub fn record(&self, group: &Group, policy: &Policy, proof: &Proof) -> io::Result<()> {
        self.record_group(group)?;
        self.record_known(group.epoch(), Some(policy), proof)
    }

    /// Records the group of an epoch alone.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn record_group(&self, group: &Group) -> io::Result<()> {
        Synced.write(&self.path(group.epoch(), "toml"), group.to_text().as_bytes())
    }

    /// The same for an epoch of which the group file is not known, and perhaps not the policy either: as a newcomer knows the
    /// epochs before its own.
    ///
    /// # Errors
    /// As [`Epochs::record`].
    pub fn record_known(&self, epoch: u64, policy: Option<&Policy>, proof: &Proof) -> io::Result<()> {
        if let Some(policy) = policy {
            Synced.write(&self.path(epoch, "policy"), policy.to_string().as_bytes())?;
        }
        Synced.write(&self.path(epoch, PROOF_ENDING), proof.to_string().as_bytes())
    }

    /// The policy of the epoch before `epoch`, if there was one here.
    ///
    /// # Errors
    /// What the operating system said, or what is wrong with the file.
    pub fn policy_before(&self, epoch: u64) -> io::Result<Option<Policy>> {
        let Some(before) = epoch.checked_sub(1) else { return Ok(None) };
        let path = self.path(before, "policy");
        let Some(bytes) = read(&path)? else { return Ok(None) };
        Policy::parse(&bytes).map(Some).map_err(|error| damaged(&path, &error))
    }

    /// The groups of the epochs that have ended, oldest first, as far as their files are here.
    ///
    /// # Errors
    /// What the operating system said, or what is wrong with a file.
    pub fn groups(&self) -> io::Result<Vec<Group>> {
        let groups = self.files("toml")?.into_values().map(|path| {
            let text = fs::read_to_string(&path)?;
            Group::parse(&text).map_err(|error| damaged(&path, &error))
        });
        groups.collect()
    }

    /// From the first epoch to the present one; `None` where no epoch has ended.
    ///
    /// # Errors
    /// What the operating system said, or what is wrong with a file.
    pub fn succession(&self) -> io::Result<Option<Succession>> {
        let steps = self.proofs()?.into_values().map(|path| {
            let bytes = fs::read(&path)?;
            Proof::parse(&bytes).map_err(|error| damaged(&path, &error))
        });
        let steps = steps.collect::<io::Result<Vec<Proof>>>()?;
        Ok((!steps.is_empty()).then_some(Succession { steps }))
    }

    fn proofs(&self) -> io::Result<BTreeMap<u64, PathBuf>> {
        self.files(PROOF_ENDING)
    }

    /// The files with this ending, by the epoch that they are about.
    fn files(&self, ending: &str) -> io::Result<BTreeMap<u64, PathBuf>> {
        let items = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            items => items?,
        };
        let mut files = BTreeMap::new();
        for item in items {
            let path = item?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            if let (true, Some(epoch)) = (path.extension().is_some_and(|it| it == ending), stem.and_then(number)) {
                files.insert(epoch, path);
            }
        }
        Ok(files)
    }

    fn path(&self, epoch: u64, ending: &str) -> PathBuf {
        self.folder.join(format!("{epoch}.{ending}"))
    }
}

/// Makes `next` the group of this folder: from here on the node starts as a member of it.
///
/// # Errors
/// What the operating system said; the group file is the old one or the new one then.
pub fn enter(folder: &Folder, next: &Group) -> io::Result<()> {
    Synced.write(&folder.group(), next.to_text().as_bytes())
}

/// Removes the chains of epochs before that of `group`, with their journals of votes: what they signed counts in no epoch
/// that can still begin, and a node whose state is past them never opens them again. What cannot be removed is tried
/// again at the next start.
pub fn prune_chains(folder: &Folder, group: &Group) {
    let kept = folder.chain_of(group);
    let mut old = Vec::new();
    if kept != folder.chain() {
        // The marker last: a folder without it would be taken for a new one.
        old.extend([folder.chain().join("engine"), folder.chain().join("group")]);
    }
    let items = fs::read_dir(folder.chain()).into_iter().flatten().filter_map(Result::ok).map(|item| item.path());
    old.extend(items.filter(|path| epoch_of_chain(path).is_some_and(|epoch| epoch < group.epoch())));
    for path in old.iter().filter(|path| path.exists()) {
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        match removed {
            Ok(()) => tracing::info!(path = %path.display(), "the chain of an epoch that is over is removed"),
            Err(error) => tracing::warn!(path = %path.display(), %error, "the chain of an epoch that is over stays"),
        }
    }
}

fn epoch_of_chain(path: &Path) -> Option<u64> {
    number(path.file_name()?.to_str()?.strip_prefix("epoch-")?)
}

/// A number in its one spelling.
fn number(text: &str) -> Option<u64> {
    text.parse::<u64>().ok().filter(|number| number.to_string() == text)
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        bytes => bytes.map(Some),
    }
}

fn damaged(path: &Path, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display()))
}
