//! The files that a person hands in: proof, policy, and the file to compare.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use sha2::{Digest as _, Sha256};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::policy::{POLICY_BYTES_MAX, Policy, PolicyError};

/// The largest proof read, in bytes: entry, path and 64 signatures stay far below.
pub(crate) const PROOF_BYTES_MAX: u64 = 1 << 20;

/// Why a file could not be used. Nothing was decided.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum ReadError {
    #[error("cannot read {}: {error}", path.display())]
    #[diagnostic(help("see that it is there, and that you may read it"))]
    File { path: PathBuf, error: io::Error },
    #[error("{} is larger than {limit} bytes, so it is no {kind}", path.display())]
    #[diagnostic(help("see that it is the file that you mean"))]
    TooLarge { path: PathBuf, limit: u64, kind: &'static str },
    #[error("{} is no policy: {error}", path.display())]
    #[diagnostic(help(
        "a policy names a `log`, has a `witness` line for each builder, and a `quorum`; get it from whom you trust, not from the node that serves proofs"
    ))]
    Policy { path: PathBuf, error: PolicyError },
}

pub(crate) fn policy(path: &Path) -> Result<Policy, ReadError> {
    parsed(path, &bounded(path, POLICY_BYTES_MAX as u64, "policy")?)
}

/// The policy that `bytes` are, which were read from `path`.
pub(crate) fn parsed(path: &Path, bytes: &[u8]) -> Result<Policy, ReadError> {
    Policy::parse(bytes).map_err(|error| ReadError::Policy { path: path.to_owned(), error })
}

pub(crate) fn proof(path: &Path) -> Result<Vec<u8>, ReadError> {
    bounded(path, PROOF_BYTES_MAX, "proof")
}

/// Whether a file that may be missing has to be read. A link that leads nowhere, and what may not be looked at, are not
/// missing: reading them says what is wrong.
pub(crate) fn is_there(path: &Path) -> bool {
    !path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// SHA-256 of a file of any size.
pub(crate) fn digest(path: &Path) -> Result<Digest, ReadError> {
    let failed = |error| ReadError::File { path: path.to_owned(), error };
    let mut file = File::open(path).map_err(failed)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 64 << 10]);
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(Digest(hash.finalize().into())),
            count => hash.update(&buffer[..count]),
        }
    }
}

/// A file of at most `limit` bytes.
pub(crate) fn bounded(path: &Path, limit: u64, kind: &'static str) -> Result<Vec<u8>, ReadError> {
    let failed = |error| ReadError::File { path: path.to_owned(), error };
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(ReadError::TooLarge { path: path.to_owned(), limit, kind });
    }
    Ok(bytes)
}
