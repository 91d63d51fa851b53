//! How executables get to their place: all of one crate, or none, whatever crashes in between.
//!
//! What is fetched lies in the folder `.synchronicity` of the root, beside the folder of executables: nothing is in that one
//! before it is known to be what was agreed on. A rename brings it to its place; where that is on another file system,
//! all of it is copied there first. Before the first one, what is going to be done is written down in
//! `pending.json`; it is done under the locks of cargo's records, and then the note goes. Whoever locks the records and
//! finds the note finishes what it says, or, if nothing of it was done or somebody else interfered, forgets it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use synchronicity_verify::digest::Digest;

use crate::durable;
use crate::exit::{self, Stop};
use crate::install_record::is_file_name;
use crate::install_record::locked::Records;
use crate::progress::Progress;
use crate::read;

/// Name of the folder of what is fetched, in the root.
const STAGING: &str = ".synchronicity";

/// Name of the note in it.
const PENDING: &str = "pending.json";

/// How the names of copies begin that are made in the folder of executables, where that is on another file system.
const COPY: &str = ".synchronicity-copy-";

/// The largest note read, in bytes.
const PENDING_BYTES_MAX: u64 = 1 << 20;

/// What was begun and not gone on with for so long is not worth its room.
const LEFT_OVER: Duration = Duration::from_secs(7 * 86_400);

/// A folder that cargo installs to.
pub(crate) struct Root {
    pub(crate) path: PathBuf,
}

/// What is to be done for one crate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    /// In cargo's words: `NAME VERSION (SOURCE)`.
    pub(crate) package: String,
    /// What cargo records of it.
    pub(crate) details: Value,
    pub(crate) executables: Vec<Executable>,
    /// The packages that it takes the place of.
    pub(crate) replaced: Vec<String>,
    /// Executables of these that it does not have.
    pub(crate) obsolete: Vec<String>,
}

/// One executable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Executable {
    pub(crate) name: String,
    /// Lower-case hex digits.
    pub(crate) sha256: String,
}

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{}: {error}", path.display())]
#[diagnostic(help("mend it and run the same command again: it goes on from there"))]
struct PlaceTrouble {
    path: PathBuf,
    error: io::Error,
}

impl Root {
    pub(crate) fn bin(&self) -> PathBuf {
        self.path.join("bin")
    }

