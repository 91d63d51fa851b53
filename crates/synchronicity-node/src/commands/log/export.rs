//! `log export`: the published log, copied to where anybody reads it.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use synchronicity_verify::checkpoint::Checkpoint;
use tokio::runtime;

use crate::cli::LogExport;
use crate::commands::say;
use crate::exit::{self, Stop, StopWith};
use crate::export::{Counts, ExportError, Manner, Source, SourceError, Store, Target, export as copy};
use crate::folder::Folder;

pub(super) fn export(args: &LogExport) -> Result<u8, Stop> {
    let folder = match (&args.from, &args.path) {
        (Some(from), _) => from.clone(),
        (None, Some(dir)) => Folder::of_node(dir).or_usage()?.log(),
        (None, None) => return Err(Stop::new(exit::USAGE, miette::miette!("say --dir or --from"))),
    };
    let target = Target::parse(&args.to, args.allow_http).map_err(stop)?;
    let source = Source::open(&folder).map_err(|error| stop(error.into()))?;
    if let Target::Folder(to) = &target {
        refuse_itself(&folder, to)?;
    }
    let store = Store::open(&target, usize::from(args.retries)).map_err(stop)?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Stop::new(exit::INTERNAL, miette::miette!("{error}")))?;
    let (source, bar) = (Arc::new(source), bar());
    let manner = Manner { uploads: usize::from(args.uploads), recheck: args.recheck };
    let done = runtime.block_on(copy(Arc::clone(&source), &store, manner, |counts| {
        bar.set_length(counts.planned);
        bar.set_position(counts.copied + counts.kept);
    }));
    bar.finish_and_clear();
    // After a failure, requests that are still on their way are not waited for.
    runtime.shutdown_background();
    let counts = done.map_err(stop)?;
    say(if args.json {
        as_json(source.checkpoint(), &counts, &args.to)
    } else {
        describe(source.checkpoint(), &counts, &args.to)
    });
    Ok(exit::OK)
}

/// A log into its own folder: nothing would be lost, and nothing meant.
fn refuse_itself(from: &PathBuf, to: &PathBuf) -> Result<(), Stop> {
    match (fs::canonicalize(from), fs::canonicalize(to)) {
        (Ok(from), Ok(to)) if from == to => {
            Err(Stop::new(exit::USAGE, miette::miette!("{} is the log itself", to.display())))
        }
        _ => Ok(()),
    }
}

fn bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len} files, {elapsed}");
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// What went wrong says whether the evidence, the command or the moment is to blame.
fn stop(error: ExportError) -> Stop {
    use object_store::Error as Told;
    let code = match &error {
        ExportError::Source(SourceError::Absent { .. }) => exit::TRY_LATER,
        ExportError::Source(SourceError::Read { .. }) => exit::INTERNAL,
        ExportError::Source(SourceError::Damaged { .. }) => exit::INVALID,
        ExportError::NotALog(_) | ExportError::OtherLog { .. } => exit::INVALID,
        ExportError::Ahead { .. } | ExportError::Fork { .. } => exit::INVALID,
        ExportError::Target { .. } | ExportError::Endpoint(_) | ExportError::Plain(_) => exit::USAGE,
        ExportError::NoCredentials | ExportError::Settings(_) | ExportError::Folder { .. } => exit::USAGE,
        // What the store says of the bucket or of these credentials will not change by waiting.
        ExportError::Store(Told::PermissionDenied { .. } | Told::Unauthenticated { .. } | Told::NotFound { .. }) => {
            exit::USAGE
        }
        ExportError::Store(_) | ExportError::Locked(_) | ExportError::Overtaken => exit::TRY_LATER,
        ExportError::Task(_) => exit::INTERNAL,
    };
    Stop::new(code, error)
}

fn describe(checkpoint: &Checkpoint, counts: &Counts, to: &str) -> String {
    let Counts { copied, copied_bytes, kept, .. } = counts;
    let state = if counts.published { "published" } else { "as it was" };
    format!(
        "{}: {} entries at {to}; {copied} files copied ({copied_bytes} bytes), {kept} there already, checkpoint {state}",
        checkpoint.origin, checkpoint.size
    )
}

fn as_json(checkpoint: &Checkpoint, counts: &Counts, to: &str) -> String {
    json!({
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.to_string(),
        "to": to,
        "copied": counts.copied,
        "copied_bytes": counts.copied_bytes,
        "kept": counts.kept,
        "published": counts.published,
    })
    .to_string()
}
