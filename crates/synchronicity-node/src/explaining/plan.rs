//! What is to be explained, out of the folded state alone: this node's own result against that of the largest other camp, or
//! of another one if that camp gives nothing.

use std::cmp::Reverse;
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
use crate::exchange::ARTIFACT_BYTES_MAX;
use crate::state::Folded;

/// The most crates of a tree that are remembered.
const PACKAGES_MAX: usize = 10_000;

/// So many attempts are for the largest other camp; and from the last of them on, what could be had is explained without the
/// rest. After them each attempt is for the next camp.
pub(super) const PATIENT_ATTEMPTS: u32 = 3;

/// After so many attempts, and one for each camp, it stays unexplained: with their pauses that is half a day, and whoever is
/// away for that long may have lost the artifacts too. What waits keeps artifacts in the store.
const ATTEMPTS_MAX: u32 = 24;

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
    /// This node's place in the group.
    pub place: usize,
    /// What others revealed, the largest camp first. Never empty.
    pub camps: Vec<Camp>,
    /// What is known of the builds.
    pub facts: Facts,
}

/// Builders who revealed the same.
#[derive(Clone, Debug)]
pub struct Camp {
    /// What they revealed.
    pub artifacts: Artifacts,
    /// Who they are: places in the group, ascending.
    pub places: Vec<usize>,
}

impl Plan {
    /// Whom this attempt, counted from 1, compares with: a camp that lies and gives nothing must not be in the way for ever.
    pub fn camp(&self, attempt: u32) -> &Camp {
        let turn = usize::try_from(attempt.saturating_sub(PATIENT_ATTEMPTS)).unwrap_or(0);
        &self.camps[turn % self.camps.len()]
    }

    /// After how many attempts it stays unexplained.
    pub fn attempts_max(&self) -> u32 {
        let camps = u32::try_from(self.camps.len()).unwrap_or(u32::MAX);
        ATTEMPTS_MAX.max(PATIENT_ATTEMPTS.saturating_add(camps))
    }

    /// Own artifacts that may have to be compared with some camp's: those that differ and are not too large.
    pub fn compared(&self) -> impl Iterator<Item = &Artifact> {
        let pairs = self.camps.iter().flat_map(|camp| sort(&self.own, &camp.artifacts).differ);
        pairs.filter(|(own, other)| own.size.max(other.size) <= ARTIFACT_BYTES_MAX).map(|(own, _)| own)
    }
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
    let camps = in_order(other_camps(round, group, own), request, group.members().len());
    if camps.is_empty() {
        return Err(NoPlan::NoOther);
    }
    Ok(Plan {
        key: (*request, round.number()),
        purl: round.request().source.purl(),
        index,
        own: own.clone(),
        place: group.members().iter().position(|member| member.command == *me).unwrap_or(0),
        camps,
        facts: facts(folded, group, request, index),
    })
}

fn other_camps(round: &Round, group: &Group, own: &Artifacts) -> Vec<Camp> {
    let mut camps: BTreeMap<Digest, Camp> = BTreeMap::new();
    for (place, member) in group.members().iter().enumerate() {
        let Some(result) = round.result(&member.command) else { continue };
        if let Some(artifacts) = result.artifacts().filter(|artifacts| *artifacts != own) {
            let camp = || Camp { artifacts: artifacts.clone(), places: Vec::new() };
            camps.entry(result.digest()).or_insert_with(camp).places.push(place);
        }
    }
    camps.into_values().collect()
}

/// The largest first. Camps of one size go by their members' places, counted from one that the request decides: so every
/// member of this one's camp picks the same, and no builder can choose its result to be picked.
fn in_order(mut camps: Vec<Camp>, request: &RequestId, members: usize) -> Vec<Camp> {
    let begin = request.0.0.iter().fold(0, |begin, byte| (begin * 256 + usize::from(*byte)) % members);
    let turn = |camp: &Camp| camp.places.iter().map(|place| (place + members - begin) % members).min();
    camps.sort_by_key(|camp| (Reverse(camp.places.len()), turn(camp)));
    camps
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

    fn artifacts(files: &[(&str, u8, u64)]) -> Artifacts {
        let artifact = |(name, hash, size): &(&str, u8, u64)| {
            let name = (*name).to_owned().try_into().unwrap();
            Artifact { name, size: *size, sha256: Digest([*hash; 32]) }
        };
        Artifacts::new(files.iter().map(artifact).collect()).unwrap()
    }

    fn camp(hash: u8, places: &[usize]) -> Camp {
        Camp { artifacts: artifacts(&[("tool", hash, 1)]), places: places.to_vec() }
    }

    fn places(camps: &[Camp]) -> Vec<&[usize]> {
        camps.iter().map(|camp| camp.places.as_slice()).collect()
    }

    #[test]
    fn the_largest_camp_is_first_and_no_result_makes_its_builder_the_next() {
        for hashes in [[1, 2, 3], [3, 2, 1]] {
            let all = || vec![camp(hashes[0], &[1]), camp(hashes[1], &[2, 4]), camp(hashes[2], &[3])];
            let from = |place| {
                let mut request = [0; 32];
                request[31] = place;
                RequestId(Digest(request))
            };
            assert_eq!(places(&in_order(all(), &from(0), 5)), [&[2, 4][..], &[1], &[3]]);
            assert_eq!(places(&in_order(all(), &from(2), 5)), [&[2, 4][..], &[3], &[1]]);
        }
    }

    #[test]
    fn a_camp_that_gives_nothing_is_left_for_the_others_and_in_the_end_nothing_is_kept_for_it() {
        let own = artifacts(&[("a", 1, 5), ("b", 1, 5), ("c", 1, ARTIFACT_BYTES_MAX + 1), ("d", 1, 5)]);
        let theirs = artifacts(&[("a", 2, 5), ("b", 1, 5), ("c", 2, 5), ("e", 2, 5)]);
        let facts = Facts::default();
        let key = (RequestId(Digest([0; 32])), 0);
        let camps = vec![Camp { artifacts: theirs, places: vec![1, 2] }, camp(3, &[3]), camp(4, &[4])];
        let plan = Plan { key, purl: String::new(), index: 0, own, place: 0, camps, facts };
        let asked: Vec<usize> = (1..=7).map(|attempt| plan.camp(attempt).places[0]).collect();
        assert_eq!(asked, [1, 1, 1, 3, 4, 1, 3]);
        assert_eq!(plan.attempts_max(), ATTEMPTS_MAX);
        let needed: Vec<&str> = plan.compared().map(|artifact| artifact.name.as_str()).collect();
        assert_eq!(needed, ["a"], "not what is the same, too large, or nobody else's");
        let many = Plan { camps: (1..=60).map(|place| camp(3, &[place])).collect(), ..plan };
        assert_eq!(many.attempts_max(), 63);
        assert_eq!(many.camp(63).places, [1]);
        assert_eq!(many.camp(62).places, [60]);
    }

    #[test]
    fn a_transcript_tells_which_crates_were_compiled() {
        let transcript = "   Compiling libc v0.2.150\nwarning: Compiling x v1\n   Compiling own v0.1.0 (/opt/rustwide/workdir)\n\
                          Compiling \u{1b}[0m v1.0.0\n   Compiling nothing\n    Finished";
        assert_eq!(compiled(transcript), ["libc 0.2.150", "own 0.1.0"]);
    }
}
