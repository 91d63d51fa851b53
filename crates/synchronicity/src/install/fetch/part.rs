//! The beginning of an artifact on disk. It grows only at its end, so that its length says how much of it is there after
//! any crash; hashed while it grows.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::result::Artifact;

/// A file that no other process changes while this is alive.
pub(crate) struct Part {
    file: File,
    path: PathBuf,
    hash: Sha256,
    length: u64,
}

impl Part {
    /// What is there of an artifact of `size` bytes, or a new file. Waits for another process that fetches it.
    pub(crate) fn open(path: &Path, size: u64) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        let mut file = options.open(path)?;
        file.lock()?;
        // Whoever had it may have moved it to its place meanwhile.
        while fs::metadata(path).map_or(true, |there| !is_same(&there, &file)) {
            file = options.open(path)?;
            file.lock()?;
        }
        let mut part = Self { file, path: path.to_owned(), hash: Sha256::new(), length: 0 };
        if part.file.metadata()?.len() > size {
            part.restart()?;
        }
        part.hash_what_is_there()?;
        Ok(part)
    }

    fn hash_what_is_there(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; super::READ];
        loop {
            match self.file.read(&mut buffer)? {
                0 => return Ok(()),
                count => {
                    self.hash.update(&buffer[..count]);
                    self.length += count as u64;
                }
            }
        }
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Forgets what is there.
    pub(crate) fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        (self.hash, self.length) = (Sha256::new(), 0);
        Ok(())
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is the whole artifact, byte for byte.
    pub(crate) fn is(&self, artifact: &Artifact) -> bool {
        self.length == artifact.size && Digest(self.hash.clone().finalize().into()) == artifact.sha256
    }

    /// Makes it a program that survives a crash of the machine.
    pub(crate) fn settle(&self) -> io::Result<()> {
        self.file.set_permissions(PermissionsExt::from_mode(0o755))?;
        self.file.sync_all()
    }

    /// Removes it if there is nothing in it.
    pub(crate) fn remove_if_empty(self) {
        if self.length == 0 {
            // An empty file that stays is taken up by the next run.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn is_same(there: &fs::Metadata, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|open| (open.dev(), open.ino()) == (there.dev(), there.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(content: &[u8]) -> Artifact {
        Artifact { name: "a".parse().unwrap(), size: content.len() as u64, sha256: Digest::of(content) }
    }

    #[test]
    fn what_was_left_is_gone_on_from_and_what_is_too_long_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let content = [7; 300_000];
        let mut part = Part::open(&path, 300_000).unwrap();
        part.append(&content[..200_000]).unwrap();
        drop(part);
        let mut part = Part::open(&path, 300_000).unwrap();
        assert_eq!(part.length(), 200_000);
        assert!(!part.is(&artifact(&content)));
        part.append(&content[200_000..]).unwrap();
        assert!(part.is(&artifact(&content)) && !part.is(&artifact(b"other")));
        part.settle().unwrap();
        drop(part);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(Part::open(&path, 299_999).unwrap().length(), 0);
    }

    #[test]
    fn a_part_that_was_moved_away_while_it_was_waited_for_is_not_the_one_that_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let (path, place) = (dir.path().join("x"), dir.path().join("place"));
        let mut first = Part::open(&path, 4).unwrap();
        first.append(b"good").unwrap();
        let waiting = std::thread::spawn({
            let path = path.clone();
            move || Part::open(&path, 4).unwrap().length()
        });
        fs::rename(&path, &place).unwrap();
        drop(first);
        assert_eq!(waiting.join().unwrap(), 0);
        assert_eq!(fs::read(place).unwrap(), b"good");
    }
}
