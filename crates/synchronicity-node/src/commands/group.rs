//! `group`: founding one, looking at one, and changing who its members are.

pub(super) mod change;
pub(super) mod history;
pub(super) mod join;
pub(super) mod rotate;

use std::path::Path;

use serde_json::json;
use synchronicity_core::group::Group;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::{KeyKind, Signer};

use super::say;
use crate::cli::{GroupNew, GroupShow};
use crate::durable::{Disk, Synced};
use crate::exit::{self, Stop, StopWith};
use crate::group_file::{self, Founding, GroupFileError};
use crate::keys::{KeysError, Seed};

pub(super) fn new(args: &GroupNew) -> Result<u8, Stop> {
    let (file, key) = (args.out.join("group.toml"), args.out.join("log.key"));
    for path in [&file, &key] {
        if path.exists() {
            let help = "a group is founded once; name another folder with --out";
            return Err(Stop::new(exit::USAGE, miette::miette!(help = help, "{} exists already", path.display())));
        }
    }
    let seed = Seed::generate().or_internal()?;
    let log = Signer::from_seed(&args.origin, KeyKind::Log, seed.expose()).map_err(KeysError::from).or_usage()?;
    let overrides = args.overrides.as_deref().map(group_file::overrides).transpose().or_usage()?.unwrap_or_default();
    let founding = Founding {
        origin: &args.origin,
        log_key: log.verifier_key(),
        threshold: args.threshold,
        commit_window_s: args.commit_window,
        reveal_window_s: args.reveal_window,
        containment: &args.containment,
        overrides: &overrides,
    };
    let group = group_file::found(&founding, &args.members).or_usage()?;
    seed.write(&key).or_internal()?;
    let written = Synced.write(&file, group.to_text().as_bytes());
    written.map_err(|error| GroupFileError::File { path: file.clone(), error }).or_internal()?;
    say(describe(&group));
    eprintln!(
        "\nGive every member {} (no secret) and {} (a secret: over a safe channel, to the members only).",
        file.display(),
        key.display()
    );
    Ok(exit::OK)
}

pub(super) fn show(args: &GroupShow) -> Result<u8, Stop> {
    match (&args.file, &args.dir) {
        (_, Some(dir)) => change::show(dir, args.json),
        (file, None) => show_file(file.as_deref().unwrap_or(Path::new("group.toml")), args.json),
    }
}

fn show_file(file: &Path, json: bool) -> Result<u8, Stop> {
    let group = group_file::read(file).or_usage()?;
    if json {
        say(as_json(&group));
    } else {
        say(describe(&group));
    }
    Ok(exit::OK)
}

fn describe(group: &Group) -> String {
    let all = group.members().len();
    let (build_s, reveal_s) = (group.commit_window_ms() / 1000, group.reveal_window_ms() / 1000);
    let mut lines = vec![
        format!("group      {}", group.id()),
        format!("log        {}", group.origin()),
        format!("epoch      {}", group.epoch()),
        format!("verdicts   {} of {all} builders with the same result", group.threshold()),
        format!("log signed {} of {all} builders on each published checkpoint", group.quorum()),
        format!("policy     {}", policy_hash(group)),
        format!("windows    {build_s} s to build, {reveal_s} s to reveal"),
    ];
    if !group.containment().is_empty() {
        lines.push(format!("sandboxes  must have {}", group.containment().join(", ")));
    }
    for agreed in group.overrides() {
        let version = agreed.version.as_deref().unwrap_or("of any version");
        lines.push(format!("override   {} {version}: {agreed}", agreed.package));
        lines.push(format!("           because {}", agreed.reason));
    }
    let members = group.members().iter();
    lines.extend(members.map(|member| {
        let absent = if member.absent { "  absent" } else { "" };
        format!("builder    {:16} {:24} {}{absent}", member.name, member.address, member.command)
    }));
    lines.join("\n")
}

/// By which clients know the group's policy, whatever address a node serves with it.
fn policy_hash(group: &Group) -> Digest {
    group.policy(None).expect("a policy of a group's own members is one").sha256()
}

fn as_json(group: &Group) -> serde_json::Value {
    let member = |member: &synchronicity_core::group::Member| {
        json!({
            "name": member.name,
            "builder": member.command.to_string(),
            "cosigner": member.cosigner.to_string(),
            "attestation": Digest(member.attestation).to_string(),
            "address": member.address,
            "absent": member.absent,
        })
    };
    json!({
        "group": group.id().to_string(),
        "origin": group.origin(),
        "epoch": group.epoch(),
        "log_key": group.log_key().to_string(),
        "threshold": group.threshold(),
        "quorum": group.quorum(),
        "policy_sha256": policy_hash(group).to_string(),
        "commit_window_ms": group.commit_window_ms(),
        "reveal_window_ms": group.reveal_window_ms(),
        "containment": group.containment(),
        "overrides": group.overrides(),
        "members": group.members().iter().map(member).collect::<Vec<_>>(),
    })
}
