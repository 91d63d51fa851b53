//! Two groups that witness each other, over HTTP; and what a witness says to those who try something else.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use synchronicity_node::keys::Seed;
use synchronicity_node::witness::choices::{OutsideWitness, WitnessedLog};
use synchronicity_node::witness::request::{AddCheckpoint, BODY_BYTES_MAX};
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::{self, KeyKind, SignedNote, Signer, VerifierKey};
use synchronicity_verify::policy::{Policy, Witness};
use synchronicity_verify::proof::Proof;
use synchronicity_verify::verify::{verify, verify_checkpoint};

use crate::nodes::{Nodes, PATIENCE, raw};
use crate::world::World;

/// Two groups of one member, each of which witnesses the other's log and asks the other to witness its own.
fn pair() -> [Nodes; 2] {
    let groups = ["example.org/ours", "example.org/theirs"].map(|origin| Nodes::of(World::named(origin, 1)));
    for (us, them) in [(0, 1), (1, 0)] {
        let (us, them) = (&groups[us], &groups[them]);
        let key = witness_key(them).to_string();
        let url = format!("http://127.0.0.1:{}/witness/", them.http[0]);
        us.configure(0, |config| {
            config.witnessed_log = vec![WitnessedLog { key: them.world.group.log_key().to_string() }];
            config.outside_witness = vec![OutsideWitness { key, url }];
        });
    }
    groups
}

/// The witness key of a group's only member, made as `init` makes it.
fn witness_key(nodes: &Nodes) -> VerifierKey {
    let path = nodes.folder(0).keys().join("witness.key");
    if !path.exists() {
        Seed::generate().unwrap().write(&path).unwrap();
    }
    let seed = Seed::read(&path).unwrap();
    let signer = Signer::from_seed("builder-00/witness", KeyKind::Cosigner, seed.expose()).unwrap();
    signer.verifier_key().clone()
}

