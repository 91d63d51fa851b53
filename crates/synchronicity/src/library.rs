//! Where evidence is looked up when all that is at hand is a file, or the name of a crate: whole logs only, so that
//! nobody is told what is looked up.
//!
//! A bundle, if one is named; else the copy of the log that this client keeps, and the log itself, from which the copy
//! is brought up to date.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;
use miette::Diagnostic;
use synchronicity_rebuild::download::Patience;
use synchronicity_verify::entry::Entry;
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::map::MapKey;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::request::CrateName;
use synchronicity_verify::verify::VerifiedCheckpoint;

use crate::age::Age;
use crate::bundle;
use crate::copy::{CopyFolder, CopyTrouble, LogCopy};
use crate::exit::{self, Stop};
use crate::source::Source;
use crate::trust::{StateFolder, Trust, TrustError};
use crate::user_settings;

/// Where to look.
#[derive(Clone, Debug, Args)]
pub(crate) struct Places {
    /// Where the log can be read: a node, or a copy of the log, at an address or in a folder; the first that answers
    /// is enough; of several groups, each is asked where its log is [default: the address in the policy]
    #[arg(long = "node", value_name = "URL", env = "SYNCHRONICITY_NODE")]
    pub(crate) nodes: Vec<Source>,
    /// Look only in this file, which the command `bundle` fetched: nobody is asked; one for each group of a policy
    #[arg(long = "bundle", value_name = "FILE")]
    pub(crate) bundles: Vec<PathBuf>,
    /// Ask nobody: look in what this machine has
    #[arg(long)]
    pub(crate) offline: bool,
    #[command(flatten)]
    pub(crate) copies: CopyFolder,
    /// Accept only what a quorum vouched for within this time, as in 36h or 7d
    #[arg(long, value_name = "TIME")]
    pub(crate) max_age: Option<Age>,
    #[command(flatten)]
    pub(crate) state: StateFolder,
}

/// Logs that were opened.
pub(crate) struct Library<'p> {
    places: &'p Places,
    policy: &'p Policy,
    /// What will be looked up: a bundle is read once, for all of it.
    wanted: BTreeSet<MapKey>,
    /// Crates that will be looked up in all their versions.
    names: BTreeSet<CrateName>,
    log: Option<Log>,
    /// Whether there is nothing newer to be had than `log`.
    newest: bool,
}

/// A log that answers.
pub(crate) struct Log {
    pub(crate) checkpoint: VerifiedCheckpoint,
    /// Where it came from, for people.
    pub(crate) place: String,
    content: Content,
}

/// Entries with their indices, rising, and the log that they are from.
type Found<'l> = (Vec<(u64, Entry)>, &'l Log);

enum Content {
    Copy(Box<LogCopy>, PathBuf),
    Bundle { found: BTreeMap<MapKey, Vec<(u64, Entry)>>, named: BTreeMap<CrateName, Vec<(u64, Entry)>> },
}

/// Why there is no log to look things up in.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum LibraryTrouble {
    #[error("nowhere to look it up: no log and no bundle is named")]
    #[diagnostic(help(
        "name a node with --node, or a file that the command `bundle` fetched with --bundle; --offline looks in what this machine has"
    ))]
    Nowhere,
    #[error("--offline, and this machine has no copy of the log {0}")]
    #[diagnostic(help(
        "run it once without --offline, or name a file that the command `bundle` fetched with --bundle"
    ))]
    NoCopy(String),
    #[error("the policy's address of the log, {0}")]
    #[diagnostic(help("name a node with --node"))]
    Address(crate::source::NoAddress),
}

impl Places {
    /// How old evidence may be: as it was asked for, or as this user wants it everywhere.
    pub(crate) fn max_age(&self) -> Option<Age> {
        self.max_age.or(user_settings::kept().max_age)
    }
}

impl<'p> Library<'p> {
    pub(crate) fn new(places: &'p Places, policy: &'p Policy, wanted: BTreeSet<MapKey>) -> Self {
        Self { places, policy, wanted, names: BTreeSet::new(), log: None, newest: false }
    }

    /// The same for all versions of some crates.
    pub(crate) fn of_crates(places: &'p Places, policy: &'p Policy, names: BTreeSet<CrateName>) -> Self {
        Self { names, ..Self::new(places, policy, BTreeSet::new()) }
    }

