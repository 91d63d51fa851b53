//! What a backup of a node holds: what nobody else has, and nothing that may be replayed.
//!
//! Chain, journal of votes, state and log are left out on purpose. An old copy of them is a node that has forgotten what it
//! signed; without them a node takes everything from the other members, asks them what they have seen of it, and votes
//! when they are past that. Nor is the witness's key ever in it: a witness that forgets what it signed must not go on under
//! that key, and a new one is made.
//!
//! ```text
//! a tar file:   backup              "synchronicity-node backup 1" and, a line each, the group's identity and its epoch
//!               node.toml, member.toml, group.toml
//!               epochs/...          what clients need to follow the group
//!               offences/...        proofs against other members
//!               keys/...            only if asked for
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use miette::Diagnostic;
use synchronicity_core::group::Group;
use thiserror::Error;

use crate::durable::{self, Disk, Synced};
use crate::folder::Folder;
use crate::group_file::{self, GroupFileError};

const MARK: &str = "synchronicity-node backup 1";
const MARKER: &str = "backup";

/// The secret that is in no backup.
const WITNESS_KEY: &str = "witness.key";

/// Largest file in a backup, number of files, and largest backup, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;
const FILES_MAX: usize = 4096;
const BACKUP_BYTES_MAX: u64 = 64 << 20;

/// Folders below the node's whose files are kept.
const FOLDERS: [&str; 2] = ["epochs", "offences"];
const KEYS: &str = "keys";

/// Why there is no backup, or nothing was restored.
#[derive(Debug, Error, Diagnostic)]
pub enum BackupError {
    /// A file or folder cannot be used.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// The group file is none.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Group(#[from] GroupFileError),
    /// It would be larger than what is restored again.
    #[error("{what} is larger than a backup may hold")]
    #[diagnostic(help("files in `epochs` and `offences` have few kB each; what else lies there?"))]
    TooLarge {
        /// A file, or all of them.
        what: String,
    },
    /// The file is no backup.
    #[error("{} is no backup of a node: {what}", path.display())]
    #[diagnostic(help("nothing was changed"))]
    NotABackup {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// There is something where the node is to be restored to.
    #[error("{} is there already", path.display())]
    #[diagnostic(help("nothing was changed; a backup is restored into a folder that does not exist yet"))]
    Exists {
        /// The folder.
        path: PathBuf,
    },
}

/// What a backup holds: contents by path.
#[derive(Debug)]
pub struct Backup {
    files: BTreeMap<String, Vec<u8>>,
    /// The group's identity in hex.
    pub group: String,
    /// Its epoch.
    pub epoch: u64,
}

impl Backup {
    /// Reads a node's folder. A node may run on it meanwhile: each of these files is always whole.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn of(folder: &Folder, with_keys: bool) -> Result<Backup, BackupError> {
        let group: Group = group_file::read(&folder.group())?;
        let mut files = BTreeMap::new();
        for path in [folder.config(), folder.member(), folder.group()] {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.insert(name, read(&path)?);
        }
        let keys = with_keys.then_some(KEYS);
        for below in FOLDERS.into_iter().chain(keys) {
            for name in names(&folder.root().join(below))? {
                if below != KEYS || name != WITNESS_KEY {
                    files.insert(format!("{below}/{name}"), read(&folder.root().join(below).join(&name))?);
                }
            }
        }
        let backup = Backup { files, group: group.id().to_string(), epoch: group.epoch() };
        let total: usize = backup.files.values().map(Vec::len).sum();
        if backup.files.len() >= FILES_MAX || total as u64 > BACKUP_BYTES_MAX / 2 {
            return Err(BackupError::TooLarge { what: "all of it".to_owned() });
        }
        Ok(backup)
    }

