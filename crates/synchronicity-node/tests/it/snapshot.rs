//! States that a group has signed: who serves them, and what a member without a chain makes of them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use synchronicity_core::machine::Executed;
use synchronicity_core::resume::Resuming;
use synchronicity_node::folder::Folder;
use synchronicity_node::snapshot::{SignedState, SnapshotError};
use synchronicity_node::store::Store;
use synchronicity_rebuild::scripted::Script;

use crate::busy;
use crate::nodes::{Nodes, PATIENCE};
use crate::world::{PROGRAM, World};

/// The snapshot that a member serves, as soon as the group has signed one.
async fn served(nodes: &Nodes, member: usize) -> Vec<u8> {
    // It can be asked as soon as it runs.
    nodes.status(member).await;
    let since = Instant::now();
    loop {
        let (code, head, bytes) = nodes.get(member, "/snapshot").await;
        assert!(head.contains("cache-control: no-store"), "{head}");
        if code == 200 {
            return bytes;
        }
        assert!(code == 503 && since.elapsed() < PATIENCE, "{code}: {}", String::from_utf8_lossy(&bytes));
    }
}

fn join(nodes: &Nodes, member: usize, from: &str, policy: &Path) -> Output {
    let (folder, policy) = (nodes.folder(member), policy.to_str().unwrap());
    let words = ["group", "join", "--dir", folder.root().to_str().unwrap(), "--from", from, "--policy", policy];
    Command::new(PROGRAM).args(words).output().unwrap()
}

#[track_caller]
fn refused(output: &Output, code: i32, word: &str) {
    let said = String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.replace("│ ", "").contains(word), "{said}");
}

/// What is on a disk that broke, but not its keys.
fn lose_state(folder: &Folder) {
    for lost in [folder.chain(), folder.log(), folder.proofs()] {
        fs::remove_dir_all(lost).unwrap();
    }
    fs::remove_file(folder.state()).unwrap();
}

