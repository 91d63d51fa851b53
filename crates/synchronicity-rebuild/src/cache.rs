//! Verified `.crate` archives on disk, each under its SHA-256.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use synchronicity_verify::digest::Digest;

/// A folder of archives named after their digests. What it returns always has the digest that was asked for, whatever
/// happened to the files in between.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: PathBuf,
}

impl Cache {
    /// Uses `dir`, which is created if it is not there.
    pub fn open(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// The archive with this digest, or `None` if it is not here. A file that no longer has its digest is deleted and
    /// counts as absent.
    pub fn get(&self, digest: &Digest) -> io::Result<Option<Vec<u8>>> {
        let path = self.path(digest);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if Digest::of(&bytes) == *digest {
            return Ok(Some(bytes));
        }
        fs::remove_file(&path)?;
        Ok(None)
    }

    /// Stores `bytes` durably under their digest, which it returns.
    pub fn put(&self, bytes: &[u8]) -> io::Result<Digest> {
        let digest = Digest::of(bytes);
        let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        // A crash before this line leaves a nameless temporary file, never a short archive under a digest.
        file.persist(self.path(&digest)).map_err(|error| error.error)?;
        File::open(&self.dir)?.sync_all()?;
        Ok(digest)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.dir.join(format!("{digest}.crate"))
    }
}
