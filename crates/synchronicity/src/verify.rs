//! `verify`: is this file what a group built?
//!
//! Three forms: a proof, and perhaps a file, are decided on offline from these files alone (here); files are looked up
//! by their content ([`files`]); and so is all that cargo installed ([`installed`]).

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use synchronicity_rebuild::spec::Spec;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::equivocation::FIRST_LINE;
use synchronicity_verify::fork::{ForkError, verify as decide_fork};
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::proof::Proof;
use synchronicity_verify::request::Source;
use synchronicity_verify::verify::{Invalid, Verified, VerifyError, verify as decide};

use crate::exit::{self, Stop};
use crate::trust::Trust;
use crate::{fork, read, report};

mod args;
mod equivocation;
pub(crate) mod files;
mod installed;
pub(crate) mod told;
pub(crate) mod votes;

pub use args::Verify;

/// Why a proof does not show what was asked for.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum Refused {
    #[error("{from}: {error}")]
    #[diagnostic(help("fetch the proof again; if it stays so, whoever served it served something false"))]
    Invalid { from: String, error: VerifyError },
    #[error("{from}: {error}")]
    #[diagnostic(help(
        "the policy may be of another epoch of the group, or too few builders have signed yet: fetch the proof again later"
    ))]
    BelowThreshold { from: String, error: VerifyError },
    #[error(
        "{} is none of the artifacts that the group built: it has SHA-256 {found}, and the group's are {}",
        file.display(), artifacts.join(", ")
    )]
    #[diagnostic(help(
        "the evidence itself holds. The file may be altered, or be built in another way: other features, another compiler, stripped, for another system"
    ))]
    Mismatch { file: PathBuf, found: Digest, artifacts: Vec<String> },
    #[error("{from} is about {found}, not about {wanted}")]
    #[diagnostic(help("a proof holds for the one crate and version that it names; ask for the one you mean"))]
    OtherCrate { from: String, wanted: Spec, found: String },
    #[error("this log has forked: {0}")]
    #[diagnostic(help(
        "the proof holds: rely on this log no more before its members explain, and show the proof to everybody who does"
    ))]
    Forked(String),
    #[error("{from}: {error}")]
    #[diagnostic(help("it shows nothing against the log that the policy names; ask whoever made it"))]
    NoFork { from: String, error: ForkError },
}

/// Verifies in the form that the arguments ask for, prints what is shown, and gives the exit code.
///
/// # Errors
/// The reason and its exit code: unreadable input, or a proof that does not hold or is of something else.
pub fn verify(args: &Verify) -> Result<u8, Stop> {
    if let Some((proof, group)) = args.accusation()? {
        return Err(equivocation::accusation(proof, group));
    }
    let trusted = args.policy.trusted()?;
    match args.form()? {
        args::Form::Proof(proof, file) => of_proof(args, proof, file, &trusted.one()?),
        args::Form::Files(files) => files::verify(args, files, &trusted),
        args::Form::Installed => installed::verify(args, &trusted),
    }
}

/// Decides on a proof, and on a file if there is one.
fn of_proof(args: &Verify, path: &Path, file: Option<&Path>, policy: &Policy) -> Result<u8, Stop> {
    let usage = |error| Stop::new(exit::USAGE, error);
    let proof = read::proof(path).map_err(usage)?;
    if proof.starts_with(fork::FIRST_LINE) {
        return Err(forked(&proof, path, policy));
    }
    if proof.starts_with(FIRST_LINE.as_bytes()) {
        return Err(Stop::new(exit::USAGE, equivocation::Refused::NoGroup(path.to_owned())));
    }
    let digest = file.map(read::digest).transpose().map_err(usage)?;
    let compared = file.zip(digest.as_ref());
    let from = path.display().to_string();
    let (verified, checkpoint) = checked(&proof, &from, policy, compared, args.spec.as_ref())?;
    let places = &args.places;
    Trust::open_offline(&places.state, policy)?.map_or(Ok(()), |trust| trust.compare(&checkpoint, policy))?;
    places.max_age().map_or(Ok(()), |most| most.check(verified.vouched_s))?;
    if args.json {
        verbatim!("{}", report::as_json(&verified, policy, compared));
    } else {
        out!("{}", report::in_words(&verified, policy, file));
    }
    Ok(code(&verified))
}

/// What a fork proof comes to: never to success.
fn forked(proof: &[u8], path: &Path, policy: &Policy) -> Stop {
    match decide_fork(proof, policy) {
        Ok(fork) => {
            let told = fork::in_words(&fork, policy);
            Stop::new(exit::INVALID, Refused::Forked(told)).with(fork::as_json(&fork))
        }
        Err(error) => Stop::new(exit::INVALID, Refused::NoFork { from: path.display().to_string(), error }),
    }
}

/// The exit code for a proof that holds.
pub(crate) fn code(verified: &Verified) -> u8 {
    if verified.is_evidence() { exit::OK } else { exit::NO_EVIDENCE }
}

/// The proof (which came `from` somewhere), if it holds under `policy`, is of `file`, and is about `spec`; with the
/// checkpoint that it holds for.
pub(crate) fn checked(
    proof: &[u8],
    from: &str,
    policy: &Policy,
    file: Option<(&Path, &Digest)>,
    spec: Option<&Spec>,
) -> Result<(Verified, SignedNote), Stop> {
    let from = from.to_owned();
    let invalid = |error| Stop::new(exit::INVALID, Refused::Invalid { from: from.clone(), error });
    let verified = decide(proof, policy, file.map(|(_, digest)| digest)).map_err(|error| match error {
        VerifyError::Invalid(_) => invalid(error),
        VerifyError::BelowThreshold { .. } => {
            Stop::new(exit::BELOW_THRESHOLD, Refused::BelowThreshold { from: from.clone(), error })
        }
        VerifyError::Mismatch { file: found, verified } => {
            let file = file.map(|(path, _)| path.to_owned()).unwrap_or_default();
            let artifacts =
                report::built(&verified.entry).iter().map(|a| format!("{} ({})", a.name, a.sha256)).collect();
            Stop::new(exit::MISMATCH, Refused::Mismatch { file, found, artifacts })
        }
    })?;
    match spec {
        Some(spec) if !is_about(&verified.entry.request.source, spec) => {
            let (wanted, found) = (spec.clone(), verified.entry.request.source.purl());
            Err(Stop::new(exit::INVALID, Refused::OtherCrate { from, wanted, found }))
        }
        _ => {
            let proof = Proof::parse(proof).map_err(|error| invalid(Invalid::from(error).into()))?;
            Ok((verified, proof.checkpoint))
        }
    }
}

/// A fixture never passes for a crate of crates.io, though it may have the name of one.
pub(crate) fn is_about(source: &Source, spec: &Spec) -> bool {
    match (source, spec) {
        (Source::Registry { name, version, .. }, Spec::Crate { name: wanted, version: exact }) => {
            name == wanted && exact.as_ref().is_none_or(|exact| exact == version)
        }
        _ => false,
    }
}
