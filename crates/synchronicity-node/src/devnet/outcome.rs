//! Writes what a concluded request leaves behind: proof, policy, artifacts, transcripts of what did not agree.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use synchronicity_core::group::Group;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::policy::{Policy, PolicyError};
use synchronicity_verify::result::{Artifact, BuildResult};
use synchronicity_verify::verify::{Verified, VerifyError, verify};

use super::children::{Children, Node};
use super::event::Event;
use super::watch::Watch;

const POLICY: &str = "policy.txt";

/// A proof as a node gave it, found good against the policy of the group file that devnet wrote.
pub(super) struct Evidence {
    proof: Vec<u8>,
    pub(super) verified: Verified,
}

/// The files of one crate.
pub(super) struct Written {
    pub(super) folder: PathBuf,
    pub(super) proof: PathBuf,
    pub(super) policy: PathBuf,
    /// Checked against the hashes of the entry.
    pub(super) artifacts: Vec<PathBuf>,
    pub(super) transcripts: Vec<PathBuf>,
}

impl Written {
    /// The files, as paths inside the folder.
    pub(super) fn told(&self, name_version: &str) -> Event {
        let all = [&self.proof, &self.policy].into_iter().chain(&self.artifacts).chain(&self.transcripts);
        let inside = |path: &PathBuf| path.strip_prefix(&self.folder).unwrap_or(path).display().to_string();
        Event::Written {
            name_version: name_version.to_owned(),
            folder: self.folder.clone(),
            files: all.map(inside).collect(),
        }
    }
}

/// Why results cannot be had or kept.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(super) enum OutcomeError {
    #[error("the group's own policy is not one")]
    Policy(#[from] PolicyError),
    #[error("the proof of {name_version} from {node} does not verify")]
    Proof { name_version: String, node: String, source: VerifyError },
    #[error("no node gave the proof of {name_version} (entry {index})")]
    #[diagnostic(help("the traces of the nodes say why; --keep leaves the group running for a look"))]
    NoProof { name_version: String, index: u64 },
    #[error("no node gave the artifact {name} with SHA-256 {sha256}, which {agreeing} of them reported")]
    NoArtifact { name: String, sha256: Digest, agreeing: usize },
    #[error("cannot write {}", path.display())]
    #[diagnostic(help("check the rights of the folder and the free space"))]
    Write { path: PathBuf, source: io::Error },
}

impl Evidence {
    /// The proof of entry `index` from the first node that has it, if one has.
    pub(super) fn gather(
        index: u64,
        name_version: &str,
        group: &Group,
        watch: &Watch,
        children: &Children,
    ) -> Result<Option<Self>, OutcomeError> {
        let policy = Policy::parse(group.policy_text(None)?.as_bytes())?;
        for node in &children.nodes {
            let Ok(proof) = watch.get(node, &format!("/proof/index/{index}")) else { continue };
            let verified = verify(&proof, &policy, None).map_err(|source| OutcomeError::Proof {
                name_version: name_version.to_owned(),
                node: node.name.clone(),
                source,
            })?;
            return Ok(Some(Self { proof, verified }));
        }
        Ok(None)
    }

    /// Writes everything into `folder`, which must be empty.
    pub(super) fn write(
        &self,
        folder: PathBuf,
        name_version: &str,
        group: &Group,
        watch: &Watch,
        children: &Children,
    ) -> Result<Written, OutcomeError> {
        let proof = folder.join(format!("{name_version}.tlog-proof"));
        write(&proof, &self.proof)?;
        let policy = folder.join(POLICY);
        write(&policy, group.policy_text(None)?.as_bytes())?;
        let artifacts = self.write_artifacts(&folder, watch, children)?;
        let transcripts = self.write_transcripts(&folder, watch, children)?;
        Ok(Written { folder, proof, policy, artifacts, transcripts })
    }

    fn write_artifacts(&self, folder: &Path, watch: &Watch, children: &Children) -> Result<Vec<PathBuf>, OutcomeError> {
        let entry = &self.verified.entry;
        let Some(BuildResult::Built(artifacts)) = &entry.agreed else { return Ok(Vec::new()) };
        // A folder of their own: an artifact may have any name, also that of the policy file.
        let folder = folder.join("artifacts");
        fs::create_dir(&folder).map_err(|source| OutcomeError::Write { path: folder.clone(), source })?;
        let mut written = Vec::new();
        for artifact in artifacts.iter() {
            let bytes = fetch(artifact, watch, children).ok_or_else(|| OutcomeError::NoArtifact {
                name: artifact.name.to_string(),
                sha256: artifact.sha256,
                agreeing: entry.agreeing().count(),
            })?;
            let path = folder.join(artifact.name.as_str());
            write(&path, &bytes)?;
            if entry.request.products.executable() {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
                    .map_err(|source| OutcomeError::Write { path: path.clone(), source })?;
            }
            written.push(path);
        }
        Ok(written)
    }

    /// The transcripts of a crate on which nobody can build, one from each node that has it.
    fn write_transcripts(
        &self,
        folder: &Path,
        watch: &Watch,
        children: &Children,
    ) -> Result<Vec<PathBuf>, OutcomeError> {
        if self.verified.is_evidence() {
            return Ok(Vec::new());
        }
        let request = self.verified.entry.request.id();
        let mut written = Vec::new();
        for node in &children.nodes {
            let Ok(transcript) = watch.get(node, &format!("/transcripts/{request}/{}", node.name)) else { continue };
            let path = folder.join(format!("transcript-{}.txt", node.name));
            write(&path, &transcript)?;
            written.push(path);
        }
        Ok(written)
    }
}

/// The bytes that hash to what the entry says, from whichever node has them.
fn fetch(artifact: &Artifact, watch: &Watch, children: &Children) -> Option<Vec<u8>> {
    let path = format!("/artifacts/{}", artifact.sha256);
    let from = |node: &Node| watch.get(node, &path).ok().filter(|bytes| Digest::of(bytes) == artifact.sha256);
    children.nodes.iter().find_map(from)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), OutcomeError> {
    fs::write(path, bytes).map_err(|source| OutcomeError::Write { path: path.to_owned(), source })
}