    /// Writes it to a file that only its owner may read, whole or not at all.
    ///
    /// # Errors
    /// [`BackupError::File`].
    pub fn write(&self, path: &Path) -> Result<(), BackupError> {
        let failed = |error| BackupError::File { path: path.to_owned(), error };
        let marker = format!("{MARK}\n{}\n{}\n", self.group, self.epoch);
        let mut archive = tar::Builder::new(Vec::new());
        let first = (MARKER, marker.as_bytes());
        let others = self.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        for (name, bytes) in std::iter::once(first).chain(others) {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o600);
            archive.append_data(&mut header, name, bytes).map_err(failed)?;
        }
        durable::write_secret(path, &archive.into_inner().map_err(failed)?).map_err(failed)
    }

    /// Reads a file that is said to be a backup.
    ///
    /// # Errors
    /// [`BackupError::File`] or [`BackupError::NotABackup`].
    pub fn read(path: &Path) -> Result<Backup, BackupError> {
        let failed = |error| BackupError::File { path: path.to_owned(), error };
        let wrong = |what: String| BackupError::NotABackup { path: path.to_owned(), what };
        let mut bytes = Vec::new();
        fs::File::open(path).map_err(failed)?.take(BACKUP_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > BACKUP_BYTES_MAX {
            return Err(wrong("it is too large".to_owned()));
        }
        let mut files = unpack(&bytes).map_err(wrong)?;
        let marker = files.remove(MARKER).and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        let lines: Vec<&str> = marker.lines().collect();
        let [MARK, group, epoch] = lines[..] else { return Err(wrong("it does not say so".to_owned())) };
        let epoch = epoch.parse().map_err(|_| wrong("its epoch is no number".to_owned()))?;
        if !["node.toml", "member.toml", "group.toml"].iter().all(|name| files.contains_key(*name)) {
            return Err(wrong("a file is missing".to_owned()));
        }
        Ok(Backup { group: group.to_owned(), epoch, files })
    }

    /// Whether the secret keys are in it.
    pub fn has_keys(&self) -> bool {
        self.files.keys().any(|name| name.starts_with("keys/"))
    }

    /// Makes a node's folder of it, which must not exist. The group file is left out where a member cannot begin with that
    /// alone: `group join` writes it.
    ///
    /// # Errors
    /// [`BackupError`]; then there is no folder that a node would start on.
    pub fn restore(&self, folder: &Folder) -> Result<(), BackupError> {
        let root = folder.root();
        if root.exists() && fs::read_dir(root).map_or(true, |mut items| items.next().is_some()) {
            return Err(BackupError::Exists { path: root.to_owned() });
        }
        // Last: with it, this is a node's folder.
        let (last, others): (Vec<_>, Vec<_>) = self.files.iter().partition(|(name, _)| *name == "node.toml");
        for (name, bytes) in others.into_iter().chain(last) {
            if name == "group.toml" && self.must_join() {
                continue;
            }
            let path = root.join(name);
            let written = match name.starts_with("keys/") {
                true => durable::write_secret(&path, bytes),
                false => Synced.write(&path, bytes),
            };
            written.map_err(|error| BackupError::File { path, error })?;
        }
        Ok(())
    }

    /// The latest policy in it, below the node's folder: from there on `group join` finds the way to the present group.
    pub fn latest_policy(&self) -> Option<&str> {
        let number = |name: &str| name.strip_prefix("epochs/")?.strip_suffix(".policy")?.parse::<u64>().ok();
        let policies = self.files.keys().filter_map(|name| Some((number(name)?, name.as_str())));
        policies.max().map(|(_, name)| name)
    }

    /// Whether the group was past its first epoch: who its members are now comes from another node.
    pub fn must_join(&self) -> bool {
        self.epoch > 0
    }
}

/// The files of an archive, each with a name that a backup may have.
fn unpack(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut files = BTreeMap::new();
    let mut archive = tar::Archive::new(bytes);
    for entry in archive.entries().map_err(|error| error.to_string())? {
        let mut entry = entry.map_err(|error| error.to_string())?;
        let path = entry.path().map_err(|error| error.to_string())?.into_owned();
        let name = accepted(&path).ok_or_else(|| format!("{} does not belong into one", path.display()))?;
        if !entry.header().entry_type().is_file() || entry.size() > FILE_BYTES_MAX || files.len() >= FILES_MAX {
            return Err(format!("{name} is no file, or too large, or one too many"));
        }
        let mut content = Vec::new();
        entry.by_ref().take(FILE_BYTES_MAX).read_to_end(&mut content).map_err(|error| error.to_string())?;
        if files.insert(name.clone(), content).is_some() {
            return Err(format!("{name} is in it twice"));
        }
    }
    Ok(files)
}

/// A path that leads to a file of a backup and nowhere else.
fn accepted(path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path
        .components()
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    match parts?[..] {
        [name] if [MARKER, "node.toml", "member.toml", "group.toml"].contains(&name) => Some(name.to_owned()),
        [KEYS, WITNESS_KEY] => None,
        [below, name] if below == KEYS || FOLDERS.contains(&below) => Some(format!("{below}/{name}")),
        _ => None,
    }
}

fn read(path: &Path) -> Result<Vec<u8>, BackupError> {
    let failed = |error| BackupError::File { path: path.to_owned(), error };
    let mut bytes = Vec::new();
    fs::File::open(path).map_err(failed)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() as u64 > FILE_BYTES_MAX {
        true => Err(BackupError::TooLarge { what: path.display().to_string() }),
        false => Ok(bytes),
    }
}

/// The plain files of a folder, but for those that were never finished; none if it is not there.
fn names(folder: &Path) -> Result<Vec<String>, BackupError> {
    let failed = |error| BackupError::File { path: folder.to_owned(), error };
    let items = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        items => items.map_err(failed)?,
    };
    let mut names = Vec::new();
    for item in items {
        let item = item.map_err(failed)?;
        let name = item.file_name().to_string_lossy().into_owned();
        if item.file_type().map_err(failed)?.is_file() && !name.starts_with('.') {
            names.push(name);
        }
    }
    Ok(names)
}
