//! The folder of `devnet`: one group at a time, results that stay, a cache that later runs reuse.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// An exclusive hold on a devnet folder.
///
/// ```text
/// DIR/cache/                  toolchain and downloads, kept between runs
/// DIR/group-<unix ms>/        the group of this run: group.toml, and builder-1/ … with keys, state, trace
/// DIR/out/<crate>-<version>/  proof, policy, artifacts, transcripts of failures
/// ```
///
/// The lock is on the folder itself and belongs to the open file: it ends with the process, however that ends, and
/// leaves no file behind.
pub(super) struct Folder {
    root: PathBuf,
    _lock: File,
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(super) enum FolderError {
    #[error("another devnet is running in {}", root.display())]
    #[diagnostic(help("wait for it, stop it with Ctrl-C, or name another folder with --data"))]
    Busy { root: PathBuf },
    #[error("{} is not empty and is no folder of an earlier devnet", root.display())]
    #[diagnostic(help("devnet removes the groups of earlier runs; name a new or an empty folder with --data"))]
    Foreign { root: PathBuf },
    #[error("cannot use the folder {}", path.display())]
    #[diagnostic(help("check its rights and the free space, or name another folder with --data"))]
    Io { path: PathBuf, source: io::Error },
}

/// Written into a new folder, so that no other folder is ever taken for one of ours and pruned.
const MARK: &str = "README";
const MARK_TITLE: &str = "Made by `synchronicity-node devnet`.\n";
const MARK_TEXT: &str = "\
out/    proofs, policies and artifacts of all runs
cache/  toolchain and downloads; delete it to start afresh
group-* the folders of the last group; the next run deletes them
";

impl Folder {
    /// Takes hold of `root`, creating it if need be. What earlier runs left there stays for now.
    pub(super) fn open(root: &Path) -> Result<Self, FolderError> {
        fs::create_dir_all(root).map_err(at(root))?;
        // Paths go to processes with another working folder and into commands a person may run elsewhere.
        let root = root.canonicalize().map_err(at(root))?;
        let lock = File::open(&root).map_err(at(&root))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => FolderError::Busy { root: root.clone() },
            TryLockError::Error(source) => FolderError::Io { path: root.clone(), source },
        })?;
        claim(&root)?;
        let folder = Self { root, _lock: lock };
        fs::create_dir_all(folder.cache()).map_err(at(&folder.cache()))?;
        Ok(folder)
    }

    /// An empty folder for a new group. The groups of earlier runs go.
    pub(super) fn new_group(&self) -> Result<PathBuf, FolderError> {
        prune(&self.root).map_err(at(&self.root))?;
        let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let group = self.root.join(format!("group-{started}"));
        fs::create_dir(&group).map_err(at(&group))?;
        Ok(group)
    }

    /// What the nodes of a group share, and later groups reuse: all of it is checked against hashes before each use.
    pub(super) fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// Where the results of one crate go; emptied, so that no file of an earlier run is taken for one of this run.
    pub(super) fn results(&self, name_version: &str) -> Result<PathBuf, FolderError> {
        let path = self.root.join("out").join(name_version);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&path)(error)),
            _ => fs::create_dir_all(&path).map_err(at(&path))?,
        }
        Ok(path)
    }
}

fn claim(root: &Path) -> Result<(), FolderError> {
    let mark = root.join(MARK);
    match fs::read_to_string(&mark) {
        Ok(text) if text.starts_with(MARK_TITLE) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if fs::read_dir(root).map_err(at(root))?.next().is_some() {
                return Err(FolderError::Foreign { root: root.to_owned() });
            }
            fs::write(&mark, [MARK_TITLE, MARK_TEXT].concat()).map_err(at(&mark))
        }
        Err(error) if error.kind() != io::ErrorKind::InvalidData => Err(at(&mark)(error)),
        _ => Err(FolderError::Foreign { root: root.to_owned() }),
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError::Io { path, source }
}

fn prune(root: &Path) -> io::Result<()> {
    for found in fs::read_dir(root)? {
        let found = found?;
        if found.file_name().to_string_lossy().starts_with("group-") && found.file_type()?.is_dir() {
            fs::remove_dir_all(found.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_serves_one_devnet_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = Folder::open(dir.path()).unwrap();
        assert!(matches!(Folder::open(dir.path()), Err(FolderError::Busy { .. })));
        drop(first);
        Folder::open(dir.path()).unwrap();
    }

    #[test]
    fn earlier_groups_go_and_results_stay() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let (earlier, out) = (folder.new_group().unwrap(), folder.results("a-1.0.0").unwrap());
        std::thread::sleep(std::time::Duration::from_millis(2));
        let now = folder.new_group().unwrap();
        assert!(!earlier.exists() && now.exists() && out.exists());
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let theirs = dir.path().join("group-photos");
        fs::create_dir(&theirs).unwrap();
        assert!(matches!(Folder::open(dir.path()), Err(FolderError::Foreign { .. })));
        assert!(theirs.exists());
    }
}
