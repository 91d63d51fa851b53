//! Which policy a command goes by: a name, a file, or the one that this user trusts.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::Args;
use miette::Diagnostic;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::policy::Policy;

use super::record::{GROUPS_MAX, sha256_of_any};
use super::{Kept, Name, Policies};
use crate::exit::{self, Stop};
use crate::printable::printable;
use crate::{read, user_settings};

/// The name of the policy that is used where none is named.
const DEFAULT: &str = "default";

/// Which policy, on the command line.
#[derive(Clone, Debug, Args)]
pub struct Choice {
    /// The policy, which says whose log, which builders, how many of them: a file, or a name that `trust add` gave
    /// [default: the one named `default`, or the only one that is trusted]
    #[arg(long, value_name = "NAME|FILE", env = "SYNCHRONICITY_POLICY")]
    policy: Option<PathBuf>,
    /// Use no policy but the one with this hash, which `trust show NAME` prints
    #[arg(long, value_name = "SHA256", env = "SYNCHRONICITY_POLICY_SHA256")]
    policy_sha256: Option<Digest>,
}

/// Which policy, as a file of settings says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// A name, or a file.
    One(String),
    /// Some of these, each a name or a file.
    Any { needed: usize, of: Vec<String> },
}

/// What a command goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trusted {
    One(Box<Policy>),
    Any(Combined),
}

/// Several groups, of which some must agree. Each has a log, and keys, of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Combined {
    /// From 1 to the number of groups.
    pub(crate) needed: usize,
    /// With the name that each goes by here.
    pub(crate) groups: Vec<(String, Policy)>,
}

/// Why there is no policy to go by.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum NoChoice {
    #[error("no policy is named, and none is trusted yet")]
    #[diagnostic(help(
        "`synchronicity trust add URL` fetches the one of a group, and shows it before it is trusted; or name a file with --policy, or as `policy = \"FILE\"` in synchronicity.toml"
    ))]
    None,
    #[error("no policy is named, and several are trusted: {0}")]
    #[diagnostic(help("name one with --policy, or call it `{DEFAULT}`: `synchronicity trust rename NAME {DEFAULT}`"))]
    Several(String),
    #[error("{0} is neither the name of a trusted policy nor a file")]
    #[diagnostic(help("`synchronicity trust list` has the names"))]
    Unknown(String),
    #[error("the policy has the hash {found}, and {wanted} is asked for")]
    #[diagnostic(help(
        "nothing was decided: somebody changed the policy, or means another one; `synchronicity trust show NAME` shows what you trust"
    ))]
    OtherHash { wanted: Digest, found: Digest },
    #[error("{0} are several groups, and this command is about the log of one")]
    #[diagnostic(help("name one of them with --policy"))]
    NotOne(String),
    #[error("the groups cannot be combined: {0}")]
    #[diagnostic(help("each group has one vote: its log, and most of its builders, must be its own"))]
    Combination(String),
}

impl Wish {
    /// The names and files, as they were written.
    pub(crate) fn texts(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Any { of, .. } => of,
        }
    }
}

impl NoChoice {
    fn stop(self) -> Stop {
        Stop::new(if let Self::OtherHash { .. } = self { exit::INVALID } else { exit::USAGE }, self)
    }
}

impl Choice {
    /// The policy of one group.
    pub(crate) fn one(&self) -> Result<Policy, Stop> {
        self.trusted()?.one()
    }

    /// One group, or several.
    pub(crate) fn trusted(&self) -> Result<Trusted, Stop> {
        self.or(None, None)
    }

    /// The same; settings say it where the command line does not: `wish` with the folder of its files, and a hash that
    /// the policy must have.
    pub(crate) fn or(&self, wish: Option<(&Wish, &Path)>, pin: Option<Digest>) -> Result<Trusted, Stop> {
        let trusted = match (&self.policy, wish) {
            (Some(text), _) => named(text.as_os_str(), Path::new(""))?,
            (None, Some((Wish::One(text), folder))) => named(text.as_ref(), folder)?,
            (None, Some((Wish::Any { needed, of }, folder))) => any(*needed, of, folder)?,
            (None, None) => match &user_settings::kept().policy {
                Some(text) => named(text.as_ref(), user_settings::kept().folder())?,
                None => by_default()?,
            },
        };
        let found = trusted.sha256();
        match self.policy_sha256.or(pin) {
            Some(wanted) if wanted != found => Err(NoChoice::OtherHash { wanted, found }.stop()),
            _ => Ok(trusted),
        }
    }
}

/// The policy of one group that `text` names.
pub(crate) fn one(text: &Path) -> Result<Policy, Stop> {
    named(text.as_os_str(), Path::new(""))?.one()
}

/// What `text` names. A name of a trusted policy goes before a file in the current folder, so that whoever made the
/// folder cannot put a policy of its own in its place; a path, and whatever else cannot be a name, is a file.
fn named(text: &OsStr, folder: &Path) -> Result<Trusted, Stop> {
    let path = folder.join(text);
    let Some(name) = text.to_str().and_then(|text| text.parse::<Name>().ok()) else {
        return file(&path);
    };
    // Without a folder of policies there are only files.
    if let Ok(policies) = Policies::open()
        && let Some(trusted) = kept(&policies, &name)?
    {
        return Ok(trusted);
    }
    if read::is_there(&path) { file(&path) } else { Err(NoChoice::Unknown(name.to_string()).stop()) }
}

