//! A log of 3,000 entries as a builder would publish it, made by this crate's code alone.
//!
//! ```text
//! log/checkpoint, log/tile/...    the log, with every tile that a published checkpoint needs
//! published/<size>                the checkpoint of each published size
//! keys.json                       the log's key and those of the four cosigners
//! proofs.json                     the root of every size, and proofs between the published ones
//! ```

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::merkle::{Frontier, consistency_proof, inclusion_proof, leaf_hash};
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::tile::{TileLevel, encode_bundle, tiles_between};

use crate::sample;

/// Sizes around a full tile, and larger ones, the last of which has a full tile of bundles, partial tiles, and a
/// second level.
pub(crate) const SIZES: [u64; 6] = [1, 255, 256, 257, 1000, 3000];
pub(crate) const COSIGNERS: [usize; 4] = [0, 1, 2, 3];

/// Writes the log, size after size, as a growing log is written.
pub(crate) fn write(folder: &Path) {
    let size = SIZES[SIZES.len() - 1];
    let entries: Vec<_> = (0..size).map(entry).collect();
    let leaves: Vec<_> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    let roots = roots(&leaves);
    let mut before = 0;
    for size in SIZES {
        write_tiles(folder, before, size, &entries, &leaves);
        let signed = checkpoint(size, roots[size as usize], &COSIGNERS).to_string();
        put(folder, &format!("published/{size}"), signed.as_bytes());
        put(folder, "log/checkpoint", signed.as_bytes());
        before = size;
    }
    let key = |member| sample::cosigner(member).verifier_key().to_string();
    let keys = json!({"Log": sample::log_signer().verifier_key().to_string(), "Cosigners": COSIGNERS.map(key)});
    put(folder, "keys.json", keys.to_string().as_bytes());
    put(folder, "proofs.json", proofs(&roots, &leaves).to_string().as_bytes());
}

/// The checkpoint of this size and root, signed by the log and `cosigners`.
pub(crate) fn checkpoint(size: u64, root: Digest, cosigners: &[usize]) -> SignedNote {
    sample::signed(&Checkpoint { origin: sample::ORIGIN.to_owned(), size, root }.to_string(), cosigners)
}

/// Mostly short texts; also real entries, the empty one and the longest.
fn entry(index: u64) -> Vec<u8> {
    match index {
        7 => vec![],
        8 => vec![0xa5; 65_535],
        _ if index.is_multiple_of(97) => sample::reproduced().to_bytes(),
        _ => format!("entry {index}").repeat(1 + index as usize % 5).into_bytes(),
    }
}

fn roots(leaves: &[Digest]) -> Vec<Digest> {
    let mut frontier = Frontier::new();
    let mut roots = vec![frontier.root()];
    for leaf in leaves {
        frontier.append(*leaf);
        roots.push(frontier.root());
    }
    roots
}

fn write_tiles(folder: &Path, old: u64, new: u64, entries: &[Vec<u8>], leaves: &[Digest]) {
    for tile in tiles_between(old, new) {
        let bytes = match tile.level {
            TileLevel::Hashes(_) => tile.hashes(leaves).unwrap(),
            TileLevel::Entries => {
                let first = tile.n as usize * 256;
                let held = &entries[first..first + usize::from(tile.width)];
                encode_bundle(held.iter().map(Vec::as_slice)).unwrap()
            }
        };
        put(folder, &format!("log/{tile}"), &bytes);
    }
}

fn proofs(roots: &[Digest], leaves: &[Digest]) -> Value {
    let mut inclusion = vec![];
    let mut consistency = vec![];
    for size in SIZES {
        for index in (0..size).filter(|index| index.is_multiple_of(101) || index % 256 == 255 || index + 2 >= size) {
            let path = inclusion_proof(leaves, size, index).unwrap();
            let leaf = base64(&leaves[index as usize]);
            inclusion.push(json!({"Size": size, "Index": index, "Leaf": leaf, "Path": texts(&path)}));
        }
        for old in SIZES.into_iter().filter(|old| *old <= size) {
            let path = consistency_proof(leaves, old, size).unwrap();
            consistency.push(json!({"Old": old, "New": size, "Path": texts(&path)}));
        }
    }
    json!({"Roots": texts(roots), "Inclusion": inclusion, "Consistency": consistency})
}

fn texts(hashes: &[Digest]) -> Vec<String> {
    hashes.iter().map(base64).collect()
}

/// As a checkpoint spells its root, whose writer is under test anyway.
fn base64(hash: &Digest) -> String {
    let text = Checkpoint { origin: String::new(), size: 1, root: *hash }.to_string();
    text.lines().nth(2).unwrap().to_owned()
}

fn put(folder: &Path, path: &str, bytes: &[u8]) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}
