//! `group join`: what a newcomer takes up, and what it takes from nobody.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Output};

use synchronicity_core::block::OrderedBlock;
use synchronicity_core::command::{Action, Command};
use synchronicity_core::group::Group;
use synchronicity_core::log::Logged;
use synchronicity_core::machine::Machine;
use synchronicity_node::durable::Synced;
use synchronicity_node::epochs::Epochs;
use synchronicity_node::folder::Folder;
use synchronicity_node::group_file;
use synchronicity_node::keys::{Keys, MemberKeys};
use synchronicity_node::log_reader::{LogReader, Patience};
use synchronicity_node::publish::PublishedLog;
use synchronicity_node::store::{Position, Store};
use synchronicity_verify::membership::Member;
use synchronicity_verify::succession::Succession;

use crate::publish::files;
use crate::restarted::signed;
use crate::world::{PROGRAM, World, free_port};

/// A group of four that took in a fifth, and what its nodes serve.
struct Scene {
    dir: tempfile::TempDir,
    world: World,
    next: Group,
    logged: Vec<Logged>,
}

fn program(words: &[&str]) -> Output {
    Process::new(PROGRAM).args(words).output().unwrap()
}

impl Scene {
    fn new() -> Scene {
        let (dir, world) = (tempfile::tempdir().unwrap(), World::of(4));
        let newcomer = dir.path().join("newcomer");
        let [listen, http] = [(); 2].map(|()| format!("127.0.0.1:{}", free_port()));
        let words =
            ["init", "--dir", newcomer.to_str().unwrap(), "--name", "zelkova", "--listen", &listen, "--http", &http];
        assert!(program(&words).status.success());
        world.log_key.write(&Folder::at(&newcomer).keys().join("log.key")).unwrap();
        let member = group_file::member(&newcomer.join("member.toml"), &world.group).unwrap();
        let mut membership = world.group.membership();
        membership.members.push(Member::from(&member));

        let mut machine = Machine::new(world.group.clone());
        let mut logged = machine.apply(&world.submission(1, 7)).unwrap().logged;
        logged.extend(machine.apply(&world.deadline(2)).unwrap().logged);
        let approve = Action::Approve { membership: membership.digest() };
        let said = [(0, Action::Propose { membership }), (0, approve.clone()), (1, approve.clone()), (2, approve)];
        let sign = |(member, action)| Command::sign(&world.command_key(member), &world.group, action).unwrap();
        let time_ms = machine.executed().time_ms + 1;
        let block = OrderedBlock { height: 3, time_ms, commands: said.map(sign).into() };
        logged.extend(machine.apply(&block).unwrap().logged);
        assert!(machine.begin_epoch() && logged.len() == 2);
        let scene = Scene { dir, next: machine.group().clone(), world, logged };
        scene.serve();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Puts what a node serves into a folder, which is as good as an address.
    fn serve(&self) {
        let served = self.path("served");
        let mut log = PublishedLog::open(&served, Synced).unwrap();
        log.append(0, &[&self.logged[0].entry, &self.logged[1].entry]).unwrap();
        let note = signed(&self.world, &self.logged[1]);
        log.publish(note.clone()).unwrap();
        let proof = LogReader::new(&served).proof(&note, 1, Patience::Disk).unwrap().unwrap();
        fs::write(served.join("succession"), Succession { steps: vec![proof] }.to_string()).unwrap();
        fs::write(served.join("group"), self.next.to_text()).unwrap();
        fs::write(self.path("policy"), self.world.group.policy_text(None).unwrap()).unwrap();
    }

    fn join(&self) -> Output {
        let [dir, from, policy] = ["newcomer", "served", "policy"].map(|name| self.path(name));
        let [dir, from, policy] = [&dir, &from, &policy].map(|path| path.to_str().unwrap());
        program(&["group", "join", "--dir", dir, "--from", from, "--policy", policy])
    }

    /// The code with which it was refused, and what was said. Nothing is there that was not there before.
    #[track_caller]
    fn refused(&self, code: i32, word: &str) {
        let output = self.join();
        let said = String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.replace("│ ", "").contains(word), "{said}");
        for made in ["group.toml", "state.redb", "log", "epochs"] {
            assert!(!self.path("newcomer").join(made).exists(), "{made}");
        }
    }
}

#[test]
fn a_newcomer_begins_with_the_log_and_the_state_of_the_boundary_and_may_ask_twice() {
    let scene = Scene::new();
    for _ in 0..2 {
        let output = scene.join();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let folder = Folder::at(scene.path("newcomer"));
        assert_eq!(group_file::read(&folder.group()).unwrap(), scene.next);
        let store = Store::open(&folder.state(), &scene.next).unwrap();
        assert_eq!(store.base().unwrap(), Some((2, scene.logged[1].root)));
        let log = PublishedLog::open(&folder.log(), Synced).unwrap();
        assert_eq!(log.statement(), Some((2, scene.logged[1].root)));
        let epochs = Epochs::of(&folder);
        assert!(epochs.has_ended(0) && epochs.groups().unwrap().is_empty());
        assert_eq!(epochs.policy_before(1).unwrap(), Some(scene.world.group.policy(None).unwrap()));
        assert_eq!(epochs.succession().unwrap().unwrap().to_string(), read(&scene.path("served/succession")));
    }
}

