//! `requests`: what the group was asked to rebuild lately.

use super::say;
use crate::cli::Ask;
use crate::exit::{self, Stop, StopWith};
use crate::folder::Folder;
use crate::status::RoundStatus;

pub(super) fn requests(args: &Ask) -> Result<u8, Stop> {
    let folder = Folder::of_node(&args.dir.path).or_usage()?;
    let rounds = super::status::fetch(&folder)?.rounds;
    if args.json {
        let line = serde_json::to_string(&rounds).map_err(|error| Stop::new(exit::INTERNAL, miette::miette!(error)))?;
        say(line);
        return Ok(exit::OK);
    }
    if rounds.is_empty() {
        eprintln!(
            "Nothing yet. Ask for a rebuild with: synchronicity-node submit CRATE@VERSION --dir {}",
            folder.root().display()
        );
    }
    for round in &rounds {
        say(describe(round));
    }
    Ok(exit::OK)
}

fn describe(round: &RoundStatus) -> String {
    let count = |of: fn(&crate::status::MemberStatus) -> bool| round.members.iter().filter(|member| of(member)).count();
    let committed = count(|member| member.committed);
    let revealed = count(|member| member.revealed);
    let all = round.members.len();
    let state = match (&round.verdict, round.index) {
        (Some(verdict), Some(index)) => format!("{verdict}, entry {index}"),
        _ => round.phase.clone(),
    };
    format!("{}  {state}  ({committed}/{all} committed, {revealed}/{all} revealed)  {}", round.purl, round.request)
}
