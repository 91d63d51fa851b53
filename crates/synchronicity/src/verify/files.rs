//! Files that are looked up by their content: by a proof that lies beside them, in the copy of the log, in the log.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use synchronicity_rebuild::spec::Spec;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{Entry, Verdict};
use synchronicity_verify::map::MapKey;
use synchronicity_verify::proof::Proof;
use synchronicity_verify::result::BuildResult;
use synchronicity_verify::verify::Verified;

use super::votes::{Vote, together};
use super::{Verify, checked, is_about, told};
use crate::combined::{Asked, origin_of};
use crate::exit::{self, Stop, gravest};
use crate::library::{Library, Log, Places};
use crate::policies::choice::Trusted;
use crate::printable::printable;
use crate::read;
use crate::trust::{Trust, TrustError};

/// The most proofs in the folder of a file that are looked at: the first by name.
const PROOFS_MAX: usize = 64;

/// A file to look up, and what it must be.
pub(crate) struct Wanted {
    pub(crate) path: PathBuf,
    pub(crate) spec: Option<Spec>,
    /// Whether it is not of crates.io, whatever its name: then other bytes than the group built say nothing.
    pub(crate) elsewhere: bool,
}

impl Wanted {
    /// A file that is of crates.io, or may be.
    pub(crate) fn new(path: PathBuf, spec: Option<Spec>) -> Self {
        Self { path, spec, elsewhere: false }
    }
}

/// What came of one file.
pub(crate) struct Looked {
    pub(crate) path: PathBuf,
    /// Of the content, if it could be read.
    pub(crate) sha256: Option<Digest>,
    /// With several groups: by the first of those that agree.
    pub(crate) found: Result<Proven, Stop>,
    /// What each group says, if there are several.
    pub(crate) votes: Vec<Vote>,
}

/// Evidence that a file is what a group built.
#[derive(Debug)]
pub(crate) struct Proven {
    pub(crate) verified: Verified,
    /// A proof, or a log.
    pub(crate) place: String,
}

/// Why a file is not shown to be what a group built.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum NotProven {
    #[error("no group is known to have built it: SHA-256 {sha256} is nowhere in {place}, at size {size}")]
    #[diagnostic(help(
        "absence is no evidence against it: the group may not have built the crate, or in another way. With --crate NAME@VERSION you hear which"
    ))]
    Absent { sha256: Digest, place: String, size: u64 },
    #[error("there is no evidence for {spec} in {place}, at size {size}{verdict}")]
    #[diagnostic(help("absence is no evidence against it; a member's operator can submit it"))]
    NoEvidence { spec: Spec, place: String, size: u64, verdict: String },
    #[error(
        "it is none of the artifacts of {spec} that the group built: it has SHA-256 {sha256}, and the group's are {artifacts}"
    )]
    #[diagnostic(help(
        "the evidence itself holds. The file may be altered, or be built in another way: other features, another compiler, stripped, for another system"
    ))]
    Mismatch { spec: Spec, sha256: Digest, artifacts: String },
    #[error("it is {found}, by {place}, and not {wanted}")]
    #[diagnostic(help("somebody gave you another crate, or another version, than they said"))]
    OtherCrate { found: String, place: String, wanted: Spec },
    #[error("{} is no evidence: its verdict is {verdict}", proof.display())]
    #[diagnostic(help("`synchronicity lookup CRATE@VERSION` shows whether a later entry is"))]
    Verdict { proof: PathBuf, verdict: Verdict },
}

/// Looks every file up, tells what is proven of it in a line, and gives the exit code.
pub(super) fn verify(args: &Verify, files: &[PathBuf], trusted: &Trusted) -> Result<u8, Stop> {
    let wanted = files.iter().map(|path| Wanted::new(path.clone(), args.spec.clone())).collect();
    let looked = look_up(wanted, args.proof.as_deref(), &args.places, trusted)?;
    let code = gravest(looked.iter().map(Looked::code));
    if args.json {
        verbatim!("{}", told::as_json(&looked, code));
    } else {
        looked.iter().for_each(|looked| outln!("{}", told::in_a_line(looked)));
    }
    told::reasons(&looked);
    Ok(code)
}

