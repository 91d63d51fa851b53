//! What is to be explained, out of the folded state alone: this node's own result against that of the largest other camp.

use std::collections::BTreeMap;

use synchronicity_core::group::Group;
use synchronicity_core::round::{Phase, Round};
use synchronicity_explain::facts::{Circumstances, Facts};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::Verdict;
use synchronicity_verify::identity::{BuilderId, RequestId};
use synchronicity_verify::result::{Artifact, Artifacts};
use thiserror::Error;

use crate::builds::Key;
use crate::state::Folded;

/// The most crates of a tree that are remembered.
const PACKAGES_MAX: usize = 10_000;

/// A diverged round as this node will explain it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The request and its round.
    pub key: Key,
    /// What was built.
    pub purl: String,
    /// Index of the entry.
    pub index: u64,
    /// What this node revealed.
    pub own: Artifacts,
    /// What the others revealed.
    pub other: Artifacts,
    /// Who those are: places in the group.
    pub camp: Vec<usize>,
    /// What is known of the builds.
    pub facts: Facts,
}

/// Why there is nothing to explain on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoPlan {
    /// Never asked for.
    #[error("this group was never asked for this request")]
    Unknown,
    /// No verdict yet.
    #[error("the round is still open")]
    Open,
    /// Another verdict.
    #[error("the latest round of this request did not end diverged: there is nothing to explain")]
    NotDiverged,
    /// This node has nothing to compare.
    #[error("this node revealed no artifacts in that round: ask one that did")]
    NoOwn,
    /// Nobody else has.
    #[error("no other builder revealed artifacts in that round: there is nothing to compare with")]
    NoOther,
}

/// What this node, which is `me`, explains of a request.
///
/// # Errors
/// [`NoPlan`].
pub fn plan(folded: &Folded, group: &Group, me: &BuilderId, request: &RequestId) -> Result<Plan, NoPlan> {
    let round = folded.machine.round(request).ok_or(NoPlan::Unknown)?;
    let index = match round.phase() {
        Phase::Concluded { index, verdict: Verdict::Diverged } => index,
        Phase::Concluded { .. } => return Err(NoPlan::NotDiverged),
        _ => return Err(NoPlan::Open),
    };
    let own = round.result(me).and_then(|result| result.artifacts()).ok_or(NoPlan::NoOwn)?;
    let (other, camp) = largest_other_camp(round, group, own).ok_or(NoPlan::NoOther)?;
    Ok(Plan {
        key: (*request, round.number()),
        purl: round.request().source.purl(),
        index,
        own: own.clone(),
        other: other.clone(),
        camp,
        facts: facts(folded, group, request, index),
    })
}

/// Of two camps of one size, the one whose result has the smaller digest: every member of this one's camp picks the same.
fn largest_other_camp<'a>(round: &'a Round, group: &Group, own: &Artifacts) -> Option<(&'a Artifacts, Vec<usize>)> {
    let mut camps: BTreeMap<Digest, (&Artifacts, Vec<usize>)> = BTreeMap::new();
    for (place, member) in group.members().iter().enumerate() {
        let Some(result) = round.result(&member.command) else { continue };
        if let Some(artifacts) = result.artifacts().filter(|artifacts| *artifacts != own) {
            camps.entry(result.digest()).or_insert_with(|| (artifacts, Vec::new())).1.push(place);
        }
    }
    // The first of the largest ones.
    camps.into_values().rev().max_by_key(|(_, camp)| camp.len())
}

fn facts(folded: &Folded, group: &Group, request: &RequestId, index: u64) -> Facts {
    let round = folded.machine.round(request);
    let source = round.map(|round| &round.request().source);
    // Both builds were within the round, whose length is bounded. A round that another process saw end has no known time.
    let until = folded.concluded.get(&index).and_then(|since| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
        now.checked_sub(since.elapsed()).map(|time| time.as_secs())
    });
    let length_s = (group.commit_window_ms() + group.reveal_window_ms()) / 1000;
    let circumstances = Circumstances {
        from: until.map(|until| until.saturating_sub(length_s)),
        until,
        env: round.map(|round| round.request().env.clone()).unwrap_or_default(),
        ..Circumstances::default()
    };
    Facts {
        first: circumstances.clone(),
        second: circumstances,
        own: source.map(|source| format!("{} {}", source.name(), source.version())),
        ..Facts::default()
    }
}

/// Two lists of artifacts, sorted into what is to be done with each name.
#[derive(Debug, Default)]
pub struct Sorted<'a> {
    /// Of both, with other bytes: own and other.
    pub differ: Vec<(&'a Artifact, &'a Artifact)>,
    /// How many are the same.
    pub same: usize,
    /// Names that only this node has.
    pub only_own: Vec<String>,
    /// Names that only the others have.
    pub only_other: Vec<String>,
}

/// Pairs artifacts by name.
pub fn sort<'a>(own: &'a Artifacts, other: &'a Artifacts) -> Sorted<'a> {
    let mut rest: BTreeMap<&str, &Artifact> = other.iter().map(|one| (one.name.as_str(), one)).collect();
    let mut sorted = Sorted::default();
    for one in own {
        match rest.remove(one.name.as_str()) {
            None => sorted.only_own.push(printable(one.name.as_str())),
            Some(theirs) if theirs.sha256 == one.sha256 => sorted.same += 1,
            Some(theirs) => sorted.differ.push((one, theirs)),
        }
    }
    sorted.only_other.extend(rest.into_keys().map(printable));
    sorted
}

/// The crates that a build compiled, each as `name version`, as far as its transcript tells: the lock is forgotten with the
/// verdict.
pub fn compiled(transcript: &str) -> Vec<String> {
    let words = transcript.lines().filter_map(|line| line.trim_start().strip_prefix("Compiling ")?.split_once(' '));
    let packages = words.filter_map(|(name, rest)| {
        let version = rest.split(' ').next()?.strip_prefix('v')?;
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte));
        (is_plain(name) && is_plain(version)).then(|| format!("{name} {version}"))
    });
    packages.take(PACKAGES_MAX).collect()
}

/// As everything in an explanation is: printable ASCII.
pub fn printable(name: &str) -> String {
    name.escape_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_tells_which_crates_were_compiled() {
        let transcript = "   Compiling libc v0.2.150\nwarning: Compiling x v1\n   Compiling own v0.1.0 (/opt/rustwide/workdir)\n\
                          Compiling \u{1b}[0m v1.0.0\n   Compiling nothing\n    Finished";
        assert_eq!(compiled(transcript), ["libc 0.2.150", "own 0.1.0"]);
    }
}
