//! Which entries an installation rests on where several groups are asked: enough of them must have got the same bytes.
//!
//! A group has a vote for each set of executables that its log says was reproduced as it is asked for. Groups agree on
//! the bytes, not on a version alone: the same executables, from the same archive. Of what enough of them agree on, the
//! newest version is taken; so one group alone can neither have its own bytes installed nor, by a version that nobody
//! else knows, keep those of the others from being installed.

use std::collections::BTreeMap;

use semver::Version;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::Entry;
use synchronicity_verify::policy::Policy;

use super::choose::{Asked, choose, fitting, has_several_archives};
use crate::combined::{Other, too_few};
use crate::exit::{self, Stop};
use crate::library::{Library, Log};
use crate::report::built;
use crate::trust::TrustError;
use crate::verify::votes::Vote;

/// A group, and its log.
pub(super) struct Group<'a> {
    /// Its name, if it is one of several.
    name: Option<&'a str>,
    policy: &'a Policy,
    log: Result<Log, Silence>,
}

/// Why one of several groups cannot be heard.
struct Silence {
    code: u8,
    why: String,
}

/// What an installation rests on.
pub(super) struct Chosen {
    /// The log's origin and the entry's index, for each group that agrees.
    pub(super) evidence: Vec<(String, u64)>,
    /// The entry of the first of them.
    pub(super) entry: Entry,
    pub(super) index: u64,
    /// When a quorum last vouched for its log, in seconds since 1970.
    pub(super) vouched_s: Option<u64>,
    /// What each group says, if there are several.
    pub(super) votes: Vec<Vote>,
    pub(super) remarks: Vec<String>,
}

/// What groups agree on: a version, its archive, and the executables, each with name, size and content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Same {
    version: Version,
    archive: Digest,
    executables: Vec<(String, u64, Digest)>,
}

/// For each thing to agree on, the groups that have it, by number, and the newest entry of each that says so.
type Ballot = BTreeMap<Same, BTreeMap<usize, u64>>;

impl<'a> Group<'a> {
    /// Reads its newest log.
    ///
    /// # Errors
    /// Of a group that is asked alone, whatever is wrong with its log; of one of several, only a fork: whoever trusts the
    /// group must hear of it, whatever the others say.
    pub(super) fn open(name: Option<&'a str>, policy: &'a Policy, library: Library<'_>) -> Result<Self, Stop> {
        let log = match library.take_newest() {
            Ok(log) => Ok(log),
            Err(stop) if name.is_none() || TrustError::is_fork(&stop) => return Err(stop),
            Err(stop) => Err(Silence::of(&stop)),
        };
        Ok(Self { name, policy, log })
    }

    fn entries(&self, asked: &Asked<'_>) -> Result<Vec<(u64, Entry)>, Silence> {
        let log = self.log.as_ref().map_err(|Silence { code, why }| Silence { code: *code, why: why.clone() })?;
        log.of_crate(asked.name).map_err(|stop| Silence::of(&stop))
    }
}

impl Silence {
    fn of(stop: &Stop) -> Self {
        Self { code: stop.code, why: stop.report.to_string() }
    }
}

