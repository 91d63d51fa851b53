//! `prove`: fetches a proof from a node, and keeps it only if it holds.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use synchronicity_rebuild::download::{DownloadError, Downloader};
use synchronicity_rebuild::spec::Spec;
use synchronicity_verify::request::{CrateName, CrateVersion};

use crate::cli::Prove;
use crate::exit::{self, Stop};
use crate::verify::{checked, code};
use crate::{read, report};

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
    Download(DownloadError),
    #[error("the proof holds, and cannot be kept as {}: {error}", path.display())]
    Keep { path: PathBuf, error: io::Error },
}

/// Fetches, verifies, keeps, tells.
pub(crate) fn prove(args: &Prove) -> Result<u8, Stop> {
    let policy = read::policy(&args.policy).map_err(|error| Stop::new(exit::USAGE, error))?;
    let Spec::Crate { name, version: Some(version) } = &args.spec else {
        return Err(Stop::new(exit::USAGE, ProveError::NoVersion(args.spec.clone())));
    };
    let node = args.node.trim_end_matches('/');
    let url = format!("{node}/proof/{name}/{version}");
    let proof = Downloader::default().get(&url, read::PROOF_BYTES_MAX).map_err(|error| match error {
        DownloadError::Absent { .. } => {
            let (node, name, version) = (node.to_owned(), name.clone(), version.clone());
            Stop::new(exit::NO_EVIDENCE, ProveError::Absent { node, name, version })
        }
        DownloadError::TooLarge { .. } => Stop::new(exit::INVALID, ProveError::Download(error)),
        error => Stop::new(exit::TRY_LATER, ProveError::Download(error)),
    })?;
    let verified = checked(&proof, &url, &policy, None, Some(&args.spec))?;
    let path = args.out.clone().unwrap_or_else(|| format!("{name}-{version}.tlog-proof").into());
    keep(&path, &proof).map_err(|error| Stop::new(exit::INTERNAL, ProveError::Keep { path: path.clone(), error }))?;
    if args.json {
        let mut told = report::as_json(&verified, &policy, None);
        told["proof"] = path.display().to_string().into();
        println!("{told}");
    } else {
        print!("{}", report::in_words(&verified, &policy, None));
        println!("  {:<25}{}", "kept as", path.display());
    }
    Ok(code(&verified))
}

/// Whole at its place or not there: a cut-off proof would look like a forged one.
fn keep(path: &Path, proof: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(proof)?;
    file.as_file().sync_all()?;
    // Temporary files are private; a proof is for everybody.
    file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
