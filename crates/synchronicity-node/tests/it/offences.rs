//! What other members did wrong, on disk before it is told, and served as proofs that anybody can check.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ed25519_dalek::{Signer, SigningKey};
use synchronicity_consensus::{Conduct, Offence};
use synchronicity_core::group::Group;
use synchronicity_node::durable::{Disk, Synced};
use synchronicity_node::epochs::Epochs;
use synchronicity_node::groups::Groups;
use synchronicity_node::offences::{Accusation, Offences, PROOFS_ALL_MAX, PROOFS_MAX};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::equivocation::{Ballot, Equivocation, Occasion, Proposal, Vote, verify};

use crate::nodes::Nodes;
use crate::world::{PROGRAM, World};

/// A disk that fails as long as it is told to: every file, or the list alone.
struct Failing {
    broken: Arc<AtomicBool>,
    only: Option<&'static str>,
}

impl Disk for Failing {
    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if self.broken.load(Ordering::Relaxed) && self.only.is_none_or(|name| path.ends_with(name)) {
            return Err(io::Error::other("the disk failed"));
        }
        Synced.write(path, bytes)
    }
}

/// A disk that is as fast as memory.
struct Unsynced;

impl Disk for Unsynced {
    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(path.parent().unwrap())?;
        fs::write(path, bytes)
    }
}

fn equivocation(world: &World, member: usize, view: u64) -> Offence {
    voted_twice(world, &world.group, member, view)
}

/// In the epoch of one of the groups of these keys.
fn voted_twice(world: &World, group: &Group, member: usize, view: u64) -> Offence {
    let key = SigningKey::from_bytes(world.keys[member].consensus.expose());
    let on = Occasion { group: group.id(), epoch: group.epoch(), view };
    let vote = |block: &str| {
        let ballot = Ballot::Notarize(Proposal { parent: view - 1, block: Digest::of(block.as_bytes()) });
        Vote { ballot, signature: key.sign(&ballot.signed_bytes(&on)).to_bytes() }
    };
    let member = key.verifying_key().to_bytes();
    let proof = Equivocation::new(on, member, [vote("a"), vote("b")]).unwrap();
    Offence { member, conduct: Conduct::Equivocation(Box::new(proof)) }
}

fn open(world: &World, folder: &Path) -> Offences {
    Offences::open(folder.to_owned(), Groups::new(Vec::new(), world.group.clone()), Synced)
}

/// The group of the next epoch, in which one more is absent.
fn next(group: &Group) -> Group {
    let mut membership = group.membership();
    membership.members.iter_mut().find(|member| !member.absent).unwrap().absent = true;
    group.followed_by(&membership).unwrap()
}

#[test]
fn an_offence_survives_a_restart_with_its_proof_its_time_and_its_count() {
    let (world, dir) = (World::of(4), tempfile::tempdir().unwrap());
    let folder = dir.path().join("offences");
    let offences = open(&world, &folder);
    assert!(offences.list().is_empty() && offences.proofs().is_empty());
    offences.record(&equivocation(&world, 2, 7), 1000).unwrap();
    offences.record(&equivocation(&world, 2, 9), 2000).unwrap();
    let lie = Conduct::FalseProposal("its time is not later than its parent's");
    let member = world.group.members()[1].consensus;
    offences.record(&Offence { member, conduct: lie }, 3000).unwrap();

    let again = open(&world, &folder);
    assert_eq!((again.list(), again.proofs()), (offences.list(), offences.proofs()));
    let list = again.list();
    let told = |offence: &str| list.iter().find(|told| told.offence == offence).unwrap();
    let (twice, once) = (told("equivocation"), told("false-proposal"));
    assert_eq!((twice.member.as_str(), twice.count, twice.first_s, twice.last_s), ("builder-02", 2, 1000, 2000));
    assert_eq!(twice.last.as_deref(), Some("notarize-notarize in view 9"));
    assert_eq!((once.member.as_str(), once.count, once.first_s), ("builder-01", 1, 3000));
    assert_eq!(again.proofs().len(), 2);
    for Accusation { id, member, group } in again.proofs() {
        let proof = verify(&again.proof(&id).unwrap()).unwrap();
        assert_eq!((proof.id(), member.as_str(), group), (id, "builder-02", world.group.id()));
    }
    assert_eq!(again.proof(&Digest::of(b"no such proof")), None);
}