/// What to install, by the one group that is asked or by enough of several.
pub(super) fn chosen(asked: &Asked<'_>, groups: &[Group<'_>], needed: usize) -> Result<Chosen, Stop> {
    if let [Group { name: None, policy, log: Ok(log) }] = groups {
        let place = format!("{}, at size {}", log.place, log.checkpoint.checkpoint.size);
        let entries = log.of_crate(asked.name)?;
        let (index, entry) = choose(asked, &entries, &place).map_err(|error| Stop::new(error.code(), error))?;
        return Ok(Chosen {
            evidence: vec![(policy.log().name().to_owned(), *index)],
            entry: entry.clone(),
            index: *index,
            vouched_s: log.checkpoint.vouched_s,
            votes: Vec::new(),
            remarks: Vec::new(),
        });
    }
    let entries: Vec<_> = groups.iter().map(|group| group.entries(asked)).collect();
    let ballot = ballot(asked, &entries);
    let most = ballot.iter().max_by_key(|(same, by)| (by.len(), &same.version));
    let Some((same, by)) = elected(&ballot, needed) else {
        let agreeing = most.map_or(0, |(_, by)| by.len());
        let others = others(asked, groups, &entries, most);
        return Err(too_few(needed, agreeing, others));
    };
    let (first, index) = by.first_key_value().map_or((0, 0), |(group, index)| (*group, *index));
    let entry = entries[first].iter().flatten().find(|(at, _)| *at == index).map(|(_, entry)| entry.clone());
    let Some(entry) = entry else { return Err(too_few(needed, 0, Vec::new())) };
    let others = others(asked, groups, &entries, Some((same, by)));
    Ok(Chosen {
        evidence: by.iter().map(|(group, index)| (groups[*group].policy.log().name().to_owned(), *index)).collect(),
        entry,
        index,
        vouched_s: groups[first].log.as_ref().ok().and_then(|log| log.checkpoint.vouched_s),
        votes: votes(groups, by, others),
        remarks: passed_over(asked, groups, &ballot, same, needed),
    })
}

/// What each group has of what is asked for.
fn ballot(asked: &Asked<'_>, entries: &[Result<Vec<(u64, Entry)>, Silence>]) -> Ballot {
    let mut ballot = Ballot::new();
    for (group, entries) in entries.iter().enumerate() {
        let Ok(entries) = entries else { continue };
        for (version, (index, entry)) in fitting(asked, entries) {
            let is_asked = asked.version.is_some() || version.pre.is_empty();
            if is_asked && !has_several_archives(asked, entries, &version) {
                // Entries rise: the newest that says the same stays.
                ballot.entry(Same::of(version, entry)).or_default().insert(group, *index);
            }
        }
    }
    ballot
}

impl Same {
    fn of(version: Version, entry: &Entry) -> Self {
        let executable = |artifact: &synchronicity_verify::result::Artifact| {
            (artifact.name.to_string(), artifact.size, artifact.sha256)
        };
        let archive = *entry.request.source.checksum();
        Self { version, archive, executables: built(entry).iter().map(executable).collect() }
    }
}

/// Of what enough groups agree on, the newest version; of that what most of them have, and of equals what was logged last.
fn elected(ballot: &Ballot, needed: usize) -> Option<(&Same, &BTreeMap<usize, u64>)> {
    let enough = ballot.iter().filter(|(_, by)| by.len() >= needed.max(1));
    enough.max_by_key(|(same, by)| (&same.version, by.len(), by.first_key_value().map(|(_, index)| *index)))
}

/// The groups that do not have what most, or enough, of them have, each as if it had been asked alone.
fn others<'a>(
    asked: &Asked<'_>,
    groups: &[Group<'a>],
    entries: &[Result<Vec<(u64, Entry)>, Silence>],
    taken: Option<(&Same, &BTreeMap<usize, u64>)>,
) -> Vec<Other<'a>> {
    let mut others = Vec::new();
    for (at, (group, entries)) in groups.iter().zip(entries).enumerate() {
        if taken.is_some_and(|(_, by)| by.contains_key(&at)) {
            continue;
        }
        let (code, why) = match entries {
            Err(Silence { code, why }) => (*code, why.clone()),
            Ok(entries) => alone(asked, entries, group, taken.map(|(same, _)| same)),
        };
        others.push(Other { name: group.name.unwrap_or_default(), code, why });
    }
    others
}

