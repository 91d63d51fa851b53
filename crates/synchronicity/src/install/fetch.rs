//! Executables from whoever serves them: `artifacts/SHA256` below a node or a mirror.
//!
//! Nobody is believed. The log says how many bytes an artifact has and what they hash to, so it does not matter who
//! serves it: several places are asked at once, a piece of each ([`together`]); where the whole is wrong, nobody knows
//! whose piece it was, and each is asked for all of it, one after another. What came is kept in a [`Part`], from which
//! the next run goes on.

use std::ops::Range;
use std::time::Duration;

use miette::Diagnostic;
use synchronicity_verify::result::Artifact;

use crate::exit::{self, Stop, gravest};
use crate::printable::printable;
use crate::progress::{Inflow, Progress};
use crate::source::{Source, SourceError, Stream};

mod part;
mod together;

pub(crate) use part::Part;

/// Bytes that are read at a time.
const READ: usize = 128 << 10;

/// A place that broke off is asked again if it sent as much as this.
const PROGRESS_MIN: u64 = 256 << 10;

/// The least speed that one request is given time for, in bytes per second.
const SPEED_MIN: u64 = 32 << 10;

/// Why a place did not serve an artifact.
#[derive(Debug, thiserror::Error)]
enum PlaceTrouble {
    #[error("{0}")]
    Source(SourceError),
    #[error("it broke off")]
    CutOff,
    #[error("it serves files as a whole only")]
    NoParts,
    #[error("it serves other bytes than the group built")]
    Wrong,
}

/// Why an executable is not there. Nothing of it was installed.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum FetchTrouble {
    #[error("{name} cannot be had: nowhere to fetch it from")]
    #[diagnostic(help("name a node with --node, or another place that has its artifacts with --mirror"))]
    Nowhere { name: String },
    #[error("{name} cannot be had from any place that was asked: {reasons}")]
    #[diagnostic(help(
        "nothing was installed. Name other nodes or mirrors with --mirror; what came so far is kept, and the same command goes on from there"
    ))]
    Places { name: String, reasons: String },
    #[error("{name}: {path}: {error}")]
    #[diagnostic(help("nothing was installed; mend it, and the same command goes on from there"))]
    File { name: String, path: String, error: std::io::Error },
}

/// What every request for one artifact needs.
#[derive(Clone)]
struct Wanted {
    artifact: Artifact,
    /// Below each place.
    path: String,
}

/// Fills `part` until it is the artifact.
pub(crate) fn fetch(artifact: &Artifact, places: &[Source], part: &mut Part, progress: &Progress) -> Result<(), Stop> {
    if part.is(artifact) {
        return Ok(());
    }
    let name = printable(artifact.name.as_str());
    if places.is_empty() {
        return Err(Stop::new(exit::TRY_LATER, FetchTrouble::Nowhere { name }));
    }
    let wanted = Wanted { artifact: artifact.clone(), path: format!("artifacts/{}", artifact.sha256) };
    let mut told = Told { progress, name: &name, size: artifact.size, inflow: Inflow::new() };
    match from_places(&wanted, places, part, &mut told) {
        Ok(None) => Ok(()),
        Ok(Some(troubles)) => {
            let code = gravest(troubles.iter().map(PlaceTrouble::code));
            let reasons = places.iter().zip(&troubles).map(|(place, trouble)| format!("{place}: {trouble}"));
            let reasons = reasons.collect::<Vec<_>>().join("; ");
            Err(Stop::new(code, FetchTrouble::Places { name, reasons }))
        }
        Err(error) => {
            let path = part.path().display().to_string();
            Err(Stop::new(exit::INTERNAL, FetchTrouble::File { name, path, error }))
        }
    }
}

/// What is wrong with each place, if the artifact could be had from none.
fn from_places(
    wanted: &Wanted,
    places: &[Source],
    part: &mut Part,
    told: &mut Told<'_>,
) -> std::io::Result<Option<Vec<PlaceTrouble>>> {
    let artifact = &wanted.artifact;
    let mut troubles: Vec<Option<PlaceTrouble>> = places.iter().map(|_| None).collect();
    if places.len() > 1 && part.length() < artifact.size {
        together::together(wanted, places, part, told, &mut troubles)?;
    }
    for (place, trouble) in places.iter().zip(&mut troubles) {
        if part.is(artifact) {
            return Ok(None);
        }
        if trouble.as_ref().is_none_or(PlaceTrouble::may_pass) {
            *trouble = alone(wanted, place, part, told)?;
        }
    }
    let failed = troubles.into_iter().map(|trouble| trouble.unwrap_or(PlaceTrouble::Wrong)).collect();
    Ok(if part.is(artifact) { None } else { Some(failed) })
}

