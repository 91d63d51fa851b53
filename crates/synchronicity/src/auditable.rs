//! What `cargo auditable` wrote into a binary: the packages that were compiled into it, without their checksums.
//!
//! Extracted by the project's own crate, under limits; the JSON is read here, where no more of it is needed than names.

use std::path::Path;

use auditable_info::{Limits, json_from_file};
use serde::Deserialize;

use crate::cargo_lock::Dependency;
use crate::origin::{NoCrate, Origin};

/// The largest binary read, in bytes; it is held in memory.
const BINARY_BYTES_MAX: usize = 1 << 30;

/// The longest list read, in bytes, after decompression.
const LIST_BYTES_MAX: usize = 8 << 20;

/// Why a binary does not say what is in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuditableError {
    #[error("it does not say what was compiled into it: it was not built with `cargo auditable`")]
    NoList,
    #[error("its list of packages cannot be read: {0}")]
    Unreadable(auditable_info::Error),
    #[error("its list of packages is not of the right form: {0}")]
    Json(#[from] serde_json::Error),
    #[error("its list of packages is empty, and lacks even the package that was built")]
    Empty,
    #[error("{0}")]
    Crate(#[from] NoCrate),
}

#[derive(Deserialize)]
struct List {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    source: String,
    #[serde(default)]
    root: bool,
}

/// Every package of the binary.
pub(crate) fn read(path: &Path) -> Result<Vec<Dependency>, AuditableError> {
    let limits = Limits { input_file_size: BINARY_BYTES_MAX, decompressed_json_size: LIST_BYTES_MAX };
    let json = json_from_file(path, limits).map_err(|error| match error {
        auditable_info::Error::NoAuditData => AuditableError::NoList,
        error => AuditableError::Unreadable(error),
    })?;
    parse(&json)
}

fn parse(json: &str) -> Result<Vec<Dependency>, AuditableError> {
    let list: List = serde_json::from_str(json)?;
    if list.packages.is_empty() {
        return Err(AuditableError::Empty);
    }
    let dependency = |package: Package| {
        let Package { name, version, source, root } = package;
        let origin = match source.as_str() {
            // The package that was built is nobody's dependency, wherever it came from.
            _ if root => Origin::Folder,
            "crates.io" => Origin::crates_io(&name, &version)?,
            "local" => Origin::Folder,
            _ => Origin::Elsewhere(source),
        };
        Ok(Dependency { name, version, origin, checksum: None, line: None })
    };
    list.packages.into_iter().map(dependency).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIST: &str = r#"{"packages":[
        {"name":"app","version":"0.1.0","source":"local","root":true,"dependencies":[1,2]},
        {"name":"hexyl","version":"0.17.0","source":"crates.io"},
        {"name":"other","version":"1.0.0","source":"git","kind":"build"}]}"#;

    #[test]
    fn the_list_is_read_and_its_root_is_no_dependency() {
        let read = parse(LIST).unwrap();
        assert_eq!(read[0].origin, Origin::Folder);
        assert_eq!(read[1].origin.key(), Origin::crates_io("hexyl", "0.17.0").unwrap().key());
        assert_eq!(read[2].origin, Origin::Elsewhere("git".into()));
        assert!(matches!(parse(&LIST.replace("0.17.0", "0.17")), Err(AuditableError::Crate(_))));
        assert!(matches!(parse(r#"{"packages":[]}"#), Err(AuditableError::Empty)));
    }

    #[test]
    fn a_file_without_a_list_says_what_it_lacks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, b"\x7fELF, says it, and is none").unwrap();
        assert!(matches!(read(&path), Err(AuditableError::Unreadable(_) | AuditableError::NoList)));
        let own = std::env::current_exe().unwrap();
        assert!(matches!(read(&own), Err(AuditableError::NoList)), "this test was not built by cargo auditable");
    }

    proptest! {
        #[test]
        fn no_change_of_a_list_makes_the_reader_panic(at in 0..LIST.len(), c in any::<char>()) {
            let changed: String = LIST.chars().enumerate().map(|(i, old)| if i == at { c } else { old }).collect();
            let _ = parse(&changed);
        }
    }
}
