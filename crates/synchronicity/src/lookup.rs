//! `lookup`: all that a log says of a crate or a file, or that it says nothing, with a proof either way.
//!
//! Three ways lead there, and differ in who learns what is looked up: a node is told the beginning of the key, so that
//! it sees only which few dozens of crates are meant; an answer that somebody kept, and a whole log as one file, tell
//! nobody.

use std::path::{Path, PathBuf};

use clap::Args;
use miette::Diagnostic;
use synchronicity_rebuild::spec::Spec;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{Entry, Verdict};
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::lookup::{Answer, LOOKUP_BYTES_MAX, Lookup as AnswerFile, LookupError, verify};
use synchronicity_verify::map::MapKey;
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::request::{CrateName, CrateVersion};
use synchronicity_verify::verify::VerifyError;

use crate::age::Age;
use crate::bundle;
use crate::cli::node;
use crate::combined::only_one;
use crate::exit::{self, Stop};
use crate::policies::choice::{Choice, Trusted};
use crate::source::Source;
use crate::trust::{StateFolder, Trust};
use crate::{durable, read, user_settings};

mod ask;
mod together;
mod told;

/// `lookup CRATE@VERSION | --artifact SHA256 | --file FILE`
#[derive(Debug, Args)]
#[command(after_help = exit::HELP, after_long_help = LONG_HELP)]
pub(crate) struct Lookup {
    /// The crate, as NAME@VERSION
    #[arg(value_name = "CRATE@VERSION")]
    spec: Option<Spec>,
    /// A file, by its SHA-256: who built just these bytes, and from what?
    #[arg(long, value_name = "SHA256", conflicts_with_all = ["spec", "file"])]
    artifact: Option<Digest>,
    /// A file, which is hashed here and stays here
    #[arg(long, value_name = "FILE", conflicts_with = "spec")]
    file: Option<PathBuf>,
    #[command(flatten)]
    policy: Choice,
    /// A node of the group, as in http://127.0.0.1:8080; it is told the beginning of the key (see --reveal). Of several the
    /// first that answers; of several groups, each is asked where its log is
    #[arg(long, value_name = "URL", env = "SYNCHRONICITY_NODE", value_parser = node)]
    node: Vec<Source>,
    /// Look it up in this file, which `bundle` fetched: nobody is asked; one for each group of a policy
    #[arg(long, value_name = "FILE", conflicts_with_all = ["answer", "out", "reveal"])]
    bundle: Vec<PathBuf>,
    /// Check this answer, which --out kept: nobody is asked
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "reveal"])]
    answer: Option<PathBuf>,
    /// How many hex digits of the key the node is told, 0 to 64 [default: as many as leave some dozens of crates]
    #[arg(long, value_name = "DIGITS", value_parser = clap::value_parser!(u8).range(0..=64))]
    reveal: Option<u8>,
    /// Keep the node's answer as this file: it convinces others too
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show only entries for this target
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,
    /// Show only entries of this release of the compiler
    #[arg(long, value_name = "RELEASE")]
    toolchain: Option<String>,
    /// Accept only what a quorum vouched for within this time, as in 36h or 7d
    #[arg(long, value_name = "TIME")]
    max_age: Option<Age>,
    #[command(flatten)]
    state: StateFolder,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const LONG_HELP: &str = "\
What the node learns:
  Everything in the log stands under a key, the hash of its name. The node is
  told the first digits of the key and answers with all entries whose keys begin
  so, and a proof that there are no others. It learns that you mean one of
  those. Without --reveal there are as many digits as leave 32 entries or more,
  0 in a small log: then it learns nothing. Fewer digits hide more and make the
  answer longer. Ask for crates that depend on each other one by one, and the
  node may guess from the sequence; `bundle` and --bundle tell it nothing at
  all.

Exit codes:
  0   at least one of the entries shown is `reproduced`
  41  none is: there is no evidence at this size of the log. That is never
      evidence against the crate
  40  the answer is invalid, or the log has forked
  43  fewer builders signed, or fewer groups agree, than the policy wants
  75  try later: the node cannot serve now, or what it serves is too old";

