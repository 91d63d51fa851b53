//! What a node keeps of epochs, and what a crash between two files leaves.

use std::fs;

use synchronicity_core::group::Group;
use synchronicity_core::journal::Sealed;
use synchronicity_core::machine::Executed;
use synchronicity_core::open::NOTHING_OPEN;
use synchronicity_node::changes::differences;
use synchronicity_node::epochs::{self, Epochs};
use synchronicity_node::folder::Folder;
use synchronicity_node::keys::{Keys, MemberKeys};
use synchronicity_node::rotation;
use synchronicity_node::store::{OpenError, Position, Store};
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::RequestId;
use synchronicity_verify::membership::Member;
use synchronicity_verify::merkle::leaf_hash;
use synchronicity_verify::note::{self, KeyKind, SignedNote, Signer};
use synchronicity_verify::proof::Proof;
use synchronicity_verify::result::{BuildResult, Failure};

use crate::world::{World, free_port};

/// The same members in the next epoch.
fn next(group: &Group) -> Group {
    group.followed_by(&group.membership()).unwrap()
}

/// A proof that is none, of an entry at this index: what is kept is not judged.
fn proof(world: &World, index: u64) -> Proof {
    let entry = format!("entry {index}").into_bytes();
    let checkpoint = Checkpoint { origin: world.group.origin().to_owned(), size: 1, root: leaf_hash(&entry) };
    let log = Signer::from_seed(world.group.origin(), KeyKind::Log, world.log_key.expose()).unwrap();
    let text = checkpoint.to_string();
    let signatures = vec![note::sign(&log, &text).unwrap()];
    Proof { entry, index, path: Vec::new(), checkpoint: SignedNote { text, signatures } }
}

#[test]
fn epochs_that_ended_are_found_again_in_the_order_of_their_numbers() {
    let (world, dir) = (World::of(4), tempfile::tempdir().unwrap());
    let epochs = Epochs::of(&Folder::at(dir.path()));
    assert!(!epochs.any() && epochs.succession().unwrap().is_none() && epochs.groups().unwrap().is_empty());
    let (mut group, mut groups) = (world.group.clone(), Vec::new());
    // Beyond nine, so that the order of names is not that of numbers.
    for epoch in 0..12 {
        assert!(!epochs.has_ended(epoch));
        assert_eq!(epochs.policy_before(epoch).unwrap().is_some(), epoch > 0);
        epochs.record(&group, &group.policy(None).unwrap(), &proof(&world, epoch)).unwrap();
        assert!(epochs.has_ended(epoch));
        groups.push(group.clone());
        group = next(&group);
    }
    assert_eq!(epochs.groups().unwrap(), groups);
    let steps = epochs.succession().unwrap().unwrap().steps;
    assert_eq!(steps.iter().map(|step| step.index).collect::<Vec<_>>(), (0..12).collect::<Vec<_>>());
    assert_eq!(epochs.policy_before(12).unwrap(), Some(group.policy(None).unwrap()));
    fs::write(dir.path().join("epochs/3.toml"), "no group").unwrap();
    assert!(epochs.groups().unwrap_err().to_string().contains("3.toml"));
}

#[test]
fn the_chains_of_epochs_before_are_removed_and_nothing_else() {
    let (world, dir) = (World::of(4), tempfile::tempdir().unwrap());
    let folder = Folder::at(dir.path());
    let (first, second) = (world.group.clone(), next(&world.group));
    let third = next(&second);
    for group in [&first, &second, &third] {
        let chain = folder.chain_of(group);
        fs::create_dir_all(chain.join("engine/votes")).unwrap();
        fs::write(chain.join("group"), group.id().to_string()).unwrap();
    }
    fs::write(folder.chain().join("epoch-x"), "not a chain").unwrap();
    assert_eq!(folder.chain_of(&first), folder.chain());
    epochs::prune_chains(&folder, &first);
    assert!(folder.chain().join("engine/votes").is_dir());
    epochs::prune_chains(&folder, &second);
    assert!(!folder.chain().join("engine").exists() && !folder.chain().join("group").exists());
    assert!(folder.chain_of(&second).join("engine/votes").is_dir() && folder.chain_of(&third).is_dir());
    epochs::prune_chains(&folder, &third);
    assert!(!folder.chain_of(&second).exists() && folder.chain_of(&third).join("engine/votes").is_dir());
    assert!(folder.chain().join("epoch-x").exists());
    // A group that was founded with a number of its own has its chain where the first one's is.
    fs::write(folder.chain().join("group"), third.id().to_string()).unwrap();
    assert_eq!(folder.chain_of(&third), folder.chain());
}

