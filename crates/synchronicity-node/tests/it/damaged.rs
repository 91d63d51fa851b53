//! Folders that a node must not run on: it says why, and leaves them as they are.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use synchronicity_node::config::Config;
use synchronicity_node::exit;
use synchronicity_node::folder::Folder;
use synchronicity_node::node::{self, BenchChoice, Choices};
use synchronicity_node::store::{Position, Store};
use synchronicity_rebuild::bench::Bench;
use synchronicity_rebuild::scripted::Script;
use synchronicity_verify::digest::Digest;

use crate::publish::files;
use crate::world::{PROGRAM, World, free_port};

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

/// Runs a node that is to be refused, and sees that this changes no file of its folder, but for the lock's.
async fn refused(folder: &Folder) -> (u8, String) {
    drop(folder.lock().unwrap());
    let before = files(folder.root());
    let refused = run(folder).await.unwrap_err();
    assert_eq!(files(folder.root()), before, "a refusal changed the folder");
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