/// Looks up every file, by every group that the policy is of.
pub(crate) fn look_up(
    wanted: Vec<Wanted>,
    proof: Option<&Path>,
    places: &Places,
    trusted: &Trusted,
) -> Result<Vec<Looked>, Stop> {
    let hashed: Vec<_> = wanted.into_iter().map(|wanted| (read::digest(&wanted.path), wanted)).collect();
    let readable: Vec<_> = hashed.iter().filter_map(|(sha256, wanted)| Some((wanted, sha256.as_ref().ok()?))).collect();
    let mut by_group = Vec::new();
    for asked in trusted.asked(places)? {
        by_group.push((asked.name, in_group(&readable, proof, &asked).into_iter()));
    }
    let mut looked = Vec::with_capacity(hashed.len());
    for (sha256, wanted) in hashed {
        let path = wanted.path;
        looked.push(match sha256 {
            Err(error) => Looked { path, sha256: None, found: Err(Stop::new(exit::USAGE, error)), votes: Vec::new() },
            Ok(sha256) => {
                let of_groups = by_group.iter_mut().filter_map(|(name, found)| Some((*name, found.next()?)));
                let (found, votes) = together(trusted.needed(), of_groups.collect());
                Looked { path, sha256: Some(sha256), found, votes }
            }
        });
    }
    Ok(looked)
}

/// What one group says of each file. Its log is opened only when it is needed.
fn in_group(files: &[(&Wanted, &Digest)], proof: Option<&Path>, asked: &Asked<'_>) -> Vec<Result<Proven, Stop>> {
    let keys = files.iter().flat_map(|(wanted, sha256)| {
        std::iter::once(MapKey::of_artifact(sha256)).chain(wanted.spec.as_ref().and_then(key_of))
    });
    let library = Library::new(&asked.places, asked.policy, keys.collect::<BTreeSet<_>>());
    let mut search = Search { proof, asked, library };
    files.iter().map(|(wanted, sha256)| search.file(wanted, sha256)).collect()
}

impl Looked {
    pub(crate) fn code(&self) -> u8 {
        self.found.as_ref().map_or_else(|stop| stop.code, |_| exit::OK)
    }
}

struct Search<'a> {
    proof: Option<&'a Path>,
    asked: &'a Asked<'a>,
    library: Library<'a>,
}

