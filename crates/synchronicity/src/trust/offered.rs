//! A policy that somebody offers: read from a file, or fetched from a node together with the file of its group.

use std::path::{Path, PathBuf};

use clap::Args;
use miette::Diagnostic;
use synchronicity_core::group::{Group, GroupTextError};
use synchronicity_rebuild::download::Patience;
use synchronicity_verify::policy::{POLICY_BYTES_MAX, Policy, PolicyError};

use crate::agreed::{self, GROUP_BYTES_MAX};
use crate::exit::{self, Stop};
use crate::policies::Single;
use crate::printable::printable;
use crate::source::{NoAddress, Source, SourceError};
use crate::{age, read};

/// Where a policy comes from.
#[derive(Debug, Args)]
pub(crate) struct Offer {
    /// The address of a node, or whatever else has `policy` below it, and perhaps `group`; or a policy file
    #[arg(value_name = "URL|FILE")]
    place: PathBuf,
    /// The group file that goes with a policy file: the policy must be of its members
    #[arg(long, value_name = "FILE")]
    group: Option<PathBuf>,
}

/// A policy that holds together, and is not trusted yet.
pub(crate) struct Offered {
    pub(crate) single: Single,
    /// Whether a server was asked: then whoever is between could have answered.
    pub(crate) fetched: bool,
}

/// Why there is no policy to look at.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum OfferTrouble {
    #[error(transparent)]
    #[diagnostic(help("the address is that of a node, as in http://127.0.0.1:8080: the policy stands below it"))]
    Address(NoAddress),
    #[error("{0} is an address, and --group goes with a policy file")]
    #[diagnostic(help("the group file is fetched from there, too"))]
    GroupOfUrl(String),
    #[error("the policy cannot be fetched: {0}")]
    #[diagnostic(help("ask another node of the group, or get the file from one of its members"))]
    Fetch(SourceError),
    #[error("there is no policy at {0}")]
    #[diagnostic(help("the address is that of a node, as in http://127.0.0.1:8080: the policy stands below it"))]
    Absent(String),
    #[error("{place} is no policy: {error}")]
    #[diagnostic(help("nothing was added; ask another node, and tell the group's members of this one"))]
    Policy { place: String, error: PolicyError },
    #[error("{place} is no group file: {error}")]
    #[diagnostic(help("nothing was added; ask another node, and tell the group's members of this one"))]
    Group { place: String, error: GroupTextError },
    #[error("the policy and the group file contradict each other: {0}")]
    #[diagnostic(help("nothing was added; whoever gave them to you gave you something false, or mixed up two groups"))]
    Contradiction(String),
}

impl Offer {
    /// Reads it, under limits.
    pub(crate) fn read(&self) -> Result<Offered, Stop> {
        let offered = match self.place.to_str().filter(|text| text.contains("://")) {
            Some(url) if self.group.is_some() => {
                return Err(Stop::new(exit::USAGE, OfferTrouble::GroupOfUrl(printable(url))));
            }
            Some(url) => fetched(url)?,
            None => from_files(&self.place, self.group.as_deref())?,
        };
        if let Some(group) = &offered.single.group {
            fits(group, &offered.single.policy).map_err(|why| {
                let code = if offered.fetched { exit::INVALID } else { exit::USAGE };
                Stop::new(code, OfferTrouble::Contradiction(why))
            })?;
        }
        Ok(offered)
    }
}

fn from_files(path: &Path, group: Option<&Path>) -> Result<Offered, Stop> {
    let usage = |error| Stop::new(exit::USAGE, error);
    let bytes = read::bounded(path, POLICY_BYTES_MAX as u64, "policy").map_err(usage)?;
    let policy = read::parsed(path, &bytes).map_err(usage)?;
    let group = group.map(agreed::read).transpose()?;
    Ok(Offered { single: single(&bytes, policy, group, path.display().to_string()), fetched: false })
}

fn fetched(url: &str) -> Result<Offered, Stop> {
    let source = Source::url(url, Patience::for_logs());
    let source = source.map_err(|error| Stop::new(exit::USAGE, OfferTrouble::Address(error)))?;
    let (place, trouble) =
        (source.place("policy"), |error: SourceError| Stop::new(error.code(), OfferTrouble::Fetch(error)));
    let bytes = source.read("policy", POLICY_BYTES_MAX as u64).map_err(|error| match error {
        SourceError::Absent(place) => Stop::new(exit::USAGE, OfferTrouble::Absent(place)),
        error => trouble(error),
    })?;
    let policy =
        Policy::parse(&bytes).map_err(|error| Stop::new(exit::INVALID, OfferTrouble::Policy { place, error }))?;
    let group = match source.read("group", GROUP_BYTES_MAX) {
        Ok(bytes) => {
            let place = source.place("group");
            let group = Group::parse(&String::from_utf8_lossy(&bytes));
            Some(group.map_err(|error| Stop::new(exit::INVALID, OfferTrouble::Group { place, error }))?)
        }
        // A copy of a log's files has none.
        Err(SourceError::Absent(_)) => None,
        Err(error) => return Err(trouble(error)),
    };
    Ok(Offered { single: single(&bytes, policy, group, source.to_string()), fetched: true })
}

fn single(bytes: &[u8], policy: Policy, group: Option<Group>, from: String) -> Single {
    // A policy that was parsed is UTF-8.
    let text = String::from_utf8_lossy(bytes).into_owned();
    Single { text, policy, group, from, added_s: age::now_s() }
}

/// Whether the policy is about the log of this group, and asks its members: what a person is shown of the group must be
/// what the policy goes by.
fn fits(group: &Group, policy: &Policy) -> Result<(), String> {
    if group.log_key() != policy.log() {
        return Err(format!("the group's log is {}, the policy's {}", group.log_key(), policy.log()));
    }
    let counting = || policy.witnesses().iter().enumerate().filter(|(at, _)| policy.counts(*at));
    match group.members().iter().find(|member| !counting().any(|(_, witness)| witness.key == member.cosigner)) {
        Some(member) => Err(format!("{} is a member of the group, and counts for nothing in the policy", member.name)),
        None => Ok(()),
    }
}
