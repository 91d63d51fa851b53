//! The files of a log. A partial one that is gone is read from the full one that took its place, of which it is the
//! beginning.

use std::fs::{self, File};
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::io::{Errno, ReadWriteFlags, preadv2};
use synchronicity_verify::tile::{TILE_WIDTH, TilePath, parse_bundle};

/// Whether a caller may be kept waiting for a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// It takes only what is in memory: in the reader's own, or in the operating system's.
    Memory,
    /// It waits.
    Disk,
}

/// The bytes of a tile of hashes.
pub(super) fn tile(folder: &Path, path: &TilePath) -> io::Result<Vec<u8>> {
    match fs::read(folder.join(path.path())) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.width < TILE_WIDTH => {
            let mut bytes = fs::read(folder.join(full(path).path()))?;
            bytes.truncate(usize::from(path.width) * 32);
            Ok(bytes)
        }
        read => read,
    }
}

/// Where in a bundle its entries lie.
#[derive(Debug)]
pub(super) struct Bundle {
    /// For each entry where its length stands; then the length of the bundle.
    starts: Vec<u32>,
}

impl Bundle {
    /// Reads a bundle; `None` if it is not the one that its path promises.
    pub(super) fn read(folder: &Path, path: &TilePath) -> io::Result<Option<Bundle>> {
        let (file, there) = open(folder, path)?;
        // As large as a bundle can be: whatever lies there is not read beyond that.
        let bytes_max = usize::from(there.width) * (2 + usize::from(u16::MAX));
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        if length > bytes_max {
            return Ok(None);
        }
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, 0)?;
        let Ok(entries) = parse_bundle(&bytes, there.width) else { return Ok(None) };
        let mut starts = vec![0];
        let mut end = 0;
        for entry in entries.iter().take(usize::from(path.width)) {
            end += 2 + entry.len();
            starts.push(u32::try_from(end).unwrap_or(u32::MAX));
        }
        Ok(Some(Bundle { starts }))
    }

    /// What it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.starts.len() * size_of::<u32>()
    }

    /// One entry; `None` if it is not in memory and the caller does not wait.
    pub(super) fn entry(
        &self,
        folder: &Path,
        path: &TilePath,
        within: usize,
        patience: Patience,
    ) -> io::Result<Option<Vec<u8>>> {
        let place = self.starts.get(within).zip(self.starts.get(within + 1));
        let (start, end) = place.ok_or(io::ErrorKind::NotFound)?;
        let (file, _) = open(folder, path)?;
        let mut entry = vec![0; (end - start - 2) as usize];
        let offset = u64::from(start + 2);
        if patience == Patience::Disk {
            file.read_exact_at(&mut entry, offset)?;
            return Ok(Some(entry));
        }
        let length = entry.len();
        match preadv2(&file, &mut [IoSliceMut::new(&mut entry)], offset, ReadWriteFlags::NOWAIT) {
            Ok(read) if read == length => Ok(Some(entry)),
            // Not all of it is in memory, or the file system cannot tell.
            Ok(_) | Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Opens a bundle, or the full one that took its place.
fn open(folder: &Path, path: &TilePath) -> io::Result<(File, TilePath)> {
    match File::open(folder.join(path.path())) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.width < TILE_WIDTH => {
            let full = full(path);
            Ok((File::open(folder.join(full.path()))?, full))
        }
        opened => Ok((opened?, *path)),
    }
}

fn full(path: &TilePath) -> TilePath {
    TilePath { width: TILE_WIDTH, ..*path }
}
