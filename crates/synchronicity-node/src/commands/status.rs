//! `status`: how the running node is.

use super::say;
use crate::cli::Ask;
use crate::exit::{self, Stop, StopWith};
use crate::folder::Folder;
use crate::operator::{Answer, Request};
use crate::status::{OffenceStatus, Stage, Status, WebhookStatus};

pub(super) fn status(args: &Ask) -> Result<u8, Stop> {
    let folder = Folder::of_node(&args.dir.path).or_usage()?;
    let status = fetch(&folder)?;
    if args.json {
        let line = serde_json::to_string(&status).map_err(|error| Stop::new(exit::INTERNAL, miette::miette!(error)))?;
        say(line);
    } else {
        say(describe(&status));
    }
    Ok(exit::OK)
}

pub(super) fn fetch(folder: &Folder) -> Result<Status, Stop> {
    match super::ask(folder, &Request::Status)? {
        Answer::Status(status) => Ok(*status),
        _ => Err(super::strange()),
    }
}

fn describe(status: &Status) -> String {
    let mut text = format!("node      {} ({})\n", status.node, status.version);
    text.push_str(&format!("group     {} ({})\n", status.origin, status.group));
    let pace = if status.caught_up { "caught up" } else { "catching up" };
    text.push_str(&format!("chain     height {}, {} other members connected, {pace}\n", status.height, status.peers));
    let log = &status.log;
    text.push_str(&format!("log       {} entries, {} published", log.size, log.published_size));
    if !log.cosigners.is_empty() {
        text.push_str(&format!(", signed by {}", log.cosigners.join(" ")));
    }
    text.push('\n');
    for build in &status.building {
        let stage = match build.stage {
            Stage::Waiting => "waiting",
            Stage::Fetching => "fetching",
            Stage::Building => "building",
            Stage::Done => "done",
        };
        let compiled = build.compiled.as_deref().unwrap_or_default();
        text.push_str(&format!("build     {} {stage} {} s {compiled}\n", build.request, build.elapsed_ms / 1000));
        if let Some(why) = &build.retried {
            text.push_str(&format!("          tried again after: {why}\n"));
        }
    }
    for hook in &status.webhooks {
        let WebhookStatus { name, waiting, delivered, failures, failing, .. } = hook;
        let now = if *failing { ", the latest too" } else { "" };
        text.push_str(&format!(
            "webhook   {name}: {delivered} taken, {waiting} entries wait, {failures} attempts failed{now}\n"
        ));
    }
    for offence in &status.offences {
        let OffenceStatus { member, offence, count, last, .. } = offence;
        let last = last.as_ref().map(|last| format!(", at last {last}")).unwrap_or_default();
        text.push_str(&format!("offence   {member}: {offence}, {count} times{last}\n"));
    }
    if let Some(how) = &status.misbehaves {
        text.push_str(&format!("MISBEHAVES {how}\n"));
    }
    text.push_str(&format!("health    {}\n", status.health));
    text
}
