//! Several groups, each with a log of its own: who is asked where, and what their votes come to.
//!
//! A group has a vote where its own log, under its own policy and held against what was seen of it, says `reproduced`.
//! What is false at one group's place costs the vote of that group alone, so that none can stop the others. But a log
//! that has forked ends everything: only the group itself can bring that about.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::policy::Policy;

use crate::exit::{self, Stop, gravest};
use crate::library::Places;
use crate::policies::choice::{Combined, Trusted};
use crate::source::Source;

/// One group, and where its log is looked for.
pub(crate) struct Asked<'a> {
    /// Its name, if it is one of several.
    pub(crate) name: Option<&'a str>,
    pub(crate) policy: &'a Policy,
    pub(crate) places: Places,
}

/// What is said of several groups together.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum Together {
    #[error("{0} bundles are named, and the policy is of one group")]
    #[diagnostic(help("a bundle is a whole log: name the newest"))]
    Bundles(usize),
    #[error("{agreeing} of {groups} groups agree, and {needed} must:{told}")]
    #[diagnostic(help(
        "the file, or the crate, may be new to the others: try again later, or look at one group alone with --policy NAME"
    ))]
    TooFew { agreeing: usize, groups: usize, needed: usize, told: String },
}

impl Trusted {
    /// How many of the groups must agree.
    pub(crate) fn needed(&self) -> usize {
        if let Self::Any(combined) = self { combined.needed } else { 1 }
    }

    /// Every group, with the places where its log may be.
    pub(crate) fn asked(&self, places: &Places) -> Result<Vec<Asked<'_>>, Stop> {
        match self {
            Self::One(policy) => {
                only_one(&places.bundles)?;
                Ok(vec![Asked { name: None, policy, places: places.clone() }])
            }
            Self::Any(combined) => Ok(combined.asked(places)),
        }
    }
}

impl Combined {
    fn asked(&self, places: &Places) -> Vec<Asked<'_>> {
        let nodes = if places.offline { &[] } else { places.nodes.as_slice() };
        let own = |((name, policy), (nodes, bundles))| {
            // Whoever names bundles wants nobody asked, also for a group of which there is none.
            let offline = places.offline || !places.bundles.is_empty();
            Asked { name: Some(name), policy, places: Places { nodes, bundles, offline, ..places.clone() } }
        };
        let named = self.groups.iter().map(|(name, policy)| (name.as_str(), policy));
        named.zip(self.routed(nodes, &places.bundles)).map(own).collect()
    }

    /// For each group those of the places that have its log, as the checkpoint there claims: it is believed only under the
    /// group's policy. A place that does not answer may have the log of any group for which no other place does.
    pub(crate) fn routed(&self, nodes: &[Source], bundles: &[PathBuf]) -> Vec<(Vec<Source>, Vec<PathBuf>)> {
        let nodes: Vec<_> =
            if bundles.is_empty() { nodes.iter().map(|it| (origin_at(it), it)).collect() } else { vec![] };
        let bundles: Vec<_> = bundles.iter().map(|path| (origin_in(path), path)).collect();
        let of_group = |(_, policy): &(String, Policy)| {
            let own = |origin: &Option<String>| origin.as_deref() == Some(policy.log().name());
            let of = |claims: &dyn Fn(&Option<String>) -> bool| {
                let those = nodes.iter().filter(|(origin, _)| claims(origin));
                those.map(|(_, node)| (*node).clone()).collect::<Vec<_>>()
            };
            let asked = Some(of(&own)).filter(|own| !own.is_empty()).unwrap_or_else(|| of(&Option::is_none));
            let bundles = bundles.iter().filter(|(origin, _)| own(origin)).map(|(_, path)| (*path).clone());
            (asked, bundles.collect())
        };
        self.groups.iter().map(of_group).collect()
    }
}

/// One group has one log.
pub(crate) fn only_one(bundles: &[PathBuf]) -> Result<(), Stop> {
    match bundles.len() {
        0 | 1 => Ok(()),
        many => Err(Stop::new(exit::USAGE, Together::Bundles(many))),
    }
}

/// Which log a place claims to have, if it answers.
fn origin_at(source: &Source) -> Option<String> {
    origin_of(&SignedNote::parse(&source.checkpoint().ok()?).ok()?)
}

