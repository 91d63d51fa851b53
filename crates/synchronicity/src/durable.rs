//! Files that are whole at their place, or as they were before.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Writes `bytes` to `path`, with these permissions. When it returns, they survive a crash.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let folder = folder_of(path);
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    keep(file, path, mode)
}

/// Moves a file that was written in the folder of `path` to `path`.
pub(crate) fn keep(file: tempfile::NamedTempFile, path: &Path, mode: u32) -> io::Result<()> {
    // Temporary files are private.
    file.as_file().set_permissions(PermissionsExt::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // The new name, too.
    File::open(folder_of(path))?.sync_all()
}

/// The folder that a file stands in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
