//! What the group publishes is what a client accepts: judged by the real verifier.

use synchronicity_verify::digest::Digest;
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::merkle;
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::proof::Proof;
use synchronicity_verify::replay::Replay;
use synchronicity_verify::succession::{Succession, succeed};
use synchronicity_verify::verify::verify;

use super::require;
use crate::world::{Published, World};

/// The entries and checkpoints that were judged.
#[derive(Default)]
pub(super) struct Seen {
    replay: Replay,
    published: usize,
}

/// Every entry names the group, and the log holds when it is replayed as whoever distrusts the quorum does.
pub(super) fn invariant_every_entry_reads(world: &World, seen: &mut Seen) -> Result<(), String> {
    let mut index = seen.replay.size();
    while let Some(leaf) = world.leaf(index) {
        let shown = leaf.map_err(|error| format!("entry {index}: {error}"))?;
        seen.replay.append(&shown.to_bytes()).map_err(|error| format!("entry {index}: {error}"))?;
        // The replay knows which group follows which; the first is the founders'.
        let (group, epoch) = match &shown {
            Leaf::Build(entry) => (entry.group, entry.epoch),
            Leaf::Membership(entry) => (entry.group, entry.epoch),
        };
        let founders = world.founding.group.id();
        require(epoch > 0 || group == founders, || format!("entry {index} is of another group"))?;
        index += 1;
    }
    Ok(())
}

/// As soon as a checkpoint has its quorum, a proof under it convinces a client who has the group's policy, and does
/// not convince the client of any other file.
pub(super) fn invariant_published_entries_verify(world: &World, seen: &mut Seen) -> Result<(), String> {
    while let Some(published) = world.published.get(seen.published) {
        seen.published += 1;
        // The newest entry, and one from the middle of the tree.
        for index in [published.size - 1, published.size / 2] {
            proves(world, published, index.min(published.size - 1))?;
        }
    }
    Ok(())
}

fn proves(world: &World, published: &Published, index: u64) -> Result<(), String> {
    let what = |problem: String| format!("the proof of entry {index} under size {}: {problem}", published.size);
    let leaves: Vec<Digest> = world.entries.iter().map(|entry| merkle::leaf_hash(entry)).collect();
    let path = merkle::inclusion_proof(&leaves, published.size, index).map_err(|error| what(error.to_string()))?;
    let entry = world.entries.get(index as usize).cloned().ok_or_else(|| what("there is no such entry".into()))?;
    // Through its text, as a server sends it and a client reads it.
    let note = published.note.to_string();
    let checkpoint = SignedNote::parse(note.as_bytes()).map_err(|error| what(error.to_string()))?;
    let proof = Proof { entry, index, path, checkpoint };
    let policy = &world.founding.policy;
    if let Some(Ok(Leaf::Membership(_))) = world.leaf(index) {
        // Whoever is absent has the same keys: the next policy is the one before.
        let succession = Succession { steps: vec![proof] }.to_string();
        let next = succeed(policy, succession.as_bytes());
        // The end of an epoch counts where its members signed it as the last entry; a later log leads nobody back to them.
        if index + 1 < published.size {
            return require(next.is_err(), || what("a change that others stand behind leads on".into()));
        }
        let next = next.map_err(|error| what(error.to_string()))?;
        return require(next.policy == *policy, || what("it leads to another policy".into()));
    }
    let proof = proof.to_string();
    let verified = verify(proof.as_bytes(), policy, None).map_err(|error| what(error.to_string()))?;
    require(verified.cosigners.len() == world.founding.group.quorum(), || what("cosigners were not counted".into()))?;
    if !verified.is_evidence() {
        return Ok(());
    }
    let artifacts = verified.entry.agreed.as_ref().and_then(|result| result.artifacts());
    let artifact = artifacts.and_then(|artifacts| artifacts.iter().next()).ok_or_else(|| what("no artifact".into()))?;
    verify(proof.as_bytes(), policy, Some(&artifact.sha256)).map_err(|error| what(error.to_string()))?;
    let other = Digest::of(b"a file that nobody built");
    require(verify(proof.as_bytes(), policy, Some(&other)).is_err(), || what("another file passes too".into()))
}
