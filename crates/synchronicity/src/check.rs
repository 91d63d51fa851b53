//! `check`: two builds of one crate under circumstances that differ in all that can be varied. If their bytes are the
//! same, the crate is reproducible as far as one machine can tell; if not, [`diff`](crate::diff) says why.

mod facts;
mod varied;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use miette::Diagnostic;
use serde_json::json;
use synchronicity_explain::{ExplainError, Limits, explain, words};
use synchronicity_rebuild::bench::Trial;
use synchronicity_rebuild::conditions::{Conditions, Measured, clock_library};
use synchronicity_rebuild::fixture::Fixture;
use synchronicity_rebuild::recipe::Pinned;
use synchronicity_rebuild::spec::Spec;
use synchronicity_verify::request::Products;
use synchronicity_verify::result::{Artifacts, BuildResult, Failure};

use crate::cli::Check;
use crate::exit::{self, Stop};
use crate::report;
use crate::workshop::{Workshop, WorkshopError, copy};

#[derive(Debug, thiserror::Error, Diagnostic)]
enum CheckError {
    #[error(transparent)]
    Explain(ExplainError),
    #[error("{what} builds, and under other circumstances it does not: {failure}")]
    #[diagnostic(help(
        "another folder, user, host name, umask, locale, time zone, clock, home and number of jobs are what differs; the transcript: {}",
        transcript.display()
    ))]
    OnlyOnce { what: String, failure: Failure, transcript: PathBuf },
}

/// One of the two builds.
struct Build {
    conditions: Conditions,
    measured: Measured,
    took: Duration,
    artifacts: Artifacts,
    folder: PathBuf,
}

/// Clocks are read in seconds by many crates, so the builds must not begin in the same one.
const APART: Duration = Duration::from_millis(1100);

/// Pins, builds twice, compares, explains, prints.
pub(crate) fn check(args: &Check) -> Result<u8, Stop> {
    let workshop = Workshop::open(&args.wanted)?;
    // Emptied below: a name that no other program or person gives.
    let folder = workshop.dir.join("synchronicity-check");
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(WorkshopError::file(&folder)(error)),
        _ => fs::create_dir_all(&folder).map_err(WorkshopError::file(&folder))?,
    }
    let (pinned, archive) = match &args.wanted.spec {
        Spec::Crate { .. } => {
            let mut pinned = workshop.pin()?;
            // The crate's own folder can be put elsewhere for a build; Cargo's home, from which it installs, cannot.
            if pinned.request.products == Products::Installed {
                pinned.request.products = Products::Binaries;
            }
            (pinned, None)
        }
        // Cargo takes them for members of the workspace that they lie in.
        Spec::Folder(path) if Fixture::in_folder(path).is_ok() => (workshop.pin()?, None),
        Spec::Folder(path) => {
            let (pinned, archive) = workshop.pin_local(path)?;
            let path = folder.join("packed.crate");
            fs::write(&path, archive).map_err(WorkshopError::file(&path))?;
            (pinned, Some(path.canonicalize().map_err(WorkshopError::file(&path))?))
        }
    };
    let package = format!("{}-{}", pinned.request.source.name(), pinned.request.source.version());
    // Only the host's own libraries are shown in the embedded sandbox.
    let clock = (workshop.bench.name() == "embedded").then(clock_library).flatten();
    let since = Instant::now();
    let first = build(&workshop, &pinned, &archive, Conditions::of_the_recipe(), &folder, "first")?;
    std::thread::sleep(APART.saturating_sub(since.elapsed()));
    let mut varied = Conditions::varied(&package, &dice(), clock);
    let second = match build(&workshop, &pinned, &archive, varied.clone(), &folder, "second") {
        // Not every program of a build bears the library that sets the clock ahead.
        Err(stop) if stop.code == exit::DIFFERENT && varied.clock.take().is_some() => {
            build(&workshop, &pinned, &archive, varied, &folder, "second")?
        }
        done => done?,
    };
    workshop.progress.end();
    if first.artifacts == second.artifacts {
        tell_same(args, &pinned, &first, &second);
        return Ok(exit::OK);
    }
    let facts = facts::of(&workshop, &pinned, archive.as_deref(), &first, &second)?;
    let explanation = explain(&first.folder, &second.folder, &facts, &Limits::default())
        .map_err(|error| Stop::new(exit::INTERNAL, CheckError::Explain(error)))?;
    let varied = varied::list(&first.measured, &second.measured);
    if args.json {
        let mut told = explanation.to_json();
        let own = json!({
            "exit": exit::DIFFERENT,
            "reproducible": false,
            "crate": name(&pinned),
            "varied": varied,
            "folders": [first.folder.display().to_string(), second.folder.display().to_string()],
        });
        if let (Some(told), Some(own)) = (told.as_object_mut(), own.as_object()) {
            told.extend(own.clone());
        }
        println!("{told}");
    } else {
        println!("not reproducible: {}, built twice, differs", name(&pinned));
        print!("{}", words::in_words(&explanation));
        println!("the first build: {}", first.folder.display());
        println!("the second:      {}", second.folder.display());
        print!("{}", varied::in_words(&varied));
    }
    Ok(exit::DIFFERENT)
}

