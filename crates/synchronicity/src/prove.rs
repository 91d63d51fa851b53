//! `prove`: fetches a proof from a node, and keeps it only if it holds.

use std::io;
use std::path::PathBuf;

use miette::Diagnostic;
use synchronicity_rebuild::spec::Spec;
use synchronicity_verify::proof::Proof;
use synchronicity_verify::request::{CrateName, CrateVersion};

use crate::cli::Prove;
use crate::exit::{self, Stop};
use crate::outside::completed;
use crate::source::SourceError;
use crate::trust::Trust;
use crate::verify::{checked, code};
use crate::{durable, read, report, user_settings};

/// Why there is no proof to look at.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum ProveError {
    #[error("{0} does not say which version; a proof is for one exactly")]
    #[diagnostic(help("write it as NAME@VERSION, as in hexyl@0.17.0"))]
    NoVersion(Spec),
    #[error("{node} has no proof for {name} {version}")]
    #[diagnostic(help(
        "absence is no evidence against the crate: its group has not rebuilt it, has not agreed on it, or has not published the proof yet; a member's operator can submit it"
    ))]
    Absent { node: String, name: CrateName, version: CrateVersion },
    #[error("the proof cannot be fetched: {0}")]
    #[diagnostic(help("ask another node of the group: every node publishes the same log"))]
    Fetch(SourceError),
    #[error("the proof holds, and cannot be kept as {}: {error}", path.display())]
    #[diagnostic(help("choose another place with --out"))]
    Keep { path: PathBuf, error: io::Error },
}

/// Fetches, verifies, keeps, tells.
pub(crate) fn prove(args: &Prove) -> Result<u8, Stop> {
    let policy = args.policy.one()?;
    let Spec::Crate { name, version: Some(version) } = &args.spec else {
        return Err(Stop::new(exit::USAGE, ProveError::NoVersion(args.spec.clone())));
    };
    let file = format!("proof/{name}/{version}");
    let read = || args.node.read(&file, read::PROOF_BYTES_MAX);
    let parse = |bytes: &[u8]| Proof::parse(bytes).ok();
    let fetched = completed((&args.node, &policy), read, parse, |proof| &mut proof.checkpoint);
    let proof = fetched.map_err(|error| match error {
        SourceError::Absent(_) => {
            let (node, name, version) = (args.node.to_string(), name.clone(), version.clone());
            Stop::new(exit::NO_EVIDENCE, ProveError::Absent { node, name, version })
        }
        error => Stop::new(error.code(), ProveError::Fetch(error)),
    })?;
    let (verified, checkpoint) = checked(&proof, &args.node.place(&file), &policy, None, Some(&args.spec))?;
    args.max_age.or(user_settings::kept().max_age).map_or(Ok(()), |most| most.check(verified.vouched_s))?;
    Trust::open(&args.state, &policy)?.accept(&checkpoint, &policy, &args.node)?;
    let path = args.out.clone().unwrap_or_else(|| format!("{name}-{version}.tlog-proof").into());
    durable::replace(&path, &proof, 0o644)
        .map_err(|error| Stop::new(exit::INTERNAL, ProveError::Keep { path: path.clone(), error }))?;
    if args.json {
        let mut told = report::as_json(&verified, &policy, None);
        told["proof"] = path.display().to_string().into();
        verbatim!("{told}");
    } else {
        out!("{}", report::in_words(&verified, &policy, None));
        outln!("  {:<25}{}", "kept as", path.display());
    }
    Ok(code(&verified))
}
