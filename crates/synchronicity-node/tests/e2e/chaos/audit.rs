//! What must hold of a group after the faults, whatever they were.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use synchronicity_node::folder::Folder;
use synchronicity_node::log_reader::LogReader;
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{Entry, Verdict};
use synchronicity_verify::merkle;
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::proof::Proof;

use super::load::Acknowledged;
use crate::verifier;

/// What the program says of a proof that holds, by whether it is evidence.
const EVIDENCE: i32 = 0;
const NO_EVIDENCE: i32 = 41;

/// A check by its name.
pub(crate) type Check = (&'static str, fn(&Findings) -> Result<(), String>);

/// All that is known of a group at the end.
#[derive(Clone)]
pub(crate) struct Findings {
    /// Sizes with roots that any node has told while faults went on.
    pub(crate) told: BTreeSet<(u64, Digest)>,
    /// The entries of each node's published log.
    pub(crate) logs: Vec<Vec<Vec<u8>>>,
    /// The same, read.
    pub(crate) entries: Vec<Entry>,
    pub(crate) acknowledged: Vec<Acknowledged>,
    /// Of the group, not of its log.
    pub(crate) threshold: usize,
    /// A client's folder: the policy, and a proof of each entry by each node.
    pub(crate) client: PathBuf,
    pub(crate) proofs: Vec<PathBuf>,
    pub(crate) urls: Vec<String>,
}

impl Findings {
    pub(crate) const CHECKS: [Check; 5] = [
        ("one root for each size", Findings::one_root),
        ("nothing acknowledged is lost", Findings::nothing_lost),
        ("every verdict has its threshold", Findings::thresholds),
        ("every proof verifies", Findings::proofs_verify),
        ("the monitor finds nothing", Findings::monitored),
    ];

    fn one_root(&self) -> Result<(), String> {
        let leaves: Vec<Digest> = self.logs[0].iter().map(|entry| merkle::leaf_hash(entry)).collect();
        for (node, log) in self.logs.iter().enumerate() {
            require(*log == self.logs[0], || format!("node {node} has another log than the first one"))?;
        }
        for (size, root) in &self.told {
            let prefix = leaves.get(..*size as usize).ok_or_else(|| format!("there was a log of {size} entries"))?;
            require(merkle::root(prefix) == *root, || format!("there was another root {root} of {size} entries"))?;
        }
        Ok(())
    }

    fn nothing_lost(&self) -> Result<(), String> {
        let mut counted = BTreeMap::new();
        for entry in &self.entries {
            *counted.entry((entry.request.id().to_string(), entry.round)).or_insert(0) += 1;
        }
        for Acknowledged { wanted, request, round } in &self.acknowledged {
            let count = counted.get(&(request.clone(), *round)).copied().unwrap_or(0);
            require(count == 1, || {
                format!("{} (round {round}) was acknowledged, and logged {count} times", wanted.spec)
            })?;
        }
        let twice = counted.iter().find(|(_, count)| **count > 1);
        require(twice.is_none(), || format!("one round is logged twice: {twice:?}"))
    }

    /// Recounts without the code that counted.
    fn thresholds(&self) -> Result<(), String> {
        for (index, entry) in self.entries.iter().enumerate() {
            let mut counts: BTreeMap<Digest, usize> = BTreeMap::new();
            for opening in entry.members.iter().filter_map(|member| member.opening) {
                *counts.entry(opening.result).or_default() += 1;
            }
            let most = counts.values().max().copied().unwrap_or(0);
            let agreed = matches!(entry.verdict, Verdict::Reproduced | Verdict::Unbuildable);
            require(agreed == (most >= self.threshold), || {
                format!("entry {index} says {}, and {most} builders agree", entry.verdict)
            })?;
        }
        Ok(())
    }

    fn proofs_verify(&self) -> Result<(), String> {
        let policy = self.client.join("policy");
        require(self.proofs.len() == self.logs.len() * self.logs[0].len(), || "proofs are missing".to_owned())?;
        for path in &self.proofs {
            let code = verifier::verify(path, None, &policy);
            let bytes = fs::read(path).unwrap();
            let proof = Proof::parse(&bytes).map_err(|error| format!("{}: {error}", path.display()))?;
            let entry = Entry::from_bytes(&proof.entry).map_err(|error| format!("{}: {error}", path.display()))?;
            let expected = if entry.verdict == Verdict::Reproduced { EVIDENCE } else { NO_EVIDENCE };
            require(code == expected, || format!("{}: {} and exit code {code}", path.display(), entry.verdict))?;
        }
        Ok(())
    }

    fn monitored(&self) -> Result<(), String> {
        let state = tempfile::tempdir_in(&self.client).unwrap();
        let state = state.path().to_str().unwrap();
        let words = ["monitor", "--policy", "policy", "--once", "--json", "--state", state];
        let words: Vec<&str> = words.into_iter().chain(self.urls.iter().map(String::as_str)).collect();
        let output = verifier::run(&self.client, &words);
        let said = String::from_utf8_lossy(&output.stdout);
        let pass: Value = said.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
        let size = self.logs[0].len();
        let well = output.status.code() == Some(0)
            && (&pass["good"], &pass["size"], &pass["alarms"]) == (&self.urls.len().into(), &size.into(), &0.into());
        let alarm = said.lines().find(|line| line.contains(r#""event":"alarm""#)).unwrap_or_default();
        require(well, || format!("it says {alarm}\n{said}{}", String::from_utf8_lossy(&output.stderr)))
    }
}

/// The entries that the node in `home` publishes.
pub(crate) fn published(home: &Path) -> Vec<Vec<u8>> {
    let folder = Folder::at(home).log();
    let note = SignedNote::parse(&fs::read(folder.join("checkpoint")).unwrap()).unwrap();
    let checkpoint: Checkpoint = note.text.parse().unwrap();
    let reader = LogReader::new(&folder);
    (0..checkpoint.size).map(|index| reader.entry(checkpoint.size, index).unwrap().unwrap()).collect()
}

fn require(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
