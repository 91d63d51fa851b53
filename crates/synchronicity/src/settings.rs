//! `synchronicity.toml`: what a project asks of its dependencies, in a file that is reviewed with its code.
//!
//! ```toml
//! policy = "policy.txt"              # whose log: a file, relative to this one, or the name of a trusted policy
//! policy-sha256 = "64 hex digits"    # the only policy that is meant, by its hash
//! logs = ["https://log.example"]     # where it can be read
//! max-age = "7d"
//!
//! [levels]                           # deny, warn or allow, for each verdict
//! absent = "warn"
//!
//! [[exception]]
//! crate = "openssl-sys"
//! version = "0.9.109"                # every version without it
//! verdict = "diverged"
//! reason = "embeds the time of the build; reported upstream"
//! expires = 2027-01-31               # the last day on which it holds, UTC
//!
//! [[file]]                           # what `gate` verifies beside
//! path = "target/release/app"
//! crate = "app@1.2.3"
//! ```
//!
//! Strict: what is not known is refused, because a misspelled level would be a hole.

use std::path::{Path, PathBuf};

use clap::Args;
use miette::Diagnostic;
use serde::Deserialize;
use synchronicity_rebuild::spec::Spec;
use synchronicity_verify::digest::{Digest, HexError};

use crate::age::Age;
use crate::audit::verdict::{Level, Levels, Verdict};
use crate::durable::folder_of;
use crate::exit::{self, Stop};
use crate::library::Places;
use crate::policies::choice::{Choice, Trusted, Wish};
use crate::printable::{is_plain, printable, where_and_why};
use crate::read;
use crate::source::Source;
use crate::verify::files::Wanted;

mod expiry;

pub(crate) use expiry::Expiry;

/// The name of the file.
const NAME: &str = "synchronicity.toml";

/// The largest file read, in bytes.
const SETTINGS_BYTES_MAX: u64 = 1 << 20;

/// What a command is asked, on the command line or in the file.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    #[command(flatten)]
    policy: Choice,
    /// What is asked of dependencies [default: synchronicity.toml beside the lock file, for a binary in
    /// the current folder, if it is there]
    #[arg(long, value_name = "FILE", env = "SYNCHRONICITY_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    places: Places,
}

/// The same, read.
pub(crate) struct Context {
    pub(crate) policy: Trusted,
    pub(crate) places: Places,
    pub(crate) settings: Settings,
}

/// The file, read.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    policy: Option<Wish>,
    policy_sha256: Option<Digest>,
    /// Where relative paths begin.
    folder: PathBuf,
    logs: Vec<Source>,
    max_age: Option<Age>,
    pub(crate) levels: Levels,
    pub(crate) exceptions: Vec<Exception>,
    files: Vec<FileToVerify>,
}

/// A verdict that somebody accepts for one crate, for a reason, and for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exception {
    pub(crate) name: String,
    /// Every version without one.
    pub(crate) version: Option<String>,
    pub(crate) verdict: Verdict,
    pub(crate) reason: String,
    pub(crate) expires: Expiry,
}

#[derive(Debug)]
struct FileToVerify {
    path: PathBuf,
    spec: Option<Spec>,
}

/// Why nothing is asked.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum SettingsTrouble {
    #[error("{} cannot be used: {error}", path.display())]
    #[diagnostic(help("nothing was checked: a setting that is not understood might be one that matters"))]
    Malformed { path: PathBuf, error: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawSettings {
    policy: Option<RawWish>,
    policy_sha256: Option<String>,
    #[serde(default)]
    logs: Vec<String>,
    max_age: Option<String>,
    #[serde(default)]
    levels: Levels,
    #[serde(default)]
    exception: Vec<RawException>,
    #[serde(default)]
    file: Vec<RawFile>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "policy is a path or a name, or { any = K, of = [PATH or NAME, ...] }")]
