//! What other members did wrong, on disk before it is told, and served as proofs that anybody can check.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ed25519_dalek::{Signer, SigningKey};
use synchronicity_consensus::{Conduct, Offence};
use synchronicity_node::durable::{Disk, Synced};
use synchronicity_node::offences::{Offences, PROOFS_MAX};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::equivocation::{Ballot, Equivocation, Occasion, Proposal, Vote, verify};

use crate::group::Nodes;
use crate::world::World;

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

fn equivocation(world: &World, member: usize, view: u64) -> Offence {
    let key = SigningKey::from_bytes(world.keys[member].consensus.expose());
    let on = Occasion { group: world.group.id(), epoch: 0, view };
    let vote = |block: &str| {
        let ballot = Ballot::Notarize(Proposal { parent: view - 1, block: Digest::of(block.as_bytes()) });
        Vote { ballot, signature: key.sign(&ballot.signed_bytes(&on)).to_bytes() }
    };
    let member = key.verifying_key().to_bytes();
    let proof = Equivocation::new(on, member, [vote("a"), vote("b")]).unwrap();
    Offence { member, conduct: Conduct::Equivocation(Box::new(proof)) }
}

fn open(world: &World, folder: &Path) -> Offences {
    Offences::open(folder.to_owned(), Arc::new(world.group.clone()), Synced)
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
    for (id, member) in again.proofs() {
        let id: Digest = id.parse().unwrap();
        let proof = verify(&again.proof(&id).unwrap()).unwrap();
        assert_eq!((proof.id(), member.as_str()), (id, "builder-02"));
    }
    assert_eq!(again.proof(&Digest::of(b"no such proof")), None);
}

#[test]
fn nothing_is_told_that_is_not_on_disk() {
    for only in [None, Some("offences.json")] {
        let (world, dir) = (World::of(4), tempfile::tempdir().unwrap());
        let broken = Arc::new(AtomicBool::new(true));
        let disk = Failing { broken: broken.clone(), only };
        let offences = Offences::open(dir.path().to_owned(), Arc::new(world.group.clone()), disk);
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
    assert_eq!((code, list), (200, serde_json::json!([{ "id": id.to_string(), "member": "builder-00" }])));
    for absent in [Digest::of(b"no such proof").to_string(), "x".to_owned(), "..%2foffences.json".to_owned()] {
        assert_eq!(nodes.get(0, &format!("/equivocations/{absent}")).await.0, 404, "{absent}");
    }
    nodes.stop_all().await;
}
