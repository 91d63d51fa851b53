//! `trust list`, `remove`, `rename` and `combine`: the policies that this user trusts, by name.

use clap::Args;
use miette::Diagnostic;
use serde_json::json;

use super::described;
use crate::exit::{self, Stop};
use crate::policies::choice::of_kept;
use crate::policies::{Any, Kept, Name, Policies};

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The policy
    name: Name,
}

#[derive(Debug, Args)]
pub(crate) struct Rename {
    /// The name that it has
    name: Name,
    /// The name that it gets; `default` is the one that is used where none is named
    new: Name,
}

#[derive(Debug, Args)]
#[command(after_help = COMBINE_HELP)]
pub(crate) struct Combine {
    /// What to call the combination
    name: Name,
    /// How many of the groups must agree
    #[arg(long, value_name = "K")]
    any: usize,
    /// Names of the groups' policies
    #[arg(value_name = "POLICY", required = true)]
    policies: Vec<Name>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

const COMBINE_HELP: &str = "\
Example:
  synchronicity trust combine three --any 2 alder birch cedar
  synchronicity verify ~/.cargo/bin/hexyl --policy three

Each group keeps a log of its own; `verify`, `audit` and `gate` ask all of them,
and go by what enough of them say.";

/// Why a name stays as it is.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum NamedTrouble {
    #[error("no policy is named {0}")]
    #[diagnostic(help("`synchronicity trust list` has the names"))]
    Unknown(Name),
    #[error("{name} is a part of {combination}")]
    #[diagnostic(help("remove the combination first: `synchronicity trust remove {combination}`"))]
    InUse { name: Name, combination: Name },
    #[error("the name {0} is taken")]
    #[diagnostic(help("`synchronicity trust list` shows what is trusted"))]
    Taken(Name),
    #[error("{0}")]
    #[diagnostic(help("as in `synchronicity trust combine three --any 2 alder birch cedar`"))]
    Combination(String),
    #[error("{0} is a combination itself")]
    #[diagnostic(help("name the groups that it is made of"))]
    Nested(Name),
}

impl NamedTrouble {
    fn stop(self) -> Stop {
        Stop::new(exit::USAGE, self)
    }
}

pub(super) fn list(args: &List) -> Result<u8, Stop> {
    let all = Policies::open()?.all()?;
    if args.json {
        let policies: Vec<_> = all.iter().map(|(name, kept)| described::as_json(name, kept)).collect();
        verbatim!("{}", described::document(json!({ "policies": policies })));
    } else if all.is_empty() {
        outln!("no policy is trusted yet: `synchronicity trust add URL` adds one");
    } else {
        out!("{}", described::heading());
        all.iter().for_each(|(name, kept)| out!("{}", described::row(name, kept)));
    }
    Ok(exit::OK)
}

/// What is kept under a name.
pub(super) fn get(policies: &Policies, name: &Name) -> Result<Kept, Stop> {
    policies.get(name)?.ok_or_else(|| NamedTrouble::Unknown(name.clone()).stop())
}

pub(super) fn remove(args: &Remove) -> Result<u8, Stop> {
    let policies = Policies::open()?;
    let locked = policies.lock()?;
    get(&policies, &args.name)?;
    unused(&policies, &args.name)?;
    locked.remove(&args.name)?;
    outln!("no longer trusted: {}", args.name);
    Ok(exit::OK)
}

pub(super) fn rename(args: &Rename) -> Result<u8, Stop> {
    let policies = Policies::open()?;
    let locked = policies.lock()?;
    get(&policies, &args.name)?;
    free(&policies, &args.new)?;
    unused(&policies, &args.name)?;
    locked.rename(&args.name, &args.new)?;
    outln!("{} is now {}", args.name, args.new);
    Ok(exit::OK)
}

pub(super) fn combine(args: &Combine) -> Result<u8, Stop> {
    let any = Any::new(args.any, args.policies.clone()).map_err(|error| NamedTrouble::Combination(error).stop())?;
    let policies = Policies::open()?;
    let locked = policies.lock()?;
    for name in &any.of {
        if let Kept::Any(_) = get(&policies, name)? {
            return Err(NamedTrouble::Nested(name.clone()).stop());
        }
    }
    let kept = Kept::Any(any);
    let known = policies.get(&args.name)?;
    if known.as_ref().is_some_and(|known| *known != kept) {
        return Err(NamedTrouble::Taken(args.name.clone()).stop());
    }
    // Whether the groups are as many as it seems.
    let sha256 = of_kept(&policies, kept.clone())?.sha256();
    locked.put(&args.name, &kept)?;
    if args.json {
        let mut told = described::as_json(&args.name, &kept);
        told["sha256"] = sha256.to_string().into();
        verbatim!("{}", described::document(told));
    } else if let Kept::Any(any) = &kept {
        outln!("trusted as {}: {}", args.name, described::combination(any));
        outln!("  {:<12}{}", "sha256", sha256);
    }
    Ok(exit::OK)
}

fn free(policies: &Policies, name: &Name) -> Result<(), Stop> {
    policies.get(name)?.map_or(Ok(()), |_| Err(NamedTrouble::Taken(name.clone()).stop()))
}

/// No combination needs what is kept under this name.
fn unused(policies: &Policies, name: &Name) -> Result<(), Stop> {
    for (combination, kept) in policies.all()? {
        if matches!(&kept, Kept::Any(any) if any.of.contains(name)) {
            return Err(NamedTrouble::InUse { name: name.clone(), combination }.stop());
        }
    }
    Ok(())
}
