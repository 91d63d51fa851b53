//! `submit`: asks the running node to have something rebuilt.

use std::path::Path;

use synchronicity_rebuild::spec::Spec;

use super::say;
use crate::cli::Submit;
use crate::exit::{self, Stop, StopWith};
use crate::folder::Folder;
use crate::operator::{Answer, Request, Submitted};

pub(super) fn submit(args: &Submit) -> Result<u8, Stop> {
    let folder = Folder::of_node(&args.dir.path).or_usage()?;
    let spec = absolute(&args.spec)?;
    let Answer::Submitted(submitted) = super::ask(&folder, &Request::Submit { spec })? else {
        return Err(super::strange());
    };
    if args.json {
        let line =
            serde_json::to_string(&submitted).map_err(|error| Stop::new(exit::INTERNAL, miette::miette!(error)))?;
        say(line);
    } else {
        say(describe(&submitted));
    }
    Ok(exit::OK)
}

/// A folder is named from where the command runs, which is not where the node runs.
fn absolute(spec: &str) -> Result<String, Stop> {
    let usage = |message: String| Stop::new(exit::USAGE, miette::miette!(message));
    let parsed: Spec =
        spec.parse().map_err(|error: synchronicity_rebuild::spec::SpecError| usage(error.to_string()))?;
    let Spec::Folder(folder) = parsed else { return Ok(spec.to_owned()) };
    let folder = Path::new(&folder).canonicalize().map_err(|error| usage(format!("{spec}: {error}")))?;
    folder.to_str().map(str::to_owned).ok_or_else(|| usage(format!("{spec}: the path is not UTF-8")))
}

fn describe(submitted: &Submitted) -> String {
    let Submitted { request, round, purl, .. } = submitted;
    match (submitted.state.as_str(), &submitted.verdict, submitted.index) {
        ("concluded", Some(verdict), Some(index)) => {
            format!("{purl} has its verdict: {verdict}, entry {index} of the log (request {request})")
        }
        ("open", ..) => format!("the group is at {purl} already (request {request}, round {round})"),
        ("ordered", ..) => format!("the group rebuilds {purl} (request {request}, round {round})"),
        _ => format!(
            "{purl} is handed over, but the group has not ordered it yet (request {request}, round {round}): `requests` \
             shows it when it has; if this node is stopped before, submit it again"
        ),
    }
}