    /// The entries under `key`, which is one of those that were wanted, and the log that they are from: what is here
    /// if it has any, else the newest log that can be had.
    pub(crate) fn find(&mut self, key: &MapKey) -> Result<Found<'_>, Stop> {
        if !self.newest {
            self.open_copy()?;
            match self.log.as_ref().map_or(Ok(Vec::new()), |log| log.entries(key)) {
                Ok(entries) if entries.is_empty() => {}
                Ok(entries) => return Ok((entries, self.newest()?)),
                Err(stop) if self.places.offline => return Err(stop),
                Err(_) => self.discard(),
            }
        }
        let log = self.open_newest()?;
        Ok((log.entries(key)?, log))
    }

    /// The newest log that can be had; offline, what there is.
    pub(crate) fn open_newest(&mut self) -> Result<&Log, Stop> {
        if !self.newest {
            let log = self.read_newest()?;
            self.fresh(&log)?;
            (self.log, self.newest) = (Some(log), true);
        }
        self.newest()
    }

    /// The same, to be kept.
    pub(crate) fn take_newest(mut self) -> Result<Log, Stop> {
        self.open_newest()?;
        self.log.ok_or_else(|| Stop::new(exit::USAGE, LibraryTrouble::Nowhere))
    }

    fn newest(&self) -> Result<&Log, Stop> {
        self.log.as_ref().ok_or_else(|| Stop::new(exit::USAGE, LibraryTrouble::Nowhere))
    }

    /// A damaged copy is made anew from the log.
    fn discard(&mut self) {
        self.log = None;
        if let Some(folder) = self.places.copies.path() {
            LogCopy::discard(&folder, self.policy);
        }
    }

    /// The copy, if it is fresh enough and no bundle goes before it.
    fn open_copy(&mut self) -> Result<(), Stop> {
        if self.log.is_some() || !self.places.bundles.is_empty() {
            return Ok(());
        }
        match self.read_copy() {
            Ok(Some(log)) if self.fresh(&log).is_ok() => self.log = Some(log),
            Ok(_) => {}
            // Only a log that is asked can make up for it.
            Err(stop) if self.places.offline || TrustError::is_fork(&stop) => return Err(stop),
            Err(_) => {}
        }
        Ok(())
    }

    fn read_newest(&self) -> Result<Log, Stop> {
        if let Some(path) = self.places.bundles.first() {
            return self.read_bundle(path);
        }
        let sources = if self.places.offline { Vec::new() } else { self.sources()? };
        let mut silent = None;
        for source in &sources {
            match self.read_source(source) {
                Ok(log) => return Ok(log),
                // Another place has the same log; what is false at one is told, not passed over.
                Err(stop) if stop.code == exit::TRY_LATER => silent = silent.or(Some(stop)),
                Err(stop) => return Err(stop),
            }
        }
        if let Some(stop) = silent {
            return Err(stop);
        }
        // How old a copy may be is for whoever says --offline: without, the newest log is what was asked for.
        if !self.places.offline {
            return Err(Stop::new(exit::USAGE, LibraryTrouble::Nowhere));
        }
        let none = || Stop::new(exit::USAGE, LibraryTrouble::NoCopy(self.policy.log().name().to_owned()));
        self.read_copy()?.ok_or_else(none)
    }

    /// The places that are named, else the policy's address.
    pub(crate) fn sources(&self) -> Result<Vec<Source>, Stop> {
        if !self.places.nodes.is_empty() {
            return Ok(self.places.nodes.clone());
        }
        let address = self.policy.log_url().map(|url| Source::url(url, Patience::for_logs())).transpose();
        address
            .map(|source| source.into_iter().collect())
            .map_err(|error| Stop::new(exit::USAGE, LibraryTrouble::Address(error)))
    }

    fn read_source(&self, source: &Source) -> Result<Log, Stop> {
        let folder = self.places.copies.path().ok_or_else(|| Stop::new(exit::USAGE, CopyTrouble::NoFolder))?;
        let copy = LogCopy::refresh(&folder, self.policy, source, &self.places.state)?;
        Ok(Log::of_copy(copy, folder, source.to_string()))
    }

    fn read_copy(&self) -> Result<Option<Log>, Stop> {
        let Some(folder) = self.places.copies.path() else { return Ok(None) };
        let Some(copy) = LogCopy::open(&folder, self.policy)? else { return Ok(None) };
        if let Some(trust) = Trust::open_offline(&self.places.state, self.policy)? {
            trust.accept_whole(&copy.note, self.policy, copy.leaves())?;
        }
        Ok(Some(Log::of_copy(copy, folder, "the copy on this machine".into())))
    }

    fn read_bundle(&self, path: &std::path::Path) -> Result<Log, Stop> {
        let mut found: BTreeMap<MapKey, Vec<(u64, Entry)>> = BTreeMap::new();
        let mut named: BTreeMap<CrateName, Vec<(u64, Entry)>> = BTreeMap::new();
        let whole = bundle::read(path, self.policy, |index, leaf| {
            let Leaf::Build(entry) = leaf else { return };
            for key in MapKey::of_entry(&entry).into_iter().filter(|key| self.wanted.contains(key)) {
                found.entry(key).or_default().push((index, entry.clone()));
            }
            let name = entry.request.source.name();
            if self.names.contains(name) {
                named.entry(name.clone()).or_default().push((index, entry));
            }
        })?;
        if let Some(trust) = Trust::open_offline(&self.places.state, self.policy)? {
            trust.accept_whole(&whole.verified.note, self.policy, &whole.leaves)?;
        }
        let place = path.display().to_string();
        Ok(Log { checkpoint: whole.verified.checkpoint, place, content: Content::Bundle { found, named } })
    }

    fn fresh(&self, log: &Log) -> Result<(), Stop> {
        self.places.max_age().map_or(Ok(()), |most| most.check(log.checkpoint.vouched_s))
    }
}

impl Log {
    fn of_copy(copy: LogCopy, folder: PathBuf, place: String) -> Self {
        Self { checkpoint: copy.checkpoint.clone(), place, content: Content::Copy(Box::new(copy), folder) }
    }

    /// Every entry under `key`, with its index, rising. From a bundle only under keys that were wanted.
    pub(crate) fn entries(&self, key: &MapKey) -> Result<Vec<(u64, Entry)>, Stop> {
        match &self.content {
            Content::Copy(copy, folder) => copy.entries(folder, key),
            Content::Bundle { found, .. } => Ok(found.get(key).cloned().unwrap_or_default()),
        }
    }

    /// Every entry about a crate of this name, in any version, with its index, rising. From a bundle only of crates that
    /// were wanted.
    pub(crate) fn of_crate(&self, name: &CrateName) -> Result<Vec<(u64, Entry)>, Stop> {
        match &self.content {
            Content::Copy(copy, folder) => copy.of_crate(folder, name),
            Content::Bundle { named, .. } => Ok(named.get(name).cloned().unwrap_or_default()),
        }
    }
}
