//! `group propose`, `group approve`, `group show --dir`: what will change, and who still has to sign.

use std::path::Path;

use serde_json::json;
use synchronicity_core::group::Group;
use synchronicity_verify::membership::{self, Membership};

use super::super::{ask, say, strange};
use super::describe;
use crate::changes::{EpochStatus, ProposalStatus, differences};
use crate::cli::{GroupApprove, GroupPropose};
use crate::exit::{self, Stop, StopWith};
use crate::folder::Folder;
use crate::group_file;
use crate::operator::{Answer, Request};

pub(in crate::commands) fn show(dir: &Path, json: bool) -> Result<u8, Stop> {
    let folder = Folder::of_node(dir).or_usage()?;
    let epoch = status(&folder)?;
    tell(&epoch, json, None)?;
    Ok(exit::OK)
}

pub(in crate::commands) fn propose(args: &GroupPropose) -> Result<u8, Stop> {
    let folder = Folder::of_node(&args.dir.path).or_usage()?;
    let epoch = status(&folder)?;
    let group = group_of(&epoch)?;
    let next = changed(&group, args)?;
    if args.dry_run {
        return foretell(&would_be(&group, &next, &epoch), &epoch, args.json);
    }
    let membership = next.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    said(&folder, &Request::Propose { membership }, args.json)
}

pub(in crate::commands) fn approve(args: &GroupApprove) -> Result<u8, Stop> {
    let folder = Folder::of_node(&args.dir.path).or_usage()?;
    let epoch = status(&folder)?;
    let mut named = epoch.proposals.iter().filter(|proposal| proposal.membership.starts_with(&args.membership));
    let proposal = match (named.next(), named.next()) {
        (Some(proposal), None) => proposal,
        (None, _) => return Err(usage(format!("nobody proposes {}", args.membership))),
        (Some(_), Some(_)) => return Err(usage(format!("{} begins more than one proposal", args.membership))),
    };
    if args.dry_run {
        return foretell(proposal, &epoch, args.json);
    }
    said(&folder, &Request::Approve { membership: proposal.membership.clone() }, args.json)
}

/// A membership as it stands: somebody may propose the same already.
fn would_be(group: &Group, next: &Membership, epoch: &EpochStatus) -> ProposalStatus {
    let membership = next.digest().to_string();
    let proposed = epoch.proposals.iter().find(|proposal| proposal.membership == membership);
    proposed.cloned().unwrap_or_else(|| ProposalStatus {
        membership,
        by: String::new(),
        changes: differences(group, next),
        approved: Vec::new(),
        missing: group.members().iter().map(|member| member.name.clone()).collect(),
        agreed: false,
    })
}

/// Prints what a signature would be for, and signs nothing.
fn foretell(proposal: &ProposalStatus, epoch: &EpochStatus, json: bool) -> Result<u8, Stop> {
    let next = group_of(epoch)?.epoch() + 1;
    let ProposalStatus { membership, changes, approved, missing, .. } = proposal;
    if json {
        say(json!({
            "membership": membership,
            "epoch": next,
            "changes": changes,
            "needed": epoch.needed,
            "approved": approved,
            "missing": missing,
        }));
        return Ok(exit::OK);
    }
    let head = [format!("membership {membership}"), format!("epoch      {next}")];
    let lines: Vec<String> =
        head.into_iter().chain(changes.iter().cloned()).chain(signatures(proposal, epoch)).collect();
    say(lines.join("\n"));
    eprintln!("\nNothing was signed.");
    Ok(exit::OK)
}

/// The members in force with the changes that were asked for.
fn changed(group: &Group, args: &GroupPropose) -> Result<Membership, Stop> {
    let mut next = group.membership();
    for path in &args.members {
        let member = group_file::member(path, group).or_usage()?;
        next.members.retain(|other| other.name != member.name);
        next.members.push(membership::Member::from(&member));
    }
    for name in &args.remove {
        known(&next, name)?;
        next.members.retain(|member| member.name != *name);
    }
    for (names, absent) in [(&args.absent, true), (&args.present, false)] {
        for name in names {
            known(&next, name)?;
            next.members.iter_mut().filter(|member| member.name == *name).for_each(|member| member.absent = absent);
        }
    }
    next.members.sort_by(|a, b| a.name.cmp(&b.name));
    next.threshold = args.threshold.unwrap_or(next.threshold);
    let present = group.membership();
    if next == present {
        return Err(usage("this changes nothing: say who is added, removed, absent or present".to_owned()));
    }
    group.followed_by(&next).map_err(|error| usage(error.to_string()))?;
    Ok(next)
}

fn known(membership: &Membership, name: &str) -> Result<(), Stop> {
    match membership.members.iter().any(|member| member.name == *name) {
        true => Ok(()),
        false => Err(usage(format!("no member is named {name}"))),
    }
}

fn usage(message: String) -> Stop {
    Stop::new(exit::USAGE, miette::miette!(help = "`group show --dir DIR` names members and proposals", "{message}"))
}

fn status(folder: &Folder) -> Result<EpochStatus, Stop> {
    match ask(folder, &Request::Epoch)? {
        Answer::Epoch(epoch) => Ok(epoch),
        _ => Err(strange()),
    }
}

fn said(folder: &Folder, request: &Request, json: bool) -> Result<u8, Stop> {
    let Answer::Said { ordered, epoch } = ask(folder, request)? else { return Err(strange()) };
    tell(&epoch, json, Some(ordered))?;
    Ok(exit::OK)
}

fn group_of(epoch: &EpochStatus) -> Result<Group, Stop> {
    Group::parse(&epoch.group).map_err(|_| strange())
}

fn tell(epoch: &EpochStatus, json: bool, ordered: Option<bool>) -> Result<(), Stop> {
    if json {
        let mut told =
            serde_json::to_value(epoch).map_err(|error| Stop::new(exit::INTERNAL, miette::miette!(error)))?;
        if let Some(ordered) = ordered {
            told["ordered"] = ordered.into();
        }
        say(told);
        return Ok(());
    }
    let mut lines = Vec::new();
    if ordered.is_none() {
        lines.push(describe(&group_of(epoch)?));
    }
    if epoch.proposals.is_empty() {
        lines.push("\nnothing is proposed".to_owned());
    }
    lines.extend(epoch.proposals.iter().map(|proposal| in_words(proposal, epoch)));
    if ordered == Some(false) {
        lines.push("\nThe group has not ordered it yet: it is on its way as long as this node runs.".to_owned());
    }
    say(lines.join("\n"));
    Ok(())
}

fn in_words(proposal: &ProposalStatus, epoch: &EpochStatus) -> String {
    let mut lines = vec![format!("\nproposal   {} by {}", proposal.membership, proposal.by)];
    lines.extend(proposal.changes.iter().cloned());
    lines.extend(signatures(proposal, epoch));
    lines.join("\n")
}

/// Who has signed, and who may still, or what follows from that.
fn signatures(proposal: &ProposalStatus, epoch: &EpochStatus) -> [String; 2] {
    let (count, needed) = (proposal.approved.len(), epoch.needed);
    let then = match (proposal.agreed, epoch.over, epoch.open_rounds) {
        (false, ..) => format!("may sign   {}", list(&proposal.missing)),
        (true, true, _) => "agreed     the epoch is over; its last entry is being signed".to_owned(),
        (true, false, open) => format!("agreed     the epoch ends when {open} open rounds have their verdicts"),
    };
    [format!("approved   {count} of {needed} needed: {}", list(&proposal.approved)), then]
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nobody".to_owned() } else { names.join(" ") }
}
