//! What is done to a copy of the good log before a tool must refuse it.

use std::fs;
use std::path::Path;

use serde_json::Value;
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::SignedNote;

use crate::published::{COSIGNERS, checkpoint};

/// One bit of a hash in a full tile of leaf hashes.
pub(crate) fn tile(folder: &Path) {
    flip_last_bit(&folder.join("log/tile/0/001"));
}

/// One bit of entry 511, the last of the second full bundle.
pub(crate) fn bundle(folder: &Path) {
    flip_last_bit(&folder.join("log/tile/entries/001"));
}

/// Another root below the old signatures.
pub(crate) fn checkpoint_text(folder: &Path) {
    change_newest(folder, |note| {
        let mut text: Checkpoint = note.text.parse().unwrap();
        text.root.0[0] ^= 1;
        note.text = text.to_string();
    });
}

/// Another root, signed by all: keys that were misused, or a builder that counted wrong.
pub(crate) fn signed_root(folder: &Path) {
    change_newest(folder, |note| {
        let text: Checkpoint = note.text.parse().unwrap();
        *note = checkpoint(text.size, Digest::of(b"another root"), &COSIGNERS);
    });
}

/// One bit of one cosignature; its line's name, key id and time stay.
pub(crate) fn cosignature(folder: &Path) {
    change_newest(folder, |note| *note.signatures[2].signature.last_mut().unwrap() ^= 1);
}

/// Two of the four cosignatures, good ones.
pub(crate) fn two_cosignatures(folder: &Path) {
    change_newest(folder, |note| note.signatures.truncate(3));
}

/// One bit of a hash in one inclusion proof.
pub(crate) fn inclusion_proof(folder: &Path) {
    change_proof(folder, "Inclusion");
}

/// One bit of a hash in one consistency proof.
pub(crate) fn consistency_proof(folder: &Path) {
    change_proof(folder, "Consistency");
}

fn flip_last_bit(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(file, bytes).unwrap();
}

fn change_newest(folder: &Path, change: impl FnOnce(&mut SignedNote)) {
    let mut note = SignedNote::parse(&fs::read(folder.join("log/checkpoint")).unwrap()).unwrap();
    change(&mut note);
    for path in ["log/checkpoint", "published/3000"] {
        fs::write(folder.join(path), note.to_string()).unwrap();
    }
}

/// In the longest path of the newest size's proofs, which is the last, the first digit of a hash becomes another.
fn change_proof(folder: &Path, kind: &str) {
    let file = folder.join("proofs.json");
    let mut proofs: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let paths = proofs[kind].as_array_mut().unwrap().iter_mut().map(|proof| &mut proof["Path"]);
    let longest = paths.max_by_key(|path| path.as_array().unwrap().len()).unwrap();
    let hash = longest[0].as_str().unwrap();
    let other = if hash.starts_with('A') { "B" } else { "A" };
    longest[0] = Value::String(format!("{other}{}", &hash[1..]));
    fs::write(file, proofs.to_string()).unwrap();
}
