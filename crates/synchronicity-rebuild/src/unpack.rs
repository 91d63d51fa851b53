//! Unpacks an archive that a stranger wrote, on the host: everything but plain files and folders is refused.
//!
//! Cargo's own archives hold nothing else, so what is refused here is damage or an attack.

use std::collections::HashSet;
use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flate2::read::GzDecoder;
use synchronicity_verify::recipe::SOURCE_DATE_EPOCH;
use tar::{Archive, Entry, EntryType};

/// How much an archive may unpack to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Files and folders.
    pub entries: usize,
    /// Bytes of the unpacked tar stream, headers included.
    pub bytes: u64,
}

impl Default for Bounds {
    /// Several times what the largest crates of crates.io hold.
    fn default() -> Self {
        Self { entries: 50_000, bytes: 1 << 30 }
    }
}

/// The longest path within an archive, in bytes.
const PATH_BYTES_MAX: usize = 1024;
/// The longest name of a file or folder, in bytes: what Linux file systems take.
const NAME_BYTES_MAX: usize = 255;

/// Why an archive was refused. Nothing of it is left on the disk.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// A path that leads elsewhere, or that no author writes.
    #[error("the archive was refused: it holds the path {path:?}, which {problem}")]
    Path {
        /// The path, invalid UTF-8 replaced.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A link, a device, or another kind of entry that a source has no use for.
    #[error("the archive was refused: {path:?} is neither a file nor a folder")]
    Kind {
        /// The path.
        path: String,
    },
    /// More entries or bytes than [`Bounds`] allows.
    #[error("the archive was refused: it unpacks to more than {0}")]
    TooMuch(&'static str),
    /// Not a tar archive, or a damaged one.
    #[error("the archive cannot be read: {0}")]
    Damaged(io::Error),
    /// The folder could not be written.
    #[error("cannot unpack to {}: {error}", path.display())]
    Disk {
        /// What was being written.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
}

/// Unpacks a `.crate` file (gzip over tar) whose every entry lies under `root` (`name-version`); the content of that
/// folder becomes `into`, which must not exist, in a folder that does.
///
/// Modes become 0755 for executables and 0644 otherwise, and the times of files that of the recipe, so that every
/// builder's source looks alike whatever its umask and clock.
pub fn crate_archive(bytes: &[u8], root: &str, into: &Path, bounds: Bounds) -> Result<(), UnpackError> {
    unpack(GzDecoder::new(bytes), root, into, bounds)
}

/// The same for a tar archive that is not compressed.
pub fn tar_archive(bytes: &[u8], root: &str, into: &Path, bounds: Bounds) -> Result<(), UnpackError> {
    unpack(bytes, root, into, bounds)
}

fn unpack(stream: impl Read, root: &str, into: &Path, bounds: Bounds) -> Result<(), UnpackError> {
    let disk = |error| UnpackError::Disk { path: into.to_owned(), error };
    if into.symlink_metadata().is_ok() {
        return Err(disk(io::ErrorKind::AlreadyExists.into()));
    }
    let parent = into.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Written beside its place and renamed at the end: whoever finds `into` finds all of it.
    let staging = tempfile::Builder::new().prefix(".unpack-").tempdir_in(parent).map_err(disk)?;
    let mut archive = Archive::new(Bounded { inner: stream, left: bounds.bytes });
    let mut writer =
        Writer { staging: staging.path(), root, seen: HashSet::new(), files: HashSet::new(), folders: HashSet::new() };
    for (count, entry) in archive.entries().map_err(read_trouble)?.enumerate() {
        if count >= bounds.entries {
            return Err(UnpackError::TooMuch("the permitted number of files"));
        }
        writer.write(entry.map_err(read_trouble)?)?;
    }
    let unpacked = staging.path().join(root);
    if !unpacked.join("Cargo.toml").is_file() {
        return Err(UnpackError::Path { path: format!("{root}/Cargo.toml"), problem: "is missing from it" });
    }
    fs::rename(unpacked, into).map_err(disk)
}

struct Writer<'a> {
    staging: &'a Path,
    root: &'a str,
    seen: HashSet<String>,
    files: HashSet<String>,
    /// Also those that only the paths of files in them imply.
    folders: HashSet<String>,
}

impl Writer<'_> {
    fn write(&mut self, mut entry: Entry<'_, impl Read>) -> Result<(), UnpackError> {
        let path = checked_path(&entry.path_bytes(), self.root)?;
        let kind = entry.header().entry_type();
        if !matches!(kind, EntryType::Regular | EntryType::Directory) {
            return Err(UnpackError::Kind { path });
        }
        if !self.seen.insert(path.clone()) {
            return Err(UnpackError::Path { path, problem: "is there twice" });
        }
        self.place(&path, kind == EntryType::Directory)?;
        let target = self.staging.join(&path);
        if kind == EntryType::Directory {
            return fs::create_dir_all(&target).map_err(|error| UnpackError::Disk { path: target, error });
        }
        // The staging folder is new and holds no link, since none is ever made here: no parent leads out of it.
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(|error| UnpackError::Disk { path: parent.to_owned(), error })?;
        }
        let executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
        let disk = |error| UnpackError::Disk { path: target.clone(), error };
        let mut file = File::create_new(&target).map_err(disk)?;
        copy_all(&mut entry, &mut file, &target)?;
        file.set_permissions(Permissions::from_mode(if executable { 0o755 } else { 0o644 })).map_err(disk)?;
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(SOURCE_DATE_EPOCH)).map_err(disk)
    }
}

