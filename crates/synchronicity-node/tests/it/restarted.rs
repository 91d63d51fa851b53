//! A node that starts on a folder in which the state is ahead of what is published, as a crash between the two leaves it.

use std::fs;

use synchronicity_core::block::OrderedBlock;
use synchronicity_core::log::Logged;
use synchronicity_core::machine::Machine;
use synchronicity_node::durable::Synced;
use synchronicity_node::publish::PublishedLog;
use synchronicity_node::store::{Every, OpenError, Position, Progress, Snapshot, Store};
use synchronicity_verify::checkpoint::Checkpoint;
use synchronicity_verify::cosignature;
use synchronicity_verify::lookup;
use synchronicity_verify::map::{MapKey, Prefix};
use synchronicity_verify::note::{self, KeyKind, SignedNote, Signer};
use synchronicity_verify::policy::Policy;

use crate::nodes::Nodes;
use crate::world::{PROGRAM, World, request};

/// A checkpoint as all members sign it.
pub(crate) fn signed(world: &World, logged: &Logged) -> SignedNote {
    let origin = world.group.origin().to_owned();
    let text = Checkpoint { origin, size: logged.index + 1, root: logged.root }.to_string();
    let cosigned = world.group.members().iter().map(|member| {
        let keys = world.keys.iter().find(|keys| {
            let key = Signer::from_seed(member.cosigner.name(), KeyKind::Cosigner, keys.cosigner.expose()).unwrap();
            *key.verifier_key() == member.cosigner
        });
        let seed = keys.unwrap().cosigner.expose();
        let signer = Signer::from_seed(member.cosigner.name(), KeyKind::Cosigner, seed).unwrap();
        cosignature::cosign(&signer, &text, 1_700_000_000).unwrap()
    });
    let of_log = note::sign(&world.log_signer(), &text).unwrap();
    SignedNote { signatures: std::iter::once(of_log).chain(cosigned).collect(), text }
}

