//! `trust add` and `trust replace`: a policy becomes one that this user trusts, and it is said what that means.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;
use miette::Diagnostic;
use synchronicity_verify::digest::Digest;

use super::described;
use super::offered::{Offer, Offered};
use crate::exit::{self, Stop};
use crate::out;
use crate::policies::difference::{Difference, difference};
use crate::policies::{Kept, Name, Policies, Single};

#[derive(Debug, Args)]
#[command(after_help = ADD_HELP)]
pub(crate) struct Add {
    #[command(flatten)]
    from: Offer,
    /// What to call it [default: the last part of the log's origin]
    #[arg(long)]
    name: Option<Name>,
    /// Trust it if it has this hash, without asking
    #[arg(long, value_name = "SHA256")]
    pin: Option<Digest>,
    /// Trust what a file says, without asking
    #[arg(long)]
    yes: bool,
    /// Show whom it would be to trust, and trust nobody
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

const ADD_HELP: &str = "\
Examples:
  synchronicity trust add http://127.0.0.1:8080
  synchronicity trust add policy.txt --group group.toml --name alder
  synchronicity trust add https://node.example --pin 5f1c... --name alder

Without a terminal there is nobody to ask: give --pin, or --yes for a file.

Exit codes:
  0   it is trusted
  1   it was not wanted, or cannot be kept
  2   there is no policy, or another one of this log or name is trusted already
  40  a server sent no policy, a contradictory one, or another than --pin says
  75  try later: the server does not answer";

#[derive(Debug, Args)]
pub(crate) struct Replace {
    /// The policy that is trusted
    name: Name,
    #[command(flatten)]
    from: Offer,
    /// The hash of the policy that takes its place
    #[arg(long, value_name = "SHA256")]
    pin: Digest,
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Why nothing was added.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(super) enum NotAdded {
    #[error("the policy has the hash {found}, and not {pin}")]
    #[diagnostic(help("nothing was added: whoever gave it to you gave you another policy than you were told of"))]
    OtherPolicy { pin: Digest, found: Digest },
    #[error("--yes does not trust what a server says: whoever is between could have answered")]
    #[diagnostic(help(
        "compare the hash {0} with one that somebody you trust tells you, and give it with --pin; or add a file"
    ))]
    Unpinned(Digest),
    #[error("there is no terminal to ask on")]
    #[diagnostic(help(
        "compare the hash {0} with one that somebody you trust tells you, and give it with --pin; for a file --yes is enough"
    ))]
    NobodyToAsk(Digest),
    #[error("nothing was added")]
    Declined,
    #[error("the origin {0:?} makes no name for the policy")]
    #[diagnostic(help("choose one with --name"))]
    NoName(String),
    #[error("{name} is a policy that is trusted, and another one is offered for its log: {difference}")]
    #[diagnostic(help(
        "nothing was changed. If the group told you of the change, and of the hash of its policy: `synchronicity trust replace {name} URL|FILE --pin SHA256`"
    ))]
    Differs { name: Name, difference: Difference },
    #[error("this policy is trusted already, as {0}")]
    #[diagnostic(help("`synchronicity trust rename {0} NAME` gives it another name"))]
    OtherName(Name),
    #[error("the name {0} is taken")]
    #[diagnostic(help("choose another one with --name; `synchronicity trust list` shows what is trusted"))]
    NameTaken(Name),
    #[error("{0} is not the name of the policy of a group")]
    #[diagnostic(help("`synchronicity trust list` shows what is trusted"))]
    Unknown(Name),
}

impl NotAdded {
    fn stop(self) -> Stop {
        let code = match self {
            Self::OtherPolicy { .. } => exit::INVALID,
            Self::Declined => exit::INTERNAL,
            _ => exit::USAGE,
        };
        Stop::new(code, self)
    }
}

/// Reads, shows, asks, keeps.
pub(super) fn add(args: &Add) -> Result<u8, Stop> {
    let offered = args.from.read()?;
    let name = match &args.name {
        Some(name) => name.clone(),
        None => known_as(&offered.single)?,
    };
    let policies = Policies::open()?;
    // Before anybody is asked, and again when nobody else can change anything.
    let known = clash(&policies, &name, &offered.single)?;
    if args.dry_run {
        return would_add(args, &name, &offered, known);
    }
    if !known {
        decide(args, &offered)?;
        let locked = policies.lock()?;
        if !clash(&policies, &name, &offered.single)? {
            locked.put(&name, &Kept::Single(Box::new(offered.single)))?;
        }
    }
    let Some(Kept::Single(kept)) = policies.get(&name)? else {
        return Err(NotAdded::Unknown(name).stop());
    };
    if args.json {
        verbatim!("{}", described::document(described::single_json(&name, &kept)));
    } else {
        let already = if known { "already " } else { "" };
        outln!("{already}trusted as {name}: {}", described::in_a_line(&kept));
    }
    Ok(exit::OK)
}