enum RawWish {
    One(String),
    Any(RawAny),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAny {
    any: usize,
    of: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawException {
    #[serde(rename = "crate")]
    name: String,
    version: Option<String>,
    verdict: Verdict,
    reason: String,
    expires: toml::value::Datetime,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    path: PathBuf,
    #[serde(rename = "crate")]
    spec: Option<String>,
}

impl Asked {
    /// Reads the files. `beside` is the folder in which the settings are looked for.
    pub(crate) fn read(&self, beside: &Path) -> Result<Context, Stop> {
        self.read_from(self.file(beside))
    }

    /// The same without looking for settings anywhere: only the file that is named counts. For what changes this user's
    /// machine, about which the folder of a stranger's project has nothing to say.
    pub(crate) fn read_named(&self) -> Result<Context, Stop> {
        self.read_from(self.config.clone())
    }

    /// The file of settings that counts for what is in the folder `beside`, if there is one.
    pub(crate) fn file(&self, beside: &Path) -> Option<PathBuf> {
        self.config.clone().or_else(|| Some(beside.join(NAME)).filter(|path| read::is_there(path)))
    }

    fn read_from(&self, path: Option<PathBuf>) -> Result<Context, Stop> {
        let settings = path.map(|path| Settings::read(&path)).transpose()?.unwrap_or_default();
        let wish = settings.policy.as_ref().map(|wish| (wish, settings.folder.as_path()));
        let policy = self.policy.or(wish, settings.policy_sha256)?;
        let mut places = self.places.clone();
        if places.nodes.is_empty() {
            places.nodes.clone_from(&settings.logs);
        }
        places.max_age = places.max_age.or(settings.max_age);
        Ok(Context { policy, places, settings })
    }
}

/// What stands in a file that can be used: keys, as in `levels.absent`, and values.
pub(crate) fn said(path: &Path) -> Result<Vec<(String, String)>, Stop> {
    Settings::read(path)?;
    let bytes = read::bounded(path, SETTINGS_BYTES_MAX, "file of settings");
    let bytes = bytes.map_err(|error| Stop::new(exit::USAGE, error))?;
    let table: toml::Table = toml::from_str(&String::from_utf8_lossy(&bytes)).unwrap_or_default();
    let mut said = Vec::new();
    for (key, value) in &table {
        match value {
            toml::Value::String(text) => said.push((key.clone(), text.clone())),
            toml::Value::Array(values) if values.iter().all(toml::Value::is_str) => {
                let texts: Vec<_> = values.iter().filter_map(toml::Value::as_str).collect();
                said.push((key.clone(), texts.join(", ")));
            }
            toml::Value::Table(levels) if key == "levels" => {
                let level = |(verdict, level): (&String, &toml::Value)| {
                    Some((format!("levels.{verdict}"), level.as_str()?.to_owned()))
                };
                said.extend(levels.iter().filter_map(level));
            }
            other => said.push((key.clone(), other.to_string())),
        }
    }
    Ok(said)
}

impl Settings {
    fn read(path: &Path) -> Result<Self, Stop> {
        let bytes = read::bounded(path, SETTINGS_BYTES_MAX, "file of settings");
        let bytes = bytes.map_err(|error| Stop::new(exit::USAGE, error))?;
        let parsed = std::str::from_utf8(&bytes).map_err(|error| error.to_string());
        let parsed = parsed.and_then(|text| Self::parse(text, folder_of(path)));
        let malformed = |error| SettingsTrouble::Malformed { path: path.to_owned(), error };
        parsed.map_err(|error| Stop::new(exit::USAGE, malformed(printable(&error))))
    }

    /// `folder` is where relative paths begin.
    fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        let raw: RawSettings = toml::from_str(text).map_err(|error| where_and_why(text, &error))?;
        // They are shown in messages, and whoever wrote the file may be a stranger.
        let policy = raw.policy.map(Wish::from);
        let policies = policy.iter().flat_map(Wish::texts).map(Into::into);
        let paths = policies.chain(raw.file.iter().map(|file| file.path.to_string_lossy()));
        if let Some(bad) = paths.chain(raw.logs.iter().map(Into::into)).find(|text| !is_plain(text)) {
            return Err(format!("{bad:?} has a character that would control a terminal, and is no path or address"));
        }
        let log = |text: String| match text.parse::<Source>() {
            Ok(Source::Folder(path)) => Ok(Source::Folder(folder.join(path))),
            parsed => parsed.map_err(|error| error.to_string()),
        };
        let file = |file: RawFile| {
            let spec = file.spec.map(|spec| spec.parse::<Spec>().map_err(|error| error.to_string())).transpose()?;
            Ok::<_, String>(FileToVerify { path: folder.join(file.path), spec })
        };
        Ok(Self {
            policy,
            policy_sha256: raw
                .policy_sha256
                .map(|text| text.parse())
                .transpose()
                .map_err(|error: HexError| error.to_string())?,
            folder: folder.to_owned(),
            logs: raw.logs.into_iter().map(log).collect::<Result<_, _>>()?,
            max_age: raw.max_age.map(|text| text.parse::<Age>()).transpose().map_err(|error| error.to_string())?,
            levels: raw.levels,
            exceptions: raw.exception.into_iter().map(Exception::read).collect::<Result<_, _>>()?,
            files: raw.file.into_iter().map(file).collect::<Result<_, _>>()?,
        })
    }

    /// Files that `gate` verifies.
    pub(crate) fn files(&self) -> impl Iterator<Item = Wanted> {
        self.files.iter().map(|file| Wanted::new(file.path.clone(), file.spec.clone()))
    }
}

impl From<RawWish> for Wish {
    fn from(raw: RawWish) -> Self {
        match raw {
            RawWish::One(text) => Self::One(text),
            RawWish::Any(RawAny { any, of }) => Self::Any { needed: any, of },
        }
    }
}

impl Exception {
    fn read(raw: RawException) -> Result<Self, String> {
        let RawException { name, version, verdict, reason, expires } = raw;
        let what = format!("the exception for {name:?}");
        if reason.trim().is_empty() {
            return Err(format!("{what} needs a reason that the next reader understands"));
        }
        if verdict == Verdict::Reproduced {
            return Err(format!("{what} is for `reproduced`, from which nothing has to be excepted"));
        }
        let expires = Expiry::read(&expires).ok_or(format!("{what} expires on no day, as in expires = 2027-01-31"))?;
        Ok(Self { name, version, verdict, reason, expires })
    }

    /// Whether it is about this package with this verdict, expired or not.
    pub(crate) fn covers(&self, name: &str, version: &str, verdict: Verdict) -> bool {
        self.verdict == verdict && self.name == name && self.version.as_deref().is_none_or(|own| own == version)
    }
}

impl Levels {
    /// The level of a verdict.
    pub(crate) fn of(&self, verdict: Verdict) -> Level {
        match verdict {
            Verdict::Reproduced => Level::Allow,
            Verdict::OtherSource => self.other_source,
            Verdict::Diverged => self.diverged,
            Verdict::Unbuildable => self.unbuildable,
            Verdict::Inconclusive => self.inconclusive,
            Verdict::Absent => self.absent,
            Verdict::Unpinned => self.unpinned,
            Verdict::Foreign => self.foreign,
            Verdict::FewGroups => self.few_groups,
        }
    }
}

#[cfg(test)]
mod tests;
