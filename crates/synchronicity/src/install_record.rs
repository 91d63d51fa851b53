//! Cargo's record of what it installed: `.crates2.json` in its root.
//!
//! The format is cargo's own and may gain fields: what is not needed is not looked at. What is needed is held against
//! the rules for names, because the record may be anybody's.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::origin::{NoCrate, Origin};
use crate::printable::printable;

/// The largest record read, in bytes: some hundred for each crate.
pub(crate) const RECORD_BYTES_MAX: u64 = 16 << 20;

/// One crate that cargo installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Installed {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) origin: Origin,
    /// File names in the folder `bin`, sorted, each once.
    pub(crate) bins: Vec<String>,
}

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("it is no JSON of the right form: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it names a package {:?}, which is not `NAME VERSION (SOURCE)`", printable(.0))]
    Package(String),
    #[error("{0}")]
    Crate(#[from] NoCrate),
    #[error("it names an executable {:?}, which is no name of a file", printable(.0))]
    Executable(String),
}

#[derive(Deserialize)]
struct Record {
    installs: BTreeMap<String, Install>,
}

#[derive(Deserialize)]
struct Install {
    #[serde(default)]
    bins: BTreeSet<String>,
}

/// Every crate of the record, sorted by name.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Installed>, RecordError> {
    let record: Record = serde_json::from_slice(bytes)?;
    record.installs.into_iter().map(|(package, install)| installed(&package, install.bins)).collect()
}

fn installed(package: &str, bins: BTreeSet<String>) -> Result<Installed, RecordError> {
    let malformed = || RecordError::Package(package.to_owned());
    let mut words = package.splitn(3, ' ');
    let (name, version, source) = (words.next(), words.next(), words.next());
    let (name, version) = name.zip(version).filter(|(name, _)| !name.is_empty()).ok_or_else(malformed)?;
    let source = source.and_then(|source| source.strip_prefix('(')?.strip_suffix(')')).ok_or_else(malformed)?;
    let origin = Origin::of(name, version, Some(source))?;
    if let Some(bad) = bins.iter().find(|name| !is_file_name(name)) {
        return Err(RecordError::Executable(bad.clone()));
    }
    Ok(Installed { name: name.to_owned(), version: version.to_owned(), origin, bins: bins.into_iter().collect() })
}

/// It names a file of the folder that it is looked for in, and no other.
fn is_file_name(name: &str) -> bool {
    let bad = |c: char| c == '/' || c == '\\' || c.is_control();
    !name.is_empty() && name.len() <= 255 && name != "." && name != ".." && !name.contains(bad)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RECORD: &str = r#"{"installs":{
        "hexyl 0.17.0 (registry+https://github.com/rust-lang/crates.io-index)":{"version_req":"=0.17.0","bins":["hexyl"],
            "features":[],"all_features":false,"no_default_features":false,"profile":"release",
            "target":"x86_64-unknown-linux-gnu","rustc":"rustc 1.95.0\n"},
        "own 0.1.0 (path+file:///home/me/own)":{"bins":["b","a"]}}}"#;

    #[test]
    fn what_cargo_writes_is_read() {
        let read = parse(RECORD.as_bytes()).unwrap();
        let told: Vec<_> = read.iter().map(|i| (i.name.as_str(), i.version.as_str(), i.bins.clone())).collect();
        assert_eq!(
            told,
            [("hexyl", "0.17.0", vec!["hexyl".to_owned()]), ("own", "0.1.0", vec!["a".into(), "b".into()])]
        );
        assert!(matches!(read[0].origin, Origin::CratesIo(..)));
        assert_eq!(read[1].origin, Origin::Folder);
        assert_eq!(parse(br#"{"installs":{}}"#).unwrap(), []);
    }

    #[test]
    fn a_record_that_leads_out_of_its_folder_or_names_nothing_is_refused() {
        let with = |package: &str, bin: &str| {
            parse(serde_json::json!({ "installs": { package: { "bins": [bin] } } }).to_string().as_bytes())
        };
        assert!(with("a 1.0.0 (path+file:///a)", "a").is_ok());
        for bin in ["../a", "a/b", "", ".", "..", "a\0", "/etc/passwd", "\x1b[2J"] {
            assert!(matches!(with("a 1.0.0 (path+file:///a)", bin), Err(RecordError::Executable(_))), "{bin:?}");
        }
        for package in ["", "a", "a 1.0.0", "a 1.0.0 x", " 1.0.0 (path+file:///a)", "a 1.0.0 (x"] {
            assert!(matches!(with(package, "a"), Err(RecordError::Package(_))), "{package:?}");
        }
        let elsewhere = "../a 1.0.0 (registry+https://github.com/rust-lang/crates.io-index)";
        assert!(matches!(with(elsewhere, "a"), Err(RecordError::Crate(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn no_change_of_a_good_record_makes_it_panic(at in 0..RECORD.len(), byte in any::<u8>(), end in 0..RECORD.len()) {
            let mut bytes = RECORD.as_bytes().to_vec();
            bytes[at] = byte;
            if let Ok(installed) = parse(&bytes) {
                prop_assert!(installed.iter().flat_map(|installed| &installed.bins).all(|name| is_file_name(name)));
            }
            prop_assert!(parse(&RECORD.as_bytes()[..end]).is_err());
        }
    }

    #[test]
    fn deep_nesting_ends_in_an_error() {
        let deep = format!(r#"{{"installs":{{"a 1.0.0 (path+file:///a)":{{"x":{}"#, "[".repeat(1 << 20));
        assert!(matches!(parse(deep.as_bytes()), Err(RecordError::Json(_))));
    }
}
