//! One crate of a survey: pinned, built twice, and turned into a record.

use std::fs;
use std::path::Path;

use synchronicity_explain::explanation::Explanation;
use synchronicity_explain::survey::FORMAT;
use synchronicity_rebuild::recipe::{Options, Pinned};
use synchronicity_rebuild::transcript::compiled_crate;
use synchronicity_verify::request::{Products, Source};
use synchronicity_verify::result::Artifacts;

use super::list::Line;
use super::record::{Built, End, Found, Kind, Made, Outcome, Record, Tried};
use crate::age;
use crate::check::twice::{self, Ended, Pair, for_a_trial};
use crate::exit::{self, Stop};
use crate::workshop::{Workshop, WorkshopError};

/// How many lines of a failed build are kept: of its first error, and of its end.
const ERROR_LINES: usize = 8;
const TAIL_LINES: usize = 6;
/// The most differences of an artifact that are kept; the rest is counted.
const DIFFERENCES_MAX: usize = 8;

/// Builds the crate twice, in the folder `scratch`, which is empty or not there. An error says something about this
/// machine or its network, and nothing about the crate.
pub(super) fn measure(workshop: &Workshop, line: &Line, scratch: &Path) -> Result<Record, Stop> {
    let began = age::now_s();
    let record = |end| Record { format: FORMAT, key: line.key.clone(), began, end };
    let pinned = match workshop.pin_spec(&line.spec, &Options::default()) {
        Ok(pinned) => for_a_trial(pinned),
        Err(stop) if stop.code == exit::USAGE => {
            return Ok(record(End::Refused { reason: stop.report.to_string() }));
        }
        Err(stop) => return Err(stop),
    };
    fs::create_dir_all(scratch).map_err(WorkshopError::file(scratch))?;
    let result = match twice::build(workshop, &pinned, &None, scratch)? {
        Ended::Built(pair) => Outcome::Built(Box::new(built(*pair)?)),
        Ended::OnlyOnce { failure, .. } => Outcome::OnlyOnce { failure: failure.to_string() },
        Ended::Fails { failure, transcript } => {
            Outcome::Fails { failure: failure.to_string(), tail: tail(&transcript)? }
        }
    };
    Ok(record(End::Tried(Box::new(tried(&pinned, result)))))
}

fn tried(pinned: &Pinned, result: Outcome) -> Tried {
    let (Source::Registry { name, version, checksum } | Source::Fixture { name, version, checksum }) =
        &pinned.request.source;
    let kind = match pinned.request.products {
        Products::Binaries | Products::Installed => Kind::Binary,
        Products::Library if pinned.nature.proc_macro => Kind::ProcMacro,
        Products::Library => Kind::Library,
    };
    Tried {
        name: name.to_string(),
        version: version.to_string(),
        sha256: checksum.to_string(),
        kind,
        build_script: pinned.nature.build_script,
        lock: pinned.request.lock.grade.name().into(),
        result,
    }
}

fn built(pair: Pair) -> Result<Built, Stop> {
    let Pair { first, second, mut explanation, varied } = pair;
    let causes = explanation.iter().flat_map(|explanation| explanation.causes());
    let causes = causes.map(|(cause, certainty, guilty)| Found { cause, certainty, guilty: guilty.map(str::to_owned) });
    let causes = causes.collect();
    for artifact in explanation.iter_mut().flat_map(|explanation| &mut explanation.artifacts) {
        artifact.more += artifact.differences.len().saturating_sub(DIFFERENCES_MAX);
        artifact.differences.truncate(DIFFERENCES_MAX);
    }
    let text = fs::read(&first.transcript).map_err(WorkshopError::file(&first.transcript))?;
    let text = String::from_utf8_lossy(&text);
    let milliseconds = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Ok(Built {
        took_ms: [milliseconds(first.took), milliseconds(second.took)],
        compiled: text.lines().filter_map(compiled_crate).map(str::to_owned).collect(),
        artifacts: [made(&first.artifacts), made(&second.artifacts)],
        varied,
        causes,
        explanation: explanation.as_ref().map(Explanation::to_json),
    })
}

fn made(artifacts: &Artifacts) -> Vec<Made> {
    let one = |artifact: &synchronicity_verify::result::Artifact| Made {
        name: artifact.name.to_string(),
        size: artifact.size,
        sha256: artifact.sha256.to_string(),
    };
    artifacts.iter().map(one).collect()
}

/// What a person would look at first: where the first error is, and how it ended.
fn tail(transcript: &Path) -> Result<Vec<String>, Stop> {
    let text = fs::read(transcript).map_err(WorkshopError::file(transcript))?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let end = lines.len().saturating_sub(TAIL_LINES);
    let error = lines[..end].iter().position(|line| line.starts_with("error"));
    let error = error.map_or(&[][..], |at| &lines[at..(at + ERROR_LINES).min(end)]);
    let short = |line: &&str| line.chars().filter(|letter| !letter.is_control()).take(300).collect();
    Ok(error.iter().chain(&lines[end..]).map(short).collect())
}
