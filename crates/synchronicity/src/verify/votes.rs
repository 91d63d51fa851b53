//! What several groups say of one file, and what it comes to.

use serde_json::{Value, json};
use synchronicity_verify::digest::Digest;

use super::files::Proven;
use crate::combined::{Other, too_few};
use crate::exit::{self, Stop};
use crate::trust::TrustError;

/// What one of several groups says of a file.
pub(crate) struct Vote {
    pub(crate) group: String,
    /// Whether it is one of those that agree, and the entry that says so.
    pub(crate) agrees: bool,
    pub(crate) index: Option<u64>,
    /// As if it had been asked alone.
    pub(crate) code: u8,
    pub(crate) error: Option<String>,
}

impl Vote {
    /// Whether the group has, or serves, something that speaks against the others.
    pub(crate) fn is_against(&self) -> bool {
        matches!(self.code, exit::INVALID | exit::MISMATCH)
    }
}

/// What the groups come to, with the evidence of the first that agrees; one group without a name is no vote.
///
/// Groups agree that have the file from the same archive of the same crate and version.
pub(super) fn together(
    needed: usize,
    found: Vec<(Option<&str>, Result<Proven, Stop>)>,
) -> (Result<Proven, Stop>, Vec<Vote>) {
    let mut named = Vec::with_capacity(found.len());
    for (name, found) in found {
        match name {
            Some(name) => named.push((name, found)),
            None => return (found, Vec::new()),
        }
    }
    let best = named.iter().rev().filter_map(|(_, found)| source(found)).max_by_key(|of| count(&named, of));
    let agrees = |found: &Result<Proven, Stop>| best.is_some() && source(found) == best;
    let votes: Vec<_> = named.iter().map(|(name, found)| vote(name, found, agrees(found))).collect();
    let agreeing = votes.iter().filter(|vote| vote.agrees).count();
    // Only the group itself can bring a fork about: whoever trusts it must hear of it, whatever the others say.
    if let Some(fork) = named.iter().position(|(_, found)| found.as_ref().is_err_and(TrustError::is_fork)) {
        return (named.swap_remove(fork).1, votes);
    }
    if agreeing < needed {
        return (Err(too_few(needed, agreeing, others(&named, agrees))), votes);
    }
    let first = named.into_iter().map(|(_, found)| found).find(|found| agrees(found));
    (first.unwrap_or_else(|| Err(too_few(needed, agreeing, Vec::new()))), votes)
}

/// The groups that do not agree, and why.
fn others<'a>(
    named: &'a [(&str, Result<Proven, Stop>)],
    agrees: impl Fn(&Result<Proven, Stop>) -> bool,
) -> Vec<Other<'a>> {
    let others = named.iter().filter(|(_, found)| !agrees(found));
    let other = |(name, found): &'a (&str, Result<Proven, Stop>)| match found {
        Err(stop) => Other { name, code: stop.code, why: stop.report.to_string() },
        Ok(proven) => {
            let source = &proven.verified.entry.request.source;
            let why = format!("built from another archive, {} with SHA-256 {}", source.purl(), source.checksum());
            Other { name, code: exit::MISMATCH, why }
        }
    };
    others.map(other).collect()
}

/// What the file was built from, where there is evidence.
fn source(found: &Result<Proven, Stop>) -> Option<(String, Digest)> {
    let source = &found.as_ref().ok()?.verified.entry.request.source;
    Some((source.purl(), *source.checksum()))
}

fn count(named: &[(&str, Result<Proven, Stop>)], of: &(String, Digest)) -> usize {
    named.iter().filter(|(_, found)| source(found).as_ref() == Some(of)).count()
}

fn vote(group: &str, found: &Result<Proven, Stop>, agrees: bool) -> Vote {
    let (index, code, error) = match found {
        Ok(proven) => (Some(proven.verified.index), exit::OK, None),
        Err(stop) => (None, stop.code, Some(stop.report.to_string())),
    };
    Vote { group: group.to_owned(), agrees, index, code, error }
}

/// As in `by alder, birch (2 of 3 groups)`.
pub(crate) fn in_words(votes: &[Vote]) -> String {
    let agreeing: Vec<_> = votes.iter().filter(|vote| vote.agrees).map(|vote| vote.group.as_str()).collect();
    format!("by {} ({} of {} groups)", agreeing.join(", "), agreeing.len(), votes.len())
}

/// A list for programs.
pub(crate) fn as_json(votes: &[Vote]) -> Value {
    let vote = |vote: &Vote| {
        json!({
            "name": vote.group,
            "exit": vote.code,
            "agrees": vote.agrees,
            "index": vote.index,
            "error": vote.error,
        })
    };
    votes.iter().map(vote).collect()
}