/// What is looked up.
pub(crate) enum Subject {
    /// A crate.
    Crate(CrateName, CrateVersion),
    /// A file.
    File(Digest),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum LookupTrouble {
    #[error("nothing to look up")]
    #[diagnostic(help("name a crate as NAME@VERSION, or a file with --artifact SHA256 or --file FILE"))]
    NoSubject,
    #[error("{0} does not say which version")]
    #[diagnostic(help("write it as NAME@VERSION, as in hexyl@0.17.0"))]
    NoVersion(Spec),
    #[error("nowhere to look it up")]
    #[diagnostic(help("name a node with --node, or a file with --bundle or --answer"))]
    NoPlace,
    #[error("{from}: {error}")]
    #[diagnostic(help("fetch it again, from another node; if it stays so, whoever served it served something false"))]
    Invalid { from: String, error: LookupError },
    #[error("{from}: {error}")]
    #[diagnostic(help(
        "the policy may be of another epoch of the group, or too few builders have signed yet: try again later"
    ))]
    BelowThreshold { from: String, error: LookupError },
    #[error("the answer holds, and cannot be kept as {}: {error}", path.display())]
    #[diagnostic(help("choose another place with --out"))]
    Keep { path: PathBuf, error: std::io::Error },
}

/// Looks it up, tells what is there, and gives the exit code.
pub(crate) fn lookup(args: &Lookup) -> Result<u8, Stop> {
    let (trusted, subject) = (args.policy.trusted()?, subject(args)?);
    // An answer, kept or to be kept, is one group's.
    let policy = match trusted {
        Trusted::Any(combined) if args.answer.is_none() && args.out.is_none() => {
            return together::lookup(args, &combined, &subject);
        }
        trusted => trusted.one()?,
    };
    only_one(&args.bundle)?;
    let answer = match &args.answer {
        Some(answer) => kept(answer, args, &policy, &subject)?,
        None => answered(&args.node, &args.bundle, args, &policy, &subject)?,
    };
    let shown = args.shown(&answer);
    let evidence = shown.iter().any(|(_, entry)| entry.verdict == Verdict::Reproduced);
    let code = if evidence { exit::OK } else { exit::NO_EVIDENCE };
    if args.json {
        verbatim!("{}", told::as_json(&subject, &answer, &shown, code));
    } else {
        out!("{}", told::in_words(&subject, &answer, &shown, &policy));
    }
    Ok(code)
}

fn subject(args: &Lookup) -> Result<Subject, Stop> {
    let usage = |trouble| Stop::new(exit::USAGE, trouble);
    match (&args.spec, args.artifact, &args.file) {
        (Some(Spec::Crate { name, version: Some(version) }), ..) => Ok(Subject::Crate(name.clone(), version.clone())),
        (Some(spec), ..) => Err(usage(LookupTrouble::NoVersion(spec.clone()))),
        (None, Some(sha256), _) => Ok(Subject::File(sha256)),
        (None, None, Some(file)) => {
            read::digest(file).map(Subject::File).map_err(|error| Stop::new(exit::USAGE, error))
        }
        (None, None, None) => Err(usage(LookupTrouble::NoSubject)),
    }
}

/// From a bundle, or else from the first node that answers.
fn answered(
    nodes: &[Source],
    bundles: &[PathBuf],
    args: &Lookup,
    policy: &Policy,
    subject: &Subject,
) -> Result<Answer, Stop> {
    if let Some(bundle) = bundles.first() {
        return in_bundle(bundle, args, policy, subject);
    }
    let mut silent = Stop::new(exit::USAGE, LookupTrouble::NoPlace);
    for node in nodes {
        match asked(node, args, policy, subject) {
            Err(stop) if stop.code == exit::TRY_LATER => silent = stop,
            decided => return decided,
        }
    }
    Err(silent)
}