fn file(path: &Path) -> Result<Trusted, Stop> {
    let policy = read::policy(path).map_err(|error| Stop::new(exit::USAGE, error))?;
    Ok(Trusted::One(Box::new(policy)))
}

fn kept(policies: &Policies, name: &Name) -> Result<Option<Trusted>, Stop> {
    policies.get(name)?.map(|kept| of_kept(policies, kept)).transpose()
}

/// What is kept, with the policies that it is made of.
pub(crate) fn of_kept(policies: &Policies, kept: Kept) -> Result<Trusted, Stop> {
    let group = |name: &Name| match policies.get(name)? {
        Some(Kept::Single(single)) => Ok((name.to_string(), single.policy)),
        _ => Err(NoChoice::Unknown(name.to_string()).stop()),
    };
    match kept {
        Kept::Single(single) => Ok(Trusted::One(Box::new(single.policy))),
        Kept::Any(any) => {
            let groups = any.of.iter().map(group).collect::<Result<_, Stop>>()?;
            Combined::new(any.needed, groups).map(Trusted::Any)
        }
    }
}

/// The groups of a file of settings.
fn any(needed: usize, of: &[String], folder: &Path) -> Result<Trusted, Stop> {
    let group = |text: &String| Ok::<_, Stop>((printable(text), named(text.as_ref(), folder)?.one()?));
    let groups = of.iter().map(group).collect::<Result<_, Stop>>()?;
    Combined::new(needed, groups).map(Trusted::Any)
}

/// The one that is gone by where nobody names one, for people.
pub(crate) fn by_default_in_words() -> String {
    let names = Policies::open().map_err(Stop::from).and_then(|policies| Ok(policies.names()?));
    let names: Vec<_> = names.unwrap_or_default().iter().map(ToString::to_string).collect();
    match names.as_slice() {
        names if names.iter().any(|name| name == DEFAULT) => DEFAULT.to_owned(),
        [] => "none: no policy is trusted yet".into(),
        [only] => format!("{only}, the only one that is trusted"),
        _ => format!("none: several are trusted, and none is named {DEFAULT}"),
    }
}

fn by_default() -> Result<Trusted, Stop> {
    let none = || NoChoice::None.stop();
    let policies = Policies::open().map_err(|_| none())?;
    let default = DEFAULT.parse().map_err(|_| none())?;
    if let Some(trusted) = kept(&policies, &default)? {
        return Ok(trusted);
    }
    match policies.names()?.as_slice() {
        [] => Err(none()),
        [only] => kept(&policies, only)?.ok_or_else(none),
        names => {
            let names = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Err(NoChoice::Several(names).stop())
        }
    }
}

impl Trusted {
    /// The policy, if it is of one group.
    pub(crate) fn one(self) -> Result<Policy, Stop> {
        match self {
            Self::One(policy) => Ok(*policy),
            Self::Any(combined) => Err(NoChoice::NotOne(combined.names()).stop()),
        }
    }

    /// Names it for people who compare it.
    pub(crate) fn sha256(&self) -> Digest {
        match self {
            Self::One(policy) => policy.sha256(),
            Self::Any(combined) => combined.sha256(),
        }
    }
}

impl Combined {
    /// Any `needed` of these groups.
    ///
    /// # Errors
    /// Too few or too many groups, or two of them that are one, in whole or in part.
    pub(crate) fn new(needed: usize, groups: Vec<(String, Policy)>) -> Result<Self, Stop> {
        let refused = |why: String| Err(NoChoice::Combination(why).stop());
        if !(2..=GROUPS_MAX).contains(&groups.len()) || !(1..=groups.len()).contains(&needed) {
            return refused(format!(
                "any {needed} of {}: take 2 to {GROUPS_MAX} groups, and no more of them",
                groups.len()
            ));
        }
        for (at, (name, policy)) in groups.iter().enumerate() {
            for (other, known) in &groups[..at] {
                if policy.log().name() == known.log().name() {
                    return refused(format!(
                        "{other} and {name} are about one log, {}",
                        printable(policy.log().name())
                    ));
                }
                let ours: BTreeSet<_> = keys(policy).collect();
                let shared = keys(known).filter(|key| ours.contains(key)).count();
                // A witness that watches both logs is no builder of either; as many as a quorum might be all of them.
                if shared > 0 && shared >= policy.signers_min().min(known.signers_min()) {
                    return refused(format!(
                        "{other} and {name} have {shared} keys in common, enough to sign for both"
                    ));
                }
            }
        }
        Ok(Self { needed, groups })
    }

    /// See [`sha256_of_any`].
    pub(crate) fn sha256(&self) -> Digest {
        sha256_of_any(self.needed, self.groups.iter().map(|(_, policy)| policy.sha256()))
    }

    /// As in `alder, birch`.
    pub(crate) fn names(&self) -> String {
        self.groups.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// The log's key, and those of the witnesses that count.
fn keys(policy: &Policy) -> impl Iterator<Item = [u8; 32]> {
    let counting = policy.witnesses().iter().enumerate().filter(|(at, _)| policy.counts(*at));
    let keys = std::iter::once(policy.log()).chain(counting.map(|(_, witness)| &witness.key));
    keys.map(|key| *key.public_bytes())
}
