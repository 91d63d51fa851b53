//! Folders that a node must not run on: it says why, and leaves them as they are.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use synchronicity_core::journal::Sealed;
use synchronicity_node::config::Config;
use synchronicity_node::exit;
use synchronicity_node::folder::Folder;
use synchronicity_node::node::{self, BenchChoice, Choices};
use synchronicity_node::store::{Position, Store};
use synchronicity_rebuild::bench::Bench;
use synchronicity_rebuild::scripted::Script;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::result::{BuildResult, Failure};

use crate::publish::files;
use crate::world::{PROGRAM, World, free_port, request};

fn folder_of(world: &World, dir: &Path) -> (Folder, Config) {
    world.settle(0, dir, free_port())
}

/// Runs a node that is told to stop at once, and gives exit code and message.
async fn run(folder: &Folder) -> Result<(), (u8, String)> {
    let builds = folder.builds();
    let open = move || Bench::scripted(&builds, Script::new());
    let bench = BenchChoice::Opened(Box::new(open));
    let choices =
        Choices { dir: folder.root().to_owned(), misbehaviour: None, bench, program: PROGRAM.into(), vouched: false };
    let ended = node::run(choices, async {}).await;
    ended.map(|_| ()).map_err(|stop| (stop.code, format!("{:?}", stop.report)))
}

/// What an error says, without the bars and breaks of a terminal.
pub(crate) fn words(message: &str) -> String {
    message.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

/// Runs a node that is to be refused, and sees that this changes no file of its folder, but for the lock's.
pub(crate) async fn refused(folder: &Folder) -> (u8, String) {
    drop(folder.lock().unwrap());
    let before = files(folder.root());
    let refused = run(folder).await.unwrap_err();
    let after = files(folder.root());
    let changed: Vec<_> = after.iter().filter(|(path, bytes)| before.get(*path) != Some(bytes)).collect();
    assert_eq!((after.len(), changed), (before.len(), Vec::new()), "a refusal changed the folder");
    refused
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_folder_runs_and_stops() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, _) = folder_of(&World::of(4), dir.path());
    run(&folder).await.unwrap();
    assert!(!folder.socket().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_runs_although_a_members_name_has_no_address() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::of(4);
    let (folder, _) = folder_of(&world, dir.path());
    let other = &world.group.members()[1].address;
    // Addresses are not part of the group's identity.
    let text = fs::read_to_string(folder.group()).unwrap().replace(other.as_str(), "nobody.invalid:4800");
    fs::write(folder.group(), text).unwrap();
    run(&folder).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_node_on_one_folder_is_refused_and_names_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, _) = folder_of(&World::of(4), dir.path());
    let held = folder.lock().unwrap();
    let (code, message) = run(&folder).await.unwrap_err();
    assert_eq!(code, exit::TRY_LATER);
    assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
    drop(held);
    run(&folder).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_http_port_is_told_before_anything_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, config) = folder_of(&World::of(4), dir.path());
    let _holder = TcpListener::bind(&config.http).unwrap();
    let (code, message) = refused(&folder).await;
    assert_eq!(code, exit::TRY_LATER);
    assert!(message.contains(&config.http), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_for_the_members_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, config) = folder_of(&World::of(4), dir.path());
    let _holder = TcpListener::bind(&config.listen).unwrap();
    let (code, message) = refused(&folder).await;
    assert_eq!(code, exit::TRY_LATER);
    assert!(message.contains("in use"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_another_group_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (World::of(4), World::of(4));
    let (folder, _) = folder_of(&ours, dir.path());
    drop(Store::open(&folder.state(), &theirs.group).unwrap());
    let (code, message) = refused(&folder).await;
    assert_eq!(code, exit::USAGE);
    let message: String = message.split_whitespace().filter(|word| *word != "│").collect();
    assert!(message.contains(&theirs.group.id().to_string()), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_another_group_or_in_another_form_is_refused_before_anything_is_put_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (world, theirs) = (World::of(4), World::of(4));
    let (folder, _) = folder_of(&world, dir.path());
    // A crash has left a seal of a round that is over, and half of a file: what a start would clear away.
    let store = Store::open(&folder.state(), &world.group).unwrap();
    for block in [world.submission(1, 7), world.deadline(2)] {
        store.append(Position { height: block.height, time_ms: block.time_ms }, Some(&block)).unwrap();
    }
    let sealed = Sealed { result: BuildResult::Failed(Failure::Network), nonce: [1; 32] };
    store.put_seal(&request(7).id(), 0, &sealed).unwrap();
    drop(store);
    fs::create_dir_all(folder.log()).unwrap();
    fs::write(folder.log().join(".writing-aB3xY9"), "half").unwrap();
    fs::create_dir_all(folder.chain().join("engine")).unwrap();
    let (ours, theirs) = (world.group.id(), theirs.group.id());
    for (marker, why) in [
        (format!("{ours}\n99\n"), "has blocks of schema 99"),
        (format!("{ours}\n"), "has blocks of schema 1"),
        (format!("{theirs}\n2\n"), "holds the chain of group"),
    ] {
        fs::write(folder.chain().join("group"), marker).unwrap();
        let (code, message) = refused(&folder).await;
        let message = words(&message);
        assert!(code == exit::USAGE && message.contains(why), "{code}: {message}");
    }
    fs::remove_dir_all(folder.chain()).unwrap();
    run(&folder).await.unwrap();
    assert!(!folder.log().join(".writing-aB3xY9").exists());
    let journal = Store::open(&folder.state(), &world.group).unwrap().journal().unwrap();
    assert_eq!(journal.sealed(&request(7).id(), 0), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_log_that_the_state_does_not_fold_to_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::of(4);
    let (folder, _) = folder_of(&world, dir.path());
    fs::create_dir_all(folder.log()).unwrap();
    fs::write(folder.log().join("checkpoint"), "nonsense").unwrap();
    let (code, message) = refused(&folder).await;
    assert_eq!(code, exit::INTERNAL);
    assert!(message.contains("checkpoint"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_not_the_one_that_was_cosigned_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::of(4);
    let (folder, _) = folder_of(&world, dir.path());
    let store = Store::open(&folder.state(), &world.group).unwrap();
    for block in [world.submission(1, 7), world.deadline(2)] {
        store.append(Position { height: block.height, time_ms: block.time_ms }, Some(&block)).unwrap();
    }
    let executed = store.machine(&world.group).unwrap().executed();
    assert_eq!(executed.log_size, 1);
    store.put_cosigned(1, &Digest([7; 32])).unwrap();
    drop(store);
    let (code, message) = run(&folder).await.unwrap_err();
    assert_eq!(code, exit::USAGE);
    assert!(message.contains("cosigned"), "{message}");
    let store = Store::open(&folder.state(), &world.group).unwrap();
    store.put_cosigned(1, &executed.log_root).unwrap();
    drop(store);
    run(&folder).await.unwrap();
}
