//! `rebuild --against FILE`: three comparisons that are easily taken for one another, side by side.
//!
//! What the builders of a group got among themselves is evidence, from its log; whether the file is that is told by a
//! hash; and this machine builds by the recipe of the same entry, to see with its own eyes. Where bytes differ, it is
//! explained as `diff` does.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use synchronicity_explain::explanation::Explanation;
use synchronicity_explain::facts::Facts;
use synchronicity_explain::{ExplainError, Limits, explain};
use synchronicity_rebuild::recipe::{Options, Pinned};
use synchronicity_rebuild::spec::Spec;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{Entry, Verdict};
use synchronicity_verify::map::MapKey;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::{Artifact, BuildResult};

use crate::cli::Rebuild;
use crate::exit::{self, Stop};
use crate::library::Library;
use crate::read;
use crate::report;
use crate::workshop::{Workshop, WorkshopError, options};

mod told;

/// Why nothing is compared.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum AgainstTrouble {
    #[error("{0} names no version, and a file is of one")]
    #[diagnostic(help("name it with its version, as in hexyl@0.17.0"))]
    NoVersion(Spec),
    #[error("{}: it is none of the artifacts by name: {artifacts}", file.display())]
    #[diagnostic(help("name the file as the artifact is named that it is to be compared with"))]
    NoArtifact { file: PathBuf, artifacts: String },
    #[error("entry {index} is about the archive with SHA-256 {logged}, and crates.io has {published} for {purl}")]
    #[diagnostic(help(
        "nothing was built: a version is published once, so the group built something else; tell its members"
    ))]
    OtherArchive { index: u64, logged: Digest, published: Digest, purl: String },
    #[error(transparent)]
    Unexplained(ExplainError),
}

/// What was compared, and what came of it.
struct Compared<'a> {
    file: &'a Path,
    /// Of its content.
    sha256: Digest,
    /// The entry, and the log that it is from; none where the log says nothing of the crate.
    entry: Option<(u64, Entry)>,
    policy: &'a Policy,
    /// What this machine built, and the artifact of it that the file is compared with.
    request: BuildRequest,
    own: Artifact,
    own_path: PathBuf,
    /// In what this machine's recipe is not that of the entry.
    other_recipe: Vec<String>,
    /// Why the file and this machine's artifact are not the same bytes.
    explanation: Option<Explanation>,
}

/// Looks up, builds, compares, explains, prints.
pub(crate) fn against(args: &Rebuild, file: &Path) -> Result<u8, Stop> {
    let sha256 = read::digest(file).map_err(|error| Stop::new(exit::USAGE, error))?;
    let Spec::Crate { name, version: Some(version) } = &args.wanted.spec else {
        return Err(Stop::new(exit::USAGE, AgainstTrouble::NoVersion(args.wanted.spec.clone())));
    };
    let context = args.asked.read_named()?;
    let (policy, key) = (&context.policy.clone().one()?, MapKey::of_crate(name, version));
    let mut library = Library::new(&context.places, policy, BTreeSet::from([key]));
    let entry = entry_for(&sha256, library.open_newest()?.entries(&key)?);
    let workshop = Workshop::open_for(&args.wanted)?;
    let pinned = workshop.pin_spec(&args.wanted.spec, &recipe_of(args, entry.as_ref()))?;
    let other_recipe = differences(entry.as_ref(), &pinned.request)?;
    let (artifacts, folder) = built(&workshop, &pinned)?;
    let own = counterpart(file, &sha256, entry.as_ref(), &artifacts)?;
    let own_path = folder.join(own.name.as_str());
    let explanation = if own.sha256 == sha256 { None } else { Some(explained(file, &own_path)?) };
    let request = pinned.request;
    let compared = Compared { file, sha256, entry, policy, request, own, own_path, other_recipe, explanation };
    if args.json {
        verbatim!("{}", told::as_json(&compared));
    } else {
        out!("{}", told::in_words(&compared));
    }
    Ok(compared.code())
}

/// The entry that the comparison rests on: the newest that agrees with the file, else the newest that is evidence, else
/// the newest.
fn entry_for(sha256: &Digest, mut entries: Vec<(u64, Entry)>) -> Option<(u64, Entry)> {
    let built = |entry: &Entry| entry.verdict == Verdict::Reproduced;
    let agrees = |(_, entry): &(u64, Entry)| report::built(entry).iter().any(|artifact| artifact.sha256 == *sha256);
    let at = entries.iter().rposition(agrees).or_else(|| entries.iter().rposition(|(_, entry)| built(entry)));
    let at = at.or(entries.len().checked_sub(1))?;
    Some(entries.swap_remove(at))
}

/// What the entry was built with; without one, what the command line says.
fn recipe_of(args: &Rebuild, entry: Option<&(u64, Entry)>) -> Options {
    match entry {
        Some((_, Entry { request, .. })) => {
            let BuildRequest { features, products, limits, .. } = request;
            Options { features: features.clone(), products: Some(*products), limits: *limits }
        }
        None => options(&args.wanted),
    }
}

