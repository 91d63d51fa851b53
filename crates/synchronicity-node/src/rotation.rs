//! A member's next keys: made beside those in force, and put in their place when an epoch begins that lists them.

use std::fs;
use std::io;
use std::path::Path;

use synchronicity_core::command::CommandKey;
use synchronicity_core::group::Group;
use synchronicity_verify::identity::BuilderId;

use crate::durable::{sync_folder, write_secret};
use crate::folder::Folder;
use crate::keys::{KeysError, MemberKeys, Role, Seed};

/// Keys that are the node's and not a member's: they stay through a change.
const KEPT: [&str; 2] = ["log.key", "witness.key"];

/// The identity that this node has by its next keys, if it has made any.
///
/// # Errors
/// [`KeysError`] for a key that is there and cannot be used.
pub fn next_identity(folder: &Folder) -> Result<Option<BuilderId>, KeysError> {
    let path = Role::Command.path(&folder.next_keys());
    if !path.exists() {
        return Ok(None);
    }
    Ok(Some(CommandKey::from_seed(*Seed::read(&path)?.expose()).id()))
}

/// Whether the group lists this node's next keys.
///
/// # Errors
/// As [`next_identity`].
pub fn is_due(folder: &Folder, group: &Group) -> Result<bool, KeysError> {
    Ok(next_identity(folder)?.is_some_and(|identity| group.member(&identity).is_some()))
}

/// The keys with which this node is a member of the group, as they are when [`settle`] has put those of that group in place:
/// nothing is changed.
///
/// # Errors
/// As [`MemberKeys::read`].
pub fn member_keys(folder: &Folder, group: &Group) -> Result<MemberKeys, KeysError> {
    let (keys, next) = (folder.keys(), folder.next_keys());
    if !is_due(folder, group)? {
        return MemberKeys::read(&keys, group);
    }
    // `settle` takes it along from there, unless it has already.
    let log = if Role::Log.path(&keys).exists() { &keys } else { &next };
    MemberKeys::read_with(&next, log, group)
}

/// Puts the next keys in the place of the present ones, if the group lists them: whether it did. Only the holder of the
/// folder's lock may call this. A crash at any
/// line leaves what the next start completes; the old keys stay, in `keys-before-EPOCH`.
///
/// # Errors
/// [`KeysError`].
pub fn settle(folder: &Folder, group: &Group) -> Result<bool, KeysError> {
    let (keys, next) = (folder.keys(), folder.next_keys());
    if !is_due(folder, group)? {
        return Ok(false);
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| KeysError::File { path, error }
    };
    // Where the present ones are gone already, the last start ended between the two names.
    if keys.exists() {
        for name in KEPT.iter().filter(|name| keys.join(name).exists()) {
            let kept = fs::read(keys.join(name)).map_err(failed(&keys.join(name)))?;
            write_secret(&next.join(name), &kept).map_err(failed(&next.join(name)))?;
        }
        let before = folder.root().join(format!("keys-before-{}", group.epoch()));
        fs::rename(&keys, &before).map_err(failed(&before))?;
    }
    fs::rename(&next, &keys).map_err(failed(&keys))?;
    sync_folder(folder.root()).map_err(failed(folder.root()))?;
    tracing::info!(epoch = group.epoch(), "this member's next keys are in force");
    Ok(true)
}
