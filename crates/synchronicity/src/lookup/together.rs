//! A lookup in the logs of several groups: what each says, and whether enough of them got the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use synchronicity_rebuild::download::Patience;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{Entry, Verdict};
use synchronicity_verify::lookup::Answer;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::result::BuildResult;

use super::{Lookup, Subject, answered, told};
use crate::combined::{Other, too_few};
use crate::exit::{self, Stop};
use crate::policies::choice::Combined;
use crate::printable::printable;
use crate::source::Source;
use crate::trust::TrustError;

/// One group, and what its log says.
struct Heard<'a> {
    name: &'a str,
    policy: &'a Policy,
    answer: Result<Answer, Stop>,
    /// The artifacts that it got, of those that were asked for.
    artifacts: BTreeSet<Digest>,
}

/// Asks every group, tells what each says, and gives the exit code.
pub(super) fn lookup(args: &Lookup, combined: &Combined, subject: &Subject) -> Result<u8, Stop> {
    let mut heard = Vec::new();
    for ((name, policy), (nodes, bundles)) in combined.groups.iter().zip(combined.routed(&args.node, &args.bundle)) {
        let nodes = if nodes.is_empty() && args.bundle.is_empty() { own_address(policy) } else { nodes };
        let answer = match answered(&nodes, &bundles, args, policy, subject) {
            // Only the group itself can bring a fork about: whoever trusts it must hear of it, whatever the others say.
            Err(stop) if TrustError::is_fork(&stop) => return Err(stop),
            answer => answer,
        };
        let artifacts = answer.as_ref().map(|answer| artifacts(&args.shown(answer), subject)).unwrap_or_default();
        heard.push(Heard { name, policy, answer, artifacts });
    }
    let agreed = agreed(&heard);
    let agrees = |heard: &Heard<'_>| agreed.is_some_and(|sha256| heard.artifacts.contains(&sha256));
    let agreeing: Vec<_> = heard.iter().filter(|heard| agrees(heard)).map(|heard| heard.name).collect();
    let others = heard.iter().filter(|heard| !agrees(heard)).map(other).collect();
    let stop = (agreeing.len() < combined.needed).then(|| too_few(combined.needed, agreeing.len(), others));
    let code = stop.as_ref().map_or(exit::OK, |stop| stop.code);
    if args.json {
        let groups: Vec<_> = heard.iter().map(|heard| as_json(heard, args, subject)).collect();
        let artifact = agreed.map(|sha256| sha256.to_string());
        let told = json!({
            "schema": told::SCHEMA,
            "exit": code,
            "needed": combined.needed,
            "agree": agreeing,
            "artifact": artifact,
            "groups": groups,
        });
        verbatim!("{told}");
    } else {
        heard.iter().for_each(|heard| out!("{}", in_words(heard, args, subject)));
        outln!("{} of {} groups got the same bytes: {}", agreeing.len(), heard.len(), agreeing.join(", "));
    }
    if let Some(stop) = stop {
        errln!("{:?}", stop.report);
    }
    Ok(code)
}

/// The address in the group's policy, if it is one.
fn own_address(policy: &Policy) -> Vec<Source> {
    policy.log_url().and_then(|url| Source::url(url, Patience::for_logs()).ok()).into_iter().collect()
}

/// What was reproduced, of what was asked for.
fn artifacts(shown: &[&(u64, Entry)], subject: &Subject) -> BTreeSet<Digest> {
    let reproduced = shown.iter().filter(|(_, entry)| entry.verdict == Verdict::Reproduced);
    let built = reproduced.filter_map(|(_, entry)| entry.agreed.as_ref().and_then(BuildResult::artifacts)).flatten();
    let wanted = |sha256: &Digest| match subject {
        Subject::Crate(..) => true,
        Subject::File(file) => sha256 == file,
    };
    built.map(|artifact| artifact.sha256).filter(wanted).collect()
}

/// The artifact that most groups got.
fn agreed(heard: &[Heard<'_>]) -> Option<Digest> {
    let mut counts: BTreeMap<Digest, usize> = BTreeMap::new();
    heard.iter().flat_map(|heard| &heard.artifacts).for_each(|sha256| *counts.entry(*sha256).or_default() += 1);
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(sha256, _)| sha256)
}

fn other<'a>(heard: &'a Heard<'_>) -> Other<'a> {
    let name = heard.name;
    match &heard.answer {
        Err(stop) => Other { name, code: stop.code, why: stop.report.to_string() },
        Ok(_) if heard.artifacts.is_empty() => Other { name, code: exit::NO_EVIDENCE, why: "no evidence".into() },
        // With another recipe, perhaps: nothing is held against it.
        Ok(_) => Other { name, code: exit::NO_EVIDENCE, why: "it got other bytes".into() },
    }
}

fn in_words(heard: &Heard<'_>, args: &Lookup, subject: &Subject) -> String {
    match &heard.answer {
        Ok(answer) => {
            format!("{}: {}\n", heard.name, told::in_words(subject, answer, &args.shown(answer), heard.policy))
        }
        Err(stop) => format!("{}: no answer (exit code {})\n\n", heard.name, stop.code),
    }
}

/// What one group says; `answer` is as for a lookup in its log alone.
fn as_json(heard: &Heard<'_>, args: &Lookup, subject: &Subject) -> Value {
    let code = if heard.artifacts.is_empty() { exit::NO_EVIDENCE } else { exit::OK };
    let answer = heard.answer.as_ref().ok();
    json!({
        "name": heard.name,
        "answer": answer.map(|answer| told::as_json(subject, answer, &args.shown(answer), code)),
        "error": heard.answer.as_ref().err().map(|stop| printable(&stop.report.to_string())),
    })
}
