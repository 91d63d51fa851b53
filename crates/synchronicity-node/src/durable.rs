//! Files that survive a crash: either the old content or the new, never a part, and the new one for good once the
//! call has returned.
//!
//! Temporary file in the same folder, fsync, rename, fsync of the folder. What this cannot handle: a disk that says
//! "synced" and lies, and a rename that reached the disk although its fsync failed. Callers therefore treat a failed
//! write as "perhaps done", and every write of theirs may be repeated.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// How the names of files begin that are being written; after it come [`RANDOM`] letters and digits.
const UNFINISHED: &str = ".writing-";
const RANDOM: usize = 6;

/// Where durable files go. The real one is [`Synced`]; tests have one that fails at a chosen write.
pub trait Disk: Send {
    /// Replaces the file at `path`, creating its folders, and returns when the content is on disk.
    ///
    /// # Errors
    /// What the operating system said. The file then has its old content or its new one.
    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Makes sure that a file that was found there stays there: whoever wrote it may have died before it was certain.
    ///
    /// # Errors
    /// What the operating system said.
    fn confirm(&mut self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()?;
        sync_folder(path.parent().unwrap_or(Path::new(".")))
    }

    /// Removes a folder and the files in it. It may come back after a crash.
    ///
    /// # Errors
    /// What the operating system said.
    fn remove(&mut self, folder: &Path) -> io::Result<()> {
        fs::remove_dir_all(folder)
    }
}

/// The file system, synced.
#[derive(Clone, Copy, Debug, Default)]
pub struct Synced;

impl Disk for Synced {
    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        write_with_mode(path, bytes, 0o644)
    }
}

/// Writes a file that only its owner may read, in a folder that only its owner may enter.
///
/// # Errors
/// What the operating system said; the file then has its old content or its new one.
pub fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    write_with_mode(path, bytes, 0o600)
}

/// Removes what a process that was killed while it wrote has left in `folder` and below: files with the names of this
/// module's temporary ones, and nothing else. Nobody may be writing there. What cannot be removed stays; it harms nobody.
pub fn remove_unfinished(folder: &Path) {
    let Ok(items) = fs::read_dir(folder) else { return };
    for item in items.filter_map(Result::ok) {
        // Of the item itself: a link leads elsewhere and is not ours.
        match item.file_type() {
            Ok(kind) if kind.is_dir() => remove_unfinished(&item.path()),
            Ok(kind) if kind.is_file() && is_unfinished(&item.file_name()) => {
                let removed = fs::remove_file(item.path());
                tracing::debug!(path = %item.path().display(), ?removed, "a file that was never finished");
            }
            _ => {}
        }
    }
}

fn is_unfinished(name: &OsStr) -> bool {
    let random = name.to_str().and_then(|name| name.strip_prefix(UNFINISHED));
    random.is_some_and(|random| random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn write_with_mode(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::other("a durable file needs a folder"))?;
    create_folders(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .rand_bytes(RANDOM)
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder)?;
    // The creation mask may have taken bits away; a log file must stay readable to the web server beside us.
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Creates missing folders one by one, syncing the parent of each: a file in a folder whose own name is lost is lost.
fn create_folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_folders(parent)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_folder(folder.parent().unwrap_or(Path::new("."))),
    }
}

/// Makes the names in a folder durable.
///
/// # Errors
/// What the operating system said.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}
