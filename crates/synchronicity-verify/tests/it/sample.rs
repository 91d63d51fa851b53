//! A group of four builders with known keys, and a log of seven entries: the ground for proofs, good and bad.
//! Shared with the benchmark.

use std::collections::BTreeMap;

use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::commitment::commitment;
use synchronicity_verify::cosignature::cosign;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{ENTRY_SCHEMA, Entry, MemberRecord, Opening, tally};
use synchronicity_verify::identity::BuilderId;
use synchronicity_verify::map::{self, MapKey, PrefixMap};
use synchronicity_verify::merkle::{inclusion_proof, leaf_hash, root};
use synchronicity_verify::note::{self, KeyKind, SignedNote, Signer};
use synchronicity_verify::policy::{Policy, Witness};
use synchronicity_verify::proof::Proof;
use synchronicity_verify::request::{
    BuildRequest, Environment, Features, Limits, Lock, LockGrade, Products, Source, Toolchain,
};
use synchronicity_verify::result::{Artifact, Artifacts, BuildResult};

pub(crate) const ORIGIN: &str = "synchronicity.example/sample";
pub(crate) const TIME_S: u64 = 1_790_000_000;
pub(crate) const INDEX: u64 = 4;
pub(crate) const SIZE: u64 = 7;

pub(crate) fn log_signer() -> Signer {
    signer(ORIGIN, KeyKind::Log, "log")
}

pub(crate) fn cosigner(member: usize) -> Signer {
    signer(&format!("{ORIGIN}/builder-{member}"), KeyKind::Cosigner, &format!("cosigner {member}"))
}

pub(crate) fn signer(name: &str, kind: KeyKind, seed: &str) -> Signer {
    Signer::from_seed(name, kind, &Digest::of(seed.as_bytes()).0).unwrap()
}

pub(crate) fn witness(member: usize) -> Witness {
    Witness { name: format!("builder-{member}"), key: cosigner(member).verifier_key().clone(), url: None }
}

/// Any `threshold` of the four builders.
pub(crate) fn policy(threshold: usize) -> Policy {
    Policy::any_of(log_signer().verifier_key().clone(), None, (0..4).map(witness).collect(), threshold).unwrap()
}

pub(crate) fn request() -> BuildRequest {
    request_of("hexyl")
}

/// `NAME`, in version 0.17.0, or `NAME@VERSION`.
pub(crate) fn request_of(spec: &str) -> BuildRequest {
    let (name, version) = spec.split_once('@').unwrap_or((spec, "0.17.0"));
    BuildRequest {
        schema: 1,
        source: Source::Registry {
            name: name.parse().unwrap(),
            version: version.parse().unwrap(),
            checksum: Digest::of(b"the archive"),
        },
        lock: Lock { grade: LockGrade::Published, sha256: Digest::of(b"the lock") },
        toolchain: Toolchain {
            release: "1.95.0".to_owned(),
            commit: "0123456789abcdef0123456789abcdef01234567".to_owned(),
            host: "x86_64-unknown-linux-gnu".to_owned(),
        },
        environment: Environment::Image { layer: Digest::of(b"the image") },
        target: "x86_64-unknown-linux-gnu".to_owned(),
        profile: "release".to_owned(),
        features: Features { default: true, all: false, named: vec![] },
        products: Products::Binaries,
        env: [("SOURCE_DATE_EPOCH".to_owned(), "0".to_owned())].into(),
        rustflags: vec![],
        limits: Limits {
            memory_bytes: 4 << 30,
            time_seconds: 1800,
            disk_bytes: 8 << 30,
            processes: 512,
            transcript_bytes: 4 << 20,
            jobs: 2,
        },
    }
}

/// A good build whose one artifact has `content`.
pub(crate) fn built(content: &str) -> BuildResult {
    built_as(&[("hexyl", content.as_bytes())])
}

/// A good build with these artifacts: names and contents.
pub(crate) fn built_as(artifacts: &[(&str, &[u8])]) -> BuildResult {
    let artifact = |(name, content): &(&str, &[u8])| Artifact {
        name: name.parse().unwrap(),
        size: content.len() as u64,
        sha256: Digest::of(content),
    };
    BuildResult::Built(Artifacts::new(artifacts.iter().map(artifact).collect()).unwrap())
}

/// The entry that follows when the members of a group reveal `results`; `None` is a silent member.
pub(crate) fn entry(threshold: u16, results: &[Option<BuildResult>]) -> Entry {
    entry_of(&request(), threshold, results)
}