/// In what a build here is not the one that the group did, in words.
///
/// # Errors
/// Another archive: nothing that is built of it can be compared.
fn differences(entry: Option<&(u64, Entry)>, here: &BuildRequest) -> Result<Vec<String>, Stop> {
    let Some((index, Entry { request: there, .. })) = entry else { return Ok(Vec::new()) };
    let (logged, published) = (*there.source.checksum(), *here.source.checksum());
    if logged != published {
        let purl = there.source.purl();
        return Err(Stop::new(exit::MISMATCH, AgainstTrouble::OtherArchive { index: *index, logged, published, purl }));
    }
    let mut words = Vec::new();
    if there.toolchain != here.toolchain {
        let name =
            |request: &BuildRequest| format!("rustc {} ({})", request.toolchain.release, request.toolchain.commit);
        words.push(format!("{} here, {} there", name(here), name(there)));
    }
    if there.environment != here.environment {
        let name = |request: &BuildRequest| report::environment(&request.environment);
        words.push(format!("{} here, {} there", name(here), name(there)));
    }
    if there.lock != here.lock {
        words.push("another Cargo.lock: the submitter's is not published".into());
    }
    let rest = |request: &BuildRequest| (request.target.clone(), request.env.clone(), request.rustflags.clone());
    if rest(there) != rest(here) {
        words.push("another target, or other variables or flags".into());
    }
    Ok(words)
}

/// What this machine makes of it, and where.
fn built(workshop: &Workshop, pinned: &Pinned) -> Result<(Vec<Artifact>, PathBuf), Stop> {
    let outcome = workshop.build(pinned, None, "")?;
    workshop.progress.end();
    match outcome.result {
        BuildResult::Built(artifacts) => {
            let folder = outcome.artifacts_dir.unwrap_or_else(|| PathBuf::from("."));
            Ok((artifacts.as_slice().to_vec(), folder))
        }
        BuildResult::Failed(failure) => {
            let (what, transcript) = (pinned.request.source.purl(), outcome.transcript);
            Err(Stop::new(exit::INTERNAL, WorkshopError::Failed { what, failure, transcript }))
        }
    }
}

/// The artifact of this machine that the file would be: by content there, by name, or because there is only one.
fn counterpart(file: &Path, sha256: &Digest, entry: Option<&(u64, Entry)>, own: &[Artifact]) -> Result<Artifact, Stop> {
    let logged = entry.map(|(_, entry)| report::built(entry)).unwrap_or_default();
    let by_content = logged.iter().chain(own).find(|artifact| artifact.sha256 == *sha256);
    let name = by_content.map(|artifact| artifact.name.as_str().to_owned());
    let name = name.or_else(|| Some(file.file_name()?.to_str()?.to_owned()));
    let found = own.iter().find(|artifact| Some(artifact.name.as_str()) == name.as_deref());
    let found = found.or(if let [only] = own { Some(only) } else { None });
    found.cloned().ok_or_else(|| {
        let artifacts = own.iter().map(|artifact| artifact.name.as_str()).collect::<Vec<_>>().join(", ");
        Stop::new(exit::USAGE, AgainstTrouble::NoArtifact { file: file.to_owned(), artifacts })
    })
}

fn explained(first: &Path, second: &Path) -> Result<Explanation, Stop> {
    explain(first, second, &Facts::default(), &Limits::default())
        .map_err(|error| Stop::new(exit::INTERNAL, AgainstTrouble::Unexplained(error)))
}

impl Compared<'_> {
    /// What the group agreed on under the name of this machine's artifact.
    fn groups(&self) -> Option<&Artifact> {
        let (_, entry) = self.entry.as_ref()?;
        let agreed = report::built(entry).iter().filter(|_| entry.verdict == Verdict::Reproduced);
        agreed.into_iter().find(|artifact| artifact.name == self.own.name)
    }

    fn is_evidence(&self) -> bool {
        self.entry.as_ref().is_some_and(|(_, entry)| entry.verdict == Verdict::Reproduced)
    }

    /// Whether the file is what the group built.
    fn group_and_file(&self) -> Option<bool> {
        let (_, entry) = self.entry.as_ref().filter(|_| self.is_evidence())?;
        Some(report::built(entry).iter().any(|artifact| artifact.sha256 == self.sha256))
    }

    /// Whether this machine got what the group did.
    fn rebuild_and_group(&self) -> Option<bool> {
        self.is_evidence().then(|| self.groups().is_some_and(|artifact| artifact.sha256 == self.own.sha256))
    }

    fn rebuild_and_file(&self) -> bool {
        self.own.sha256 == self.sha256
    }

    fn code(&self) -> u8 {
        match (self.group_and_file(), self.rebuild_and_group()) {
            (None, _) => exit::NO_EVIDENCE,
            (Some(false), _) => exit::MISMATCH,
            (_, Some(false)) => exit::DIFFERENT,
            _ => exit::OK,
        }
    }
}
