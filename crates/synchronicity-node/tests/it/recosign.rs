//! An unchanged log stays fresh: its builders sign it again, and the files say so.

use std::time::{Duration, Instant};

use synchronicity_node::recosign;
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::note::SignedNote;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::proof::Proof;
use synchronicity_verify::verify::verify;

use crate::nodes::{Nodes, PATIENCE};

/// The published checkpoint of a member, and when each builder signed it.
async fn published(nodes: &Nodes, member: usize) -> (Checkpoint, Vec<u64>) {
    let (code, _, note) = nodes.get(member, "/checkpoint").await;
    assert_eq!(code, 200);
    let note = SignedNote::parse(&note).unwrap();
    let times = note.signatures.iter().skip(1).map(recosign::time_s).collect();
    (note.text.parse().unwrap(), times)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_times_of_an_unchanged_log_move_on_and_its_size_and_root_stay() {
    let mut nodes = Nodes::found(4);
    (0..4).for_each(|member| nodes.configure(member, |config| config.recosign_seconds = 2));
    (0..4).for_each(|member| nodes.start(member, None));
    nodes.submit(0).await;
    for member in 0..4 {
        nodes.published(member, 1).await;
    }
    let (checkpoint, first) = published(&nodes, 3).await;
    let newest = *first.iter().max().unwrap();
    let since = Instant::now();
    loop {
        let (now, times) = published(&nodes, 3).await;
        assert_eq!(now, checkpoint, "the log has not changed");
        // Two periods later by each of a quorum's clocks.
        if times.iter().filter(|time_s| **time_s >= newest + 4).count() >= 3 {
            break;
        }
        assert!(since.elapsed() < PATIENCE, "the times do not move on: {first:?}, {times:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // What a client gets now carries the newer times too.
    let (_, _, policy) = nodes.get(3, "/policy").await;
    let policy = Policy::parse(&policy).unwrap();
    let (_, _, proof) = nodes.get(3, "/proof/index/0").await;
    let verified = verify(&proof, &policy, None).unwrap();
    assert!(verified.cosigners.iter().filter(|cosigner| cosigner.time_s > newest).count() >= 3);
    nodes.stop_all().await;
    let file = std::fs::read(nodes.folder(3).proofs().join("index-0.tlog-proof")).unwrap();
    let kept = Proof::parse(&file).unwrap().checkpoint;
    assert!(kept.signatures.iter().skip(1).filter(|line| recosign::time_s(line) > newest).count() >= 3);
}
