//! `check`: two builds of one crate under circumstances that differ in all that can be varied. If their bytes are the
//! same, the crate is reproducible as far as one machine can tell; if not, [`diff`](crate::diff) says why.

mod facts;
pub(crate) mod twice;
pub(crate) mod varied;

use std::fs;
use std::path::PathBuf;

use miette::Diagnostic;
use serde_json::json;
use synchronicity_explain::words;
use synchronicity_rebuild::fixture::Fixture;
use synchronicity_rebuild::recipe::Pinned;
use synchronicity_rebuild::spec::Spec;
use synchronicity_verify::result::Failure;

use crate::cli::Check;
use crate::exit::{self, Stop};
use crate::report;
use crate::workshop::{Workshop, WorkshopError};
use twice::{Ended, Pair, for_a_trial, name};

#[derive(Debug, thiserror::Error, Diagnostic)]
enum CheckError {
    #[error("{what} builds, and under other circumstances it does not: {failure}")]
    #[diagnostic(help(
        "another folder, user, host name, umask, locale, time zone, clock, home and number of jobs are what differs; the transcript: {}",
        transcript.display()
    ))]
    OnlyOnce { what: String, failure: Failure, transcript: PathBuf },
}

/// The name and version of the document, which change together with `docs/schemas/check.schema.json`.
const SCHEMA: &str = "synchronicity/check@v1";

/// Pins, builds twice, compares, explains, prints.
pub(crate) fn check(args: &Check) -> Result<u8, Stop> {
    let workshop = Workshop::open_for(&args.wanted)?;
    // Emptied below: a name that no other program or person gives.
    let folder = workshop.dir.join("synchronicity-check");
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(WorkshopError::file(&folder)(error)),
        _ => fs::create_dir_all(&folder).map_err(WorkshopError::file(&folder))?,
    }
    let (pinned, archive) = match &args.wanted.spec {
        Spec::Crate { .. } => (for_a_trial(workshop.pin(&args.wanted)?), None),
        // Cargo takes them for members of the workspace that they lie in.
        Spec::Folder(path) if Fixture::in_folder(path).is_ok() => (workshop.pin(&args.wanted)?, None),
        Spec::Folder(path) => {
            let (pinned, archive) = workshop.pin_local(&args.wanted, path)?;
            let path = folder.join("packed.crate");
            fs::write(&path, archive).map_err(WorkshopError::file(&path))?;
            (pinned, Some(path.canonicalize().map_err(WorkshopError::file(&path))?))
        }
    };
    let ended = twice::build(&workshop, &pinned, &archive, &folder)?;
    workshop.progress.end();
    let what = name(&pinned);
    match ended {
        Ended::Built(pair) => Ok(tell(args, &pinned, &pair)),
        Ended::OnlyOnce { failure, transcript } => {
            Err(Stop::new(exit::DIFFERENT, CheckError::OnlyOnce { what, failure, transcript }))
        }
        Ended::Fails { failure, transcript } => {
            Err(Stop::new(exit::INTERNAL, WorkshopError::Failed { what, failure, transcript }))
        }
    }
}

fn tell(args: &Check, pinned: &Pinned, pair: &Pair) -> u8 {
    let Pair { first, second, explanation, varied } = pair;
    let Some(explanation) = explanation else {
        tell_same(args, pinned, pair);
        return exit::OK;
    };
    if args.json {
        let mut told = explanation.to_json();
        let own = json!({
            "schema": SCHEMA,
            "exit": exit::DIFFERENT,
            "reproducible": false,
            "crate": name(pinned),
            "varied": varied,
            "folders": [first.folder.display().to_string(), second.folder.display().to_string()],
        });
        if let (Some(told), Some(own)) = (told.as_object_mut(), own.as_object()) {
            told.extend(own.clone());
        }
        verbatim!("{told}");
    } else {
        outln!("not reproducible: {}, built twice, differs", name(pinned));
        out!("{}", words::in_words(explanation));
        outln!("the first build: {}", first.folder.display());
        outln!("the second:      {}", second.folder.display());
        out!("{}", varied::in_words(varied));
    }
    exit::DIFFERENT
}

fn tell_same(args: &Check, pinned: &Pinned, pair: &Pair) {
    let Pair { first, varied, .. } = pair;
    if args.json {
        let artifacts: Vec<_> = first.artifacts.iter().map(report::artifact_json).collect();
        let told = json!({
            "schema": SCHEMA,
            "exit": exit::OK,
            "reproducible": true,
            "crate": name(pinned),
            "varied": varied,
            "artifacts": artifacts,
        });
        verbatim!("{told}");
        return;
    }
    outln!("reproducible: {}, built twice, has the same bytes", name(pinned));
    for artifact in &first.artifacts {
        outln!("  {:<10}{}, {} bytes", "artifact", artifact.name, artifact.size);
        outln!("  {:<10}sha256 {}", "", artifact.sha256);
    }
    out!("{}", varied::in_words(varied));
}
