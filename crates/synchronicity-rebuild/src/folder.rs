//! Folders that a build may have filled with anything: measuring, wiping, and copying the verified source into them.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Every file of a source gets the time that builds are told: some build scripts embed it.
const SOURCE_TIME: Duration = Duration::from_secs(synchronicity_verify::recipe::SOURCE_DATE_EPOCH);

/// What every file and folder counts at least: empty ones use up the disk's inodes.
const FILE_BYTES_MIN: u64 = 4096;

/// Space that the files below `root` occupy on disk, in bytes, each of them 4096 at least; links are not followed, what
/// cannot be read counts nothing, a file that grows or vanishes meanwhile counts either way.
pub(crate) fn size_bytes(root: &Path) -> u64 {
    let mut total = 0;
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            total += (metadata.blocks() * 512).max(FILE_BYTES_MIN);
            if metadata.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    total
}

/// Removes `root` with all that is in it; a folder that is not there is fine.
pub(crate) fn wipe(root: &Path) -> io::Result<()> {
    match fs::remove_dir_all(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A build may have taken away its own rights to its folders: they are its owner's to give back.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(root);
            fs::remove_dir_all(root)
        }
        other => other,
    }
}

/// An empty folder at `path`, whatever was there before, readable by the user that builds run as.
pub(crate) fn fresh(path: &Path) -> io::Result<()> {
    wipe(path)?;
    fs::create_dir_all(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o755))
}

/// Copies the files below `from` into the existing folder `to`, readable by all, every time set to one moment.
///
/// Only folders and regular files are copied. Two places where cargo would take configuration from the source instead
/// of from the request are left out: `.cargo/config*` and `rust-toolchain*`.
pub(crate) fn copy_source(from: &Path, to: &Path) -> io::Result<()> {
    let mut waiting = vec![PathBuf::new()];
    while let Some(inner) = waiting.pop() {
        for entry in fs::read_dir(from.join(&inner))? {
            let entry = entry?;
            let path = inner.join(entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                fs::create_dir_all(to.join(&path))?;
                fs::set_permissions(to.join(&path), Permissions::from_mode(0o755))?;
                waiting.push(path);
            } else if kind.is_file() && !steers_cargo(&path) {
                copy_file(&from.join(&path), &to.join(&path))?;
            }
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let mode = if fs::metadata(from)?.mode() & 0o100 != 0 { 0o755 } else { 0o644 };
    fs::copy(from, to)?;
    fs::set_permissions(to, Permissions::from_mode(mode))?;
    File::options().write(true).open(to)?.set_modified(SystemTime::UNIX_EPOCH + SOURCE_TIME)
}

fn steers_cargo(path: &Path) -> bool {
    [".cargo/config", ".cargo/config.toml", "rust-toolchain", "rust-toolchain.toml"].iter().any(|name| path == *name)
}

fn open_up(root: &Path) {
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        // What fails here fails again, and is reported, when it is removed.
        let _ = fs::set_permissions(&folder, Permissions::from_mode(0o700));
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        let below = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        waiting.extend(below.map(|entry| entry.path()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_neither_followed_nor_counted_as_their_targets() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("in")).unwrap();
        fs::write(folder.path().join("big"), vec![1; 1 << 20]).unwrap();
        symlink(folder.path().join("big"), folder.path().join("in/link")).unwrap();
        symlink("/", folder.path().join("in/root")).unwrap();
        assert_eq!(size_bytes(&folder.path().join("in")), 2 * FILE_BYTES_MIN, "two links");
        assert!(size_bytes(folder.path()) >= 1 << 20);
    }

    #[test]
    fn a_folder_without_rights_is_wiped_and_what_a_link_points_to_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (outside, inside) = (folder.path().join("outside"), folder.path().join("inside"));
        fs::create_dir_all(inside.join("locked/deep")).unwrap();
        fs::write(&outside, "kept").unwrap();
        symlink(&outside, inside.join("locked/deep/link")).unwrap();
        fs::set_permissions(inside.join("locked"), Permissions::from_mode(0o000)).unwrap();
        wipe(&inside).unwrap();
        wipe(&inside).unwrap();
        assert!(!inside.exists());
        assert_eq!(fs::read_to_string(outside).unwrap(), "kept");
    }

    #[test]
    fn a_copied_source_has_one_time_plain_rights_and_nothing_that_steers_cargo() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join(".cargo")).unwrap();
        fs::create_dir_all(from.join("target")).unwrap();
        for name in [".cargo/config.toml", "rust-toolchain", "Cargo.toml", "target/kept.rs"] {
            fs::write(from.join(name), name).unwrap();
        }
        symlink("/etc/passwd", from.join("link")).unwrap();
        fs::set_permissions(from.join("Cargo.toml"), Permissions::from_mode(0o600)).unwrap();
        fs::create_dir(&to).unwrap();
        copy_source(&from, &to).unwrap();
        for gone in [".cargo/config.toml", "rust-toolchain", "link"] {
            assert!(!to.join(gone).exists(), "{gone}");
        }
        assert!(to.join("target/kept.rs").exists());
        let metadata = fs::metadata(to.join("Cargo.toml")).unwrap();
        assert_eq!(metadata.mode() & 0o777, 0o644);
        assert_eq!(metadata.modified().unwrap(), SystemTime::UNIX_EPOCH + SOURCE_TIME);
    }
}
