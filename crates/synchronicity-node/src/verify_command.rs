//! `verify`: decides offline whether a proof holds under a policy, and whether a file is what it proves. It calls the
//! same function as the client's `verify`; whoever runs a node need not install the client for it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::policy::{Policy, PolicyError};
use synchronicity_verify::verify::{Verified, VerifyError, verify};
use thiserror::Error;

use crate::exit::{self, Stop};

/// The proof does not hold.
pub const INVALID: u8 = 40;
/// The proof holds and says that there is no evidence: the builders did not agree on artifacts.
pub const NO_EVIDENCE: u8 = 41;
/// The proof holds and is evidence, of other bytes than the file has.
pub const MISMATCH: u8 = 42;
/// Too few of the builders that the policy trusts have signed.
pub const BELOW_THRESHOLD: u8 = 43;

/// `verify`
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Args {
    /// The proof file, NAME-VERSION.tlog-proof
    proof: PathBuf,
    /// A file that should be one of the reproduced artifacts
    file: Option<PathBuf>,
    /// The policy file: whose log, which builders, how many of them
    #[arg(long, value_name = "FILE", env = "SYNCHRONICITY_POLICY")]
    policy: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Exit codes: 0 evidence, and the file is what it proves; 40 the proof does not hold; 41 it holds and is no evidence
(diverged, unbuildable, inconclusive); 42 the file is none of the artifacts; 43 too few signatures; 2 usage.";

/// Largest proof file that is read, in bytes: an entry, a path and 64 signatures are far below.
const PROOF_BYTES_MAX: u64 = 1 << 20;

/// Why nothing could be decided.
#[derive(Debug, Error, Diagnostic)]
enum InputError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is no policy", path.display())]
    #[diagnostic(help(
        "a policy has a `log`, a `witness` line for each builder, and a `quorum`; ask whoever runs the group for it"
    ))]
    Policy { path: PathBuf, source: PolicyError },
}

/// Why what was read is not accepted.
#[derive(Debug, Error, Diagnostic)]
#[error("not verified by {}", proof.display())]
struct Refused {
    proof: PathBuf,
    source: VerifyError,
}

/// Verifies, tells what the proof shows, and gives the exit code.
///
/// # Errors
/// The code and the reason: [`INVALID`], [`MISMATCH`], [`BELOW_THRESHOLD`], or [`exit::USAGE`] for unreadable input.
pub fn main(args: &Args) -> Result<u8, Stop> {
    let (proof, policy, digest) = read(args).map_err(|error| Stop::new(exit::USAGE, error))?;
    let verified = verify(&proof, &policy, digest.as_ref()).map_err(|source| {
        let code = match &source {
            VerifyError::Invalid(_) => INVALID,
            VerifyError::BelowThreshold { .. } => BELOW_THRESHOLD,
            VerifyError::Mismatch { .. } => MISMATCH,
        };
        Stop::new(code, Refused { proof: args.proof.clone(), source })
    })?;
    if args.json {
        println!("{}", as_json(&verified, digest.as_ref()));
    } else {
        println!("{}", in_words(&verified, args.file.as_deref()));
    }
    Ok(if verified.is_evidence() { exit::OK } else { NO_EVIDENCE })
}

fn read(args: &Args) -> Result<(Vec<u8>, Policy, Option<Digest>), InputError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| InputError::Read { path, source }
    };
    let mut proof = Vec::new();
    let opened = File::open(&args.proof).map_err(failed(&args.proof))?;
    opened.take(PROOF_BYTES_MAX).read_to_end(&mut proof).map_err(failed(&args.proof))?;
    let text = fs::read(&args.policy).map_err(failed(&args.policy))?;
    let policy = Policy::parse(&text).map_err(|source| InputError::Policy { path: args.policy.clone(), source })?;
    let digest = args.file.as_ref().map(|file| hash(file).map_err(failed(file))).transpose()?;
    Ok((proof, policy, digest))
}

/// Hashes as it reads: artifacts can be larger than memory.
fn hash(file: &Path) -> io::Result<Digest> {
    let mut opened = File::open(file)?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match opened.read(&mut buffer)? {
            0 => return Ok(Digest(hasher.finalize().into())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

fn in_words(verified: &Verified, file: Option<&Path>) -> String {
    let entry = &verified.entry;
    let (agreed, members) = (entry.agreeing().count(), entry.members.len());
    let mut text = format!(
        "{}: {}, {agreed} of {members} builders agree, threshold {}\n",
        entry.request.source.purl(),
        entry.verdict.as_str(),
        entry.threshold
    );
    for artifact in entry.agreed.iter().filter_map(|result| result.artifacts()).flat_map(|artifacts| artifacts.iter()) {
        text += &format!("  {}  {} bytes  sha256 {}\n", artifact.name, artifact.size, artifact.sha256);
    }
    let cosigners: Vec<&str> = verified.cosigners.iter().map(|cosigner| cosigner.name.as_str()).collect();
    text +=
        &format!("  entry {} of a log of size {}, signed by {}", verified.index, verified.size, cosigners.join(", "));
    match (&verified.file, file) {
        (Some(name), Some(file)) => text += &format!("\n{} is the reproduced artifact {name}", file.display()),
        _ if !verified.is_evidence() => text += "\nThe proof holds, and what it says is: no evidence of a rebuild.",
        _ => {}
    }
    text
}

fn as_json(verified: &Verified, file: Option<&Digest>) -> serde_json::Value {
    let entry = &verified.entry;
    let artifacts = entry.agreed.iter().filter_map(|result| result.artifacts()).flat_map(|artifacts| artifacts.iter());
    let artifact = |artifact: &synchronicity_verify::result::Artifact| json!({ "name": artifact.name.as_str(), "size": artifact.size, "sha256": artifact.sha256.to_string() });
    json!({
        "purl": entry.request.source.purl(),
        "verdict": entry.verdict.as_str(),
        "evidence": verified.is_evidence(),
        "threshold": entry.threshold,
        "artifacts": artifacts.map(artifact).collect::<Vec<_>>(),
        "index": verified.index,
        "log_size": verified.size,
        "cosigners": verified.cosigners.iter().map(|cosigner| &cosigner.name).collect::<Vec<_>>(),
        "file": file.map(|digest| json!({ "sha256": digest.to_string(), "artifact": verified.file.as_ref().map(|n| n.as_str()) })),
    })
}