/// Which log a note claims to be of.
pub(crate) fn origin_of(note: &SignedNote) -> Option<String> {
    note.text.lines().next().map(str::to_owned)
}

/// Which log a bundle claims to be: the checkpoint begins in its third line.
fn origin_in(path: &Path) -> Option<String> {
    let mut start = Vec::new();
    // Opening a pipe would wait for its other end.
    path.is_file().then(|| File::open(path).ok()?.take(4096).read_to_end(&mut start).ok()).flatten()?;
    String::from_utf8_lossy(&start).lines().nth(2).map(str::to_owned)
}

/// A group that does not agree with the others.
pub(crate) struct Other<'a> {
    pub(crate) name: &'a str,
    /// As if it had been asked alone.
    pub(crate) code: u8,
    pub(crate) why: String,
}

/// Why too few groups agree: `others` are those that do not.
pub(crate) fn too_few(needed: usize, agreeing: usize, others: Vec<Other<'_>>) -> Stop {
    let codes: Vec<_> = others.iter().map(|other| other.code).collect();
    let told = others.iter().map(|other| format!("\n  {}: {}", other.name, other.why)).collect();
    let groups = agreeing + others.len();
    Stop::new(code_below(needed, agreeing, &codes), Together::TooFew { agreeing, groups, needed, told })
}

/// Whether a command stopped because none of the groups is known to have built what was asked for.
pub(crate) fn is_absence(stop: &Stop) -> bool {
    stop.code == exit::NO_EVIDENCE && matches!(stop.report.downcast_ref(), Some(Together::TooFew { .. }))
}

/// The code where too few groups agree: what is false, or of other bytes, comes first; then whether those that could not
/// be asked might make up for it.
fn code_below(needed: usize, agreeing: usize, others: &[u8]) -> u8 {
    if let Some(grave) = [exit::INVALID, exit::MISMATCH, exit::INTERNAL].into_iter().find(|code| others.contains(code))
    {
        return grave;
    }
    let silent = others.iter().filter(|code| **code == exit::TRY_LATER).count();
    if silent > 0 && agreeing + silent >= needed {
        return exit::TRY_LATER;
    }
    if agreeing > 0 { exit::BELOW_THRESHOLD } else { gravest(others.iter().copied()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exit::{BELOW_THRESHOLD, INVALID, MISMATCH, NO_EVIDENCE, TRY_LATER, USAGE};

    #[test]
    fn fewer_groups_than_enough_are_told_by_what_the_others_lack() {
        for (needed, agreeing, others, code) in [
            (2, 1, &[NO_EVIDENCE, NO_EVIDENCE][..], BELOW_THRESHOLD),
            (2, 1, &[NO_EVIDENCE, TRY_LATER], TRY_LATER),
            (3, 1, &[NO_EVIDENCE, TRY_LATER], BELOW_THRESHOLD),
            (2, 1, &[BELOW_THRESHOLD, USAGE], BELOW_THRESHOLD),
            (2, 1, &[MISMATCH, TRY_LATER], MISMATCH),
            (2, 1, &[MISMATCH, INVALID], INVALID),
            (2, 0, &[NO_EVIDENCE, NO_EVIDENCE, USAGE], NO_EVIDENCE),
            (2, 0, &[TRY_LATER, NO_EVIDENCE, NO_EVIDENCE], NO_EVIDENCE),
            (2, 0, &[TRY_LATER, TRY_LATER, NO_EVIDENCE], TRY_LATER),
            (1, 0, &[USAGE, USAGE], USAGE),
        ] {
            assert_eq!(code_below(needed, agreeing, others), code, "{needed} {agreeing} {others:?}");
        }
    }

    proptest! {
        #[test]
        fn fewer_groups_than_enough_are_never_success(
            needed in 1..6_usize, missing in 1..6_usize, others in prop::collection::vec(
                prop::sample::select(vec![1, 2, 40, 41, 42, 43, 75_u8]), 1..6),
        ) {
            let agreeing = needed.saturating_sub(missing);
            prop_assert_ne!(code_below(needed, agreeing, &others), exit::OK);
        }
    }
}