impl Writer<'_> {
    /// Refuses a path that would be a file and a folder. The disk would refuse it too, but then it would look like this
    /// machine's trouble.
    fn place(&mut self, path: &str, is_folder: bool) -> Result<(), UnpackError> {
        let parents = path.match_indices('/').map(|(end, _)| &path[..end]);
        for folder in parents.chain(is_folder.then_some(path)) {
            if self.files.contains(folder) {
                return Err(both(folder));
            }
            self.folders.insert(folder.to_owned());
        }
        if !is_folder {
            if self.folders.contains(path) {
                return Err(both(path));
            }
            self.files.insert(path.to_owned());
        }
        Ok(())
    }
}

fn both(path: &str) -> UnpackError {
    UnpackError::Path { path: path.to_owned(), problem: "is a file and a folder" }
}

/// Like `io::copy`, but it tells trouble of the archive from trouble of the disk.
fn copy_all(entry: &mut Entry<'_, impl Read>, file: &mut File, target: &Path) -> Result<(), UnpackError> {
    let (expected, mut copied, mut buffer) = (entry.size(), 0, [0; 16 << 10]);
    loop {
        let count = entry.read(&mut buffer).map_err(read_trouble)?;
        if count == 0 {
            break;
        }
        copied += count as u64;
        io::Write::write_all(file, &buffer[..count])
            .map_err(|error| UnpackError::Disk { path: target.to_owned(), error })?;
    }
    if copied == expected { Ok(()) } else { Err(UnpackError::Damaged(io::ErrorKind::UnexpectedEof.into())) }
}

/// The path as text, if every part of it is a plain name and the first one is `root`.
fn checked_path(bytes: &[u8], root: &str) -> Result<String, UnpackError> {
    let refuse = |problem| UnpackError::Path { path: String::from_utf8_lossy(bytes).into_owned(), problem };
    let path = std::str::from_utf8(bytes).map_err(|_| refuse("is not UTF-8"))?;
    if path.len() > PATH_BYTES_MAX {
        return Err(refuse("is too long"));
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return Err(refuse("has a control character or a backslash"));
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut parts = path.split('/');
    if parts.clone().any(|part| part.is_empty() || part == "." || part == "..") {
        return Err(refuse("is not a plain relative path"));
    }
    if parts.clone().any(|part| part.len() > NAME_BYTES_MAX) {
        return Err(refuse("has a name that is too long"));
    }
    if parts.next() != Some(root) {
        return Err(refuse("lies outside the crate's own folder"));
    }
    Ok(path.to_owned())
}

fn read_trouble(error: io::Error) -> UnpackError {
    if error.get_ref().is_some_and(|inner| inner.is::<BeyondBound>()) || has_bound_as_source(&error) {
        return UnpackError::TooMuch("the permitted number of bytes");
    }
    UnpackError::Damaged(error)
}

/// The tar reader wraps errors of its stream in its own.
fn has_bound_as_source(error: &io::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if error.is::<BeyondBound>() || inner.is_some_and(|inner| inner.is::<BeyondBound>()) {
            return true;
        }
        source = error.source();
    }
    false
}

/// Ends the stream with an error once it has given more than the bound. Everything the tar reader keeps in memory
/// (long names, extended headers) comes through here too.
struct Bounded<R> {
    inner: R,
    left: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("more bytes than permitted")]
struct BeyondBound;

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| io::Error::other(BeyondBound))?;
        Ok(count)
    }
}

#[cfg(test)]
pub(crate) mod tests;
