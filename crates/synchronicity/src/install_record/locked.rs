//! Cargo's two records of what is installed in a root, while no other process changes them.
//!
//! Cargo locks `.crates.toml` and then `.crates2.json`, reads both, and writes both in place; so does this, because whoever
//! waits for the lock of a file that is replaced waits for a file that is gone. The first decides which packages there
//! are and what they installed; the second has the details.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Id, Installed, RECORD, RECORD_BYTES_MAX, RecordError, file_names, installed};
use crate::exit::{self, Stop};
use crate::printable::where_and_why;
use crate::progress::Progress;

/// The older record, and the one that decides.
const LIST: &str = ".crates.toml";

/// Why the records cannot be used. They are as they were.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum RecordsTrouble {
    #[error("{}: {error}", path.display())]
    #[diagnostic(help("name another folder with --root, or mend this one; nothing was changed"))]
    File { path: PathBuf, error: io::Error },
    #[error("{}: {error}", path.display())]
    #[diagnostic(help("it is not as cargo writes it: nothing was changed; `cargo install --list` fails on it too"))]
    Malformed { path: PathBuf, error: String },
}

/// The records of one root. The locks go with it.
pub(crate) struct Records {
    list: Locked,
    details: Locked,
    packages: BTreeMap<String, BTreeSet<String>>,
    /// What the second record has of each, fields of other versions of cargo included.
    installs: Map<String, Value>,
    /// What else it has.
    others: Map<String, Value>,
}

#[derive(Default, Deserialize, Serialize)]
struct List {
    /// The executables of each package.
    #[serde(default)]
    v1: BTreeMap<String, BTreeSet<String>>,
}

impl Records {
    /// Waits for cargo if it is at work. The folder is made if it is not there.
    pub(crate) fn lock(root: &Path, progress: &Progress) -> Result<Self, Stop> {
        fs::create_dir_all(root).map_err(|error| trouble(root, error))?;
        let list = Locked::open(root.join(LIST), progress)?;
        let details = Locked::open(root.join(RECORD), progress)?;
        let (packages, (installs, others)) = (packages(&list)?, document(&details)?);
        let mut records = Self { list, details, packages, installs, others };
        records.follow_the_list();
        Ok(records)
    }

    /// Every package, sorted.
    pub(crate) fn installed(&self) -> Result<Vec<Installed>, Stop> {
        let read = |(package, details): (&String, &Value)| installed(package, serde_json::from_value(details.clone())?);
        let read = self.installs.iter().map(read).collect::<Result<_, RecordError>>();
        read.map_err(|error| malformed(&self.details.path, error.to_string()))
    }

    /// The package that installed an executable.
    pub(crate) fn owner(&self, bin: &str) -> Option<&str> {
        self.packages.iter().find(|(_, bins)| bins.contains(bin)).map(|(package, _)| package.as_str())
    }

    /// Records a package, in place of the packages in `replaced`; its executables are nobody else's any more.
    pub(crate) fn mark(&mut self, package: &str, bins: &BTreeSet<String>, details: &Value, replaced: &[String]) {
        self.packages.retain(|other, _| !replaced.contains(other));
        for others in self.packages.values_mut() {
            others.retain(|bin| !bins.contains(bin));
        }
        self.packages.retain(|_, bins| !bins.is_empty());
        self.packages.insert(package.to_owned(), bins.clone());
        self.installs.insert(package.to_owned(), details.clone());
        self.follow_the_list();
    }

    /// Forgets a package.
    pub(crate) fn unmark(&mut self, package: &str) {
        self.packages.remove(package);
        self.follow_the_list();
    }

    /// Writes both; when it returns, they survive a crash of the machine.
    pub(crate) fn save(&mut self) -> Result<(), Stop> {
        let list = toml::to_string_pretty(&List { v1: self.packages.clone() });
        let list = list.map_err(|error| trouble(&self.list.path, io::Error::other(error)))?;
        self.list.write(&list)?;
        let mut document = self.others.clone();
        document.insert("installs".to_owned(), Value::from(self.installs.clone()));
        self.details.write(&Value::from(document).to_string())
    }

    /// As cargo does: what an older cargo changed in the list alone holds.
    fn follow_the_list(&mut self) {
        let packages = &self.packages;
        self.installs.retain(|package, _| packages.contains_key(package));
        for (package, bins) in packages {
            let unknown = || {
                json!({
                    "version_req": null, "features": [], "all_features": false, "no_default_features": false,
                    "profile": "release", "target": null, "rustc": null,
                })
            };
            self.installs.entry(package).or_insert_with(unknown)["bins"] = bins.iter().map(String::as_str).collect();
        }
    }
}

fn packages(list: &Locked) -> Result<BTreeMap<String, BTreeSet<String>>, Stop> {
    let parsed: List =
        toml::from_str(&list.text).map_err(|error| malformed(&list.path, where_and_why(&list.text, &error)))?;
    for (package, bins) in &parsed.v1 {
        let sound = Id::parse(package).and_then(|_| file_names(bins));
        sound.map_err(|error| malformed(&list.path, error.to_string()))?;
    }
    Ok(parsed.v1)
}

/// A JSON object.
type Object = Map<String, Value>;

/// What the second record has of each package, and what else is in it.
fn document(details: &Locked) -> Result<(Object, Object), Stop> {
    if details.text.trim().is_empty() {
        return Ok((Map::new(), Map::new()));
    }
    let mut document: Object =
        serde_json::from_str(&details.text).map_err(|error| malformed(&details.path, error.to_string()))?;
    match document.remove("installs") {
        Some(Value::Object(installs)) if installs.values().all(Value::is_object) => Ok((installs, document)),
        _ => Err(malformed(&details.path, "it has no `installs` of the right form".into())),
    }
}

