//! Reading from one node: each read has its limits ([`crate::source`]), and all of a pass has a deadline.

use std::time::{Duration, Instant};

use synchronicity_rebuild::download::Patience;
use synchronicity_verify::tile::TilePath;

use super::error::MonitorError;
use super::events::{Alarm, Kind};
use crate::source::{NoAddress, Source, SourceError};

/// Time that each file which is due adds to a node's time in a pass.
const TIME_PER_FILE: Duration = Duration::from_millis(250);

/// A node as one pass reads it.
pub(super) struct Reader<'a> {
    pub(super) url: &'a str,
    pub(super) source: &'a Source,
    until: Instant,
}

/// Why a check of a node ended early.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It does not answer, or too slowly: nothing is known.
    Away(String),
    /// What it answers is wrong.
    Alarm(Box<Alarm>),
    /// This machine's own trouble.
    Own(MonitorError),
}

/// A node, or a folder with a copy of a log.
pub(super) fn source(url: &str, patience: Duration) -> Result<Source, NoAddress> {
    if !url.contains("://") {
        return url.parse();
    }
    let logs = Patience::for_logs();
    let attempt = logs.attempt.min(patience);
    Source::url(url, Patience { attempts: 2, attempt, silence: logs.silence.min(patience), ..logs })
}

impl<'a> Reader<'a> {
    pub(super) fn new(url: &'a str, source: &'a Source, patience: Duration) -> Self {
        Self { url, source, until: Instant::now() + patience }
    }

    /// More time, for a number of files that a quorum's signature says are there.
    pub(super) fn grant(&mut self, files: u64) {
        let files = u32::try_from(files.min(1 << 24)).unwrap_or(1 << 24);
        self.until += TIME_PER_FILE * files;
    }

    pub(super) fn read(&self, name: &str, limit: u64, kind: Kind) -> Result<Vec<u8>, Trouble> {
        self.in_time()?;
        self.source.read(name, limit).map_err(|error| self.trouble(error, kind))
    }

    /// A tile, or a bundle of entries.
    pub(super) fn tile(&self, path: TilePath, kind: Kind) -> Result<Vec<u8>, Trouble> {
        self.in_time()?;
        self.source.tile(path).map_err(|error| self.trouble(error, kind))
    }

    pub(super) fn alarm(&self, kind: Kind, words: impl Into<String>) -> Alarm {
        Alarm::new(kind, self.url, words)
    }

    fn in_time(&self) -> Result<(), Trouble> {
        let late = || Trouble::Away("its time in this pass is over: it is too slow, or keeps this monitor busy".into());
        if Instant::now() < self.until { Ok(()) } else { Err(late()) }
    }

    fn trouble(&self, error: SourceError, kind: Kind) -> Trouble {
        match error {
            SourceError::Absent(_) if kind == Kind::Checkpoint => Trouble::Away(error.to_string()),
            SourceError::Absent(_) => self.alarm(Kind::Missing, error.to_string()).into(),
            SourceError::TooLarge { .. } => self.alarm(kind, error.to_string()).into(),
            error => Trouble::Away(error.to_string()),
        }
    }
}

impl From<Alarm> for Trouble {
    fn from(alarm: Alarm) -> Self {
        Self::Alarm(Box::new(alarm))
    }
}

impl From<MonitorError> for Trouble {
    fn from(error: MonitorError) -> Self {
        Self::Own(error)
    }
}