/// From a node, which learns a part of the key.
fn asked(node: &Source, args: &Lookup, policy: &Policy, subject: &Subject) -> Result<Answer, Stop> {
    let (place, bytes) = ask::ask(node, policy, &subject.key(), args.reveal)?;
    let (answer, checkpoint) = checked(&bytes, &place, policy, subject)?;
    args.fresh(answer.checkpoint.vouched_s)?;
    Trust::open(&args.state, policy)?.accept(&checkpoint, policy, node)?;
    if let Some(path) = &args.out {
        let kept = durable::replace(path, &bytes, 0o644);
        kept.map_err(|error| Stop::new(exit::INTERNAL, LookupTrouble::Keep { path: path.clone(), error }))?;
    }
    Ok(answer)
}

/// From a file with an answer.
fn kept(path: &Path, args: &Lookup, policy: &Policy, subject: &Subject) -> Result<Answer, Stop> {
    let bytes = read::bounded(path, LOOKUP_BYTES_MAX as u64, "answer to a lookup");
    let bytes = bytes.map_err(|error| Stop::new(exit::USAGE, error))?;
    let (answer, checkpoint) = checked(&bytes, &path.display().to_string(), policy, subject)?;
    args.fresh(answer.checkpoint.vouched_s)?;
    Trust::open_offline(&args.state, policy)?.map_or(Ok(()), |trust| trust.compare(&checkpoint, policy))?;
    Ok(answer)
}

/// From a file with a whole log.
fn in_bundle(path: &Path, args: &Lookup, policy: &Policy, subject: &Subject) -> Result<Answer, Stop> {
    let (key, mut entries) = (subject.key(), Vec::new());
    let whole = bundle::read(path, policy, |index, leaf| {
        if let Leaf::Build(entry) = leaf
            && MapKey::of_entry(&entry).contains(&key)
        {
            entries.push((index, entry));
        }
    })?;
    args.fresh(whole.verified.checkpoint.vouched_s)?;
    if let Some(trust) = Trust::open_offline(&args.state, policy)? {
        trust.accept_whole(&whole.verified.note, policy, &whole.leaves)?;
    }
    Ok(Answer { entries, checkpoint: whole.verified.checkpoint })
}

fn checked(bytes: &[u8], from: &str, policy: &Policy, subject: &Subject) -> Result<(Answer, SignedNote), Stop> {
    let from = from.to_owned();
    let stop = |error| match error {
        LookupError::Verify(VerifyError::BelowThreshold { .. }) => {
            Stop::new(exit::BELOW_THRESHOLD, LookupTrouble::BelowThreshold { from: from.clone(), error })
        }
        _ => Stop::new(exit::INVALID, LookupTrouble::Invalid { from: from.clone(), error }),
    };
    let answer = verify(bytes, policy, &subject.key()).map_err(stop)?;
    let file = AnswerFile::parse(bytes).map_err(|error| stop(error.into()))?;
    Ok((answer, file.checkpoint))
}

impl Lookup {
    /// The entries that were asked for.
    fn shown<'a>(&self, answer: &'a Answer) -> Vec<&'a (u64, Entry)> {
        answer.entries.iter().filter(|(_, entry)| self.shows(entry)).collect()
    }

    fn shows(&self, entry: &Entry) -> bool {
        let request = &entry.request;
        self.target.as_ref().is_none_or(|target| *target == request.target)
            && self.toolchain.as_ref().is_none_or(|release| *release == request.toolchain.release)
    }

    fn fresh(&self, vouched_s: Option<u64>) -> Result<(), Stop> {
        self.max_age.or(user_settings::kept().max_age).map_or(Ok(()), |most| most.check(vouched_s))
    }
}

impl Subject {
    fn key(&self) -> MapKey {
        match self {
            Self::Crate(name, version) => MapKey::of_crate(name, version),
            Self::File(sha256) => MapKey::of_artifact(sha256),
        }
    }
}
