//! What holds for every parser, whatever bytes it gets: it does not panic, and what it accepts it writes back byte by
//! byte. Run by the fuzzer's programs and by the tests of the crate alike.

use std::str;
use std::sync::LazyLock;

use synchronicity_verify::bundle::{self as bundles, BundleError, BundleReader, VerifiedBundle};
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::Entry;
use synchronicity_verify::equivocation::{self, Equivocation};
use synchronicity_verify::fork::{self, Fork};
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::lookup::{self as lookups, Lookup};
use synchronicity_verify::map::{MapKey, MapLeaf, MapProof, Prefix, PrefixMap};
use synchronicity_verify::membership::{Membership, MembershipEntry};
use synchronicity_verify::note::{NoteSignature, SignedNote, VerifierKey};
use synchronicity_verify::policy::Policy;
use synchronicity_verify::proof::Proof;
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::BuildResult;
use synchronicity_verify::succession::{Succession, succeed};
use synchronicity_verify::tile::{TilePath, encode_bundle, parse_bundle};
use synchronicity_verify::verify::{verify, verify_checkpoint};
use synchronicity_verify::{cosignature, note as notes};

/// Judges any bytes; panics if a promise is broken.
pub(crate) type Target = fn(&[u8]);

/// Every target by its name.
pub(crate) const ALL: [(&str, Target); 18] = [
    ("note", note),
    ("checkpoint", checkpoint),
    ("cosignature", cosignature),
    ("vkey", vkey),
    ("proof", proof),
    ("policy", policy),
    ("fork", fork),
    ("equivocation", equivocation),
    ("entry", entry),
    ("request", request),
    ("result", result),
    ("tile_path", tile_path),
    ("bundle", bundle),
    ("whole_log", whole_log),
    ("lookup", lookup),
    ("map_proof", map_proof),
    ("membership", membership),
    ("succession", succession),
];

/// The policy under which inputs are judged.
static POLICY: LazyLock<Policy> =
    LazyLock::new(|| Policy::parse(include_bytes!("../examples/sample.policy")).expect("the sample is a policy"));

pub(crate) fn note(data: &[u8]) {
    if let Ok(note) = SignedNote::parse(data) {
        assert_eq!(note.to_string().as_bytes(), data);
        let _ = verify_checkpoint(&note, &POLICY);
    }
}

pub(crate) fn checkpoint(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(checkpoint) = text.parse::<Checkpoint>() {
        assert_eq!(checkpoint.to_string(), text);
    }
}

/// One signature line, tried with every key of the policy.
pub(crate) fn cosignature(data: &[u8]) {
    let Some(line) = str::from_utf8(data).ok().and_then(NoteSignature::parse) else { return };
    assert_eq!(line.to_string().as_bytes(), data);
    for witness in POLICY.witnesses() {
        let _ = cosignature::verify(&witness.key, "text\n", &line);
    }
    let _ = notes::verify(POLICY.log(), "text\n", &line);
}

pub(crate) fn vkey(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
}

pub(crate) fn proof(data: &[u8]) {
    if let Ok(proof) = Proof::parse(data) {
        assert_eq!(proof.to_string().as_bytes(), data);
    }
    if let Ok(verified) = verify(data, &POLICY, None) {
        assert!(verified.index < verified.size && verified.cosigners.len() >= 3);
        assert!(verified.vouched_s.is_some());
    }
}

/// The one format that may be spelled in several ways: it is read again from what was written.
pub(crate) fn policy(data: &[u8]) {
    if let Ok(policy) = Policy::parse(data) {
        let written = policy.to_string();
        assert_eq!(Policy::parse(written.as_bytes()).expect("what was written can be read"), policy);
        let _ = policy.quorum_in_words();
        let everybody = vec![true; policy.witnesses().len()];
        assert!(policy.is_reached(&everybody), "a quorum that nobody can reach");
    }
}

pub(crate) fn fork(data: &[u8]) {
    if let Ok(fork) = Fork::parse(data) {
        assert_eq!(fork.to_string().as_bytes(), data);
    }
    if let Ok(verified) = fork::verify(data, &POLICY) {
        let [smaller, larger] = &verified.sides;
        assert!(smaller.size < larger.size || (smaller.size == larger.size && smaller.root < larger.root));
        assert!(!smaller.signers.is_empty() && !larger.signers.is_empty());
    }
}

pub(crate) fn equivocation(data: &[u8]) {
    if let Ok(proof) = Equivocation::parse(data) {
        assert_eq!(proof.to_string().as_bytes(), data);
    }
    if let Ok(proof) = equivocation::verify(data) {
        let [one, other] = proof.votes();
        assert!(one.ballot < other.ballot && one.ballot.contradicts(&other.ballot));
    }
}

pub(crate) fn entry(data: &[u8]) {
    if let Ok(entry) = Entry::from_bytes(data) {
        assert_eq!(entry.to_bytes(), data);
    }
}

pub(crate) fn membership(data: &[u8]) {
    if let Ok(entry) = MembershipEntry::from_bytes(data) {
        assert_eq!(entry.to_bytes(), data);
        assert_eq!(Leaf::from_bytes(data), Ok(Leaf::Membership(entry)));
    }
    if let Ok(membership) = Membership::from_bytes(data) {
        assert_eq!(membership.to_bytes(), data);
    }
}

/// What is accepted is a policy of the same log, under which the last change's members cosign.
pub(crate) fn succession(data: &[u8]) {
    if let Ok(succession) = Succession::parse(data) {
        assert_eq!(succession.to_string().as_bytes(), data);
    }
    let Ok(succeeded) = succeed(&POLICY, data) else { return };
    let last = succeeded.changes.last().expect("it leads somewhere");
    assert_eq!(succeeded.policy.log(), POLICY.log());
    assert_eq!(succeeded.policy.witnesses().len(), last.next.members.len());
}

