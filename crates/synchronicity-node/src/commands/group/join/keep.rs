//! What `group join` found out, written into the folder.

use std::io::{self, Read, Seek};
use std::path::Path;

use synchronicity_verify::leaf::Leaf;

use super::{Agreed, Found, JoinError};
use crate::durable::Synced;
use crate::epochs::{self, Epochs};
use crate::exit::{Stop, StopWith};
use crate::folder::Folder;
use crate::group_file;
use crate::publish::PublishedLog;
use crate::rotation;
use crate::snapshot::SignedState;
use crate::store::{Snapshot, Store};

/// How many entries are appended at a time.
const BATCH: usize = 256;

/// Writes it all down: the group file last, because with it the folder is a member's of this epoch; and then the keys, which a
/// start puts in force too, if this ends before.
pub(super) fn keep(folder: &Folder, mut found: Found) -> Result<(), Stop> {
    let stopped = |error: JoinError| Stop::new(error.code(), error);
    // Whatever refuses comes before whatever writes.
    Store::check_beginning(&folder.state(), &found.begun).or_usage()?;
    keep_log(&folder.log(), &mut found).map_err(stopped)?;
    keep_epochs(folder, &found.agreed).map_err(stopped)?;
    let Found { agreed: Agreed { group, .. }, begun, signed, .. } = found;
    match signed {
        Some(SignedState { certified, open, .. }) => {
            let snapshot = Snapshot { group: group.id(), executed: begun, open };
            Store::begin_at(&folder.state(), &group, &snapshot, &certified.to_bytes()).or_usage()?
        }
        None => Store::begin_with(&folder.state(), &group, &begun).or_usage()?,
    };
    epochs::enter(folder, &group).map_err(|error| stopped(error.into()))?;
    rotation::settle(folder, &group).or_usage()?;
    Ok(())
}

fn keep_log(folder: &Path, found: &mut Found) -> Result<(), JoinError> {
    let mut log = PublishedLog::open(folder, Synced)?;
    let (here, served) = (log.size(), found.begun.log_size);
    if here > served {
        return Err(JoinError::LogAhead { here, served });
    }
    found.entries.rewind()?;
    let mut entries = io::BufReader::new(&found.entries);
    let mut batch: Vec<Vec<u8>> = Vec::new();
    for index in 0..found.begun.log_size {
        let mut length = [0; 2];
        entries.read_exact(&mut length)?;
        let mut entry = vec![0; usize::from(u16::from_be_bytes(length))];
        entries.read_exact(&mut entry)?;
        batch.push(entry);
        if batch.len() == BATCH || index + 1 == found.begun.log_size {
            log.append(index + 1 - batch.len() as u64, &batch)?;
            batch.clear();
        }
    }
    if let Some(checkpoint) = found.checkpoint.clone() {
        log.publish(checkpoint)?;
    }
    Ok(())
}

fn keep_epochs(folder: &Folder, agreed: &Agreed) -> Result<(), JoinError> {
    let (Some((succession, before)), epochs) = (&agreed.steps, Epochs::of(folder)) else { return Ok(()) };
    let own = group_file::read(&folder.group()).ok();
    for proof in &succession.steps {
        // What was passed over is served to those who trust an older policy: they check it themselves.
        let Ok(Leaf::Membership(entry)) = Leaf::from_bytes(&proof.entry) else { continue };
        // The one whose end this node has missed: proofs that it has of that epoch name keys of this group.
        if let Some(own) = own.as_ref().filter(|own| own.id() == entry.group) {
            epochs.record_group(own)?;
        }
        let policy = (entry.next_group == agreed.group.id()).then_some(before);
        epochs.record_known(entry.epoch, policy, proof)?;
    }
    Ok(())
}
