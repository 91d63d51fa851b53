//! The command `fsck` of both programs.

use std::path::PathBuf;

use clap::Args;
use miette::Diagnostic;
use serde_json::{Value, json};
use synchronicity_verify::policy::Policy;
use synchronicity_verify::verify::VerifyError;

use super::{CheckError, Checked, Fault, check};
use crate::exit::{self, Stop};
use crate::policies::choice::one;
use crate::progress::Progress;
use crate::report;
use crate::source::Source;

/// `fsck FOLDER|URL`
#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub struct Fsck {
    /// A folder with `checkpoint` and `tile/` in it, or the address of a node or of a copy of its log
    #[arg(value_name = "FOLDER|URL")]
    pub source: Source,
    /// Check the checkpoint's signatures by this policy too
    #[arg(long, value_name = "NAME|FILE", env = "SYNCHRONICITY_POLICY")]
    pub policy: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Why a log is not good, with what to do.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum Told {
    #[error("{0}")]
    #[diagnostic(help(
        "this copy is damaged: get the file again from another node or copy, and ask who altered it if it happens again"
    ))]
    Copy(Fault),
    #[error("{0}")]
    #[diagnostic(help(
        "no copy is to blame: the members who signed this log broke its rules, so do not rely on it before they explain"
    ))]
    Group(Fault),
    #[error("{place}: {error}")]
    #[diagnostic(help(
        "the policy may be of another epoch of the group; if it is not, whoever serves this made it up"
    ))]
    Signatures { place: String, error: VerifyError },
    #[error("{0}")]
    #[diagnostic(help("a log is published when a quorum of its group has cosigned its first entry"))]
    NoLog(CheckError),
}

/// The name and version of the document, which change together with `docs/schemas/fsck.schema.json`.
const SCHEMA: &str = "synchronicity/fsck@v1";

/// Checks the whole log, tells what came of it, and gives the exit code.
///
/// # Errors
/// The first bad bytes, or what kept them from being found, with the exit code.
pub fn fsck(args: &Fsck) -> Result<u8, Stop> {
    let policy = args.policy.as_deref().map(one).transpose()?;
    let progress = Progress::new();
    let checked = check(&args.source, policy.as_ref(), &mut |entries| {
        progress.detail(&format!("{entries} entries hold"));
    });
    progress.end();
    let checked = checked.map_err(stop)?;
    if args.json {
        verbatim!("{}", as_json(&checked));
    } else {
        out!("{}", in_words(&checked, &args.source, policy.as_ref()));
    }
    Ok(exit::OK)
}

fn stop(error: CheckError) -> Stop {
    match error {
        CheckError::Fault(fault) => {
            let details = json!({
                "fault": fault.flaw.as_str(),
                "file": fault.file,
                "from": fault.from,
                "to": fault.to,
                "entry": fault.flaw.entry(),
            });
            let told = if fault.flaw.is_of_the_group() { Told::Group(*fault) } else { Told::Copy(*fault) };
            Stop::new(exit::INVALID, told).with(details)
        }
        CheckError::Signatures { place, error } => Stop::new(exit::refused(&error), Told::Signatures { place, error }),
        CheckError::NoLog(_) => Stop::new(exit::NO_EVIDENCE, Told::NoLog(error)),
        CheckError::Source(error) => Stop::new(error.code(), error),
    }
}

fn in_words(checked: &Checked, source: &Source, policy: Option<&Policy>) -> String {
    let Checked { checkpoint, signed, keys, files, bytes } = checked;
    let signers = match (signed, policy) {
        (Some(signed), Some(policy)) => report::cosigned_by(&signed.cosigners, policy),
        _ => "not checked: name a policy with --policy".into(),
    };
    let mut text = format!("good: every byte of {source} under its checkpoint\n");
    for (label, line) in [
        ("log", format!("{}, at size {}", checkpoint.origin, checkpoint.size)),
        ("root", checkpoint.root.to_string()),
        ("entries", format!("{}, each by the rules; they speak of {keys} crates and artifacts", checkpoint.size)),
        ("files", format!("{files} tiles and bundles, {bytes} bytes")),
        ("cosigned by", signers),
    ] {
        text += &format!("  {label:<25}{line}\n");
    }
    text
}

fn as_json(checked: &Checked) -> Value {
    let Checked { checkpoint, signed, keys, files, bytes } = checked;
    json!({
        "schema": SCHEMA,
        "exit": exit::OK,
        "log": { "origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.to_string() },
        "keys": keys,
        "files": files,
        "bytes": bytes,
        "cosigners": signed.as_ref().map(|signed| report::cosigners_json(&signed.cosigners)),
    })
}
