//! Logs made for benchmarks: by the real writer, on a disk that does not wait for the platter.

use std::fs;
use std::io;
use std::path::Path;

use synchronicity_node::durable::Disk;
use synchronicity_node::publish::PublishedLog;
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::cosignature;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::{self, KeyKind, SignedNote, Signer};

const ORIGIN: &str = "example.org/bench";

/// Writes without syncing.
pub(crate) struct Hasty;

impl Disk for Hasty {
    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(path.parent().ok_or(io::ErrorKind::NotFound)?)?;
        fs::write(path, bytes)
    }

    fn confirm(&mut self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

/// Fills `folder` with a log of `size` entries, unless it is there.
pub(crate) fn log(folder: &Path, size: u64, entry: impl Fn(u64) -> Vec<u8>) {
    if folder.join("checkpoint").exists() {
        return;
    }
    let mut log = PublishedLog::open(folder, Hasty).expect("an empty folder");
    let mut first = 0;
    while first < size {
        let next = (first + 4096).min(size);
        let entries: Vec<Vec<u8>> = (first..next).map(&entry).collect();
        log.append(first, &entries).expect("room on the disk");
        first = next;
    }
    let root = log.tip().root_at(size).ok().flatten().expect("a log of this size");
    log.publish(note(size, root)).expect("room on the disk");
}

/// A checkpoint as a group of four publishes it.
pub(crate) fn note(size: u64, root: Digest) -> SignedNote {
    let text = Checkpoint { origin: ORIGIN.to_owned(), size, root }.to_string();
    let key = |name: &str, kind| Signer::from_seed(name, kind, &Digest::of(name.as_bytes()).0).expect("a key");
    let log = note::sign(&key(ORIGIN, KeyKind::Log), &text).expect("the key of a log");
    let cosign = |member: u8| {
        let name = format!("{ORIGIN}/builder-{member:02}");
        cosignature::cosign(&key(&name, KeyKind::Cosigner), &text, 1_700_000_000).expect("the key of a cosigner")
    };
    let signatures = std::iter::once(log).chain((0..4).map(cosign)).collect();
    SignedNote { text, signatures }
}
