//! An empty package that depends on one release: the way to let Cargo fetch that release itself into its home.

use toml::{Table, Value};

use crate::lock::Locked;
use crate::skeleton::{Skeleton, SkeletonError};

/// A name that should no crate of the registry have: with the one depended on it would only make a lock ambiguous.
const NAME: &str = "synchronicity-dependent";

/// A package that depends on `root`, with a lock that lets it have the versions of `lock`, the lock of `root`.
pub(super) fn of(root: &Locked, lock: &[u8]) -> Result<Skeleton, SkeletonError> {
    Skeleton::written(&manifest(root), "lib.rs")?.with_lock(self::lock(root, lock).as_bytes())
}

/// Its `Cargo.toml`; its one file is `lib.rs`.
pub(crate) fn manifest(root: &Locked) -> String {
    let Locked { name, version, .. } = root;
    format!(
        "[package]\nname = \"{NAME}\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[lib]\npath = \"lib.rs\"\n\n\
         [dependencies]\n{name} = \"={version}\"\n\n[workspace]\n"
    )
}

/// Its `Cargo.lock`.
pub(crate) fn lock(root: &Locked, lock: &[u8]) -> String {
    let lock = std::str::from_utf8(lock).ok().and_then(|text| text.parse().ok()).unwrap_or_default();
    depended_on(lock, root).to_string()
}

/// `lock` as it stands where `root` is a package of the registry, and ours depends on it.
fn depended_on(mut lock: Table, root: &Locked) -> Table {
    let Some(packages) = lock.get_mut("package").and_then(Value::as_array_mut) else { return lock };
    for package in packages.iter_mut().filter_map(Value::as_table_mut) {
        if package.get("source").is_none() {
            package.insert("source".into(), format!("registry+{}", tame_index::CRATES_IO_INDEX).into());
            package.insert("checksum".into(), root.checksum.to_string().into());
        }
    }
    let dependencies = vec![Value::from(format!("{} {}", root.name, root.version))];
    let ours = [("name", NAME.into()), ("version", "0.0.0".into()), ("dependencies", dependencies.into())];
    packages.push(Table::from_iter(ours.map(|(key, value): (_, Value)| (key.to_owned(), value))).into());
    lock
}
