//! `bundle`: a whole log as one file, checked while it comes, for lookups that nobody hears of.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use miette::Diagnostic;
use serde_json::json;
use synchronicity_verify::bundle::{BundleError, BundleReader, VerifiedBundle, head};
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::merkle::leaf_hash;
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::tile::{TileLevel, TilePath, tiles_between};

use crate::age::{self, Age};
use crate::exit::{self, Stop};
use crate::outside::named;
use crate::policies::choice::Choice;
use crate::progress::{Inflow, Progress};
use crate::source::{Source, SourceError};
use crate::trust::{StateFolder, Trust};
use crate::{durable, report, user_settings};

/// The largest bundle, in bytes. What it really has is bounded by the size that its quorum signed.
const BYTES_MAX: u64 = 1 << 38;

/// The name and version of the document, which change together with `docs/schemas/bundle.schema.json`.
const SCHEMA: &str = "synchronicity/bundle@v1";

/// The longest that a bundle may take from a server.
const WITHIN: Duration = Duration::from_secs(6 * 3600);

/// `bundle --node URL --policy FILE --out FILE`
#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct Bundle {
    /// A node of the group, as in http://127.0.0.1:8080; or a copy of its log, at an address or in a folder
    #[arg(long, value_name = "URL", env = "SYNCHRONICITY_NODE")]
    node: Source,
    #[command(flatten)]
    policy: Choice,
    /// Where to keep the log
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// Accept only what a quorum vouched for within this time, as in 36h or 7d
    #[arg(long, value_name = "TIME")]
    max_age: Option<Age>,
    #[command(flatten)]
    state: StateFolder,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A bundle that holds, with the hashes of its entries.
pub(crate) struct Whole {
    pub(crate) verified: VerifiedBundle,
    pub(crate) leaves: Vec<Digest>,
}

/// Why there is no log to look things up in.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum BundleTrouble {
    #[error("{from}: {error}")]
    #[diagnostic(help("fetch it again, from another node; if it stays so, whoever served it served something false"))]
    Invalid { from: String, error: BundleError },
    #[error("the log cannot be fetched: {0}")]
    #[diagnostic(help("ask another node of the group: every node publishes the same log"))]
    Fetch(SourceError),
    #[error("{}: {error}", path.display())]
    #[diagnostic(help("choose another place with --out, or see that the file may be read"))]
    File { path: PathBuf, error: io::Error },
}

/// Fetches, verifies, keeps, tells.
pub(crate) fn bundle(args: &Bundle) -> Result<u8, Stop> {
    let policy = args.policy.one()?;
    let fetched = match fetch(args, &policy, served) {
        // The checkpoint in a node's bundle has the lines of builders alone; the log's own has those of other witnesses too.
        Err(stop) if stop.code == exit::BELOW_THRESHOLD => fetch(args, &policy, from_tiles),
        fetched => fetched,
    };
    let (file, Whole { verified, leaves }) = fetched?;
    args.max_age.or(user_settings::kept().max_age).map_or(Ok(()), |most| most.check(verified.checkpoint.vouched_s))?;
    Trust::open(&args.state, &policy)?.accept_whole(&verified.note, &policy, &leaves)?;
    durable::keep(file, &args.out, 0o644).map_err(|error| file_trouble(&args.out, error))?;
    tell(args, &verified, &policy);
    Ok(exit::OK)
}

/// Takes one piece of a log after the other.
type Take<'a> = dyn FnMut(&[u8]) -> Result<(), Stop> + 'a;

/// The whole log as `from` hands it over, in a file that is not at its place yet.
fn fetch(
    args: &Bundle,
    policy: &Policy,
    from: fn(&Source, &Policy, &mut Take<'_>) -> Result<(), Stop>,
) -> Result<(tempfile::NamedTempFile, Whole), Stop> {
    let failed = |error| file_trouble(&args.out, error);
    let mut file = tempfile::NamedTempFile::new_in(durable::folder_of(&args.out)).map_err(failed)?;
    let (progress, mut inflow) = (Progress::new(), Inflow::new());
    let mut reader = Reader::new(policy, args.node.place("bundle"));
    let fetched = from(&args.node, policy, &mut |piece| {
        inflow.add(piece.len() as u64);
        reader.feed(piece, |index, _| {
            if index % 1000 == 0 {
                progress.detail(&format!("{index} entries hold, {inflow}"));
            }
        })?;
        file.write_all(piece).map_err(failed)
    });
    progress.end();
    fetched?;
    Ok((file, reader.finish()?))
}

/// The bundle of a node, or what a copy of its log has.
fn served(source: &Source, policy: &Policy, take: &mut Take<'_>) -> Result<(), Stop> {
    match source.open("bundle", BYTES_MAX, WITHIN) {
        Ok(mut stream) => pieces(|piece| stream.next(piece).map_err(fetch_trouble), take),
        // A copy has only the log's files, and they are the same bytes.
        Err(SourceError::Absent(_)) => from_tiles(source, policy, take),
        Err(error) => Err(fetch_trouble(error)),
    }
}

/// Reads a bundle from a file, and tells `each` every entry, with its index. They are to be believed only when it
/// returns.
pub(crate) fn read(path: &Path, policy: &Policy, mut each: impl FnMut(u64, Leaf)) -> Result<Whole, Stop> {
    let usage = |error| Stop::new(exit::USAGE, BundleTrouble::File { path: path.to_owned(), error });
    let mut file = File::open(path).map_err(usage)?;
    let mut reader = Reader::new(policy, path.display().to_string());
    pieces(|piece| file.read(piece).map_err(usage), &mut |piece| reader.feed(piece, &mut each))?;
    reader.finish()
}

/// A reader that keeps the hashes of the entries, and knows where they come from.
pub(crate) struct Reader<'a> {
    inner: BundleReader<'a>,
    leaves: Vec<Digest>,
    from: String,
}

