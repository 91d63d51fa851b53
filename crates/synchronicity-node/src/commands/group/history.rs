//! `group history`: the epochs that have ended, from their last entries.

use serde_json::Value;
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::membership::MembershipEntry;

use super::super::{log, say};
use crate::cli::Ask;
use crate::epochs::Epochs;
use crate::exit::{self, Stop, StopWith};
use crate::folder::Folder;
use crate::node::RunError;

pub(in crate::commands) fn history(args: &Ask) -> Result<u8, Stop> {
    let folder = Folder::of_node(&args.dir.path).or_usage()?;
    let succession = Epochs::of(&folder).succession().map_err(RunError::Epochs).or_internal()?;
    let steps = succession.map(|succession| succession.steps).unwrap_or_default();
    let ends: Vec<(u64, MembershipEntry)> = steps
        .iter()
        .filter_map(|proof| match Leaf::from_bytes(&proof.entry) {
            Ok(Leaf::Membership(entry)) => Some((proof.index, entry)),
            _ => None,
        })
        .collect();
    if args.json {
        say(Value::from_iter(ends.iter().map(|(index, entry)| log::membership::as_json(*index, entry))));
        return Ok(exit::OK);
    }
    if ends.is_empty() {
        say("no epoch has ended here");
    }
    let lines: Vec<String> = ends.iter().map(|(index, entry)| log::membership::describe(*index, entry)).collect();
    if !lines.is_empty() {
        say(lines.join("\n"));
    }
    Ok(exit::OK)
}