fn entry_of(request: &BuildRequest, threshold: u16, results: &[Option<BuildResult>]) -> Entry {
    let mut members: Vec<_> =
        results.iter().enumerate().map(|(member, result)| record(request, member, result)).collect();
    members.sort_by_key(|member| member.builder);
    let reveals: Vec<_> = members.iter().filter_map(|member| Some((member.builder, member.result()?))).collect();
    let tally = tally(threshold, &reveals);
    let agreed = results.iter().flatten().find(|result| Some(result.digest()) == tally.agreed).cloned();
    let mut entry = Entry {
        schema: ENTRY_SCHEMA,
        group: Digest::of(b"the group"),
        epoch: 0,
        height: 30,
        time_ms: TIME_S * 1000,
        request: request.clone(),
        round: 0,
        threshold,
        verdict: tally.verdict(agreed.as_ref()).unwrap(),
        agreed,
        members,
        map_root: map::empty_root(),
    };
    // Of a log in which nothing but this entry speaks of anything.
    let mut map = PrefixMap::new();
    MapKey::of_entry(&entry).into_iter().for_each(|key| map.insert(key, INDEX));
    entry.map_root = map.root();
    entry
}

fn record(request: &BuildRequest, member: usize, result: &Option<BuildResult>) -> MemberRecord {
    let builder = BuilderId(Digest::of(format!("builder {member}").as_bytes()).0);
    let opening = result
        .as_ref()
        .map(|result| Opening { nonce: Digest::of(format!("nonce {member}").as_bytes()).0, result: result.digest() });
    MemberRecord {
        builder,
        name: cosigner(member).verifier_key().name().to_owned(),
        commitment: opening.map(|opening| commitment(&request.id(), &builder, &opening.result, &opening.nonce)),
        opening,
        attestation: opening.map(|_| Digest::of(format!("reveal {member}").as_bytes())),
    }
}

/// Four builders, all with the same result, which has `content`.
pub(crate) fn reproduced() -> Entry {
    entry(3, &[0, 1, 2, 3].map(|_| Some(built("the binary"))))
}

/// A log of these entries as an honest group logs them: one block each, every attempt after the one before, and the
/// root of the map stated. `crates` names the crate of each.
pub(crate) fn history(crates: &[(&str, [Option<BuildResult>; 4])]) -> Vec<Entry> {
    history_of(crates.iter().map(|(name, results)| (request_of(name), results.clone())))
}

/// The same of these requests.
pub(crate) fn history_of(rounds: impl IntoIterator<Item = (BuildRequest, [Option<BuildResult>; 4])>) -> Vec<Entry> {
    let (mut map, mut attempts) = (PrefixMap::new(), BTreeMap::new());
    let log = rounds.into_iter().enumerate().map(|(index, (request, results))| {
        let mut entry = entry_of(&request, 3, &results);
        let attempt = attempts.entry(request.id()).or_insert(0);
        (entry.round, entry.height) = (*attempt, 10 + index as u64);
        entry.time_ms += 1000 * index as u64;
        *attempt += 1;
        MapKey::of_entry(&entry).into_iter().for_each(|key| map.insert(key, index as u64));
        entry.map_root = map.root();
        entry
    });
    log.collect()
}

/// A proof of `entry` at [`INDEX`] in a log of [`SIZE`] entries, signed by the log and `cosigners`.
pub(crate) fn proof(entry: Vec<u8>, cosigners: &[usize]) -> Proof {
    let leaves: Vec<_> = (0..SIZE)
        .map(|index| if index == INDEX { leaf_hash(&entry) } else { leaf_hash(format!("filler {index}").as_bytes()) })
        .collect();
    let path = inclusion_proof(&leaves, SIZE, INDEX).unwrap();
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: SIZE, root: root(&leaves) };
    Proof { entry, index: INDEX, path, checkpoint: signed(&checkpoint.to_string(), cosigners) }
}

/// `text` signed by the log and `cosigners`.
pub(crate) fn signed(text: &str, cosigners: &[usize]) -> SignedNote {
    let mut signatures = vec![note::sign(&log_signer(), text).unwrap()];
    signatures.extend(cosigners.iter().map(|member| cosign(&cosigner(*member), text, TIME_S).unwrap()));
    SignedNote { text: text.to_owned(), signatures }
}

/// The good proof: four builders agreed, four cosigned.
pub(crate) fn good_proof() -> Proof {
    proof(reproduced().to_bytes(), &[0, 1, 2, 3])
}
