//! The logs that an audit looks up in: of one group, or of each of several.

use synchronicity_verify::verify::VerifiedCheckpoint;

use super::Rests;
use super::joint::Vote;
use super::verdict::judge;
use crate::cargo_lock::Dependency;
use crate::combined::{Asked, Other, too_few};
use crate::exit::Stop;
use crate::library::{Library, Log};
use crate::trust::TrustError;

/// A log that was looked up in.
pub(crate) struct Answered {
    /// The name of its group, if that is one of several.
    pub(crate) group: Option<String>,
    pub(crate) checkpoint: VerifiedCheckpoint,
    /// Where it came from.
    pub(crate) place: String,
}

impl From<(Option<String>, &Log)> for Answered {
    fn from((group, log): (Option<String>, &Log)) -> Self {
        Self { group, checkpoint: log.checkpoint.clone(), place: log.place.clone() }
    }
}

/// Logs that answer, each with the name of its group where there are several.
pub(super) type Opened<'l> = Vec<(Option<String>, &'l Log)>;

/// The logs of as many groups as answer, and why the others do not.
pub(super) fn open<'l>(
    asked: &[Asked<'_>],
    libraries: &'l mut [Library<'_>],
    needed: usize,
) -> Result<(Opened<'l>, Vec<(String, Stop)>), Stop> {
    let (mut opened, mut silent) = (Vec::new(), Vec::new());
    for (of, library) in asked.iter().zip(libraries) {
        match (library.open_newest(), of.name) {
            (Ok(log), name) => opened.push((name.map(str::to_owned), log)),
            (Err(stop), Some(name)) if !TrustError::is_fork(&stop) => silent.push((name.to_owned(), stop)),
            (Err(stop), _) => return Err(stop),
        }
    }
    if opened.len() >= needed {
        return Ok((opened, silent));
    }
    let others = silent.iter().map(|(name, stop)| Other { name, code: stop.code, why: stop.report.to_string() });
    Err(too_few(needed, opened.len(), others.collect()))
}

/// What a group's log says of a dependency.
pub(super) fn vote(group: &Option<String>, log: &Log, dependency: &Dependency) -> Result<Vote, Stop> {
    let entries = dependency.origin.key().map_or(Ok(Vec::new()), |key| log.entries(&key))?;
    let (verdict, found) = judge(dependency, &entries);
    let entry = found.map(|(index, entry)| Rests {
        index: *index,
        agreeing: entry.agreeing().count(),
        members: entry.members.len(),
        source_sha256: *entry.request.source.checksum(),
    });
    Ok(Vote { group: group.clone(), verdict, entry })
}