/// A file that is locked, and what was in it.
struct Locked {
    file: File,
    path: PathBuf,
    text: String,
}

impl Locked {
    fn open(path: PathBuf, progress: &Progress) -> Result<Self, Stop> {
        let failed = |error| trouble(&path, error);
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                progress.say("waiting for cargo, which has locked what is installed");
                file.lock().map_err(failed)?;
                progress.end();
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut text = String::new();
        (&file).take(RECORD_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > RECORD_BYTES_MAX {
            return Err(malformed(&path, format!("it is larger than {RECORD_BYTES_MAX} bytes")));
        }
        Ok(Self { file, path, text })
    }

    /// Writes in place, at once, and as long as what was there, filled with blanks: a process that is killed between this
    /// and the shortening leaves a document that is whole.
    fn write(&mut self, text: &str) -> Result<(), Stop> {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(bytes.len().max(self.text.len()), b'\n');
        let written = self.file.write_all_at(&bytes, 0).and_then(|()| self.file.set_len(text.len() as u64));
        written.and_then(|()| self.file.sync_all()).map_err(|error| trouble(&self.path, error))?;
        text.clone_into(&mut self.text);
        Ok(())
    }
}

fn trouble(path: &Path, error: io::Error) -> Stop {
    Stop::new(exit::INTERNAL, RecordsTrouble::File { path: path.to_owned(), error })
}

fn malformed(path: &Path, error: String) -> Stop {
    Stop::new(exit::USAGE, RecordsTrouble::Malformed { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::super::OURS;
    use super::*;

    const A: &str = "a 1.0.0 (registry+https://github.com/rust-lang/crates.io-index)";
    const B: &str = "b 1.0.0 (path+file:///b)";

    fn bins(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn lock(dir: &tempfile::TempDir) -> Records {
        Records::lock(dir.path(), &Progress::silent()).unwrap()
    }

    #[test]
    fn what_is_recorded_is_read_back_and_taken_from_others() {
        let dir = tempfile::tempdir().unwrap();
        let mut records = lock(&dir);
        records.mark(B, &bins(&["x", "y"]), &json!({}), &[]);
        records.mark(A, &bins(&["x"]), &json!({ "profile": "release", OURS: { "evidence": null, "sha256": {} } }), &[]);
        records.save().unwrap();
        drop(records);
        let records = lock(&dir);
        assert_eq!((records.owner("x"), records.owner("y"), records.owner("z")), (Some(A), Some(B), None));
        let installed = records.installed().unwrap();
        assert_eq!(installed.iter().map(|i| i.ours.is_some()).collect::<Vec<_>>(), [true, false]);
        assert_eq!(super::super::parse(records.details.text.as_bytes()).unwrap(), installed);
    }

    #[test]
    fn fields_of_other_versions_of_cargo_stay_and_what_the_list_lacks_goes() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(LIST), format!("[v1]\n\"{A}\" = [\"a\"]\n")).unwrap();
        let document = json!({ "new": 1, "installs": { A: { "bins": ["old"], "newer": 2 }, B: { "bins": ["b"] } } });
        fs::write(dir.path().join(RECORD), document.to_string()).unwrap();
        let mut records = lock(&dir);
        records.save().unwrap();
        let read: Value = serde_json::from_str(&fs::read_to_string(dir.path().join(RECORD)).unwrap()).unwrap();
        assert_eq!(read, json!({ "new": 1, "installs": { A: { "bins": ["a"], "newer": 2 } } }));
        records.unmark(A);
        records.save().unwrap();
        assert_eq!(fs::read_to_string(dir.path().join(LIST)).unwrap().trim(), "[v1]");
    }

    #[test]
    fn a_record_that_is_not_cargos_is_refused_and_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        for (file, text) in [
            (LIST, "[v1"),
            (LIST, "[v1]\n\"a\" = [\"a\"]"),
            (LIST, "[v1]\n\"a 1.0.0 (path+file:///a)\" = [\"../a\"]"),
            (RECORD, "{"),
            (RECORD, "[]"),
            (RECORD, "{\"installs\": []}"),
            (RECORD, "{\"installs\": {\"a\": 1}}"),
        ] {
            fs::write(dir.path().join(file), text).unwrap();
            let refused = Records::lock(dir.path(), &Progress::silent()).err().map(|stop| stop.code);
            assert_eq!(refused, Some(exit::USAGE), "{file}: {text}");
            assert_eq!(fs::read_to_string(dir.path().join(file)).unwrap(), text);
            fs::remove_file(dir.path().join(file)).unwrap();
        }
    }

    #[test]
    fn a_shorter_record_is_whole_before_and_after_the_file_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let mut records = lock(&dir);
        records.mark(A, &bins(&["a"]), &json!({}), &[]);
        records.mark(B, &bins(&["b"]), &json!({}), &[]);
        records.save().unwrap();
        let long = records.details.text.len();
        records.unmark(B);
        records.save().unwrap();
        let mut text = records.details.text.clone();
        assert_eq!(fs::read_to_string(dir.path().join(RECORD)).unwrap(), text);
        text.extend(std::iter::repeat_n('\n', long - text.len()));
        assert!(serde_json::from_str::<Value>(&text).is_ok(), "blanks after the document are none of it");
        let list = records.list.text.clone() + "\n\n";
        assert!(toml::from_str::<List>(&list).is_ok());
    }
}
