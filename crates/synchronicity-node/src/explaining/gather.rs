//! The files of an explanation: this node's out of its store, the others' from their builders.

use std::fs;
use std::io;
use std::path::Path;

use synchronicity_core::group::Group;
use synchronicity_verify::result::Artifact;

use super::plan::{Camp, Plan, printable, sort};
use crate::artifact_store::ArtifactStore;
use crate::exchange::{ARTIFACT_BYTES_MAX, Exchange};

/// What all artifacts of one explanation may have together, on each side, in bytes.
const EXPLAINED_BYTES_MAX: u64 = 256 << 20;

/// Names of the two folders.
pub(super) const FIRST: &str = "first";
/// The second one.
pub(super) const SECOND: &str = "second";

/// What lies in the two folders now, and what does not.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Pairs of files.
    pub(super) pairs: usize,
    /// Members who gave something: places in the group.
    pub(super) givers: Vec<usize>,
    /// What was left out for good, and why.
    pub(super) skipped: Vec<String>,
    /// What could not be had now, and why.
    pub(super) missing: Vec<String>,
}

/// Fills `folder`, which must be new, with a pair of files for each artifact that differs.
///
/// # Errors
/// What the operating system said about the folder.
pub(super) async fn gather(
    (plan, camp): (&Plan, &Camp),
    group: &Group,
    store: &ArtifactStore,
    exchange: &Exchange,
    folder: &Path,
) -> io::Result<Gathered> {
    let (first, second) = (folder.join(FIRST), folder.join(SECOND));
    fs::create_dir_all(&first)?;
    fs::create_dir_all(&second)?;
    let (mut gathered, mut left) = (Gathered::default(), EXPLAINED_BYTES_MAX);
    // Whoever was silent or lied once is not waited for again. All who ask do so at once, so each begins elsewhere.
    let mut givers = camp.places.clone();
    let begin = plan.place % givers.len().max(1);
    givers.rotate_left(begin);
    for (own, other) in sort(&plan.own, &camp.artifacts).differ {
        let name = own.name.as_str();
        let bytes = own.size.max(other.size);
        if bytes > ARTIFACT_BYTES_MAX || bytes > left {
            let most = ARTIFACT_BYTES_MAX.min(left);
            gathered.skipped.push(format!("{}: {bytes} bytes, and at most {most} are exchanged", printable(name)));
            continue;
        }
        if let Err(error) = store.export(&own.sha256, &first.join(name)).await {
            // Without its counterpart it would look like an artifact that only this node has.
            let _ = fs::remove_file(first.join(name));
            let why = match error.kind() {
                // A liar's, or one that retention has removed.
                io::ErrorKind::NotFound => "this node does not have the artifact that it revealed".to_owned(),
                io::ErrorKind::InvalidData => "this node's copy is damaged".to_owned(),
                _ => format!("this node's copy cannot be read: {error}"),
            };
            gathered.missing.push(format!("{}: {why}", printable(name)));
            continue;
        }
        let path = second.join(name);
        match from_camp(&mut givers, group, other, exchange, &path).await {
            Ok(giver) => {
                left -= bytes;
                gathered.pairs += 1;
                if !gathered.givers.contains(&giver) {
                    gathered.givers.push(giver);
                }
            }
            Err(why) => {
                fs::remove_file(first.join(name))?;
                gathered.missing.push(format!("{}: {why}", printable(name)));
            }
        }
    }
    Ok(gathered)
}

/// Fetches from the first member of the camp who gives the right bytes; takes the others off it.
async fn from_camp(
    camp: &mut Vec<usize>,
    group: &Group,
    artifact: &Artifact,
    exchange: &Exchange,
    to: &Path,
) -> Result<usize, String> {
    let mut reasons = Vec::new();
    while let Some(giver) = camp.first().copied() {
        match exchange.fetch(giver, artifact, to).await {
            Ok(()) => return Ok(giver),
            Err(error) => {
                let name = group.members().get(giver).map_or("?", |member| member.name.as_str());
                tracing::info!(from = name, sha256 = %artifact.sha256, %error, "an artifact was not had");
                reasons.push(format!("{name} {error}"));
                camp.remove(0);
                // What of it came is no use.
                let _ = fs::remove_file(to);
            }
        }
    }
    let reasons = if reasons.is_empty() { "nobody is left to give it".to_owned() } else { reasons.join("; ") };
    Err(reasons)
}
