//! What a proof of equivocation shows: which member of which group signed two votes that contradict each other.

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde_json::json;
use synchronicity_core::group::Group;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::equivocation::{Equivocation, EquivocationError, verify};

use crate::agreed;
use crate::exit::{self, Stop};
use crate::read;

/// Why a proof of equivocation ends the program; also if it holds.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(super) enum Refused {
    #[error("a member has equivocated: {0}")]
    #[diagnostic(help(
        "the proof holds: that node is hostile, runs twice with one key, or was started from an old backup. Fewer than a third of such members split no group; show the proof to the others"
    ))]
    Guilty(String),
    #[error("{from}: {error}")]
    #[diagnostic(help("it shows nothing against anybody; ask whoever made it"))]
    Nothing { from: String, error: EquivocationError },
    #[error("{from} is about group {accused}, and the group file is of {group}")]
    #[diagnostic(help(
        "keys are of one group: get the file of that group from somebody you trust, or from a member's node at /group/ID, and compare its id"
    ))]
    OtherGroup { from: String, accused: Digest, group: Digest },
    #[error("{from} accuses the key {key}, which is no member's consensus key in this group")]
    #[diagnostic(help(
        "anybody can sign contradictory votes with a key of his own: it shows nothing against the group"
    ))]
    Stranger { from: String, key: Digest },
    #[error("{} is a proof of equivocation: it accuses a key, and a policy does not say whose", .0.display())]
    #[diagnostic(help("name the group file with --group; get it from whom you trust, and compare its id"))]
    NoGroup(PathBuf),
}

/// What a proof comes to under a group file: never to success.
pub(super) fn accusation(path: &Path, group: &Path) -> Stop {
    match judged(path, group) {
        Ok((proof, member)) => {
            let told = in_words(&proof, &member);
            Stop::new(exit::INVALID, Refused::Guilty(told)).with(as_json(&proof, &member))
        }
        Err(stop) => stop,
    }
}

/// The proof, if it holds, and the name of the member that it accuses.
fn judged(path: &Path, group: &Path) -> Result<(Equivocation, String), Stop> {
    let group: Group = agreed::read(group)?;
    let bytes = read::proof(path).map_err(|error| Stop::new(exit::USAGE, error))?;
    let from = path.display().to_string();
    let invalid = |refused| Stop::new(exit::INVALID, refused);
    let proof = verify(&bytes).map_err(|error| invalid(Refused::Nothing { from: from.clone(), error }))?;
    let accused = proof.occasion().group;
    if accused != group.id() {
        return Err(invalid(Refused::OtherGroup { from, accused, group: group.id() }));
    }
    let key = Digest(*proof.member());
    match group.members().iter().find(|member| member.consensus == key.0) {
        Some(member) => Ok((proof, member.name.clone())),
        None => Err(invalid(Refused::Stranger { from, key })),
    }
}

fn in_words(proof: &Equivocation, member: &str) -> String {
    let on = proof.occasion();
    let [one, other] = proof.votes().map(|vote| vote.ballot.as_str());
    let what = match one == other {
        true => format!("{one} votes for two blocks"),
        false => format!("a {one} and a {other} vote"),
    };
    format!("{member} signed {what} in view {} of epoch {}, in the group {}", on.view, on.epoch, on.group)
}

/// The same for programs.
fn as_json(proof: &Equivocation, member: &str) -> serde_json::Value {
    let on = proof.occasion();
    json!({ "equivocation": {
        "member": member,
        "key": Digest(*proof.member()).to_string(),
        "group": on.group.to_string(),
        "epoch": on.epoch,
        "view": on.view,
        "kind": proof.kind(),
    } })
}
