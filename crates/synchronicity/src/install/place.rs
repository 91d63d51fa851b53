//! How executables get to their place: all of one crate, or none, whatever crashes in between.
//!
//! What is fetched lies in the folder `.synchronicity` of the root, beside the folder of executables: nothing is in that one
//! before it is known to be what was agreed on. A rename brings it to its place, or, where that is on another file system,
//! a copy beside its place and then a rename. Before the first one, what is going to be done is written down in
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

/// Name of what is being copied to the folder of executables from another file system. Only whoever has locked the records
/// writes it.
const COPY: &str = ".synchronicity-copy";

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
            let moved = fs::rename(&from, &to).or_else(|error| match error.kind() {
                io::ErrorKind::CrossesDevices => self.carry_over(&from, &to, executable),
                _ => Err(error),
            });
            match moved {
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

    /// Brings an executable to its place on another file system, as a rename does on one: whole, or not at all.
    fn carry_over(&self, from: &Path, to: &Path, executable: &Executable) -> io::Result<()> {
        let (mut staged, half) = (File::open(from)?, self.bin().join(COPY));
        if read::is_there(&half) {
            fs::remove_file(&half)?;
        }
        let mut copy = tempfile::Builder::new().prefix(COPY).rand_bytes(0).tempfile_in(self.bin())?;
        io::copy(&mut staged, &mut copy)?;
        if !has(copy.path(), executable) {
            return Err(io::Error::other("the copy is not what was fetched"));
        }
        durable::keep(copy, to, 0o755)?;
        fs::remove_file(from)
    }

    /// Whether something of it was done, and all the rest is at hand.
    fn can_finish(&self, change: &Change) -> bool {
        let placed = |executable: &&Executable| has(&self.place(&executable.name), executable);
        let staged = |executable: &Executable| has(&self.staged(&executable.name, &executable.sha256), executable);
        let (done, rest): (Vec<_>, Vec<_>) = change.executables.iter().partition(placed);
        !done.is_empty() && rest.into_iter().all(staged)
    }

    fn forget(&self) -> Result<(), Stop> {
        remove(&self.bin().join(COPY))?;
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
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(trouble(path, error)),
        _ => Ok(()),
    }
}