#[test]
fn nothing_is_told_that_is_not_on_disk() {
    for only in [None, Some("offences.json")] {
        let (world, dir) = (World::of(4), tempfile::tempdir().unwrap());
        let broken = Arc::new(AtomicBool::new(true));
        let disk = Failing { broken: broken.clone(), only };
        let groups = Groups::new(Vec::new(), world.group.clone());
        let offences = Offences::open(dir.path().to_owned(), groups, disk);
        let offence = equivocation(&world, 0, 5);
        offences.record(&offence, 1000).unwrap_err();
        assert!(offences.list().is_empty() && offences.proofs().is_empty(), "{only:?}");
        broken.store(false, Ordering::Relaxed);
        offences.record(&offence, 1001).unwrap();
        assert_eq!((offences.list()[0].count, offences.proofs().len()), (1, 1));
        assert_eq!(open(&world, dir.path()).list(), offences.list());
    }
}

#[test]
fn a_member_that_equivocates_without_end_fills_no_disk() {
    let (world, dir) = (World::of(4), tempfile::tempdir().unwrap());
    let offences = open(&world, dir.path());
    for view in 1..=PROOFS_MAX as u64 + 5 {
        offences.record(&equivocation(&world, 3, view), view).unwrap();
    }
    offences.record(&equivocation(&world, 1, 1), 99).unwrap();
    assert_eq!(offences.proofs().len(), PROOFS_MAX + 1, "another member's proof is kept all the same");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), PROOFS_MAX + 2);
    let counts: Vec<u64> = offences.list().iter().map(|told| told.count).collect();
    assert_eq!(counts.iter().sum::<u64>(), PROOFS_MAX as u64 + 6, "all are counted");
}

#[test]
fn a_proof_of_an_epoch_that_has_ended_is_kept_and_one_of_the_present_epoch_beside_it() {
    let (world, dir) = (World::of(4), tempfile::tempdir().unwrap());
    let present = next(&world.group);
    let offences = open(&world, dir.path());
    for view in 1..=PROOFS_MAX as u64 {
        offences.record(&equivocation(&world, 2, view), view).unwrap();
    }
    let groups = Groups::new(vec![world.group.clone()], present.clone());
    let offences = Offences::open(dir.path().to_owned(), groups.clone(), Synced);
    assert_eq!(offences.proofs().len(), PROOFS_MAX, "they vanish with their epoch");
    offences.record(&voted_twice(&world, &present, 2, 1), 99).unwrap();
    for offences in [&offences, &Offences::open(dir.path().to_owned(), groups, Synced)] {
        let proofs = offences.proofs();
        assert!(proofs.iter().all(|proof| proof.member == "builder-02" && offences.proof(&proof.id).is_some()));
        let of = |group: &Group| proofs.iter().filter(|proof| proof.group == group.id()).count();
        assert_eq!([of(&world.group), of(&present)], [PROOFS_MAX, 1]);
    }
}

#[test]
fn when_there_are_too_many_proofs_those_of_the_oldest_epoch_go_first() {
    let (world, dir) = (World::of(12), tempfile::tempdir().unwrap());
    let mut groups = vec![world.group.clone()];
    for _ in 0..2 {
        groups.push(next(groups.last().unwrap()));
    }
    // Each epoch begins as a start does.
    for epoch in 0..3 {
        let known = Groups::new(groups[..epoch].to_vec(), groups[epoch].clone());
        let offences = Offences::open(dir.path().to_owned(), known, Unsynced);
        for member in 0..12 {
            for view in 1..=PROOFS_MAX as u64 {
                offences.record(&voted_twice(&world, &groups[epoch], member, view), 1).unwrap();
            }
        }
    }
    let known = Groups::new(groups[..2].to_vec(), groups[2].clone());
    let proofs = Offences::open(dir.path().to_owned(), known, Synced).proofs();
    let of = |group: &Group| proofs.iter().filter(|proof| proof.group == group.id()).count();
    let full = 12 * PROOFS_MAX;
    assert_eq!([of(&groups[0]), of(&groups[1]), of(&groups[2])], [PROOFS_ALL_MAX - 2 * full, full, full]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), PROOFS_ALL_MAX + 1);
}

#[test]
fn a_list_that_grows_for_years_is_cut_at_its_oldest_and_never_begun_anew() {
    let (world, dir) = (World::of(4), tempfile::tempdir().unwrap());
    let groups = Groups::new(Vec::new(), world.group.clone());
    let offences = Offences::open(dir.path().to_owned(), groups, Unsynced);
    // Each with keys of its own: members come and go, and get new ones.
    let member = |number: u64| Digest::of(&number.to_be_bytes());
    for number in 0..450 {
        offences.record(&Offence { member: member(number).0, conduct: Conduct::Garbage }, 1000 + number).unwrap();
    }
    let list = open(&world, dir.path()).list();
    assert_eq!(list, offences.list());
    let last: Vec<u64> = list.iter().map(|told| told.last_s).collect();
    let (least, greatest) = (*last.iter().min().unwrap(), *last.iter().max().unwrap());
    assert!(list.len() > 250 && greatest == 1449 && list.len() as u64 == greatest - least + 1, "{} lines", list.len());
}

