//! `log`: an entry that ended an epoch.

use serde_json::{Value, json};
use synchronicity_verify::membership::{Member, MembershipEntry, Voter};

pub(in crate::commands) fn describe(index: u64, entry: &MembershipEntry) -> String {
    let next = &entry.next;
    let mut text = format!("entry      {index}\nepoch      {} ends, {} begins\n", entry.epoch, next.epoch);
    text.push_str(&format!("group      {}\nnext       {}\n", entry.group, entry.next_group));
    text.push_str(&format!("threshold  {} of {}\n", next.threshold, next.members.len()));
    for member in &next.members {
        let absent = if member.absent { ", absent" } else { "" };
        text.push_str(&format!("member     {} at {}{absent}\n", member.name, member.address));
    }
    let approved: Vec<&str> = approving(entry).map(|voter| voter.name.as_str()).collect();
    text.push_str(&format!("approved   {}\n", approved.join(" ")));
    text
}

pub(in crate::commands) fn as_json(index: u64, entry: &MembershipEntry) -> Value {
    let member = |member: &Member| {
        json!({
            "name": member.name,
            "builder": member.builder.to_string(),
            "cosigner": member.cosigner.to_string(),
            "address": member.address,
            "absent": member.absent,
        })
    };
    json!({
        "index": index,
        "membership": {
            "epoch": entry.next.epoch,
            "group": entry.next_group.to_string(),
            "threshold": entry.next.threshold,
            "members": entry.next.members.iter().map(member).collect::<Vec<_>>(),
        },
        "group": entry.group.to_string(),
        "epoch": entry.epoch,
        "height": entry.height,
        "time_ms": entry.time_ms,
        "approved": approving(entry).map(|voter| voter.name.as_str()).collect::<Vec<_>>(),
    })
}

fn approving(entry: &MembershipEntry) -> impl Iterator<Item = &Voter> {
    entry.members.iter().filter(|voter| voter.approval.is_some())
}