pub(crate) fn trouble(path: &Path, error: io::Error) -> Stop {
    Stop::new(exit::INTERNAL, PlaceTrouble { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;

    const A: &str = "a 1.0.0 (registry+https://github.com/rust-lang/crates.io-index)";
    const OLD: &str = "a 0.9.0 (registry+https://github.com/rust-lang/crates.io-index)";

    /// A root in which `old` is of the older version, and the executables of the newer one are staged.
    struct World {
        _dir: tempfile::TempDir,
        root: Root,
        change: Change,
    }

    impl World {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let root = Root { path: dir.path().to_owned() };
            root.prepare().unwrap();
            fs::create_dir(root.bin()).unwrap();
            fs::write(root.place("old"), "old").unwrap();
            let mut records = root.lock(&Progress::silent()).unwrap();
            records.mark(OLD, &["old".to_owned()].into(), &json!({}), &[]);
            records.save().unwrap();
            let executable =
                |name: &str| Executable { name: name.into(), sha256: Digest::of(name.as_bytes()).to_string() };
            let executables = vec![executable("one"), executable("two")];
            for executable in &executables {
                fs::write(root.staged(&executable.name, &executable.sha256), &executable.name).unwrap();
            }
            let (replaced, obsolete) = (vec![OLD.to_owned()], vec!["old".to_owned()]);
            let change = Change { package: A.into(), details: json!({}), executables, replaced, obsolete };
            Self { _dir: dir, root, change }
        }

        /// As after a crash when the note is written.
        fn noted() -> Self {
            let world = Self::new();
            fs::write(world.root.pending(), serde_json::to_vec(&world.change).unwrap()).unwrap();
            world
        }

        fn move_to_its_place(&self, at: usize) {
            let executable = &self.change.executables[at];
            let from = self.root.staged(&executable.name, &executable.sha256);
            fs::rename(from, self.root.place(&executable.name)).unwrap();
        }

        /// Packages and files after the next lock.
        fn state(&self) -> (Vec<String>, Vec<String>) {
            let records = self.root.lock(&Progress::silent()).unwrap();
            let packages = records.installed().unwrap().into_iter().map(|installed| installed.version).collect();
            let files =
                fs::read_dir(self.root.bin()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
            let mut files: Vec<_> = files.collect();
            files.sort();
            (packages, files)
        }
    }

    fn of(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn all_is_done_or_nothing() {
        let world = World::new();
        let mut records = world.root.lock(&Progress::silent()).unwrap();
        world.root.apply(&world.change, &mut records).unwrap();
        drop(records);
        assert_eq!(world.state(), (of(&["1.0.0"]), of(&["one", "two"])));
    }

    #[test]
    fn what_was_only_noted_is_forgotten_and_what_was_begun_is_finished() {
        let world = World::noted();
        assert_eq!(world.state(), (of(&["0.9.0"]), of(&["old"])));
        assert!(!world.root.pending().exists());
        for begun in [&[0][..], &[1], &[0, 1]] {
            let world = World::noted();
            begun.iter().for_each(|at| world.move_to_its_place(*at));
            assert_eq!(world.state(), (of(&["1.0.0"]), of(&["one", "two"])), "{begun:?}");
        }
        // The records, too, and only the note is left.
        let world = World::noted();
        [0, 1].into_iter().for_each(|at| world.move_to_its_place(at));
        fs::remove_file(world.root.place("old")).unwrap();
        let mut records = Records::lock(&world.root.path, &Progress::silent()).unwrap();
        records.mark(A, &["one".to_owned(), "two".to_owned()].into(), &json!({}), &[OLD.to_owned()]);
        records.save().unwrap();
        drop(records);
        assert_eq!(world.state(), (of(&["1.0.0"]), of(&["one", "two"])));
    }

    #[test]
    fn a_copy_to_another_file_system_is_whole_or_not_there_and_may_be_made_again() {
        let World { root, change, _dir } = World::noted();
        let executable = &change.executables[0];
        let (from, to) = (root.staged("one", &executable.sha256), root.place("one"));
        let half = root.place(COPY);
        // What a crash left half copied is no part of it, even if it is a link to something of the user's.
        std::os::unix::fs::symlink(root.place("old"), &half).unwrap();
        root.carry_over(&from, &to, executable).unwrap();
        assert_eq!((fs::read(&to).unwrap(), fs::read(root.place("old")).unwrap()), (b"one".into(), b"old".into()));
        assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o755);
        assert!(!from.exists() && !half.exists());
        // Of what was altered since it was checked nothing comes to its place.
        fs::write(&from, "won").unwrap();
        assert!(root.carry_over(&from, &to, executable).is_err());
        assert_eq!(fs::read(&to).unwrap(), b"one");
        assert!(from.exists() && !half.exists());
        // A crash after the copy and before the staged file went.
        fs::write(&from, "one").unwrap();
        fs::write(&half, "tw").unwrap();
        let records = root.lock(&Progress::silent()).unwrap();
        assert!(records.owner("one").is_some() && records.owner("two").is_some());
        assert!(!from.exists() && !half.exists() && !root.pending().exists());
        // A crash in the first copy: nothing was done, and nothing of it stays.
        let world = World::noted();
        fs::write(world.root.place(COPY), "on").unwrap();
        assert_eq!(world.state(), (of(&["0.9.0"]), of(&["old"])));
    }

    #[test]
    fn a_note_that_others_made_untrue_moves_and_removes_nothing() {
        let world = World::noted();
        world.move_to_its_place(0);
        fs::write(world.root.place("one"), "somebody else's").unwrap();
        assert_eq!(world.state(), (of(&["0.9.0"]), of(&["old", "one"])));
        let world = World::noted();
        world.move_to_its_place(0);
        fs::write(world.root.staged("two", &world.change.executables[1].sha256), "cut").unwrap();
        assert_eq!(world.state().0, of(&["0.9.0"]));
        for note in ["", "{", "[]", "{\"package\":\"a\"}"] {
            let world = World::new();
            fs::write(world.root.pending(), note).unwrap();
            assert_eq!(world.state().0, of(&["0.9.0"]), "{note}");
            assert!(!world.root.pending().exists());
        }
        let mut outside = World::noted();
        outside.change.obsolete = of(&["../.crates.toml"]);
        fs::write(outside.root.pending(), serde_json::to_vec(&outside.change).unwrap()).unwrap();
        outside.move_to_its_place(0);
        assert_eq!(outside.state().0, of(&["0.9.0"]));
    }

    #[test]
    fn what_another_crate_owns_by_now_is_not_removed() {
        let world = World::noted();
        world.move_to_its_place(0);
        let mut records = Records::lock(&world.root.path, &Progress::silent()).unwrap();
        records.mark("b 1.0.0 (path+file:///b)", &["old".to_owned()].into(), &json!({}), &[]);
        records.save().unwrap();
        drop(records);
        assert_eq!(world.state(), (of(&["1.0.0", "1.0.0"]), of(&["old", "one", "two"])));
    }
}
