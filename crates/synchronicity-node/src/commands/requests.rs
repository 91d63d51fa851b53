//! `requests`: what the group was asked to rebuild lately, and one request in detail.

use std::fmt::Write;

use serde_json::json;

use super::{ask, say, strange};
use crate::cli::Requests;
use crate::exit::{self, Stop, StopWith};
use crate::explaining::words;
use crate::folder::Folder;
use crate::operator::{Answer, Request};
use crate::status::{MemberStatus, ResultStatus, RoundStatus};

pub(super) fn requests(args: &Requests) -> Result<u8, Stop> {
    let folder = Folder::of_node(&args.dir.path).or_usage()?;
    let rounds = super::status::fetch(&folder)?.rounds;
    if let Some(wanted) = &args.request {
        return one(&folder, rounds, wanted, args.json);
    }
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

fn one(folder: &Folder, rounds: Vec<RoundStatus>, wanted: &str, json: bool) -> Result<u8, Stop> {
    let mut found = rounds.into_iter().filter(|round| round.request.starts_with(wanted));
    let (Some(round), None) = (found.next(), found.next()) else {
        let problem = miette::miette!(
            help = "`synchronicity-node requests` without one lists the latest",
            "{wanted:?} begins the identity of none, or of several, of the latest requests"
        );
        return Err(Stop::new(exit::USAGE, problem));
    };
    let told = match ask(folder, &Request::Explain { request: round.request.clone() })? {
        Answer::Explained(told) => told,
        _ => return Err(strange()),
    };
    if json {
        say(json!({ "round": round, "explanation": told }));
        return Ok(exit::OK);
    }
    let mut text = describe(&round);
    round.members.iter().for_each(|member| member_in_words(&mut text, member));
    if let Some(told) = told.as_deref().filter(|_| round.verdict.as_deref() == Some("diverged")) {
        let _ = write!(text, "\n{}", words::in_words(told));
    }
    say(text);
    Ok(exit::OK)
}

/// Writing to a string cannot fail.
fn member_in_words(text: &mut String, member: &MemberStatus) {
    let done = match (member.committed, member.revealed) {
        (_, true) => "revealed",
        (true, false) => "committed",
        (false, false) => "nothing yet",
    };
    let _ = write!(text, "\n  {:10} {done}", member.name);
    match &member.result {
        Some(ResultStatus::Failure(failure)) => {
            let _ = write!(text, ": {failure}");
        }
        Some(ResultStatus::Artifacts(artifacts)) => artifacts.iter().for_each(|artifact| {
            let _ = write!(text, "\n    {}  {} bytes  sha256 {}", artifact.name, artifact.size, artifact.sha256);
        }),
        None => {}
    }
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
