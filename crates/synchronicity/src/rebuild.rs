//! `rebuild`: one build, here and now. It convinces nobody else, and says so.

use std::path::Path;

use serde_json::json;
use synchronicity_rebuild::bench::Bench;
use synchronicity_rebuild::recipe::Pinned;
use synchronicity_rebuild::running::Outcome;
use synchronicity_verify::result::{Artifacts, BuildResult};

use crate::against::against;
use crate::cli::Rebuild;
use crate::exit::{self, Stop};
use crate::report;
use crate::workshop::{Workshop, WorkshopError, copy};

/// The name and version of the document, which change together with `docs/schemas/rebuild.schema.json`.
const SCHEMA: &str = "synchronicity/rebuild@v1";

/// Pins, builds, prints.
pub(crate) fn rebuild(args: &Rebuild) -> Result<u8, Stop> {
    if let Some(file) = &args.against {
        return against(args, file);
    }
    let workshop = Workshop::open_for(&args.wanted)?;
    let pinned = workshop.pin(&args.wanted)?;
    let what = pinned.request.source.purl();
    let outcome = workshop.build(&pinned, None, "")?;
    workshop.progress.end();
    match &outcome.result {
        BuildResult::Built(artifacts) => {
            let built = outcome.artifacts_dir.as_deref().unwrap_or(Path::new("."));
            let folder = match &args.out {
                Some(out) => {
                    copy(artifacts, built, out)?;
                    out
                }
                None => built,
            };
            tell(args, &workshop.bench, &pinned, artifacts, folder, &outcome);
            Ok(exit::OK)
        }
        BuildResult::Failed(failure) => {
            let error = WorkshopError::Failed { what, failure: *failure, transcript: outcome.transcript.clone() };
            Err(Stop::new(exit::INTERNAL, error))
        }
    }
}

fn tell(args: &Rebuild, bench: &Bench, pinned: &Pinned, artifacts: &Artifacts, folder: &Path, outcome: &Outcome) {
    let request = &pinned.request;
    if args.json {
        let artifacts = artifacts.iter().map(|artifact| {
            let mut told = report::artifact_json(artifact);
            told["path"] = folder.join(artifact.name.as_str()).display().to_string().into();
            told
        });
        let told = json!({
            "schema": SCHEMA,
            "exit": exit::OK,
            "purl": request.source.purl(),
            "request": request.id().to_string(),
            "result": outcome.result.digest().to_string(),
            "sandbox": bench.name(),
            "artifacts": artifacts.collect::<Vec<_>>(),
            "transcript": outcome.transcript.display().to_string(),
        });
        verbatim!("{told}");
        return;
    }
    outln!("built here: {} {}", request.source.name(), request.source.version());
    for artifact in artifacts {
        outln!("  {:<25}{}, {} bytes", "artifact", artifact.name, artifact.size);
        outln!("  {:<25}sha256 {}", "", artifact.sha256);
        outln!("  {:<25}{}", "", folder.join(artifact.name.as_str()).display());
    }
    outln!("  {:<25}{}", "transcript", outcome.transcript.display());
    outln!("  {:<25}one build on one machine: a comparison for you, no evidence for others", "your own rebuild");
}
