//! The folder of a node: where everything lies, and the lock that keeps a second process out of it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use synchronicity_core::group::Group;
use thiserror::Error;

/// Paths inside a node's folder. Computing one touches no disk.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

/// Held by the one process that runs on a folder; the operating system releases it when that process ends, however
/// it ends.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

/// Why a node may not run on this folder.
#[derive(Debug, Error, Diagnostic)]
pub enum FolderError {
    /// There is no node in it.
    #[error("{} is not the folder of a node", path.display())]
    #[diagnostic(help("create one with: synchronicity-node init --dir {} --name NAME --listen HOST:PORT --http HOST:PORT", path.display()))]
    NotANode {
        /// The folder asked for.
        path: PathBuf,
    },
    /// Another process runs on it.
    #[error("a node is already running on {}{}", path.display(), pid.as_ref().map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    #[diagnostic(help(
        "two nodes with the same keys would contradict each other; stop the first one, or give this one its own folder"
    ))]
    Locked {
        /// The folder asked for.
        path: PathBuf,
        /// What the holder wrote into the lock file.
        pid: Option<String>,
    },
    /// The lock file cannot be opened or locked.
    #[error("cannot lock {}: {error}", path.display())]
    #[diagnostic(help("the folder must be writable, and on a file system that knows locks"))]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
}

impl Folder {
    /// The folder at `root`, whether it exists or not.
    pub fn at(root: impl Into<PathBuf>) -> Folder {
        Folder { root: root.into() }
    }

    /// The folder of an initialised node.
    ///
    /// # Errors
    /// [`FolderError::NotANode`] when it has no `node.toml`.
    pub fn of_node(root: impl Into<PathBuf>) -> Result<Folder, FolderError> {
        let folder = Folder::at(root);
        if folder.config().is_file() { Ok(folder) } else { Err(FolderError::NotANode { path: folder.root }) }
    }

    /// Takes the lock for as long as the returned value lives.
    ///
    /// # Errors
    /// [`FolderError::Locked`] when another process holds it, [`FolderError::Lock`] when it cannot be tried.
    pub fn lock(&self) -> Result<FolderLock, FolderError> {
        let path = self.root.join("node.lock");
        let failed = |error| FolderError::Lock { path: path.clone(), error };
        let mut file =
            File::options().create(true).truncate(false).read(true).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = fs::read_to_string(&path).ok().map(|text| text.trim().to_owned());
                return Err(FolderError::Locked { path: self.root.clone(), pid: pid.filter(|pid| !pid.is_empty()) });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // For the message above only: who holds the lock is decided by the lock, not by this text.
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(FolderLock { _file: file })
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Name, addresses and choices of this node.
    pub fn config(&self) -> PathBuf {
        self.root.join("node.toml")
    }

    /// The member's half of the group file, to hand to the founder.
    pub fn member(&self) -> PathBuf {
        self.root.join("member.toml")
    }

    /// The group file.
    pub fn group(&self) -> PathBuf {
        self.root.join("group.toml")
    }

    /// Secret keys, one file each.
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// The database: ordered blocks that changed something, and the journal.
    pub fn state(&self) -> PathBuf {
        self.root.join("state.redb")
    }

    /// The engine's own storage: of the first epoch, and below it the folder of each other one.
    pub fn chain(&self) -> PathBuf {
        self.root.join("chain")
    }

    /// The engine's storage in the epoch of this group.
    pub fn chain_of(&self, group: &Group) -> PathBuf {
        let first = self.chain();
        // A group may have been founded with a number of its own.
        let owner = fs::read_to_string(first.join("group"));
        let is_first = group.epoch() == 0 || owner.is_ok_and(|owner| owner.trim() == group.id().to_string());
        if is_first { first } else { first.join(format!("epoch-{}", group.epoch())) }
    }

    /// What is kept of epochs that have ended.
    pub fn epochs(&self) -> PathBuf {
        self.root.join("epochs")
    }

    /// Secret keys that wait for the epoch that lists them.
    pub fn next_keys(&self) -> PathBuf {
        self.root.join("keys-next")
    }

    /// The transparency log as static files.
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// What builds work in.
    pub fn builds(&self) -> PathBuf {
        self.root.join("builds")
    }

    /// Artifacts of this node's own builds, each named by its SHA-256; unless node.toml puts them elsewhere.
    pub fn artifacts(&self) -> PathBuf {
        self.root.join("artifacts")
    }

    /// Transcripts of this node's own builds, compressed, each named by its request; unless node.toml puts them elsewhere.
    pub fn transcripts(&self) -> PathBuf {
        self.root.join("transcripts")
    }

    /// Why builders diverged, a file for each round.
    pub fn explanations(&self) -> PathBuf {
        self.root.join("explanations")
    }

    /// Files of the explanation that is being made.
    pub fn explaining(&self) -> PathBuf {
        self.root.join("explaining")
    }

    /// What other members did wrong.
    pub fn offences(&self) -> PathBuf {
        self.root.join("offences")
    }

    /// How far each webhook is.
    pub fn webhooks(&self) -> PathBuf {
        self.root.join("webhooks")
    }

    /// Proof files of reproduced crates.
    pub fn proofs(&self) -> PathBuf {
        self.root.join("proofs")
    }

    /// Where the operator's commands reach the running node.
    pub fn socket(&self) -> PathBuf {
        self.root.join("operator.sock")
    }
}