/// What a group that can be heard has instead of `taken`.
fn alone(asked: &Asked<'_>, entries: &[(u64, Entry)], group: &Group<'_>, taken: Option<&Same>) -> (u8, String) {
    let place = group.log.as_ref().map_or(String::new(), |log| log.place.clone());
    let own = fitting(asked, entries);
    let same_version = taken.and_then(|taken| own.iter().rfind(|(version, _)| *version == taken.version));
    match (same_version, choose(asked, entries, &place)) {
        (Some((version, _)), _) if has_several_archives(asked, entries, version) => {
            (exit::MISMATCH, format!("its log has entries about several archives of {} {version}", asked.name))
        }
        // With another compiler, perhaps: which of them is right, nobody can say who trusts both.
        (Some((version, (index, entry))), _) => {
            let release = &entry.request.toolchain.release;
            (
                exit::MISMATCH,
                format!("it got other bytes for {} {version}, by entry {index}, rustc {release}", asked.name),
            )
        }
        (None, Ok((index, entry))) => {
            let version = entry.request.source.version();
            (exit::NO_EVIDENCE, format!("it has rebuilt {} {version}, by entry {index}", asked.name))
        }
        (None, Err(no)) => (no.code(), no.to_string()),
    }
}

/// In the order of the groups.
fn votes(groups: &[Group<'_>], by: &BTreeMap<usize, u64>, others: Vec<Other<'_>>) -> Vec<Vote> {
    let mut others = others.into_iter();
    let vote = |(at, group): (usize, &Group<'_>)| {
        let name = group.name.unwrap_or_default().to_owned();
        match by.get(&at) {
            Some(index) => Some(Vote { group: name, agrees: true, index: Some(*index), code: exit::OK, error: None }),
            None => others.next().map(|other| Vote {
                group: name,
                agrees: false,
                index: None,
                code: other.code,
                error: Some(other.why),
            }),
        }
    };
    groups.iter().enumerate().filter_map(vote).collect()
}

/// A newer version that some have and too few agree on: whoever waits for it should know why it is not there.
fn passed_over(asked: &Asked<'_>, groups: &[Group<'_>], ballot: &Ballot, taken: &Same, needed: usize) -> Vec<String> {
    let newer = ballot.iter().filter(|(same, _)| same.version > taken.version);
    let newest = newer.max_by_key(|(same, by)| (&same.version, by.len()));
    let told = newest.map(|(same, by)| {
        let names: Vec<_> = by.keys().filter_map(|group| groups[*group].name).collect();
        format!(
            "{} {} is passed over: only {} has these bytes, and {needed} groups must",
            asked.name,
            same.version,
            names.join(", ")
        )
    });
    told.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn same(minor: u64, content: u8) -> Same {
        Same {
            version: Version::new(1, minor, 0),
            archive: Digest([0; 32]),
            executables: vec![("a".into(), 1, Digest([content; 32]))],
        }
    }

    fn ballot_of(votes: &[(usize, u64, u8)]) -> Ballot {
        let mut ballot = Ballot::new();
        for (index, (group, minor, content)) in votes.iter().enumerate() {
            ballot.entry(same(*minor, *content)).or_default().insert(*group, index as u64);
        }
        ballot
    }

    #[test]
    fn the_newest_version_that_enough_agree_on_is_taken_and_not_the_newest_of_all() {
        let ballot = ballot_of(&[(0, 1, 7), (1, 1, 7), (2, 9, 7), (0, 2, 7), (1, 2, 8)]);
        assert_eq!(elected(&ballot, 2).map(|(same, _)| same.clone()), Some(same(1, 7)));
        assert_eq!(elected(&ballot, 1).map(|(same, _)| same.version.minor), Some(9));
        assert_eq!(elected(&ballot, 3), None);
    }

    proptest! {
        #[test]
        fn nothing_is_elected_that_fewer_groups_have_than_must(
            votes in prop::collection::vec((0..4_usize, 0..3_u64, 0..2_u8), 0..12), needed in 0..5_usize,
        ) {
            let ballot = ballot_of(&votes);
            if let Some((same, _)) = elected(&ballot, needed) {
                let of_it = |group: &usize| votes.iter().any(|(by, minor, content)| {
                    by == group && *minor == same.version.minor && Digest([*content; 32]) == same.executables[0].2
                });
                prop_assert!((0..4).filter(of_it).count() >= needed.max(1));
            }
        }
    }
}
