//! Cargo's record of what it installed: `.crates2.json` in its root. [`locked`] is where it is changed.
//!
//! The format is cargo's own and may gain fields: what is not needed is not looked at. What is needed is held against
//! the rules for names, because the record may be anybody's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::request::Features;

use crate::origin::{NoCrate, Origin};
use crate::printable::printable;

pub(crate) mod locked;

/// The file, in the root.
pub(crate) const RECORD: &str = ".crates2.json";

/// The field of a crate in it that is ours. Cargo keeps what it does not know.
pub(crate) const OURS: &str = "synchronicity";

/// The largest record read, in bytes: some hundred for each crate.
pub(crate) const RECORD_BYTES_MAX: u64 = 16 << 20;

/// One crate that cargo installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Installed {
    /// In cargo's words: `NAME VERSION (SOURCE)`.
    pub(crate) package: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) origin: Origin,
    /// File names in the folder `bin`, sorted, each once.
    pub(crate) bins: Vec<String>,
    /// What it was built with.
    pub(crate) features: Features,
    /// What this program recorded of it, if it installed it.
    pub(crate) ours: Option<Ours>,
}

/// What this program records beside what cargo does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ours {
    /// The log and the entry that it was installed by; none for a build of this machine.
    pub(crate) evidence: Option<Evidence>,
    /// The same in the logs of further groups, where a policy of several was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) also: Vec<Evidence>,
    /// The content of each executable: lower-case hex digits of its SHA-256.
    pub(crate) sha256: BTreeMap<String, String>,
}

/// An entry of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Evidence {
    pub(crate) log: String,
    pub(crate) entry: u64,
}

impl Ours {
    pub(crate) fn of(evidence: Vec<Evidence>, executables: &[(String, Digest)]) -> Self {
        let mut evidence = evidence.into_iter();
        Self {
            evidence: evidence.next(),
            also: evidence.collect(),
            sha256: executables.iter().map(|(name, sha256)| (name.clone(), sha256.to_string())).collect(),
        }
    }

    /// Whether the same executables were installed, with evidence or without, as before: by whichever entries, since
    /// another group may answer today.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.sha256 == other.sha256 && self.evidence.is_some() == other.evidence.is_some()
    }
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
    #[serde(default)]
    features: BTreeSet<String>,
    #[serde(default)]
    all_features: bool,
    #[serde(default)]
    no_default_features: bool,
    /// Whatever stands there: what we did not write says nothing.
    #[serde(default)]
    synchronicity: serde_json::Value,
}

/// The folder that cargo installs to, as cargo finds it without its configuration files.
pub(crate) fn root(named: Option<&Path>) -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let named = named.map(Path::to_owned).or_else(|| variable("CARGO_INSTALL_ROOT")).or_else(|| variable("CARGO_HOME"));
    named.or_else(|| Some(variable("HOME")?.join(".cargo")))
}

/// Every crate of the record, sorted by name.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Installed>, RecordError> {
    let record: Record = serde_json::from_slice(bytes)?;
    record.installs.into_iter().map(|(package, install)| installed(&package, install)).collect()
}

fn installed(package: &str, install: Install) -> Result<Installed, RecordError> {
    let Id { name, version, origin } = Id::parse(package)?;
    file_names(&install.bins)?;
    let (default, all) = (!install.no_default_features, install.all_features);
    Ok(Installed {
        package: package.to_owned(),
        name,
        version,
        origin,
        bins: install.bins.into_iter().collect(),
        features: Features { default, all, named: install.features.into_iter().collect() },
        ours: serde_json::from_value(install.synchronicity).ok(),
    })
}

/// A package as cargo names it.
struct Id {
    name: String,
    version: String,
    origin: Origin,
}

impl Id {
    fn parse(package: &str) -> Result<Self, RecordError> {
        let malformed = || RecordError::Package(package.to_owned());
        let mut words = package.splitn(3, ' ');
        let (name, version, source) = (words.next(), words.next(), words.next());
        let (name, version) = name.zip(version).filter(|(name, _)| !name.is_empty()).ok_or_else(malformed)?;
        let source = source.and_then(|source| source.strip_prefix('(')?.strip_suffix(')')).ok_or_else(malformed)?;
        let origin = Origin::of(name, version, Some(source))?;
        Ok(Self { name: name.to_owned(), version: version.to_owned(), origin })
    }
}

fn file_names(bins: &BTreeSet<String>) -> Result<(), RecordError> {
    bins.iter().find(|name| !is_file_name(name)).map_or(Ok(()), |bad| Err(RecordError::Executable(bad.clone())))
}

/// It names a file of the folder that it is looked for in, and no other.
pub(crate) fn is_file_name(name: &str) -> bool {
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