/// Everything that is missing from one place; all of it, if what was there before was wrong.
fn alone(
    wanted: &Wanted,
    place: &Source,
    part: &mut Part,
    told: &mut Told<'_>,
) -> std::io::Result<Option<PlaceTrouble>> {
    if part.length() == wanted.artifact.size {
        part.restart()?;
    }
    loop {
        let from_others = part.length() > 0;
        match rest(wanted, place, part, told)? {
            Some(trouble) => return Ok(Some(trouble)),
            None if part.is(&wanted.artifact) => return Ok(None),
            None => part.restart()?,
        }
        if !from_others {
            return Ok(Some(PlaceTrouble::Wrong));
        }
    }
}

/// As long as the place sends something, it is asked for the rest.
fn rest(
    wanted: &Wanted,
    place: &Source,
    part: &mut Part,
    told: &mut Told<'_>,
) -> std::io::Result<Option<PlaceTrouble>> {
    loop {
        let before = part.length();
        let range = before..wanted.artifact.size;
        let mut broken = None;
        let ended = open(wanted, place, &range).and_then(|(stream, begin)| {
            copy(stream, begin, &range, |bytes| {
                let kept = part.append(bytes);
                told.detail(bytes, part.length(), 1);
                kept.map_err(|error| broken = Some(error)).is_ok()
            })
        });
        if let Some(error) = broken {
            return Err(error);
        }
        match ended {
            Ok(()) => return Ok(None),
            Err(PlaceTrouble::CutOff | PlaceTrouble::Source(SourceError::Server(_)))
                if part.length() >= before + PROGRESS_MIN => {}
            Err(trouble) => return Ok(Some(trouble)),
        }
    }
}

/// Asks for `range` of the artifact; with the place in it at which the answer begins.
fn open(wanted: &Wanted, place: &Source, range: &Range<u64>) -> Result<(Stream, u64), PlaceTrouble> {
    let within = Duration::from_secs(60 + (range.end - range.start) / SPEED_MIN);
    Ok(place.open_part(&wanted.path, range.clone(), wanted.artifact.size, within)?)
}

/// Hands over `range` of what `stream` brings, which begins at `begin`, as it comes, until `take` says no.
fn copy(
    mut stream: Stream,
    begin: u64,
    range: &Range<u64>,
    mut take: impl FnMut(&[u8]) -> bool,
) -> Result<(), PlaceTrouble> {
    let (mut at, mut piece) = (begin, vec![0; READ]);
    while at < range.end {
        let count = match stream.next(&mut piece)? {
            0 => return Err(PlaceTrouble::CutOff),
            count => count as u64,
        };
        // Of a place that knows no parts, what is here already is passed over.
        let (from, to) = (range.start.clamp(at, at + count) - at, range.end.clamp(at, at + count) - at);
        at += count;
        if from < to && !take(&piece[from as usize..to as usize]) {
            return Ok(());
        }
    }
    Ok(())
}

impl PlaceTrouble {
    /// Whether it is worth while to ask the place once more, alone.
    fn may_pass(&self) -> bool {
        matches!(self, Self::NoParts | Self::CutOff | Self::Source(SourceError::Server(_)))
    }

    fn code(&self) -> u8 {
        match self {
            // That one place does not keep an artifact says nothing about it.
            Self::Source(error) if error.is_absent() => exit::TRY_LATER,
            Self::Source(error) => error.code(),
            Self::CutOff | Self::NoParts => exit::TRY_LATER,
            Self::Wrong => exit::INVALID,
        }
    }
}

impl From<SourceError> for PlaceTrouble {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

/// How far it is, for people.
struct Told<'a> {
    progress: &'a Progress,
    name: &'a str,
    size: u64,
    /// From all places; what was here before is not in it.
    inflow: Inflow,
}

impl Told<'_> {
    /// Shows it, at most ten times in a second, when `piece` has come and the part is as long as `length`.
    fn detail(&mut self, piece: &[u8], length: u64, places: usize) {
        self.inflow.add(piece.len() as u64);
        if !self.inflow.is_due() {
            return;
        }
        let (have, all, speed) = (length as f64 / 1e6, self.size as f64 / 1e6, self.inflow.speed());
        let from = if places == 1 { "1 place".into() } else { format!("{places} places") };
        self.progress.detail(&format!("{}: {have:.1} of {all:.1} MB, {speed:.1} MB/s from {from}", self.name));
    }
}
