//! From a verified log entry to what devnet tells: verdict, who agreed, who did not, what came out.

use std::collections::BTreeMap;

use synchronicity_core::group::Group;
use synchronicity_verify::entry::MemberRecord;
use synchronicity_verify::result::{Artifact, BuildResult, Failure};
use synchronicity_verify::verify::Verified;

use super::event::{Conclusion, Dissent, Product, Reason};
use super::watch::Seen;
use crate::status::{ArtifactStatus, ResultStatus};

/// Puts together what the proof says and, where an entry holds digests only, what the nodes saw revealed.
pub(super) fn describe(verified: &Verified, name_version: &str, group: &Group, seen: &Seen) -> Conclusion {
    let entry = &verified.entry;
    let request = entry.request.id().to_string();
    let name = |member: &MemberRecord| {
        group.member(&member.builder).map_or_else(|| member.name.clone(), |member| member.name.clone())
    };
    let revealed = revealed(seen, &request);
    let dissent = |member: &MemberRecord| {
        let builder = name(member);
        let (artifacts, failure) = revealed.get(builder.as_str()).map_or_else(Default::default, |result| told(result));
        Dissent { builder, artifacts, failure }
    };
    let (artifacts, failure) = match &entry.agreed {
        Some(BuildResult::Built(artifacts)) => (artifacts.iter().map(product).collect(), None),
        Some(BuildResult::Failed(failure)) => (Vec::new(), Some(reason(*failure))),
        None => (Vec::new(), None),
    };
    // An entry has its members in the order of their keys.
    let mut dissenting: Vec<Dissent> = entry.dissenting().map(dissent).collect();
    dissenting.sort_by(|a, b| a.builder.cmp(&b.builder));
    Conclusion {
        name_version: name_version.to_owned(),
        purl: entry.request.source.purl(),
        verdict: entry.verdict.as_str().to_owned(),
        threshold: entry.threshold,
        agreeing: sorted(entry.agreeing().map(name).collect()),
        dissenting,
        silent: sorted(entry.silent().map(name).collect()),
        artifacts,
        failure,
        index: verified.index,
        log_size: verified.size,
        cosigners: verified.cosigners.iter().map(|cosigner| cosigner.name.clone()).collect(),
        proof_ms: median(seen.rounds(&request).filter_map(|round| round.proof_ms).collect()),
        request,
    }
}

/// What each builder revealed, by name, from the first node that knows.
fn revealed<'a>(seen: &'a Seen, request: &'a str) -> BTreeMap<&'a str, &'a ResultStatus> {
    let members = seen.rounds(request).flat_map(|round| &round.members);
    members.filter_map(|member| Some((member.name.as_str(), member.result.as_ref()?))).collect()
}

fn told(result: &ResultStatus) -> (Vec<Product>, Option<Reason>) {
    match result {
        ResultStatus::Artifacts(artifacts) => {
            let product = |artifact: &ArtifactStatus| Product {
                name: artifact.name.clone(),
                size: artifact.size,
                sha256: artifact.sha256.clone(),
            };
            (artifacts.iter().map(product).collect(), None)
        }
        ResultStatus::Failure(name) => (Vec::new(), name.parse().ok().map(reason)),
    }
}

fn product(artifact: &Artifact) -> Product {
    Product { name: artifact.name.to_string(), size: artifact.size, sha256: artifact.sha256.to_string() }
}

fn reason(failure: Failure) -> Reason {
    Reason { failure: failure.as_str().to_owned(), advice: failure.advice().to_owned() }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

/// The middle of the values, the lower one of two.
fn median(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}
