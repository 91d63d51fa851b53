//! The group, as its file says.

use std::fmt::Write;

use synchronicity_core::group::Member;
use synchronicity_web::model::{GroupMember, GroupPage, Millis};

use super::Sources;
use crate::chronicle::Chronicle;

pub(super) fn page(chronicle: &Chronicle, sources: &Sources) -> GroupPage {
    let group = &sources.group;
    GroupPage {
        origin: group.origin().to_owned(),
        id: group.id().to_string(),
        epoch: group.epoch(),
        threshold: group.threshold(),
        quorum: group.quorum(),
        ordering_quorum: group.ordering_quorum(),
        commit_window: Millis(group.commit_window_ms()),
        reveal_window: Millis(group.reveal_window_ms()),
        containment: group.containment().to_vec(),
        members: group.members().iter().map(member).collect(),
        history: chronicle.changes().cloned().collect(),
        policy: sources.policy.to_string(),
        url: sources.url.clone(),
    }
}

fn member(member: &Member) -> GroupMember {
    GroupMember {
        name: member.name.clone(),
        command: member.command.to_string(),
        cosigner: member.cosigner.to_string(),
        attestation: member.attestation.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        }),
        address: member.address.clone(),
    }
}
