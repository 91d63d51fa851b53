//! `/attestation/index/I/{provenance,summary,link}`: this builder's own statements about published entries.

use axum::body::Body;
use axum::extract::{Path, State as Shared};
use axum::http::{Response, StatusCode};
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::entry::Entry;
use synchronicity_verify::merkle::{leaf_hash, verify_inclusion};
use synchronicity_verify::note::SignedNote;

use super::Site;
use super::answer::{TEXT, missing, whole};
use crate::log_reader::{LogReader, Patience};

/// The statement, or 404.
pub(super) async fn attestation(
    Shared(site): Shared<Site>,
    Path((index, kind)): Path<(String, String)>,
) -> Response<Body> {
    let Ok(index) = index.parse::<u64>() else { return missing("an entry has a number, counted from 0") };
    // What is not published has no quorum behind it yet.
    let Some(shown) = site.log.shown().filter(|shown| index < shown.size) else {
        return missing("the log as published so far has no such entry");
    };
    let (reader, attester) = (site.log.reader().clone(), site.attester.clone());
    let signed =
        tokio::task::spawn_blocking(move || Some(attester.attest(&entry(&reader, &shown.note, index)?, &kind)));
    match signed.await.ok().flatten() {
        Some(Some(attestation)) => whole(StatusCode::OK, attestation.media_type, attestation.json + "\n"),
        Some(None) => missing("this builder attests provenance, summary and link of entries in which it agreed"),
        None => {
            tracing::warn!(index, "cannot attest an entry: the log on disk does not lead to its checkpoint");
            whole(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "the log cannot be read\n")
        }
    }
}

/// The entry, if it leads to the published root: nothing is signed on the word of a disk.
fn entry(reader: &LogReader, note: &SignedNote, index: u64) -> Option<Entry> {
    let proof = reader.proof(note, index, Patience::Disk).ok()??;
    let checkpoint: Checkpoint = note.text.parse().ok()?;
    verify_inclusion(&leaf_hash(&proof.entry), index, checkpoint.size, &proof.path, &checkpoint.root).ok()?;
    Entry::from_bytes(&proof.entry).ok()
}