#[test]
fn a_member_that_has_gone_on_in_the_epoch_is_told_to_ask_again_where_no_state_is_served() {
    let scene = Scene::new();
    assert!(scene.join().status.success());
    let state = Folder::at(scene.path("newcomer")).state();
    let store = Store::open(&state, &scene.next).unwrap();
    let time_ms = scene.world.group.commit_window_ms() + 9_000;
    store.append(Position { height: 9, time_ms }, std::iter::empty::<&OrderedBlock>()).unwrap();
    drop(store);
    // Its beginning would take it back, which it must not be told to need: the log is not even asked for.
    fs::remove_dir_all(scene.path("served/tile")).unwrap();
    let output = scene.join();
    let said = String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(output.status.code() == Some(75) && said.contains("ask again in a minute"), "{said}");
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn a_succession_that_is_hidden_from_a_member_of_a_later_epoch_is_missed() {
    let scene = Scene::new();
    assert!(scene.join().status.success());
    fs::remove_file(scene.path("served/succession")).unwrap();
    let output = scene.join();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(40) && said.contains("serves no succession"), "{said}");
}

#[test]
fn a_log_that_was_altered_is_taken_from_nobody() {
    let scene = Scene::new();
    let tile = scene.path("served/tile/entries/000.p/2");
    let good = fs::read(&tile).unwrap();
    // The last byte of the first entry is of its map root, and of the last entry of its own.
    for at in [usize::from(u16::from_be_bytes([good[0], good[1]])) + 1, good.len() - 1] {
        let mut altered = good.clone();
        altered[at] ^= 1;
        fs::write(&tile, &altered).unwrap();
        scene.refused(40, "the members signed");
    }
    // Cut off behind the first entry, under a checkpoint that says so.
    fs::write(&tile, &good).unwrap();
    fs::write(scene.path("served/checkpoint"), signed(&scene.world, &scene.logged[0]).to_string()).unwrap();
    scene.refused(75, "has 1 entries, and 2 are signed");
}

#[test]
fn next_keys_come_into_force_when_everything_holds_and_not_before() {
    let scene = Scene::new();
    let folder = Folder::at(scene.path("newcomer"));
    // A member of the epoch before, which has missed its end: the keys that the next group lists wait in the folder.
    fs::rename(folder.keys(), folder.next_keys()).unwrap();
    Keys::create(&folder.keys()).unwrap();
    fs::rename(folder.next_keys().join("log.key"), folder.keys().join("log.key")).unwrap();
    fs::write(folder.group(), scene.world.group.to_text()).unwrap();
    let keys = || [files(&folder.keys()), files(&folder.next_keys())];
    let before = keys();

    let tile = scene.path("served/tile/entries/000.p/2");
    let good = fs::read(&tile).unwrap();
    let mut altered = good.clone();
    *altered.last_mut().unwrap() ^= 1;
    fs::write(&tile, altered).unwrap();
    let output = scene.join();
    assert_eq!(output.status.code(), Some(40), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(keys() == before && !folder.root().join("keys-before-1").exists(), "keys were changed");
    assert_eq!(group_file::read(&folder.group()).unwrap(), scene.world.group);

    fs::write(&tile, good).unwrap();
    let output = scene.join();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    MemberKeys::read(&folder.keys(), &scene.next).unwrap();
    assert_eq!(files(&folder.root().join("keys-before-1")), before[0]);
    assert!(!folder.next_keys().exists());
    // Of the epoch whose end it has missed it keeps the group.
    assert_eq!(Epochs::of(&folder).groups().unwrap(), [scene.world.group]);
}

#[test]
fn another_group_is_not_joined_whoever_serves_it() {
    let scene = Scene::new();
    let mut other = scene.world.group.membership();
    other.threshold = 4;
    let other = scene.world.group.followed_by(&other).unwrap();
    fs::write(scene.path("served/group"), other.to_text()).unwrap();
    scene.refused(40, "is not the group that the members agreed on");
    fs::write(scene.path("served/group"), "colour = 1").unwrap();
    scene.refused(40, "is none");
    fs::write(scene.path("served/group"), scene.next.to_text()).unwrap();
    let stranger = World::of(4);
    fs::write(scene.path("policy"), stranger.group.policy_text(None).unwrap()).unwrap();
    scene.refused(40, "does not lead from your policy");
}

#[test]
fn what_the_newcomer_lacks_itself_is_named_before_anything_is_fetched() {
    let scene = Scene::new();
    let key = scene.path("newcomer/keys/log.key");
    fs::rename(&key, scene.path("aside")).unwrap();
    scene.refused(2, "log.key");
    fs::rename(scene.path("aside"), &key).unwrap();
    fs::remove_file(scene.path("served/succession")).unwrap();
    scene.refused(2, "first epoch");
    fs::write(scene.path("policy"), "no policy\n").unwrap();
    scene.refused(2, "policy");
}