impl<'a> Reader<'a> {
    /// At the beginning of a bundle that comes `from` somewhere.
    pub(crate) fn new(policy: &'a Policy, from: String) -> Self {
        Self { inner: BundleReader::new(policy), leaves: Vec::new(), from }
    }

    /// Takes the next piece, and tells `each` every entry that it completes.
    pub(crate) fn feed(&mut self, piece: &[u8], mut each: impl FnMut(u64, Leaf)) -> Result<(), Stop> {
        let leaves = &mut self.leaves;
        let fed = self.inner.feed(piece, |index, leaf| {
            leaves.push(leaf_hash(&leaf.to_bytes()));
            each(index, leaf);
        });
        fed.map_err(|error| invalid(&self.from, error))
    }

    pub(crate) fn finish(self) -> Result<Whole, Stop> {
        let verified = self.inner.finish().map_err(|error| invalid(&self.from, error))?;
        Ok(Whole { verified, leaves: self.leaves })
    }
}

/// Hands everything that `next` gives to `take`.
fn pieces(mut next: impl FnMut(&mut [u8]) -> Result<usize, Stop>, take: &mut Take<'_>) -> Result<(), Stop> {
    let mut piece = vec![0; 64 << 10];
    loop {
        match next(&mut piece)? {
            0 => return Ok(()),
            count => take(&piece[..count])?,
        }
    }
}

/// The same bytes, made of the log's own files.
fn from_tiles(source: &Source, policy: &Policy, take: &mut Take<'_>) -> Result<(), Stop> {
    let bytes = source.checkpoint().map_err(fetch_trouble)?;
    let note = SignedNote::parse(&bytes).map_err(|error| invalid(&source.place("checkpoint"), error.into()))?;
    let note = named(note, policy);
    take(&head(&note))?;
    // The reader has read it already, and accepted it.
    let size = note.text.parse::<Checkpoint>().map_or(0, |checkpoint| checkpoint.size);
    for tile in entry_tiles(0, size) {
        take(&source.tile(tile).map_err(fetch_trouble)?)?;
    }
    Ok(())
}

/// The tiles in which the entries from `first` to the last of `size` are.
pub(crate) fn entry_tiles(first: u64, size: u64) -> impl Iterator<Item = TilePath> {
    tiles_between(first, size).filter(|tile| tile.level == TileLevel::Entries)
}

fn tell(args: &Bundle, verified: &VerifiedBundle, policy: &Policy) {
    let checkpoint = &verified.checkpoint.checkpoint;
    let (size, keys) = (checkpoint.size, verified.replay.map().keys());
    if args.json {
        let told = json!({
            "schema": SCHEMA,
            "exit": exit::OK,
            "log": { "origin": checkpoint.origin, "size": size, "root": checkpoint.root.to_string() },
            "keys": keys,
            "vouched": verified.checkpoint.vouched_s,
            "cosigners": report::cosigners_json(&verified.checkpoint.cosigners),
            "bundle": args.out.display().to_string(),
        });
        verbatim!("{told}");
        return;
    }
    outln!("whole: every entry of {}, by the rules", checkpoint.origin);
    for (label, line) in [
        ("log", format!("at size {size}, root {}", checkpoint.root)),
        ("", age::how_fresh(verified.checkpoint.vouched_s)),
        ("entries speak of", format!("{keys} crates and artifacts")),
        ("cosigned by", report::cosigned_by(&verified.checkpoint.cosigners, policy)),
        ("kept as", args.out.display().to_string()),
    ] {
        outln!("  {label:<25}{line}");
    }
}

pub(crate) fn invalid(from: &str, error: BundleError) -> Stop {
    let code = if let BundleError::Verify(error) = &error { exit::refused(error) } else { exit::INVALID };
    Stop::new(code, BundleTrouble::Invalid { from: from.to_owned(), error })
}

/// Why a log that was asked for is not there.
pub(crate) fn fetch_trouble(error: SourceError) -> Stop {
    let code = if error.is_absent() { exit::TRY_LATER } else { error.code() };
    Stop::new(code, BundleTrouble::Fetch(error))
}

fn file_trouble(path: &Path, error: io::Error) -> Stop {
    Stop::new(exit::INTERNAL, BundleTrouble::File { path: path.to_owned(), error })
}