fn name(pinned: &Pinned) -> String {
    format!("{} {}", pinned.request.source.name(), pinned.request.source.version())
}

fn build(
    workshop: &Workshop<'_>,
    pinned: &Pinned,
    archive: &Option<PathBuf>,
    conditions: Conditions,
    folder: &Path,
    which: &str,
) -> Result<Build, Stop> {
    let since = Instant::now();
    let trial = Trial { conditions: conditions.clone(), archive: archive.clone() };
    let outcome = workshop.build(pinned, Some(trial), &format!(", the {which} of two,"))?;
    let took = since.elapsed();
    // The next build takes the same place on the bench.
    let transcript = folder.join(format!("{which}-transcript.txt"));
    fs::copy(&outcome.transcript, &transcript).map_err(WorkshopError::file(&transcript))?;
    let printed = fs::read(&transcript).map_err(WorkshopError::file(&transcript))?;
    let measured = Measured::from_transcript(&String::from_utf8_lossy(&printed));
    match outcome.result {
        BuildResult::Built(artifacts) => {
            let folder = folder.join(which);
            copy(&artifacts, outcome.artifacts_dir.as_deref().unwrap_or(Path::new(".")), &folder)?;
            Ok(Build { conditions, measured, took, artifacts, folder })
        }
        // One job on one processor takes longer, and the copy of the source takes memory: that is no difference.
        BuildResult::Failed(failure) if which == "second" && !is_limit(failure) => {
            let what = name(pinned);
            Err(Stop::new(exit::DIFFERENT, CheckError::OnlyOnce { what, failure, transcript }))
        }
        BuildResult::Failed(failure) => {
            Err(Stop::new(exit::INTERNAL, WorkshopError::Failed { what: name(pinned), failure, transcript }))
        }
    }
}

fn is_limit(failure: Failure) -> bool {
    use Failure::{Disk, Memory, Processes, Time, Transcript};
    matches!(failure, Time | Memory | Disk | Processes | Transcript)
}

fn tell_same(args: &Check, pinned: &Pinned, first: &Build, second: &Build) {
    let varied = varied::list(&first.measured, &second.measured);
    if args.json {
        let artifacts: Vec<_> = first.artifacts.iter().map(report::artifact_json).collect();
        let told = json!({
            "exit": exit::OK,
            "reproducible": true,
            "crate": name(pinned),
            "varied": varied,
            "artifacts": artifacts,
        });
        println!("{told}");
        return;
    }
    println!("reproducible: {}, built twice, has the same bytes", name(pinned));
    for artifact in &first.artifacts {
        println!("  {:<10}{}, {} bytes", "artifact", artifact.name, artifact.size);
        println!("  {:<10}sha256 {}", "", artifact.sha256);
    }
    print!("{}", varied::in_words(&varied));
}

/// Eight hexadecimal digits that no other run has.
fn dice() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:08x}", RandomState::new().hash_one("check") as u32)
}