async fn votes(nodes: &Nodes, member: usize) {
    let since = Instant::now();
    while nodes.status(member).await.standing != "voting" {
        assert!(since.elapsed() < PATIENCE, "it does not vote: {:#?}", nodes.status(member).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_member_without_its_state_takes_up_one_that_the_group_signed_and_nothing_that_was_altered() {
    let mut nodes = Nodes::found(4);
    (0..4).for_each(|member| nodes.start(member, None));
    let early = served(&nodes, 0).await;
    nodes.submit(0).await;
    nodes.published(3, 1).await;
    let root = nodes.published(0, 1).await.log.root;
    nodes.stop(3).await;
    let folder = nodes.folder(3);
    lose_state(&folder);

    // A folder is as good as an address: what a member serves, with changes in it.
    let mut bytes = served(&nodes, 0).await;
    // What was made a moment ago is handed out for a while.
    while SignedState::from_bytes(&bytes, &nodes.world.group).unwrap().checkpoint.is_none() {
        tokio::time::sleep(Duration::from_millis(500)).await;
        bytes = served(&nodes, 0).await;
    }
    let copy = tempfile::tempdir().unwrap();
    let policy = copy.path().join("policy");
    fs::write(&policy, nodes.get(1, "/policy").await.2).unwrap();
    let log = nodes.folder(0).log();
    let copied =
        Command::new("cp").arg("-r").args([log.join("tile"), log.join("checkpoint")]).arg(copy.path()).status();
    assert!(copied.unwrap().success());
    let (snapshot, from) = (copy.path().join("snapshot"), copy.path().to_str().unwrap());
    refused(&join(&nodes, 3, from, &policy), 40, "there is no");
    let last = bytes.len() - 1;
    for (at, word) in [(0, "it is no snapshot"), (60, "cannot be used"), (last, "not what the members signed")] {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        fs::write(&snapshot, altered).unwrap();
        refused(&join(&nodes, 3, from, &policy), 40, word);
    }
    // A size that nobody signed must not have a log of that size fetched.
    let mut endless = SignedState::from_bytes(&bytes, &nodes.world.group).unwrap();
    let note = endless.checkpoint.as_mut().unwrap();
    note.text = note.text.replacen("\n1\n", "\n1000000000000\n", 1);
    fs::write(&snapshot, endless.to_bytes()).unwrap();
    refused(&join(&nodes, 3, from, &policy), 40, "its checkpoint is not the one of the signed state");
    fs::write(&snapshot, &bytes).unwrap();
    let strangers = copy.path().join("strangers");
    fs::write(&strangers, World::of(4).group.policy_text(None).unwrap()).unwrap();
    for state in [&early, &bytes] {
        fs::write(&snapshot, state).unwrap();
        refused(&join(&nodes, 3, from, &strangers), 40, "the policy is of another log");
    }
    assert!(!folder.state().exists() && !folder.log().exists(), "something was written");

    // In the first epoch the folder's own group file is the policy, if none is named.
    let words = ["group", "join", "--from", from, "--dir", folder.root().to_str().unwrap()];
    let output = Command::new(PROGRAM).args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let store = Store::open(&folder.state(), &nodes.world.group).unwrap();
    assert!(store.begins_at().unwrap().is_some() && store.floor(&nodes.world.group).unwrap().is_some());
    drop(store);
    nodes.start(3, None);
    let status = nodes.published(3, 1).await;
    assert_eq!(status.log.root, root);
    // It has forgotten how it voted, so it is silent at first; without another member its votes are needed then.
    votes(&nodes, 3).await;
    nodes.stop(1).await;
    let (before, since) = (nodes.status(0).await.height, Instant::now());
    while nodes.status(0).await.height < before + 3 {
        assert!(since.elapsed() < PATIENCE, "the group stands still: {:#?}", nodes.status(3).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // A node that has gone on from there is not taken back.
    nodes.stop_all().await;
    refused(&join(&nodes, 3, from, &policy), 2, "already");
    // Nor is one that has lost its state alone: it would begin behind the log that it has published.
    fs::remove_file(folder.state()).unwrap();
    fs::write(&snapshot, early).unwrap();
    refused(&join(&nodes, 3, from, &policy), 2, "has 1 entries, and 0 are under");
    assert!(!folder.state().exists(), "something was written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_group_without_entries_has_a_state_too_and_one_that_stands_still_has_signed_its_last() {
    let mut nodes = Nodes::found(4);
    (0..3).for_each(|member| nodes.start(member, None));
    let bytes = served(&nodes, 2).await;
    let signed = SignedState::from_bytes(&bytes, &nodes.world.group).unwrap();
    assert!(signed.checkpoint.is_none());
    assert_eq!(signed.to_bytes(), bytes);
    let others = World::of(4).group;
    assert!(matches!(SignedState::from_bytes(&bytes, &others), Err(SnapshotError::Certified(_))));
    let claimed = signed.certified.claimed(&Executed::NOTHING);
    let machine = |open: &[u8]| Resuming::new().finish_at(nodes.world.group.clone(), &claimed, open);
    assert_eq!(machine(&signed.open).unwrap().executed(), claimed);
    for end in 0..bytes.len() {
        let cut = SignedState::from_bytes(&bytes[..end], &nodes.world.group);
        assert!(cut.is_err() || cut.is_ok_and(|cut| machine(&cut.open).is_err()), "{end}");
    }

    // Without a quorum no block will be made that could claim anything newer. Nobody has asked this member before.
    nodes.stop(1).await;
    nodes.stop(2).await;
    let bytes = served(&nodes, 0).await;
    let still = SignedState::from_bytes(&bytes, &nodes.world.group).unwrap();
    let claimed = still.certified.claimed(&Executed::NOTHING);
    assert_eq!(
        Resuming::new().finish_at(nodes.world.group.clone(), &claimed, &still.open).unwrap().executed(),
        claimed
    );

    let mut alone = Nodes::of(World::of(4));
    alone.start(0, None);
    alone.status(0).await;
    assert_eq!(alone.get(0, "/snapshot").await.0, 503);
    alone.stop_all().await;
    nodes.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_group_that_is_never_at_rest_hands_out_a_state_and_a_member_without_one_takes_it_up_meanwhile() {
    let mut nodes = Nodes::found(4);
    let script = busy::script(Script::new());
    (0..3).for_each(|member| nodes.start_scripted(member, None, script.clone()));
    let load = busy::start(&nodes.world, 3, script.clone());
    // Nobody asks before: what a group at rest has signed would be handed out for a while.
    nodes.published(0, 100).await;
    for member in 0..3 {
        let (code, _, bytes) = nodes.get(member, "/snapshot").await;
        assert_eq!(code, 200, "member {member}: {}", String::from_utf8_lossy(&bytes));
        let signed = SignedState::from_bytes(&bytes, &nodes.world.group).unwrap();
        let claimed = signed.certified.claimed(&Executed::NOTHING);
        assert!(claimed.log_size >= 100, "{claimed:?}");
        nodes.published(member, claimed.log_size + 20).await;
    }

    nodes.stop(2).await;
    let folder = nodes.folder(2);
    lose_state(&folder);
    let (from, since) = (format!("http://127.0.0.1:{}", nodes.http[0]), Instant::now());
    let words = ["group", "join", "--from", &from, "--dir", folder.root().to_str().unwrap()];
    loop {
        let output = Command::new(PROGRAM).args(words).output().unwrap();
        if output.status.success() {
            break;
        }
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(75) && since.elapsed() < PATIENCE, "{said}");
    }
    let joined = Store::open(&folder.state(), &nodes.world.group).unwrap().base().unwrap().unwrap().0;
    assert!(joined >= 100, "it begins with {joined} entries");
    nodes.start_scripted(2, None, script);
    votes(&nodes, 2).await;
    // Without another member its votes and its cosignatures are needed.
    nodes.stop(1).await;
    let size = nodes.status(2).await.log.published_size;
    nodes.published(2, size + 50).await;
    drop(load);
    nodes.stop_all().await;
}