#[test]
fn what_is_damaged_or_of_another_group_is_not_shown_and_stays() {
    let (world, other, dir) = (World::of(4), World::of(4), tempfile::tempdir().unwrap());
    open(&world, dir.path()).record(&equivocation(&world, 0, 5), 1).unwrap();
    open(&other, dir.path()).record(&equivocation(&other, 0, 5), 1).unwrap();
    let name = |number: u8| dir.path().join(format!("{}.equivocation", Digest([number; 32])));
    fs::write(name(1), "synchronicity/equivocation@v1\n").unwrap();
    fs::write(name(2), vec![b'x'; 1 << 20]).unwrap();
    fs::write(dir.path().join("offences.json"), "[{").unwrap();
    let offences = open(&world, dir.path());
    assert!(offences.list().is_empty());
    assert_eq!(offences.proofs().len(), 1);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 5);
    offences.record(&equivocation(&world, 0, 6), 2).unwrap();
    assert_eq!(open(&world, dir.path()).list()[0].count, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_is_served_as_the_file_that_it_is_and_nothing_else_is() {
    let mut nodes = Nodes::found(1);
    let Conduct::Equivocation(proof) = equivocation(&nodes.world, 0, 5).conduct else { unreachable!("it is made so") };
    let (id, folder) = (proof.id(), nodes.folder(0).offences());
    Synced.write(&folder.join(format!("{id}.equivocation")), proof.to_string().as_bytes()).unwrap();
    nodes.start(0, None);
    nodes.status(0).await;
    let (code, head, served) = nodes.get(0, &format!("/equivocations/{id}")).await;
    assert!(code == 200 && head.contains("immutable"), "{head}");
    assert_eq!(served, proof.to_string().as_bytes());
    let (code, _, list) = nodes.get(0, "/equivocations").await;
    let list: serde_json::Value = serde_json::from_slice(&list).unwrap();
    let group = nodes.world.group.id().to_string();
    let told = serde_json::json!([{ "id": id.to_string(), "member": "builder-00", "group": group }]);
    assert_eq!((code, list), (200, told));
    for absent in [Digest::of(b"no such proof").to_string(), "x".to_owned(), "..%2foffences.json".to_owned()] {
        assert_eq!(nodes.get(0, &format!("/equivocations/{absent}")).await.0, 404, "{absent}");
    }
    nodes.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_group_file_of_an_epoch_that_has_ended_is_served_and_judges_its_proofs() {
    let mut world = World::of(1);
    let first = world.group.clone();
    let Conduct::Equivocation(proof) = equivocation(&world, 0, 5).conduct else { unreachable!("it is made so") };
    world.group = first.followed_by(&first.membership()).unwrap();
    let mut nodes = Nodes::of(world);
    let (id, folder) = (proof.id(), nodes.folder(0));
    Epochs::of(&folder).record_group(&first).unwrap();
    Synced.write(&folder.offences().join(format!("{id}.equivocation")), proof.to_string().as_bytes()).unwrap();
    nodes.start(0, None);
    nodes.status(0).await;
    let (code, _, list) = nodes.get(0, "/equivocations").await;
    let list: serde_json::Value = serde_json::from_slice(&list).unwrap();
    let told = serde_json::json!([{ "id": id.to_string(), "member": "builder-00", "group": first.id().to_string() }]);
    assert_eq!((code, list), (200, told));
    assert_eq!(nodes.get(0, &format!("/equivocations/{id}")).await.2, proof.to_string().as_bytes());
    for group in [&first, &nodes.world.group] {
        let (code, _, served) = nodes.get(0, &format!("/group/{}", group.id())).await;
        assert_eq!((code, String::from_utf8(served).unwrap()), (200, group.to_text()));
    }
    assert_eq!(nodes.get(0, "/group").await.2, nodes.world.group.to_text().as_bytes());
    for absent in [Digest::of(b"no such group").to_string(), "x".to_owned()] {
        assert_eq!(nodes.get(0, &format!("/group/{absent}")).await.0, 404, "{absent}");
    }
    nodes.stop_all().await;

    // What was served is all that it takes.
    let [file, group] = ["proof.equivocation", "group-before.toml"].map(|name| folder.root().join(name));
    fs::write(&file, proof.to_string()).unwrap();
    fs::write(&group, first.to_text()).unwrap();
    let words = ["verify", file.to_str().unwrap(), "--group", group.to_str().unwrap()];
    let output = std::process::Command::new(PROGRAM).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(40) && said.contains("builder-00 signed"), "{said}");
}
