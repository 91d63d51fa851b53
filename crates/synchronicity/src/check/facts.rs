//! What `check` knows of its two builds, for the explanation: it made the circumstances itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use synchronicity_explain::facts::{Circumstances, Facts};
use synchronicity_rebuild::lock;
use synchronicity_rebuild::recipe::Pinned;
use synchronicity_rebuild::unpack::{Bounds, crate_archive};
use synchronicity_verify::recipe;

use super::twice::{Build, name};
use crate::exit::Stop;
use crate::workshop::{Workshop, WorkshopError};

/// The most names of source files that are remembered.
const FILES_MAX: usize = 20_000;
/// What the recipe calls the user.
const RECIPE_USER: &str = "builder";

pub(super) fn of(
    workshop: &Workshop,
    pinned: &Pinned,
    archive: Option<&Path>,
    first: &Build,
    second: &Build,
) -> Result<Facts, Stop> {
    let source = &pinned.request.source;
    // The lock was screened when it was pinned.
    let locked = lock::screen(&pinned.lock, source.name(), source.version()).unwrap_or_default();
    Ok(Facts {
        first: circumstances(first, pinned),
        second: circumstances(second, pinned),
        files: files(workshop, pinned, archive).unwrap_or_default(),
        packages: locked.iter().map(|locked| format!("{} {}", locked.name, locked.version)).collect(),
        own: Some(name(pinned)),
    })
}

fn circumstances(build: &Build, pinned: &Pinned) -> Circumstances {
    let (conditions, measured) = (&build.conditions, &build.measured);
    let mut env: BTreeMap<String, String> = recipe::env();
    env.extend(conditions.env.clone());
    let user = conditions.user.as_ref().map_or(RECIPE_USER, |(name, _)| name);
    let jobs = conditions.jobs.unwrap_or(pinned.request.limits.jobs);
    // Without its own word the build had this machine's clock.
    let now = crate::age::now_s();
    let from = if measured.time == 0 { now.saturating_sub(build.took.as_secs()) } else { measured.time };
    Circumstances {
        hosts: vec![measured.host.clone()],
        users: vec![user.to_owned(), measured.user.clone()],
        homes: vec![conditions.home.clone()],
        paths: vec![measured.place.clone(), conditions.temporary.clone()],
        from: Some(from),
        until: Some(from + build.took.as_secs()),
        jobs: vec![jobs.into(), measured.processors],
        env,
    }
}

/// Names of the source's files and folders.
fn files(workshop: &Workshop, pinned: &Pinned, archive: Option<&Path>) -> Result<Vec<String>, Stop> {
    let here = |error| WorkshopError::file(&workshop.dir)(error);
    let scratch = tempfile::Builder::new().prefix("names-").tempdir_in(&workshop.dir).map_err(here)?;
    let root = scratch.path().join("source");
    let source = &pinned.request.source;
    let unpacked = match archive {
        Some(archive) => {
            let bytes = fs::read(archive).map_err(here)?;
            let name = format!("{}-{}", source.name(), source.version());
            crate_archive(&bytes, &name, &root, Bounds::default()).map_err(|error| error.to_string())
        }
        None => workshop.depot()?.obtain(&pinned.request, &pinned.lock, &root).map_err(|error| error.to_string()),
    };
    unpacked.map_err(|reason| here(std::io::Error::other(reason)))?;
    let (mut names, mut waiting) = (Vec::new(), vec![root]);
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).map_err(here)?.flatten().take(FILES_MAX - names.len()) {
            names.push(entry.file_name().to_string_lossy().into_owned());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                waiting.push(entry.path());
            }
        }
    }
    Ok(names)
}
