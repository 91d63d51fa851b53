//! Logs as files, in folders: of the sample's group, or of another one, as long as a test needs.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::{Path, PathBuf};

use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::cosignature::cosign;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::Entry;
use synchronicity_verify::lookup::{LoggedEntry, Lookup};
use synchronicity_verify::map::{MapKey, Prefix, PrefixMap};
use synchronicity_verify::merkle::{inclusion_proof, leaf_hash, root};
use synchronicity_verify::note::{self, KeyKind, SignedNote, Signer};
use synchronicity_verify::policy::{Policy, Witness};
use synchronicity_verify::proof::Proof;
use synchronicity_verify::tile::{TILE_WIDTH, TileLevel, encode_bundle, tiles_between};

use crate::sample::{self, ORIGIN, TIME_S};
use crate::server::{Answer, Server};

/// Four builders with keys of their own, and the key of their log.
#[derive(Clone)]
pub(crate) struct Party {
    pub(crate) origin: String,
    salt: String,
}

/// A folder with a log in it, and `policy` beside it.
pub(crate) struct Log {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) entries: Vec<Entry>,
    pub(crate) party: Party,
}

impl Party {
    /// The one of the sample.
    pub(crate) fn sample() -> Self {
        Self { origin: ORIGIN.to_owned(), salt: String::new() }
    }

    /// Another one.
    pub(crate) fn named(name: &str) -> Self {
        Self { origin: format!("synchronicity.example/{name}"), salt: format!(" of {name}") }
    }

    pub(crate) fn log_signer(&self) -> Signer {
        sample::signer(&self.origin, KeyKind::Log, &format!("log{}", self.salt))
    }

    pub(crate) fn cosigner(&self, member: usize) -> Signer {
        let seed = format!("cosigner {member}{}", self.salt);
        sample::signer(&format!("{}/builder-{member}", self.origin), KeyKind::Cosigner, &seed)
    }

    /// Any `threshold` of the first `members` builders.
    pub(crate) fn policy(&self, threshold: usize, members: usize) -> Policy {
        let witness = |member| {
            let key = self.cosigner(member).verifier_key().clone();
            Witness { name: format!("builder-{member}"), key, url: None }
        };
        let log = self.log_signer().verifier_key().clone();
        Policy::any_of(log, None, (0..members).map(witness).collect(), threshold).unwrap()
    }

    /// `text` signed by the log and `cosigners`.
    fn signed(&self, text: &str, cosigners: &[usize]) -> SignedNote {
        let mut signatures = vec![note::sign(&self.log_signer(), text).unwrap()];
        signatures.extend(cosigners.iter().map(|member| cosign(&self.cosigner(*member), text, TIME_S).unwrap()));
        SignedNote { text: text.to_owned(), signatures }
    }
}

impl Log {
    /// A log of `size` crates that were reproduced, named `crate-0`, `crate-1` and so on, cosigned by all.
    pub(crate) fn new(size: usize) -> Self {
        Self::of(history(size, "the binary"), &[0, 1, 2, 3])
    }

    pub(crate) fn of(entries: Vec<Entry>, cosigners: &[usize]) -> Self {
        Self::by(Party::sample(), entries, cosigners)
    }

    /// A log of this party.
    pub(crate) fn by(party: Party, entries: Vec<Entry>, cosigners: &[usize]) -> Self {
        let log = Self { dir: tempfile::tempdir().unwrap(), entries, party };
        fs::write(log.dir.path().join("policy"), log.party.policy(3, 4).to_string()).unwrap();
        log.publish(log.entries.len(), cosigners);
        log
    }

    /// Writes the files of the first `size` entries; files of other sizes stay.
    pub(crate) fn publish(&self, size: usize, cosigners: &[usize]) {
        let entries: Vec<Vec<u8>> = self.entries[..size].iter().map(Entry::to_bytes).collect();
        let leaves: Vec<_> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        for tile in tiles_between(0, size as u64) {
            let bytes = match tile.level {
                TileLevel::Entries => {
                    let first = tile.n as usize * usize::from(TILE_WIDTH);
                    encode_bundle(entries[first..first + usize::from(tile.width)].iter().map(Vec::as_slice)).unwrap()
                }
                TileLevel::Hashes(_) => tile.hashes(&leaves).unwrap(),
            };
            let path = self.file(&tile.path());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        fs::create_dir_all(self.path()).unwrap();
        let checkpoint = Checkpoint { origin: self.party.origin.clone(), size: size as u64, root: root(&leaves) };
        let signed = self.party.signed(&checkpoint.to_string(), cosigners);
        fs::write(self.file("checkpoint"), signed.to_string()).unwrap();
    }

    /// The proof of entry `index`, under the checkpoint of the first `size` entries.
    pub(crate) fn proof(&self, index: usize, size: usize) -> Vec<u8> {
        let leaves = self.leaves(size);
        let path = inclusion_proof(&leaves, size as u64, index as u64).unwrap();
        let text = Checkpoint { origin: self.party.origin.clone(), size: size as u64, root: root(&leaves) }.to_string();
        let (entry, checkpoint) = (self.entries[index].to_bytes(), self.party.signed(&text, &[0, 1, 2, 3]));
        Proof { entry, index: index as u64, path, checkpoint }.to_string().into_bytes()
    }

    /// A node's answer to a lookup, under the published checkpoint of all entries.
    pub(crate) fn answer(&self, prefix: &str) -> Vec<u8> {
        let (leaves, size) = (self.leaves(self.entries.len()), self.entries.len() as u64);
        let mut map = PrefixMap::new();
        for (index, entry) in self.entries.iter().enumerate() {
            MapKey::of_entry(entry).into_iter().for_each(|key| map.insert(key, index as u64));
        }
        let prefix: Prefix = prefix.parse().unwrap();
        let proof = map.prove(&prefix, 4096).unwrap();
        let mut indices: Vec<u64> =
            proof.leaves.iter().flat_map(|leaf| leaf.indices.clone()).chain([size - 1]).collect();
        indices.sort_unstable();
        indices.dedup();
        let entries = indices.into_iter().map(|index| LoggedEntry {
            index,
            entry: self.entries[index as usize].to_bytes(),
            path: inclusion_proof(&leaves, size, index).unwrap(),
        });
        let checkpoint = SignedNote::parse(&fs::read(self.file("checkpoint")).unwrap()).unwrap();
        Lookup { prefix, proof, entries: entries.collect(), checkpoint }.to_string().into_bytes()
    }

    fn leaves(&self, size: usize) -> Vec<Digest> {
        self.entries[..size].iter().map(|entry| leaf_hash(&entry.to_bytes())).collect()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn policy(&self) -> PathBuf {
        self.dir.path().join("policy")
    }

    /// A server of the log's files.
    pub(crate) fn serve(&self) -> Server {
        let folder = self.path();
        Server::start(move |path| file_at(&folder, path))
    }
}

/// What a server of static files answers.
pub(crate) fn file_at(folder: &Path, path: &str) -> Answer {
    fs::read(folder.join(&path[1..])).map_or(Answer::Status(404), Answer::Whole)
}

/// The entries of [`Log::new`], whose artifacts have `content`.
pub(crate) fn history(size: usize, content: &str) -> Vec<Entry> {
    let names: Vec<String> = (0..size).map(|index| format!("crate-{index}")).collect();
    let results = || [0, 1, 2, 3].map(|_| Some(sample::built(content)));
    let crates: Vec<_> = names.iter().map(|name| (name.as_str(), results())).collect();
    sample::history(&crates)
}
