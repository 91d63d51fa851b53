//! The policies that this user trusts, each under a name of the user's choice.
//!
//! A file `NAME.toml` for each in the folder `synchronicity/policies` of the user's configuration: apart from what is
//! remembered of logs, because that can only refuse, and what is here grants trust. So a cache that others can write to
//! may carry the one and not the other.
//!
//! Each file is replaced as a whole, and synced. Whoever changes any of them holds the lock of the folder meanwhile;
//! readers need none.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use miette::Diagnostic;

use crate::exit::{self, Stop};
use crate::printable::printable;
use crate::{durable, folders, read};

pub mod choice;
pub(crate) mod difference;
mod record;

pub(crate) use record::{Any, Kept, Single};

/// The most policies that are kept: each is read when they are listed.
const POLICIES_MAX: usize = 256;

/// The largest file of a policy, in bytes: a policy has 128 KiB at most, and a group file 1 MiB.
const RECORD_BYTES_MAX: u64 = 2 << 20;

/// A name for a policy: 1 to 64 of `a-z 0-9 - _`, of which the first is a letter or digit. No file with an extension, and
/// no path, can be taken for one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(String);

/// A text that names no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a policy's name is 1 to 64 of a-z 0-9 - _, and begins with a letter or digit; {} is none", printable(.0))]
pub(crate) struct NoName(String);

/// The folder.
pub(crate) struct Policies {
    folder: PathBuf,
}

/// The folder, which nobody else changes until this is dropped.
pub(crate) struct Locked<'a> {
    policies: &'a Policies,
    /// Held until it is closed, also by the end of the process.
    _lock: File,
}

/// Why policies cannot be read, or kept.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum PoliciesError {
    #[error("no folder for policies: neither XDG_CONFIG_HOME nor HOME is set")]
    #[diagnostic(help("name one in SYNCHRONICITY_POLICIES, or name a policy file with --policy"))]
    NoFolder,
    #[error("{}: {error}", path.display())]
    #[diagnostic(help("name another folder in SYNCHRONICITY_POLICIES, or mend this one"))]
    File { path: PathBuf, error: io::Error },
    #[error("{} is not as `synchronicity trust` writes it: {error}", path.display())]
    #[diagnostic(help(
        "nothing in it is used; restore it from a backup, or remove the file and add the policy again, comparing its hash with somebody you trust"
    ))]
    Damaged { path: PathBuf, error: String },
    #[error("{} holds more than {POLICIES_MAX} policies", .0.display())]
    #[diagnostic(help("remove those that are not needed: `synchronicity trust remove NAME`"))]
    TooMany(PathBuf),
}

impl Policies {
    /// The folder that `SYNCHRONICITY_POLICIES` names, or the one by the XDG rules.
    pub(crate) fn open() -> Result<Self, PoliciesError> {
        let named = std::env::var_os("SYNCHRONICITY_POLICIES").filter(|value| !value.is_empty()).map(PathBuf::from);
        let user = || Some(folders::user("XDG_CONFIG_HOME", ".config")?.join("synchronicity/policies"));
        Ok(Self { folder: named.or_else(user).ok_or(PoliciesError::NoFolder)? })
    }

    /// What is kept under this name.
    pub(crate) fn get(&self, name: &Name) -> Result<Option<Kept>, PoliciesError> {
        let path = self.path(name);
        if !read::is_there(&path) {
            return Ok(None);
        }
        let damaged = |error: String| PoliciesError::Damaged { path: path.clone(), error: printable(&error) };
        // Looked at before it is opened: opening a pipe would wait for its other end.
        let file = path.metadata().map_err(|error| PoliciesError::File { path: path.clone(), error })?;
        if !file.is_file() {
            return Err(damaged("it is no file".into()));
        }
        let bytes = read::bounded(&path, RECORD_BYTES_MAX, "policy").map_err(|error| damaged(error.to_string()))?;
        let text = std::str::from_utf8(&bytes).map_err(|error| damaged(error.to_string()))?;
        Kept::parse(text).map(Some).map_err(damaged)
    }

