use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::*;

const A: &str = "a 1.0.0 (registry+https://github.com/rust-lang/crates.io-index)";
const OLD: &str = "a 0.9.0 (registry+https://github.com/rust-lang/crates.io-index)";

/// A root in which `old` is of the older version, and the executables of the newer one are staged.
struct World {
    _dir: tempfile::TempDir,
    root: Root,
    change: Change,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = Root { path: dir.path().to_owned() };
        root.prepare().unwrap();
        fs::create_dir(root.bin()).unwrap();
        fs::write(root.place("old"), "old").unwrap();
        let mut records = root.lock(&Progress::silent()).unwrap();
        records.mark(OLD, &["old".to_owned()].into(), &json!({}), &[]);
        records.save().unwrap();
        let executable = |name: &str| Executable { name: name.into(), sha256: Digest::of(name.as_bytes()).to_string() };
        let executables = vec![executable("one"), executable("two")];
        for executable in &executables {
            fs::write(root.staged(&executable.name, &executable.sha256), &executable.name).unwrap();
        }
        let (replaced, obsolete) = (vec![OLD.to_owned()], vec!["old".to_owned()]);
        let change = Change { package: A.into(), details: json!({}), executables, replaced, obsolete };
        Self { _dir: dir, root, change }
    }

    /// As after a crash when the note is written.
    fn noted() -> Self {
        let world = Self::new();
        fs::write(world.root.pending(), serde_json::to_vec(&world.change).unwrap()).unwrap();
        world
    }

    fn move_to_its_place(&self, at: usize) {
        let executable = &self.change.executables[at];
        let from = self.root.staged(&executable.name, &executable.sha256);
        fs::rename(from, self.root.place(&executable.name)).unwrap();
    }

    /// Packages and files after the next lock.
    fn state(&self) -> (Vec<String>, Vec<String>) {
        let records = self.root.lock(&Progress::silent()).unwrap();
        let packages = records.installed().unwrap().into_iter().map(|installed| installed.version).collect();
        let files = fs::read_dir(self.root.bin()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<_> = files.collect();
        files.sort();
        (packages, files)
    }
}

fn of(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn all_is_done_or_nothing() {
    let world = World::new();
    let mut records = world.root.lock(&Progress::silent()).unwrap();
    world.root.apply(&world.change, &mut records).unwrap();
    drop(records);
    assert_eq!(world.state(), (of(&["1.0.0"]), of(&["one", "two"])));
}

#[test]
fn what_was_only_noted_is_forgotten_and_what_was_begun_is_finished() {
    let world = World::noted();
    assert_eq!(world.state(), (of(&["0.9.0"]), of(&["old"])));
    assert!(!world.root.pending().exists());
    for begun in [&[0][..], &[1], &[0, 1]] {
        let world = World::noted();
        begun.iter().for_each(|at| world.move_to_its_place(*at));
        assert_eq!(world.state(), (of(&["1.0.0"]), of(&["one", "two"])), "{begun:?}");
    }
    // The records, too, and only the note is left.
    let world = World::noted();
    [0, 1].into_iter().for_each(|at| world.move_to_its_place(at));
    fs::remove_file(world.root.place("old")).unwrap();
    let mut records = Records::lock(&world.root.path, &Progress::silent()).unwrap();
    records.mark(A, &["one".to_owned(), "two".to_owned()].into(), &json!({}), &[OLD.to_owned()]);
    records.save().unwrap();
    drop(records);
    assert_eq!(world.state(), (of(&["1.0.0"]), of(&["one", "two"])));
}

#[test]
fn copies_to_another_file_system_are_all_made_before_one_is_moved_and_may_be_made_again() {
    let World { root, change, _dir } = World::noted();
    let executables = &change.executables;
    let staged = |at: usize| root.staged(&executables[at].name, &executables[at].sha256);
    let ((one, two), (one_staged, two_staged)) = ((root.place("one"), root.place("two")), (staged(0), staged(1)));
    let half = root.bin().join(root.copy_prefix() + "one");
    let of_another_root = root.bin().join(format!("{COPY}0123456789abcdef-one"));
    fs::write(&of_another_root, "on").unwrap();
    // Where one was altered since it was checked nothing comes to its place.
    fs::write(&two_staged, "owt").unwrap();
    assert!(root.carry_over(executables).is_err());
    assert!(one_staged.exists() && !one.exists() && !two.exists() && !half.exists());
    fs::write(&two_staged, "two").unwrap();
    // What a crash left half copied is no part of it, even if it is a link to something of the user's.
    std::os::unix::fs::symlink(root.place("old"), &half).unwrap();
    root.carry_over(executables).unwrap();
    let found = [one.clone(), two, root.place("old")].map(|path| fs::read_to_string(path).unwrap());
    assert_eq!(found, ["one", "two", "old"]);
    assert_eq!(fs::metadata(&one).unwrap().permissions().mode() & 0o777, 0o755);
    assert!(!one_staged.exists() && !two_staged.exists() && !half.exists());
    // A crash after the copies and before a staged file went.
    fs::write(&one_staged, "one").unwrap();
    fs::write(&half, "on").unwrap();
    let records = root.lock(&Progress::silent()).unwrap();
    assert!(records.owner("one").is_some() && records.owner("two").is_some());
    assert!(!one_staged.exists() && !half.exists() && !root.pending().exists());
    assert!(of_another_root.exists());
    // A crash in the first copy: nothing was done, and nothing of it stays.
    let world = World::noted();
    fs::write(world.root.bin().join(world.root.copy_prefix() + "one"), "on").unwrap();
    assert_eq!(world.state(), (of(&["0.9.0"]), of(&["old"])));
}

#[test]
fn a_note_that_others_made_untrue_moves_and_removes_nothing() {
    let world = World::noted();
    world.move_to_its_place(0);
    fs::write(world.root.place("one"), "somebody else's").unwrap();
    assert_eq!(world.state(), (of(&["0.9.0"]), of(&["old", "one"])));
    let world = World::noted();
    world.move_to_its_place(0);
    fs::write(world.root.staged("two", &world.change.executables[1].sha256), "cut").unwrap();
    assert_eq!(world.state().0, of(&["0.9.0"]));
    for note in ["", "{", "[]", "{\"package\":\"a\"}"] {
        let world = World::new();
        fs::write(world.root.pending(), note).unwrap();
        assert_eq!(world.state().0, of(&["0.9.0"]), "{note}");
        assert!(!world.root.pending().exists());
    }
    let mut outside = World::noted();
    outside.change.obsolete = of(&["../.crates.toml"]);
    fs::write(outside.root.pending(), serde_json::to_vec(&outside.change).unwrap()).unwrap();
    outside.move_to_its_place(0);
    assert_eq!(outside.state().0, of(&["0.9.0"]));
}

#[test]
fn what_another_crate_owns_by_now_is_not_removed() {
    let world = World::noted();
    world.move_to_its_place(0);
    let mut records = Records::lock(&world.root.path, &Progress::silent()).unwrap();
    records.mark("b 1.0.0 (path+file:///b)", &["old".to_owned()].into(), &json!({}), &[]);
    records.save().unwrap();
    drop(records);
    assert_eq!(world.state(), (of(&["1.0.0", "1.0.0"]), of(&["old", "one", "two"])));
}
