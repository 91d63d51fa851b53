use super::*;
use std::fs;
use std::os::unix::fs::symlink;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("target/release/deps")).unwrap();
        fs::create_dir(folder.path().join("out")).unwrap();
        Self { folder }
    }

    fn put(&self, path: &str, content: &str) {
        fs::write(self.folder.path().join("target/release").join(path), content).unwrap();
    }

    fn collect(&self, expected: &[&str]) -> Result<Artifacts, CollectError> {
        let expected: Vec<String> = expected.iter().map(|name| (*name).to_owned()).collect();
        collect(&self.folder.path().join("target"), &["release"], &expected, &self.folder.path().join("out"), 1000)
    }
}

#[test]
fn the_expected_products_are_copied_and_hashed_and_nothing_else_is() {
    let place = Place::new();
    place.put("tool", "an executable");
    place.put("libtool.rlib", "a library");
    place.put("deps/libtool-0123456789abcdef.rmeta", "metadata");
    place.put("deps/libtool_more-0123456789abcdef.rmeta", "of another crate");
    place.put("unexpected", "never asked for");
    let artifacts = place.collect(&["tool", "libtool.rlib", "libtool.rmeta"]).unwrap();
    let names: Vec<_> = artifacts.iter().map(|artifact| artifact.name.as_ref()).collect();
    assert_eq!(names, ["libtool.rlib", "libtool.rmeta", "tool"]);
    assert_eq!(artifacts.as_slice()[2].sha256, Digest::of(b"an executable"));
    assert_eq!(artifacts.as_slice()[2].size, 13);
    assert_eq!(fs::read_to_string(place.folder.path().join("out/libtool.rmeta")).unwrap(), "metadata");
    assert_eq!(fs::read_dir(place.folder.path().join("out")).unwrap().count(), 3);
}

#[test]
fn a_link_a_pipe_and_a_folder_are_no_products() {
    let place = Place::new();
    let release = place.folder.path().join("target/release");
    symlink("/etc/passwd", release.join("link")).unwrap();
    nix::unistd::mkfifo(&release.join("pipe"), Mode::from_bits_truncate(0o644)).unwrap();
    fs::create_dir(release.join("folder")).unwrap();
    for name in ["link", "pipe", "folder", "nothing", "nothing.rmeta"] {
        assert!(matches!(place.collect(&[name]), Err(CollectError::Missing(_))), "{name}");
    }
}

#[test]
fn a_folder_replaced_by_a_link_is_not_followed() {
    let place = Place::new();
    let target = place.folder.path().join("target");
    fs::create_dir(place.folder.path().join("elsewhere")).unwrap();
    fs::write(place.folder.path().join("elsewhere/tool"), "a file of the host").unwrap();
    fs::remove_dir_all(target.join("release")).unwrap();
    symlink(place.folder.path().join("elsewhere"), target.join("release")).unwrap();
    assert!(matches!(place.collect(&["tool"]), Err(CollectError::Missing(_))));
}

#[test]
fn a_hard_link_to_a_file_of_another_owner_is_no_product_and_one_to_a_file_of_the_build_is() {
    let place = Place::new();
    let (target, outside) = (place.folder.path().join("target"), place.folder.path().join("outside"));
    fs::write(&outside, "a file of the host").unwrap();
    fs::hard_link(&outside, target.join("release/tool")).unwrap();
    assert!(place.collect(&["tool"]).is_ok(), "one owner: cargo itself links its products");
    fs::remove_file(place.folder.path().join("out/tool")).unwrap();
    if std::os::unix::fs::chown(&target, Some(12_345), None).is_err() {
        // Only root can make a file of another owner, and only then can there be a link to one.
        return;
    }
    assert!(matches!(place.collect(&["tool"]), Err(CollectError::Missing(_))));
}

#[test]
fn a_set_user_id_bit_is_not_copied() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.put("tool", "an executable");
    let product = place.folder.path().join("target/release/tool");
    fs::set_permissions(&product, fs::Permissions::from_mode(0o6755)).unwrap();
    assert_eq!(fs::metadata(&product).unwrap().mode() & 0o7777, 0o6755);
    place.collect(&["tool"]).unwrap();
    assert_eq!(fs::metadata(place.folder.path().join("out/tool")).unwrap().mode() & 0o7777, 0o755);
}

#[test]
fn two_candidates_for_one_product_are_none() {
    let place = Place::new();
    place.put("deps/liba-0123456789abcdef.rmeta", "one");
    place.put("deps/liba-fedcba9876543210.rmeta", "two");
    assert!(matches!(place.collect(&["liba.rmeta"]), Err(CollectError::Missing(_))));
}

#[test]
fn products_beyond_the_limit_are_refused() {
    let place = Place::new();
    place.put("one", &"x".repeat(600));
    place.put("two", &"y".repeat(600));
    assert!(place.collect(&["one"]).is_ok());
    fs::remove_file(place.folder.path().join("out/one")).unwrap();
    assert!(matches!(place.collect(&["one", "two"]), Err(CollectError::TooLarge(1000))));
}