#[test]
fn next_keys_come_into_force_with_the_group_that_lists_them_also_after_a_crash_in_between() {
    let (world, dir) = (World::of(4), tempfile::tempdir().unwrap());
    let (folder, _) = world.settle(1, dir.path(), free_port());
    let name = world.group.members()[1].name.clone();
    let keys = Keys::create(&folder.next_keys()).unwrap();
    let mut membership = world.group.membership();
    membership.members[1] = Member::from(&keys.member(&name, "127.0.0.1:1").unwrap());
    let group = world.group.followed_by(&membership).unwrap();
    assert!(!rotation::settle(&folder, &world.group).unwrap(), "they are not listed yet");
    assert!(MemberKeys::read(&folder.keys(), &world.group).is_ok());
    // As if the process had ended after the first of the two renames.
    fs::copy(folder.keys().join("log.key"), folder.next_keys().join("log.key")).unwrap();
    let aside = dir.path().join("aside");
    fs::rename(folder.keys(), &aside).unwrap();
    assert!(rotation::settle(&folder, &group).unwrap());
    assert!(MemberKeys::read(&folder.keys(), &group).is_ok());
    // And the same without a crash.
    fs::rename(folder.keys(), folder.next_keys()).unwrap();
    fs::remove_file(folder.next_keys().join("log.key")).unwrap();
    fs::rename(&aside, folder.keys()).unwrap();
    assert!(rotation::settle(&folder, &group).unwrap());
    assert!(MemberKeys::read(&folder.keys(), &group).is_ok() && !folder.next_keys().exists());
    assert!(MemberKeys::read(&dir.path().join("keys-before-1"), &world.group).is_ok());
    assert!(!rotation::settle(&folder, &group).unwrap());
}

#[test]
fn a_database_that_begins_anew_forgets_its_blocks_and_keeps_its_journal() {
    let (world, dir) = (World::of(4), tempfile::tempdir().unwrap());
    let path = dir.path().join("state.redb");
    let (request, root) = (RequestId(Digest([7; 32])), Digest([9; 32]));
    let sealed = Sealed { result: BuildResult::Failed(Failure::Network), nonce: [1; 32] };
    let store = Store::open(&path, &world.group).unwrap();
    assert_eq!(store.base().unwrap(), None);
    store.append(Position { height: 20, time_ms: 30 }, None).unwrap();
    store.put_seal(&request, 0, &sealed).unwrap();
    store.put_cosigned(5, &root).unwrap();
    drop(store);

    let group = next(&world.group);
    let begun = |height| Executed { height, time_ms: 40, log_size: 6, log_root: Digest([6; 32]), open: NOTHING_OPEN };
    let behind = Store::begin_with(&path, &group, &begun(19));
    assert!(matches!(behind, Err(OpenError::Ahead { height: 20, begun: 19, .. })), "{behind:?}");
    drop(Store::open(&path, &world.group).unwrap());
    drop(Store::begin_with(&path, &group, &begun(25)).unwrap());
    assert!(matches!(Store::open(&path, &world.group), Err(OpenError::ForeignGroup { .. })));
    let (store, owner) = Store::open_in(&path, std::slice::from_ref(&world.group), &group).unwrap();
    assert_eq!((owner.id(), store.base().unwrap()), (group.id(), Some((6, Digest([6; 32])))));
    let journal = store.journal().unwrap();
    assert_eq!((journal.cosigned(), journal.sealed(&request, 0)), (Some((5, root)), Some(&sealed)));
    drop(store);
    // An earlier group's database is opened as that, where its file is known.
    let old = dir.path().join("old.redb");
    drop(Store::open(&old, &world.group).unwrap());
    let (_, owner) = Store::open_in(&old, std::slice::from_ref(&world.group), &group).unwrap();
    assert_eq!(owner.id(), world.group.id());
}

#[test]
fn what_would_change_is_told_line_by_line() {
    let (world, larger) = (World::of(5), World::of(6));
    let mut next = world.group.membership();
    let unchanged = differences(&world.group, &next);
    assert_eq!(unchanged, ["then       5 members, 5 build, 3 must agree, 4 must cosign"]);
    next.members.remove(0);
    let others = larger.group.membership().members;
    // Other keys under the name of one who stays, and somebody new.
    let stays = next.members[0].clone();
    next.members[0] = Member { name: stays.name.clone(), address: stays.address, ..others[1].clone() };
    next.members[1].absent = true;
    next.members[2].address = "192.0.2.9:4800".to_owned();
    next.members.push(others[5].clone());
    next.threshold = 4;
    let lines = differences(&world.group, &next);
    let begins: Vec<String> =
        lines.iter().map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        "threshold 4",
        "keys builder-01",
        "absent builder-02",
        "address builder-03",
        "add builder-05",
        "remove builder-00,",
        "then 5",
    ];
    assert_eq!(begins, expected, "{lines:#?}");
    assert_eq!(lines[6], "then       5 members, 4 build, 4 must agree, 4 must cosign");
}
