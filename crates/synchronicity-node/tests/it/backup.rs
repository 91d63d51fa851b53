//! Backups: what is in one, what never is, and where one is not restored to.

use std::fs;
use std::path::{Path, PathBuf};

use synchronicity_node::backup::{Backup, BackupError};
use synchronicity_node::folder::Folder;

use crate::world::{World, free_port};

/// A node's folder with something of everything in it.
fn node(dir: &Path) -> Folder {
    let (folder, _) = World::of(4).settle(0, dir, free_port());
    for (name, text) in [
        ("member.toml", "a member"),
        ("keys/witness.key", "never kept"),
        ("epochs/0.policy", "a policy"),
        ("offences/one", "a proof"),
        ("chain/engine/votes/0", "never kept"),
        ("state.redb", "never kept"),
        ("log/checkpoint", "never kept"),
        ("artifacts/aa", "never kept"),
    ] {
        let path = folder.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// All files below a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for item in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match item.file_type().unwrap().is_dir() {
            true => found.extend(files(&item.path())),
            false => found.push(item.path()),
        }
    }
    found.sort();
    found
}

#[test]
fn what_may_be_replayed_is_in_no_backup_and_keys_only_if_they_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let folder = node(&dir.path().join("node"));
    for keys in [false, true] {
        let (file, target) = (dir.path().join(format!("{keys}.tar")), dir.path().join(format!("restored-{keys}")));
        Backup::of(&folder, keys).unwrap().write(&file).unwrap();
        let backup = Backup::read(&file).unwrap();
        assert_eq!((backup.has_keys(), backup.must_join()), (keys, false));
        backup.restore(&Folder::at(&target)).unwrap();
        for path in files(&target) {
            let name = path.strip_prefix(&target).unwrap();
            assert_eq!(fs::read(&path).unwrap(), fs::read(folder.root().join(name)).unwrap(), "{name:?}");
            let first = name.components().next().unwrap().as_os_str().to_str().unwrap();
            let kept = ["node.toml", "member.toml", "group.toml", "epochs", "offences"].contains(&first);
            assert!(kept || (keys && first == "keys"), "{name:?}");
            assert!(!name.ends_with("witness.key"));
        }
        assert_eq!(target.join("keys/consensus.key").exists(), keys);
        assert!(target.join("node.toml").exists() && target.join("epochs/0.policy").exists());
    }
}

#[test]
fn nothing_is_restored_over_anything() {
    let dir = tempfile::tempdir().unwrap();
    let folder = node(&dir.path().join("node"));
    let backup = Backup::of(&folder, true).unwrap();
    assert!(matches!(backup.restore(&folder), Err(BackupError::Exists { .. })));
}

#[test]
fn a_file_that_leads_elsewhere_or_is_cut_is_no_backup() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    let good = Backup::of(&node(&dir.path().join("node")), true).unwrap();
    good.write(&file).unwrap();
    let bytes = fs::read(&file).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        assert!(matches!(Backup::read(&file), Err(BackupError::NotABackup { .. })));
    };
    refused(b"");
    refused(&bytes[..512]);
    refused(&bytes[..bytes.len() / 2 / 512 * 512 + 100]);
    for name in ["keys/witness.key", "keys/../../passwd", "chain/engine/votes/0", "state.redb", "keys/a/b", "keys"] {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, content) in [
            ("backup", "synchronicity-node backup 1\nx\n0\n"),
            ("node.toml", ""),
            ("member.toml", ""),
            ("group.toml", ""),
        ] {
            append(&mut archive, name, content);
        }
        append(&mut archive, name, "");
        refused(&archive.into_inner().unwrap());
    }
}

/// Writes the name as it is, wherever it leads.
fn append(archive: &mut tar::Builder<Vec<u8>>, name: &str, content: &str) {
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(content.len() as u64);
    header.set_mode(0o600);
    header.set_cksum();
    archive.append(&header, content.as_bytes()).unwrap();
}