    /// Every name that something is kept under, sorted.
    pub(crate) fn names(&self) -> Result<Vec<Name>, PoliciesError> {
        let failed = |error| PoliciesError::File { path: self.folder.clone(), error };
        let files = match fs::read_dir(&self.folder) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut names = Vec::new();
        for file in files {
            // What a process that was killed left has no such name.
            if let Some(name) = name_of(&file.map_err(failed)?.path()) {
                names.push(name);
            }
            if names.len() > POLICIES_MAX {
                return Err(PoliciesError::TooMany(self.folder.clone()));
            }
        }
        names.sort();
        Ok(names)
    }

    /// Everything that is kept.
    pub(crate) fn all(&self) -> Result<BTreeMap<Name, Kept>, PoliciesError> {
        let mut all = BTreeMap::new();
        for name in self.names()? {
            if let Some(kept) = self.get(&name)? {
                all.insert(name, kept);
            }
        }
        Ok(all)
    }

    /// Waits until nobody else changes anything.
    pub(crate) fn lock(&self) -> Result<Locked<'_>, PoliciesError> {
        fs::create_dir_all(&self.folder).map_err(|error| self.failed(&self.folder, error))?;
        let path = self.folder.join(".lock");
        let lock = File::create(&path).map_err(|error| self.failed(&path, error))?;
        lock.lock().map_err(|error| self.failed(&path, error))?;
        Ok(Locked { policies: self, _lock: lock })
    }

    /// Where a policy of this name is kept.
    pub(crate) fn path(&self, name: &Name) -> PathBuf {
        self.folder.join(format!("{name}.toml"))
    }

    fn failed(&self, path: &Path, error: io::Error) -> PoliciesError {
        PoliciesError::File { path: path.to_owned(), error }
    }
}

impl Locked<'_> {
    /// Keeps it, in the place of what was there. When it returns, it survives a crash.
    pub(crate) fn put(&self, name: &Name, kept: &Kept) -> Result<(), PoliciesError> {
        let path = self.policies.path(name);
        if !read::is_there(&path) && self.policies.names()?.len() >= POLICIES_MAX {
            return Err(PoliciesError::TooMany(self.policies.folder.clone()));
        }
        durable::replace(&path, kept.to_text().as_bytes(), 0o600).map_err(|error| self.policies.failed(&path, error))
    }

    /// Removes what is kept under this name.
    pub(crate) fn remove(&self, name: &Name) -> Result<(), PoliciesError> {
        let path = self.policies.path(name);
        let removed = fs::remove_file(&path).and_then(|()| self.sync());
        removed.map_err(|error| self.policies.failed(&path, error))
    }

    /// Moves it to a name that is free.
    pub(crate) fn rename(&self, from: &Name, to: &Name) -> Result<(), PoliciesError> {
        let path = self.policies.path(to);
        let moved = fs::rename(self.policies.path(from), &path).and_then(|()| self.sync());
        moved.map_err(|error| self.policies.failed(&path, error))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.policies.folder)?.sync_all()
    }
}

/// The name of the policy that a file of the folder holds, if it holds one.
fn name_of(path: &Path) -> Option<Name> {
    path.file_name()?.to_str()?.strip_suffix(".toml")?.parse().ok()
}

impl Name {
    /// The name from the last part of a log's origin, as in `devnet-1a2b` from `synchronicity.example/devnet-1a2b`.
    pub(crate) fn of_origin(origin: &str) -> Option<Self> {
        let last = origin.rsplit('/').next()?.to_ascii_lowercase();
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        let name: String = last.chars().map(|c| if allowed(c) { c } else { '-' }).take(64).collect();
        name.parse().ok()
    }
}

impl FromStr for Name {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Self, NoName> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if first && text.len() <= 64 && text.bytes().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err(NoName(text.chars().take(80).collect()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<PoliciesError> for Stop {
    fn from(error: PoliciesError) -> Self {
        let code = if matches!(error, PoliciesError::NoFolder) { exit::USAGE } else { exit::INTERNAL };
        Self::new(code, error)
    }
}

#[cfg(test)]
mod tests;