pub(crate) fn request(data: &[u8]) {
    if let Ok(request) = BuildRequest::from_bytes(data) {
        assert_eq!(request.to_bytes(), data);
        assert_eq!(request.check(), Ok(()));
    }
}

pub(crate) fn result(data: &[u8]) {
    if let Ok(result) = BuildResult::from_bytes(data) {
        assert_eq!(result.to_bytes(), data);
    }
}

pub(crate) fn tile_path(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(tile) = text.parse::<TilePath>() {
        assert_eq!(tile.path(), text);
    }
}

/// The first byte says how many entries, less one, the bundle's path promises.
pub(crate) fn bundle(data: &[u8]) {
    let Some((count, bundle)) = data.split_first() else { return };
    let count = u16::from(*count) + 1;
    if let Ok(entries) = parse_bundle(bundle, count) {
        assert_eq!(entries.len(), usize::from(count));
        assert_eq!(encode_bundle(entries).expect("what was read can be written"), bundle);
    }
}

/// Whether it comes at once or in pieces; what is accepted is the head and the entries, and nothing else.
pub(crate) fn whole_log(data: &[u8]) {
    let whole = read_log([data].into_iter());
    let pieces = read_log(data.chunks(data.len() / 5 + 1));
    assert_eq!(whole.as_ref().err(), pieces.as_ref().err(), "it depends on the pieces");
    let Ok((bundle, entries)) = whole else { return };
    let entries: Vec<Vec<u8>> = entries.iter().map(Leaf::to_bytes).collect();
    assert_eq!(entries.len() as u64, bundle.checkpoint.checkpoint.size);
    let written = encode_bundle(entries.iter().map(Vec::as_slice)).expect("what was read can be written");
    assert_eq!([bundles::head(&bundle.note), written].concat(), data);
}

fn read_log<'a>(mut pieces: impl Iterator<Item = &'a [u8]>) -> Result<(VerifiedBundle, Vec<Leaf>), BundleError> {
    let (mut reader, mut entries) = (BundleReader::new(&POLICY), Vec::new());
    pieces.try_for_each(|piece| reader.feed(piece, |_, entry| entries.push(entry)))?;
    Ok((reader.finish()?, entries))
}

/// Looked up under the smallest key that the prefix covers, and under each that is listed.
pub(crate) fn lookup(data: &[u8]) {
    let Ok(lookup) = Lookup::parse(data) else { return };
    assert_eq!(lookup.to_string().as_bytes(), data);
    let first = format!("{:0<64}", lookup.prefix.to_string()).parse().expect("a prefix is hex digits");
    let listed = lookup.proof.leaves.iter().map(|leaf| leaf.key);
    for key in listed.chain([MapKey(first)]).take(8) {
        let Ok(answer) = lookups::verify(data, &POLICY, &key) else { continue };
        assert!(lookup.prefix.covers(&key), "an answer to another question");
        for (index, entry) in answer.entries {
            assert!(index < answer.checkpoint.checkpoint.size && MapKey::of_entry(&entry).contains(&key));
        }
    }
}

/// The map of which proofs are judged: seven keys, two of which share their first 14 bits, and one with several indices.
pub(crate) fn map() -> PrefixMap {
    let mut map = PrefixMap::new();
    for (index, key) in MAP_KEYS.iter().enumerate() {
        map.insert(map_key(key), index as u64);
    }
    map.insert(map_key(&MAP_KEYS[1]), 9);
    map
}

const MAP_KEYS: [[u8; 2]; 7] =
    [[0x00, 0x01], [0x12, 0x30], [0x12, 0x33], [0x7f, 0xff], [0x80, 0x00], [0xc4, 0x10], [0xff, 0xfe]];

/// A key that begins so, and goes on with zeros.
pub(crate) fn map_key(begin: &[u8]) -> MapKey {
    let mut key = [0; 32];
    key[..begin.len()].copy_from_slice(begin);
    MapKey(Digest(key))
}

/// A proof that is accepted says of every key with the prefix exactly what the map has. It is spelled: a key and
/// how many of its digits are the prefix; how many siblings, how many leaves; each sibling; each leaf, which is a key, how
/// many indices, and each index in eight bytes.
pub(crate) fn map_proof(data: &[u8]) {
    let Some((prefix, proof)) = read_map_proof(data) else { return };
    let map = map();
    if proof.verify(&prefix, &map.root()).is_err() {
        return;
    }
    for key in MAP_KEYS.iter().map(|key| map_key(key)).filter(|key| prefix.covers(key)) {
        assert_eq!(proof.indices(&key), map.indices(&key), "something is left out");
    }
    for leaf in &proof.leaves {
        assert_eq!(leaf.indices, map.indices(&leaf.key), "something is made up");
    }
}

fn read_map_proof(mut data: &[u8]) -> Option<(Prefix, MapProof)> {
    let key = MapKey(Digest(take(&mut data)?));
    let [digits, siblings, leaves] = take(&mut data)?;
    let siblings = (0..siblings).map(|_| take(&mut data).map(Digest)).collect::<Option<_>>()?;
    let mut leaf = || {
        let key = MapKey(Digest(take(&mut data)?));
        let [count] = take(&mut data)?;
        let indices = (0..count).map(|_| take(&mut data).map(u64::from_be_bytes)).collect::<Option<_>>()?;
        Some(MapLeaf { key, indices })
    };
    let leaves = (0..leaves).map(|_| leaf()).collect::<Option<_>>()?;
    Some((Prefix::of(&key, digits), MapProof { siblings, leaves }))
}

fn take<const N: usize>(data: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = data.split_first_chunk()?;
    *data = rest;
    Some(*taken)
}