impl Search<'_> {
    fn file(&mut self, wanted: &Wanted, sha256: &Digest) -> Result<Proven, Stop> {
        if let Some(proof) = self.proof.filter(|proof| self.is_own(proof)) {
            return self.by_proof(proof, wanted, sha256);
        }
        let beside = with_suffix(&wanted.path, ".tlog-proof");
        if self.proof.is_none() && beside.is_file() && self.is_own(&beside) {
            match self.by_proof(&beside, wanted, sha256) {
                // A log may have what is newer.
                Err(stop) if stop.code == exit::TRY_LATER => {}
                decided => return decided,
            }
        }
        if self.proof.is_none()
            && let Some(proven) = self.by_neighbour(wanted, sha256)?
        {
            return Ok(proven);
        }
        self.in_the_log(wanted, sha256)
    }

    /// Whether a proof is to be judged by this group. Of several, each has its own proofs; what does not say whose it is
    /// is judged by all.
    fn is_own(&self, path: &Path) -> bool {
        let proof = || Proof::parse(&read::proof(path).ok()?).ok();
        let origin = || origin_of(&proof()?.checkpoint);
        self.asked.name.is_none() || origin().is_none_or(|origin| origin == self.asked.policy.log().name())
    }

    /// Decides by this proof alone.
    fn by_proof(&self, path: &Path, wanted: &Wanted, sha256: &Digest) -> Result<Proven, Stop> {
        let bytes = read::proof(path).map_err(|error| Stop::new(exit::USAGE, error))?;
        let place = path.display().to_string();
        let file = Some((wanted.path.as_path(), sha256));
        let (verified, checkpoint) = checked(&bytes, &place, self.asked.policy, file, wanted.spec.as_ref())?;
        if !verified.is_evidence() {
            let (proof, verdict) = (path.to_owned(), verified.entry.verdict);
            return Err(Stop::new(exit::NO_EVIDENCE, NotProven::Verdict { proof, verdict }));
        }
        let trust = Trust::open_offline(&self.asked.places.state, self.asked.policy)?;
        trust.map_or(Ok(()), |trust| trust.compare(&checkpoint, self.asked.policy))?;
        self.asked.places.max_age().map_or(Ok(()), |most| most.check(verified.vouched_s))?;
        Ok(Proven { verified, place })
    }

    /// By any proof in the same folder that is about this file. The others are about other files, whatever they are.
    ///
    /// # Errors
    /// A proof that shows that the log has forked: no other place makes up for that.
    fn by_neighbour(&self, wanted: &Wanted, sha256: &Digest) -> Result<Option<Proven>, Stop> {
        let folder = crate::durable::folder_of(&wanted.path);
        let Ok(names) = std::fs::read_dir(folder) else { return Ok(None) };
        let names = names.filter_map(|entry| Some(entry.ok()?.path()));
        let mut proofs: Vec<_> =
            // Opening a pipe would wait for its other end.
            names.filter(|path| path.extension().is_some_and(|it| it == "tlog-proof") && path.is_file()).collect();
        proofs.sort();
        let about_it = |path: &PathBuf| {
            let proof = read::proof(path).ok().and_then(|bytes| Proof::parse(&bytes).ok());
            let entry = proof.and_then(|proof| Entry::from_bytes(&proof.entry).ok());
            entry.is_some_and(|entry| MapKey::of_entry(&entry).contains(&MapKey::of_artifact(sha256)))
        };
        for path in proofs.into_iter().take(PROOFS_MAX).filter(about_it) {
            match self.by_proof(&path, wanted, sha256) {
                Ok(proven) => return Ok(Some(proven)),
                Err(stop) if TrustError::is_fork(&stop) => return Err(stop),
                Err(_) => {}
            }
        }
        Ok(None)
    }

    fn in_the_log(&mut self, wanted: &Wanted, sha256: &Digest) -> Result<Proven, Stop> {
        let key = MapKey::of_artifact(sha256);
        let fits = |entry: &Entry| wanted.spec.as_ref().is_none_or(|spec| is_about(&entry.request.source, spec));
        let (mut entries, _) = self.library.find(&key)?;
        if !entries.iter().any(|(_, entry)| fits(entry)) {
            entries = self.library.open_newest()?.entries(&key)?;
        }
        let (_, log) = self.library.find(&key)?;
        let (place, size) = (log.place.clone(), log.checkpoint.checkpoint.size);
        // The newest, where several recipes, or several crates, give the same bytes.
        if let Some((index, entry)) = entries.iter().rfind(|(_, entry)| fits(entry)) {
            return Ok(Proven { verified: verified(log, *index, entry, sha256), place });
        }
        let stop = match (&wanted.spec, entries.last()) {
            (Some(wanted), Some((_, entry))) => {
                let (found, wanted) = (entry.request.source.purl(), wanted.clone());
                Stop::new(exit::INVALID, NotProven::OtherCrate { found, place, wanted })
            }
            (Some(spec), None) if !wanted.elsewhere && key_of(spec).is_some() => self.other_bytes(spec, sha256)?,
            _ => Stop::new(exit::NO_EVIDENCE, NotProven::Absent { sha256: *sha256, place, size }),
        };
        Err(stop)
    }

    /// Why a crate that is in the log, or is not, is no evidence for this file.
    fn other_bytes(&mut self, spec: &Spec, sha256: &Digest) -> Result<Stop, Stop> {
        let key = key_of(spec).unwrap_or(MapKey::of_artifact(sha256));
        let (entries, log) = self.library.find(&key)?;
        let artifacts: BTreeSet<String> = entries
            .iter()
            .filter_map(|(_, entry)| entry.agreed.as_ref().and_then(BuildResult::artifacts))
            .flat_map(|artifacts| artifacts.iter().map(|a| format!("{} ({})", printable(a.name.as_str()), a.sha256)))
            .collect();
        if artifacts.is_empty() {
            let verdict = entries.last().map(|(index, entry)| format!(": entry {index} says {}", entry.verdict));
            let (spec, place, size) = (spec.clone(), log.place.clone(), log.checkpoint.checkpoint.size);
            let verdict = verdict.unwrap_or_default();
            return Ok(Stop::new(exit::NO_EVIDENCE, NotProven::NoEvidence { spec, place, size, verdict }));
        }
        let artifacts = artifacts.into_iter().collect::<Vec<_>>().join(", ");
        Ok(Stop::new(exit::MISMATCH, NotProven::Mismatch { spec: spec.clone(), sha256: *sha256, artifacts }))
    }
}

/// An entry of a log that holds, as a proof of it would be.
fn verified(log: &Log, index: u64, entry: &Entry, sha256: &Digest) -> Verified {
    let artifact = entry.agreed.as_ref().and_then(|result| result.artifacts()?.with_content(sha256));
    Verified {
        entry: entry.clone(),
        index,
        size: log.checkpoint.checkpoint.size,
        cosigners: log.checkpoint.cosigners.clone(),
        vouched_s: log.checkpoint.vouched_s,
        file: artifact.map(|artifact| artifact.name.clone()),
    }
}

/// What the log has under a crate that is named with its version.
fn key_of(spec: &Spec) -> Option<MapKey> {
    match spec {
        Spec::Crate { name, version: Some(version) } => Some(MapKey::of_crate(name, version)),
        _ => None,
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
