//! One node of four killed at a moment that its own machine holds fast: while it fetches, because nothing answers; and
//! between its cosignature and its log, because the log cannot be written.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use synchronicity_core::journal::Journal;
use synchronicity_node::folder::Folder;
use synchronicity_node::group_file;
use synchronicity_node::store::Store;
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::cosignature;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::Entry;
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::proof::Proof;

use crate::Test;
use crate::devnet::texts;
use crate::left_over::nothing_is_left;
use crate::machine::Need::{Embedded, Registry};
use crate::quartet::{Quartet, TROUBLED, name};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        Test::new("a_node_killed_while_it_fetches_still_does_its_part", &[Embedded, Registry], fetching),
        Test::new("a_node_killed_between_cosigning_and_publishing_publishes_the_same", &[Embedded], publishing),
    ]
}

/// What is waited for comes within this time on a machine that compiles four times at once.
const PATIENCE: Duration = Duration::from_secs(60);

fn fetching() {
    let dir = tempfile::tempdir().unwrap();
    // Takes connections and never says a word.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    mute.set_nonblocking(true).unwrap();
    let proxy = format!("http://{}", mute.local_addr().unwrap());
    let mut quartet = Quartet::found(dir.path());
    quartet.start(&[("HTTPS_PROXY", &proxy), ("HTTP_PROXY", &proxy), ("ALL_PROXY", &proxy)]);
    quartet.submit_crate("fnv@1.0.7");
    let fetches = |status: &Value| status["building"][0]["stage"] == "fetching" && mute.accept().is_ok();
    quartet.until(TROUBLED, "fetches", PATIENCE, fetches);
    quartet.kill();
    assert_eq!(journal(&quartet.home(TROUBLED)).seals().count(), 0, "it was killed before it had a result");
    quartet.restart();

    let root = quartet.concludes(TROUBLED)["log"]["root"].clone();
    for index in 0..TROUBLED {
        assert_eq!(quartet.concludes(index)["log"]["root"], root);
    }
    every_member_opened_its_one_commitment(&quartet.home(TROUBLED));
    drop(quartet);
    nothing_is_left(dir.path());
}

fn publishing() {
    let dir = tempfile::tempdir().unwrap();
    let mut quartet = Quartet::found(dir.path());
    let home = quartet.home(TROUBLED);
    let in_the_way = Folder::at(&home).log().join("tile");
    fs::create_dir_all(in_the_way.parent().unwrap()).unwrap();
    fs::write(&in_the_way, "no folder can be made here").unwrap();
    quartet.start(&[]);
    quartet.submit();
    // Its cosignature has reached the others, and it has tried to publish.
    let signed = |status: &Value| texts(&status["log"]["cosigners"]).contains(&name(TROUBLED).as_str());
    quartet.until(0, "has the cosignature of the last", PATIENCE, signed);
    let stuck = |status: &Value| status["health"].as_str().unwrap().contains("of the published log");
    let told = quartet.until(TROUBLED, "cannot publish", PATIENCE, stuck);
    assert_eq!((&told["log"]["size"], &told["log"]["published_size"]), (&1.into(), &0.into()), "{told}");
    quartet.kill();
    let recorded = journal(&home).cosigned();
    let (size, root) = recorded.expect("the journal had the cosignature before it left the node");
    assert!(!Folder::at(&home).log().join("checkpoint").exists());
    fs::remove_file(in_the_way).unwrap();
    quartet.restart();

    quartet.concludes(TROUBLED);
    let signed: BTreeSet<_> = (0..=TROUBLED).map(|index| signed_by_the_last(&quartet.home(index))).collect();
    assert_eq!(signed, BTreeSet::from([Some((size, root))]), "the same root, and no other");
    every_member_opened_its_one_commitment(&home);
    quartet.kill();
    assert_eq!(journal(&home).cosigned(), recorded);
    drop(quartet);
    nothing_is_left(dir.path());
}

/// The journal of a node that does not run.
fn journal(home: &Path) -> Journal {
    let folder = Folder::at(home);
    let store = Store::open(&folder.state(), &group_file::read(&folder.group()).unwrap()).unwrap();
    store.journal().unwrap()
}

/// What the last node has signed of the log that the node in `home` publishes.
fn signed_by_the_last(home: &Path) -> Option<(u64, Digest)> {
    let folder = Folder::at(home);
    let group = group_file::read(&folder.group()).unwrap();
    let last = group.members().iter().find(|member| member.name == name(TROUBLED)).unwrap();
    let note = SignedNote::parse(&fs::read(folder.log().join("checkpoint")).unwrap()).unwrap();
    let line = note.signature_of(&last.cosigner)?;
    cosignature::verify(&last.cosigner, &note.text, line).unwrap();
    let checkpoint: Checkpoint = note.text.parse().unwrap();
    Some((checkpoint.size, checkpoint.root))
}

/// Nothing was lost and nothing was done twice, by the proof that the node in `home` has written.
fn every_member_opened_its_one_commitment(home: &Path) {
    let proof = fs::read(Folder::at(home).proofs().join("index-0.tlog-proof")).unwrap();
    let entry = Entry::from_bytes(&Proof::parse(&proof).unwrap().entry).unwrap();
    assert_eq!(entry.round, 0);
    assert!(entry.members.iter().all(|member| member.opening.is_some()), "{:#?}", entry.members);
}
