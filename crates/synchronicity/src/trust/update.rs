//! `trust update`: a policy follows its group to the present members, by changes that the members before them signed.

use std::collections::BTreeSet;

use clap::Args;
use miette::Diagnostic;
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::succession::Succession;

use super::described;
use crate::age;
use crate::exit::{self, Stop};
use crate::policies::difference::difference;
use crate::policies::{Kept, Name, Policies, Single};
use crate::succeed::{self, Handed, followed};

#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct Update {
    /// The policy that is trusted
    name: Name,
    #[command(flatten)]
    from: Handed,
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{0} is not the name of the policy of a group")]
#[diagnostic(help("`synchronicity trust list` shows what is trusted"))]
struct NotOne(Name);

/// Follows, keeps, and says what changed.
pub(super) fn update(args: &Update) -> Result<u8, Stop> {
    let (succession, from) = args.from.fetch()?;
    let policies = Policies::open()?;
    // Held from the policy that is followed to the one that takes its place.
    let locked = policies.lock()?;
    let Some(Kept::Single(known)) = policies.get(&args.name)? else {
        return Err(Stop::new(exit::USAGE, NotOne(args.name.clone())));
    };
    let (single, changes) = if ends_at(&succession, &known.policy) {
        (*known.clone(), Vec::new())
    } else {
        let succeeded = followed(&known.policy, &succession)?;
        let policy = succeeded.policy;
        // The group file that was kept is of members that have gone.
        let single = Single { text: policy.to_string(), policy, group: None, from, added_s: age::now_s() };
        if !args.dry_run {
            locked.put(&args.name, &Kept::Single(Box::new(single.clone())))?;
        }
        (single, succeeded.changes)
    };
    let changed = difference(&known, &single);
    if !args.dry_run {
        changed.break_the_silence(&args.name);
    }
    if args.json {
        let mut told = described::single_json(&args.name, &single);
        told["steps"] = changes.iter().map(succeed::as_json).collect();
        told["changes"] = changed.lines.into();
        told["weaker"] = changed.weaker.into();
        verbatim!("{}", described::document(told));
    } else if changes.is_empty() {
        outln!("{}: nothing changes, it is of the members to whom the succession leads", args.name);
    } else {
        changes.iter().for_each(|change| outln!("{}", succeed::in_words(change)));
        let would = if args.dry_run { "would change: " } else { "" };
        outln!("{would}{}: {changed}", args.name);
    }
    Ok(exit::OK)
}

/// Whether a succession says that it leads to this policy. Nothing is believed of it: nothing is changed then.
fn ends_at(succession: &[u8], policy: &Policy) -> bool {
    let last = Succession::parse(succession).ok().and_then(|succession| succession.steps.into_iter().next_back());
    let Some(Ok(Leaf::Membership(entry))) = last.map(|proof| Leaf::from_bytes(&proof.entry)) else { return false };
    let next: BTreeSet<_> = entry.next.members.iter().map(|member| member.cosigner.to_string()).collect();
    let own: BTreeSet<_> = policy.witnesses().iter().map(|witness| witness.key.to_string()).collect();
    next == own && policy.signers_min() == entry.next.quorum()
}