/// The served checkpoint, once it has a line of this key.
async fn witnessed(nodes: &Nodes, key: &VerifierKey) -> SignedNote {
    let since = Instant::now();
    loop {
        let (code, _, note) = nodes.get(0, "/checkpoint").await;
        if code == 200 {
            let note = SignedNote::parse(&note).unwrap();
            if note.signature_of(key).is_some() {
                return note;
            }
        }
        assert!(since.elapsed() < PATIENCE, "no line of the outside witness");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The group's policy, which also wants the outside witness.
fn policy(nodes: &Nodes, key: &VerifierKey) -> Policy {
    let group = &nodes.world.group;
    let member = &group.members()[0];
    let witness = |name: &str, key: &VerifierKey| Witness { name: name.to_owned(), key: key.clone(), url: None };
    let witnesses = vec![witness(&member.name, &member.cosigner), witness("outside", key)];
    Policy::any_of(group.log_key().clone(), None, witnesses, 2).unwrap()
}

fn post(port: u16, body: &str) -> (u16, String, Vec<u8>) {
    let length = body.len();
    let head = format!("POST /witness/add-checkpoint HTTP/1.1\r\nHost: node\r\nContent-Length: {length}\r\n");
    raw(port, &format!("{head}Connection: close\r\n\r\n{body}"))
}

/// A checkpoint that the log's own key signed, whatever it says.
fn signed(world: &World, size: u64, root: Digest) -> SignedNote {
    let text = Checkpoint { origin: world.group.origin().to_owned(), size, root }.to_string();
    SignedNote { signatures: vec![note::sign(&world.log_signer(), &text).unwrap()], text }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_groups_cosign_each_others_logs_and_a_fork_of_neither_is_cosigned() {
    let mut groups = pair();
    let keys = [witness_key(&groups[0]), witness_key(&groups[1])];
    groups.iter_mut().for_each(|nodes| nodes.start(0, None));
    for nodes in &groups {
        nodes.submit(0).await;
    }
    for (us, them) in [(0, 1), (1, 0)] {
        groups[us].published(0, 1).await;
        let note = witnessed(&groups[us], &keys[them]).await;
        let checked = verify_checkpoint(&note, &policy(&groups[us], &keys[them])).unwrap();
        assert_eq!((checked.checkpoint.size, checked.cosigners.len()), (1, 2));
        only_members_sign_proofs(&groups[us], &note, &keys[them]).await;
        let (code, _, key) = groups[them].get(0, "/witness/key").await;
        assert_eq!((code, key), (200, format!("{}\n", keys[them]).into_bytes()));
        let path = format!("/witness/{}/checkpoint", Digest::of(groups[us].world.group.origin().as_bytes()));
        let (code, _, kept) = groups[them].get(0, &path).await;
        assert_eq!((code, SignedNote::parse(&kept).unwrap().text), (200, note.text));
    }
    what_is_refused(&groups[0], groups[1].http[0]);
    // What was cosigned is remembered: after a restart the fork is refused just the same.
    groups[1].stop(0).await;
    groups[1].start(0, None);
    groups[1].status(0).await;
    what_is_refused(&groups[0], groups[1].http[0]);
    for nodes in &mut groups {
        nodes.stop_all().await;
    }
}

/// Part of the test above: proofs carry the lines of the log and of members, so that the group's own policy takes them;
/// with the checkpoint that the outside witness signed too they are proofs for a policy that names it.
async fn only_members_sign_proofs(nodes: &Nodes, checkpoint: &SignedNote, outside: &VerifierKey) {
    let (_, _, bytes) = nodes.get(0, "/proof/index/0").await;
    let own = nodes.world.group.policy(None).unwrap();
    verify(&bytes, &own, None).unwrap();
    let mut proof = Proof::parse(&bytes).unwrap();
    assert!(proof.checkpoint.signature_of(outside).is_none());
    let strict = policy(nodes, outside);
    verify(&bytes, &strict, None).unwrap_err();
    proof.checkpoint = checkpoint.clone();
    verify(proof.to_string().as_bytes(), &strict, None).unwrap();
    verify(proof.to_string().as_bytes(), &own, None).unwrap_err();
}

/// Part of the test above: what the witness at `port` says of a log of which it has cosigned one entry.
fn what_is_refused(log: &Nodes, port: u16) {
    let world = &log.world;
    let fork = |old, size, byte| AddCheckpoint::body(old, &[], &signed(world, size, Digest([byte; 32])));
    let stranger = World::named("example.org/nobody", 1);
    let forged = World::named(world.group.origin(), 1);
    let cases = BTreeMap::from([
        ("a fork of the same size", (fork(1, 1, 7), 422)),
        ("a fork that is longer", (fork(1, 3, 7), 422)),
        ("a fork from the beginning", (fork(0, 1, 7), 409)),
        ("an old size beyond the new", (fork(2, 1, 7), 400)),
        ("a log that nobody named", (AddCheckpoint::body(0, &[], &signed(&stranger, 1, Digest([7; 32]))), 404)),
        ("another key for the same origin", (AddCheckpoint::body(1, &[], &signed(&forged, 1, Digest([7; 32]))), 403)),
        ("no request", ("old\n".to_owned(), 400)),
        ("a request without end", (format!("old 0\n{}", "A".repeat(BODY_BYTES_MAX)), 413)),
    ]);
    for (what, (body, expected)) in cases {
        let (code, head, answer) = post(port, &body);
        assert_eq!(code, expected, "{what}: {}", String::from_utf8_lossy(&answer));
        if code == 409 {
            assert!(head.contains("content-type: text/x.tlog.size") && answer == b"1\n", "{head}");
        }
    }
    for (method, path, expected) in [
        ("GET", "/witness/add-checkpoint", 405),
        ("PUT", "/witness/add-checkpoint", 405),
        ("POST", "/checkpoint", 405),
        ("POST", "/witness/key", 405),
    ] {
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: node\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        assert_eq!(raw(port, &request).0, expected, "{method} {path}");
    }
}
