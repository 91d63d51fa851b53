//! What a node keeps and tells of an explanation: JSON, one file for each round, replaced as a whole and never changed.

use std::path::PathBuf;

use serde_json::{Value, json};
use synchronicity_core::group::Group;
use synchronicity_verify::identity::RequestId;

use super::apart::Answer;
use super::plan::{Camp, Plan};
use crate::folder::Folder;

/// Stands in every explanation that is shown.
pub const ADVICE: &str = "An explanation is advice and never evidence: no verdict and no proof depends on it, and other members did not check it.";

/// Where the explanation of a round lies.
pub(super) fn path(folder: &Folder, (request, round): &(RequestId, u32)) -> PathBuf {
    folder.explanations().join(format!("{request}-{round}.json"))
}

/// A finished one. `givers` are places of the members whose files were compared.
pub(super) fn explained(about: About<'_>, group: &Group, me: &str, givers: &[usize], answer: Answer) -> Value {
    let mut told = head(about, group, me, "explained");
    told["second"]["files_of"] = names(group, givers);
    told["explanation"] = answer.explanation;
    told["words"] = answer.words.into();
    told
}

/// One that is still to be made: after so many attempts, the last of which failed for this reason.
pub(super) fn pending(about: About<'_>, group: &Group, me: &str, attempts: u32, reason: &str) -> Value {
    tried(head(about, group, me, "pending"), attempts, reason)
}

/// One that will not be made: so many attempts were enough.
pub(super) fn unexplained(about: About<'_>, group: &Group, me: &str, attempts: u32, reason: &str) -> Value {
    tried(head(about, group, me, "unexplained"), attempts, reason)
}

fn tried(mut told: Value, attempts: u32, reason: &str) -> Value {
    told["attempts"] = attempts.into();
    told["reason"] = reason.into();
    told
}

/// A round, and the camp with which this node compares its own result.
type About<'a> = (&'a Plan, &'a Camp);

fn head((plan, camp): About<'_>, group: &Group, me: &str, state: &str) -> Value {
    json!({
        "state": state,
        "advice": ADVICE,
        "request": plan.key.0.to_string(),
        "round": plan.key.1,
        "index": plan.index,
        "purl": plan.purl,
        "first": { "builder": me },
        "second": { "builders": names(group, &camp.places) },
    })
}

fn names(group: &Group, places: &[usize]) -> Value {
    places.iter().filter_map(|place| group.members().get(*place)).map(|member| member.name.as_str()).collect()
}