    /// Where an executable will be.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.bin().join(name)
    }

    /// Where an executable is until it is at its place.
    pub(crate) fn staged(&self, name: &str, sha256: &str) -> PathBuf {
        self.staging().join(format!("{sha256}-{name}"))
    }

    /// Makes the folder of what is fetched, and rids it of what nobody went on with.
    pub(crate) fn prepare(&self) -> Result<(), Stop> {
        let staging = self.staging();
        fs::create_dir_all(&staging).map_err(|error| trouble(&staging, error))?;
        let old = |path: &Path| {
            let age =
                path.metadata().and_then(|about| about.modified()).map(|then| SystemTime::now().duration_since(then));
            age.is_ok_and(|age| age.is_ok_and(|age| age > LEFT_OVER))
        };
        let files = fs::read_dir(&staging).map_err(|error| trouble(&staging, error))?;
        for path in
            files.filter_map(|file| Some(file.ok()?.path())).filter(|path| !path.ends_with(PENDING) && old(path))
        {
            // Another process that fetches it writes to it, so that it is not old.
            let _ = fs::remove_file(path);
        }
        Ok(())
    }

    /// Removes the folder of what is fetched if nothing is in it.
    pub(crate) fn tidy(&self) {
        let _ = fs::remove_dir(self.staging());
    }

    /// Cargo's records, locked, with what a crash left undone done.
    pub(crate) fn lock(&self, progress: &Progress) -> Result<Records, Stop> {
        let mut records = Records::lock(&self.path, progress)?;
        let path = self.pending();
        if read::is_there(&path) {
            let bytes = read::bounded(&path, PENDING_BYTES_MAX, "note of what is to be installed").ok();
            match bytes.and_then(|bytes| Change::parse(&bytes)).filter(|change| self.can_finish(change)) {
                Some(change) => self.carry_out(&change, &mut records)?,
                None => self.forget()?,
            }
        }
        Ok(records)
    }

    /// Does what `change` says; every executable of it is staged.
    pub(crate) fn apply(&self, change: &Change, records: &mut Records) -> Result<(), Stop> {
        let path = self.pending();
        let note = serde_json::to_vec(change).map_err(io::Error::other);
        // From here on a crash is mended by whoever locks the records next.
        note.and_then(|note| durable::replace(&path, &note, 0o600)).map_err(|error| trouble(&path, error))?;
        self.carry_out(change, records)
    }

    /// Any number of times, from wherever it broke off.
    fn carry_out(&self, change: &Change, records: &mut Records) -> Result<(), Stop> {
        let bin = self.bin();
        fs::create_dir_all(&bin).map_err(|error| trouble(&bin, error))?;
        for executable in &change.executables {
            let (from, to) = (self.staged(&executable.name, &executable.sha256), self.place(&executable.name));
            match fs::rename(&from, &to) {
                // Told before anything else, whatever is there: so it is told of the first one, and of all.
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                    self.carry_over(&change.executables).map_err(|error| trouble(&bin, error))?;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound && has(&to, executable) => {}
                moved => moved.map_err(|error| trouble(&to, error))?,
            }
        }
        let names: BTreeSet<String> = change.executables.iter().map(|executable| executable.name.clone()).collect();
        let replaced =
            |package: Option<&str>| package.is_none_or(|package| change.replaced.iter().any(|it| it == package));
        for name in change.obsolete.iter().filter(|name| !names.contains(*name) && replaced(records.owner(name))) {
            remove(&self.place(name))?;
        }
        File::open(&bin).and_then(|folder| folder.sync_all()).map_err(|error| trouble(&bin, error))?;
        // Recorded when it is there: what a record names can be run.
        records.mark(&change.package, &names, &change.details, &change.replaced);
        records.save()?;
        self.forget()
    }

    /// Brings executables to their places on another file system. All of them are copied and checked before the first one is
    /// moved, so that a disk without room leaves everything as it was.
    fn carry_over(&self, executables: &[Executable]) -> io::Result<()> {
        let there = |executable: &&Executable| !has(&self.place(&executable.name), executable);
        let copied = executables.iter().filter(there).map(|executable| {
            let mut staged = File::open(self.staged(&executable.name, &executable.sha256))?;
            let name = self.copy_prefix() + &executable.name;
            remove_if_there(&self.bin().join(&name))?;
            let mut copy = tempfile::Builder::new().prefix(&name).rand_bytes(0).tempfile_in(self.bin())?;
            io::copy(&mut staged, &mut copy)?;
            copy.as_file().sync_all()?;
            match has(copy.path(), executable) {
                true => Ok((copy, self.place(&executable.name))),
                false => Err(io::Error::other("the copy is not what was fetched")),
            }
        });
        let copied: Vec<_> = copied.collect::<io::Result<_>>()?;
        copied.into_iter().try_for_each(|(copy, to)| durable::keep(copy, &to, 0o755))?;
        executables.iter().try_for_each(|it| remove_if_there(&self.staged(&it.name, &it.sha256)))
    }

    /// Of this root alone: another one, whose records somebody else has locked, may have the same folder of executables.
    fn copy_prefix(&self) -> String {
        let root = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let root = Digest::of(root.as_os_str().as_encoded_bytes()).to_string();
        format!("{COPY}{}-", &root[..16])
    }

    /// Removes copies that a crash left.
    fn remove_copies(&self) -> io::Result<()> {
        let (bin, prefix) = (self.bin(), self.copy_prefix());
        let files = match fs::read_dir(&bin) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            files => files?,
        };
        for name in files.filter_map(|file| Some(file.ok()?.file_name())) {
            if name.as_encoded_bytes().starts_with(prefix.as_bytes()) {
                remove_if_there(&bin.join(name))?;
            }
        }
        Ok(())
    }

    /// Whether something of it was done, and all the rest is at hand.
    fn can_finish(&self, change: &Change) -> bool {
        let placed = |executable: &&Executable| has(&self.place(&executable.name), executable);
        let staged = |executable: &Executable| has(&self.staged(&executable.name, &executable.sha256), executable);
        let (done, rest): (Vec<_>, Vec<_>) = change.executables.iter().partition(placed);
        !done.is_empty() && rest.into_iter().all(staged)
    }

    fn forget(&self) -> Result<(), Stop> {
        self.remove_copies().map_err(|error| trouble(&self.bin(), error))?;
        remove(&self.pending())?;
        self.tidy();
        Ok(())
    }

    fn staging(&self) -> PathBuf {
        self.path.join(STAGING)
    }

    fn pending(&self) -> PathBuf {
        self.staging().join(PENDING)
    }
}

impl Change {
    /// `None` for what [`Root::apply`] did not write.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let change: Self = serde_json::from_slice(bytes).ok()?;
        let names = change.executables.iter().map(|executable| &executable.name).chain(&change.obsolete);
        let mut hashes = change.executables.iter().map(|executable| &executable.sha256);
        let sound =
            names.into_iter().all(|name| is_file_name(name)) && hashes.all(|sha256| sha256.parse::<Digest>().is_ok());
        sound.then_some(change)
    }
}

/// Whether a file has an executable's content.
fn has(path: &Path, executable: &Executable) -> bool {
    path.is_file() && read::digest(path).is_ok_and(|digest| digest.to_string() == executable.sha256)
}

/// Removes a file if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), Stop> {
    remove_if_there(path).map_err(|error| trouble(path, error))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub(crate) fn trouble(path: &Path, error: io::Error) -> Stop {
    Stop::new(exit::INTERNAL, PlaceTrouble { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests;