/// Gives the first member three requests that nobody answered, each an entry; the first of them is published.
fn settle(nodes: &Nodes) -> Vec<Logged> {
    let (world, folder) = (&nodes.world, nodes.folder(0));
    let store = Store::open(&folder.state(), &world.group).unwrap();
    let window = world.group.commit_window_ms();
    for number in 1..=3 {
        let begin = (1 + window) * number;
        let commands = world.submission(number, number).commands;
        for (late, commands) in [(0, commands), (window, Vec::new())] {
            let block = OrderedBlock { height: number * 2 + late.min(1), time_ms: begin + late, commands };
            store.append(Position { height: block.height, time_ms: block.time_ms }, Some(&block)).unwrap();
        }
    }
    let mut logged = Vec::new();
    let each = |entry| {
        logged.push(entry);
        Ok::<_, OpenError>(())
    };
    store.fold(Machine::new(world.group.clone()), each).unwrap();
    assert_eq!(logged.len(), 3);
    let mut log = PublishedLog::open(&folder.log(), Synced).unwrap();
    log.append(0, &[&logged[0].entry]).unwrap();
    log.publish(signed(world, &logged[0])).unwrap();
    logged
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_is_served_and_looked_up_at_once_although_the_state_is_ahead_of_it() {
    let mut nodes = Nodes::found(4);
    settle(&nodes);
    // Nobody else is there: no quorum can cosign anything newer.
    nodes.start(0, None);
    let status = nodes.status(0).await;
    assert_eq!((status.log.published_size, status.log.size), (1, 3));
    let (code, _, policy) = nodes.get(0, "/policy").await;
    assert_eq!(code, 200);
    let policy = Policy::parse(&policy).unwrap();
    for (number, found) in [(1, 1), (2, 0), (3, 0)] {
        let key = MapKey::of_purl(&request(number).source.purl());
        for digits in [0, 3, 64] {
            let (code, _, answer) = nodes.get(0, &format!("/lookup/{}", Prefix::of(&key, digits))).await;
            assert_eq!(code, 200, "{}", String::from_utf8_lossy(&answer));
            let answer = lookup::verify(&answer, &policy, &key).unwrap();
            assert_eq!((answer.entries.len(), answer.checkpoint.checkpoint.size), (found, 1), "{number} {digits}");
        }
    }
    assert_eq!(nodes.get(0, "/proof/index/0").await.0, 200);
    nodes.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_kill_left_half_written_in_the_log_goes_at_the_next_start_and_nothing_else_does() {
    let mut nodes = Nodes::found(4);
    settle(&nodes);
    let log = nodes.folder(0).log();
    let ours = [".writing-aB3xY9", "tile/0/.writing-000000", "tile/entries/000.p/.writing-zzzzzz"];
    let others = [".writing-", ".writing-aB3x", "tile/0/.writing-aB3x_9", "tile/writing-aB3xY9", ".writing-aB3xY9.old"];
    ours.iter().chain(&others).for_each(|name| fs::write(log.join(name), "half").unwrap());
    fs::create_dir(log.join(".writing-folder")).unwrap();
    std::os::unix::fs::symlink(log.join("checkpoint"), log.join(".writing-linked")).unwrap();
    nodes.start(0, None);
    assert_eq!(nodes.status(0).await.log.published_size, 1);
    nodes.stop_all().await;
    for name in ours {
        assert!(!log.join(name).exists(), "{name} stays");
    }
    for name in others.into_iter().chain([".writing-folder", ".writing-linked", "checkpoint"]) {
        assert!(log.join(name).exists(), "{name} is gone");
    }
}

/// The same three requests, each published at once, and a fourth that is open; the database keeps as few blocks as it can.
fn settle_and_prune(nodes: &Nodes) {
    let (world, folder) = (&nodes.world, nodes.folder(0));
    let every = Every { blocks: 2, bytes: u64::MAX };
    let store = Store::open(&folder.state(), &world.group).unwrap().with_snapshots(every);
    let mut log = PublishedLog::open(&folder.log(), Synced).unwrap();
    let mut machine = Machine::new(world.group.clone());
    let window = world.group.commit_window_ms();
    for number in 1..=4 {
        let begin = (1 + window) * number;
        let commands = world.submission(number, number).commands;
        for (late, commands) in [(0, commands), (window, Vec::new())] {
            if number == 4 && late > 0 {
                break;
            }
            let block = OrderedBlock { height: number * 2 + late.min(1) - 1, time_ms: begin + late, commands };
            for logged in machine.apply(&block).unwrap().logged {
                log.append(logged.index, &[&logged.entry]).unwrap();
                log.publish(signed(world, &logged)).unwrap();
            }
            let position = Position { height: block.height, time_ms: block.time_ms };
            let effective = [&block];
            store.record(&Progress::to(position, &effective), || Snapshot::of(&machine), || log.size()).unwrap();
        }
    }
    let begin = store.begins_at().unwrap().unwrap().executed;
    assert_eq!((begin.height, begin.log_size), (4, 2), "the first blocks are still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_old_blocks_are_gone_starts_with_its_log_and_shows_what_it_showed_before() {
    let mut nodes = Nodes::found(4);
    settle_and_prune(&nodes);
    nodes.start(0, None);
    let status = nodes.status(0).await;
    assert_eq!((status.log.published_size, status.log.size, status.height), (3, 3, 7));
    assert_eq!(nodes.get(0, "/health").await.2, b"ok\n");
    for number in 1..=4 {
        let id = request(number).id();
        for path in [format!("/request/{id}"), format!("/requests/{id}"), format!("/api/v1/requests/{id}")] {
            assert_eq!(nodes.get(0, &path).await.0, 200, "{path}");
        }
    }
    for index in 0..3 {
        assert_eq!(nodes.get(0, &format!("/proof/index/{index}")).await.0, 200);
    }
    nodes.stop_all().await;

    // Without the log in front of its blocks the state cannot be told any more, and the node says so.
    fs::rename(nodes.folder(0).log(), nodes.folder(0).root().join("aside")).unwrap();
    let run = std::process::Command::new(PROGRAM).args(["run", "--dir"]).arg(nodes.folder(0).root()).output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(!run.status.success() && said.contains("run `group join`"), "{said}");
}
