//! An epoch ends while members are down or killed: who has gone over, who has not, and how they come together again.

use std::fs;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use synchronicity_core::group::Group;
use synchronicity_node::changes::EpochStatus;
use synchronicity_node::epochs::Epochs;
use synchronicity_node::group_file;
use synchronicity_node::node::Ended;
use synchronicity_node::operator::{Answer, Request};
use synchronicity_verify::membership::Membership;

use crate::nodes::{Nodes, PATIENCE, script};
use crate::world::PROGRAM;

/// What is asked for in the next epoch.
const ANOTHER: &str = "forbids-warnings";

fn start(nodes: &mut Nodes, member: usize) {
    let purl = format!("pkg:generic/synchronicity-fixture/{ANOTHER}@0.1.0");
    nodes.start_scripted(member, None, script(b"the same bytes").with(&purl, ANOTHER, b"the same bytes"));
}

/// Has a member propose, and then others approve.
async fn agree(nodes: &Nodes, next: &Membership, proposer: usize, others: &[usize]) {
    let membership = next.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let said = nodes.ask(proposer, Request::Propose { membership }).await;
    assert!(matches!(said, Answer::Said { .. }), "{said:?}");
    for member in others {
        let since = Instant::now();
        // What is ordered there may not be executed here yet.
        loop {
            match nodes.ask(*member, Request::Approve { membership: next.digest().to_string() }).await {
                Answer::Said { .. } => break,
                other => assert!(since.elapsed() < PATIENCE, "member {member} cannot approve: {other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn epoch(nodes: &Nodes, member: usize) -> EpochStatus {
    match nodes.ask(member, Request::Epoch).await {
        Answer::Epoch(status) => status,
        other => panic!("{other:?}"),
    }
}

fn join(nodes: &Nodes, member: usize, from: usize) -> Output {
    let (folder, from) = (nodes.folder(member), format!("http://127.0.0.1:{}", nodes.http[from]));
    let words = ["group", "join", "--from", &from, "--dir", folder.root().to_str().unwrap()];
    Command::new(PROGRAM).args(words).output().unwrap()
}

/// Four members, of whom the last is down while the others agree on the next epoch. The first goes over. The second and the
/// third are killed when they have signed the last entry, and have not got the others' signatures.
async fn torn() -> (Nodes, Group) {
    let mut nodes = Nodes::found(4);
    let mut next = nodes.world.group.membership();
    next.members[3].absent = true;
    (0..4).for_each(|member| start(&mut nodes, member));
    nodes.submit(0).await;
    for member in 0..4 {
        nodes.published(member, 1).await;
    }
    nodes.stop(3).await;
    let before = [1, 2].map(|member| fs::read(nodes.folder(member).log().join("checkpoint")).unwrap());

    agree(&nodes, &next, 0, &[1, 2]).await;
    for member in 0..3 {
        let (since, epochs) = (Instant::now(), Epochs::of(&nodes.folder(member)));
        while !epochs.has_ended(0) {
            assert!(since.elapsed() < PATIENCE, "member {member}: {:#?}", epoch(&nodes, member).await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    for (member, checkpoint) in [1, 2].into_iter().zip(before) {
        nodes.stop(member).await;
        let folder = nodes.folder(member);
        fs::remove_dir_all(folder.epochs()).unwrap();
        fs::write(folder.log().join("checkpoint"), checkpoint).unwrap();
        fs::write(folder.group(), nodes.world.group.to_text()).unwrap();
    }
    let next = nodes.world.group.followed_by(&next).unwrap();
    assert_eq!(nodes.ended(0).await, Ended::NextEpoch(1));
    // As if it had been killed between its record of the end and its entry into the next epoch.
    fs::write(nodes.folder(0).group(), nodes.world.group.to_text()).unwrap();
    start(&mut nodes, 0);
    assert_eq!(nodes.ended(0).await, Ended::NextEpoch(1));
    assert_eq!(group_file::read(&nodes.folder(0).group()).unwrap(), next);
    (0..3).for_each(|member| start(&mut nodes, member));
    for member in [1, 2] {
        nodes.until(member, "the other one", |status| status.peers == 1).await;
        let epoch = epoch(&nodes, member).await;
        assert!(epoch.over && epoch.group == nodes.world.group.to_text(), "{epoch:#?}");
    }
    (nodes, next)
}

/// All are members of the next epoch, and get a verdict there.
async fn goes_on(nodes: &Nodes, members: &[usize], next: &Group) {
    for member in members {
        nodes.until(*member, "the others", |status| status.peers + 1 == members.len()).await;
        assert_eq!(group_file::read(&nodes.folder(*member).group()).unwrap(), *next);
    }
    let size = nodes.status(members[0]).await.log.published_size;
    nodes.submit_fixture(members[0], ANOTHER).await;
    let mut roots = Vec::new();
    for member in members {
        roots.push(nodes.published(*member, size + 1).await.log.root);
        assert_eq!(nodes.status(*member).await.log.published_size, 3, "a verdict, the end of the epoch, a verdict");
    }
    roots.dedup();
    assert_eq!(roots.len(), 1, "{roots:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn members_that_were_killed_at_the_end_of_an_epoch_sign_it_with_the_one_that_was_down() {
    let (mut nodes, next) = torn().await;
    start(&mut nodes, 3);
    for member in 1..4 {
        assert_eq!(nodes.ended(member).await, Ended::NextEpoch(1));
        start(&mut nodes, member);
    }
    goes_on(&nodes, &[0, 1, 2, 3], &next).await;
    nodes.stop_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn members_that_were_killed_at_the_end_of_an_epoch_join_the_one_that_has_gone_over() {
    let (mut nodes, next) = torn().await;
    for member in [1, 2] {
        nodes.stop(member).await;
        let output = join(&nodes, member, 0);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    // As if it had been killed before it wrote the group file, which is the last thing that it writes.
    fs::write(nodes.folder(2).group(), nodes.world.group.to_text()).unwrap();
    let refused =
        Command::new(PROGRAM).args(["run", "--dir", nodes.folder(2).root().to_str().unwrap()]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "{}", String::from_utf8_lossy(&refused.stderr));
    let output = join(&nodes, 2, 0);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    [1, 2].into_iter().for_each(|member| start(&mut nodes, member));
    goes_on(&nodes, &[0, 1, 2], &next).await;
    // The one that was down comes to the same by the same way.
    let output = join(&nodes, 3, 1);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    start(&mut nodes, 3);
    nodes.until(3, "all of the log", |status| status.log.published_size == 3).await;
    nodes.stop_all().await;
}