/// What `add` would come to if it were wanted.
fn would_add(args: &Add, name: &Name, offered: &Offered, known: bool) -> Result<u8, Stop> {
    let found = offered.single.policy.sha256();
    if let Some(pin) = args.pin.filter(|pin| *pin != found) {
        return Err(NotAdded::OtherPolicy { pin, found }.stop());
    }
    if args.json {
        verbatim!("{}", described::document(described::single_json(name, &offered.single)));
    } else {
        out!("{}", described::in_words(&offered.single));
        let would = if known { "already trusted" } else { "would be trusted, once you say so," };
        outln!("{would} as {name}: {}", described::in_a_line(&offered.single));
    }
    Ok(exit::OK)
}

/// The name that the policy's log goes by already, or else one made of its origin.
fn known_as(offered: &Single) -> Result<Name, Stop> {
    let origin = offered.policy.log().name();
    for (name, kept) in Policies::open()?.all()? {
        if matches!(&kept, Kept::Single(single) if single.policy.log().name() == origin) {
            return Ok(name);
        }
    }
    Name::of_origin(origin).ok_or_else(|| NotAdded::NoName(origin.to_owned()).stop())
}

/// Whether it is trusted already under this name.
///
/// # Errors
/// Something else is: nothing that is trusted is changed by adding.
fn clash(policies: &Policies, name: &Name, offered: &Single) -> Result<bool, Stop> {
    let log = offered.policy.log();
    for (other, kept) in policies.all()? {
        match kept {
            Kept::Single(known)
                if known.policy.log().name() == log.name()
                    || known.policy.log().public_bytes() == log.public_bytes() =>
            {
                if !known.is_same(offered) {
                    return Err(NotAdded::Differs { name: other, difference: difference(&known, offered) }.stop());
                }
                return if other == *name { Ok(true) } else { Err(NotAdded::OtherName(other).stop()) };
            }
            _ if other == *name => return Err(NotAdded::NameTaken(other).stop()),
            _ => {}
        }
    }
    Ok(false)
}

/// Whether whoever runs this wants it.
fn decide(args: &Add, offered: &Offered) -> Result<(), Stop> {
    let found = offered.single.policy.sha256();
    let asks = args.pin.is_none() && !args.yes;
    // Nobody answers what was not shown.
    if asks || !out::is_quiet() {
        errln!("{}", described::in_words(&offered.single).trim_end());
    }
    match args.pin {
        Some(pin) if pin == found => return Ok(()),
        Some(pin) => return Err(NotAdded::OtherPolicy { pin, found }.stop()),
        None => {}
    }
    if args.yes {
        return if offered.fetched { Err(NotAdded::Unpinned(found).stop()) } else { Ok(()) };
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(NotAdded::NobodyToAsk(found).stop());
    }
    eprint!("\nCompare the hash with one that somebody you trust tells you.\nTrust what this group signs? [y/N] ");
    let mut answer = String::new();
    let read = io::stderr().flush().and_then(|()| io::stdin().lock().read_line(&mut answer));
    match read.map(|_| answer.trim().to_ascii_lowercase()).as_deref() {
        Ok("y" | "yes") => Ok(()),
        _ => Err(NotAdded::Declined.stop()),
    }
}

/// Puts the policy with this hash in the place of the one that is trusted, and says what changes.
pub(super) fn replace(args: &Replace) -> Result<u8, Stop> {
    let offered = args.from.read()?.single;
    let found = offered.policy.sha256();
    if found != args.pin {
        return Err(NotAdded::OtherPolicy { pin: args.pin, found }.stop());
    }
    let policies = Policies::open()?;
    let locked = policies.lock()?;
    let Some(Kept::Single(known)) = policies.get(&args.name)? else {
        return Err(NotAdded::Unknown(args.name.clone()).stop());
    };
    for (other, kept) in policies.all()? {
        let same_log =
            matches!(&kept, Kept::Single(single) if single.policy.log().name() == offered.policy.log().name());
        if same_log && other != args.name {
            return Err(NotAdded::OtherName(other).stop());
        }
    }
    let changed = difference(&known, &offered);
    if !args.dry_run {
        locked.put(&args.name, &Kept::Single(Box::new(offered.clone())))?;
        changed.break_the_silence(&args.name);
    }
    if args.json {
        let mut told = described::single_json(&args.name, &offered);
        told["changes"] = changed.lines.into();
        told["weaker"] = changed.weaker.into();
        verbatim!("{}", described::document(told));
    } else if changed.lines.is_empty() {
        outln!("{}: nothing changes", args.name);
    } else {
        let would = if args.dry_run { "would change: " } else { "" };
        outln!("{would}{}: {changed}", args.name);
    }
    Ok(exit::OK)
}
