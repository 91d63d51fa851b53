//! What the operator chose in `node.toml` about witnessing, checked; and the witness's key.
//!
//! ```toml
//! # witness-name = "alder.example/witness"     # name of this node's witness key; by default NAME/witness
//!
//! [[witnessed-log]]                            # a log that this node witnesses; its key's name is its origin
//! key = "example.org/other+1a2b3c4d+AT..."
//!
//! [[outside-witness]]                          # a witness that this node asks to cosign the group's log
//! key = "witness.example/w1+5e6f7a8b+BC..."
//! url = "https://witness.example"              # add-checkpoint is posted below it
//! ```

use std::collections::BTreeSet;
use std::path::Path;

use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use synchronicity_core::group::Group;
use synchronicity_verify::note::{KeyError, KeyKind, Signer, VerifierKey};
use thiserror::Error;

use super::decide::{Log, Witnessed};
use crate::config::Config;
use crate::keys::{KeysError, Seed};

/// Logs that are witnessed at most: what is remembered of each is in memory.
pub const LOGS_MAX: usize = 256;

/// Outside witnesses at most, so that their lines and those of the group fit a note.
pub const OUTSIDE_MAX: usize = 16;

/// A `[[witnessed-log]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WitnessedLog {
    /// Verifier key of type `01`.
    pub key: String,
}

/// An `[[outside-witness]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OutsideWitness {
    /// Verifier key of type `04`.
    pub key: String,
    /// Submission prefix.
    pub url: String,
}

/// An outside witness, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outsider {
    /// Its key.
    pub key: VerifierKey,
    /// Where checkpoints are posted to.
    pub url: String,
}

/// What is wrong with the choices.
#[derive(Debug, Error, Diagnostic)]
pub enum ChoiceError {
    /// Not a verifier key.
    #[error("{table}: {key:?} is not a key that can be used: {error}")]
    #[diagnostic(help("write NAME+ID+KEY, as the log or witness publishes it"))]
    Key {
        /// `[[witnessed-log]]` or `[[outside-witness]]`.
        table: &'static str,
        /// What was written.
        key: String,
        /// What is wrong with it.
        error: KeyError,
    },
    /// A key of another kind.
    #[error("{table}: the key {name} is of another kind")]
    #[diagnostic(help("a log's key is of type 01, that of a witness of type 04"))]
    Kind {
        /// `[[witnessed-log]]` or `[[outside-witness]]`.
        table: &'static str,
        /// Name of the key.
        name: String,
    },
    /// One log or witness twice, or a member as an outside witness.
    #[error("{table}: {name} is there twice, or is a member of the group")]
    #[diagnostic(help("name each once; members cosign without being asked"))]
    Twice {
        /// `[[witnessed-log]]` or `[[outside-witness]]`.
        table: &'static str,
        /// Name of the key.
        name: String,
    },
    /// More than a node takes.
    #[error("{table} is there {count} times; at most {most} are taken")]
    TooMany {
        /// `[[witnessed-log]]` or `[[outside-witness]]`.
        table: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// Not the URL of a witness.
    #[error("[[outside-witness]]: {url:?} is no http:// or https:// address")]
    #[diagnostic(help("write the prefix below which add-checkpoint is, as in https://witness.example"))]
    Url {
        /// What was written.
        url: String,
    },
}

/// The logs that are witnessed, with nothing seen of them yet.
///
/// # Errors
/// [`ChoiceError`].
pub fn logs(config: &Config) -> Result<Witnessed, ChoiceError> {
    let table = "[[witnessed-log]]";
    check_count(table, config.witnessed_log.len(), LOGS_MAX)?;
    let mut logs = Witnessed::new();
    for log in &config.witnessed_log {
        let key = key(table, &log.key, KeyKind::Log)?;
        let name = key.name().to_owned();
        if logs.insert(name.clone(), Log { key, seen: None }).is_some() {
            return Err(ChoiceError::Twice { table, name });
        }
    }
    Ok(logs)
}

/// The outside witnesses that are asked.
///
/// # Errors
/// [`ChoiceError`].
pub fn outsiders(config: &Config, group: &Group) -> Result<Vec<Outsider>, ChoiceError> {
    let table = "[[outside-witness]]";
    check_count(table, config.outside_witness.len(), OUTSIDE_MAX)?;
    let mut taken: BTreeSet<[u8; 32]> = group.members().iter().map(|member| *member.cosigner.public_bytes()).collect();
    let mut outsiders = Vec::new();
    for witness in &config.outside_witness {
        let key = key(table, &witness.key, KeyKind::Cosigner)?;
        if !taken.insert(*key.public_bytes()) {
            return Err(ChoiceError::Twice { table, name: key.name().to_owned() });
        }
        let host = witness.url.strip_prefix("http://").or_else(|| witness.url.strip_prefix("https://"));
        if host.is_none_or(|host| host.is_empty() || host.contains(char::is_whitespace)) {
            return Err(ChoiceError::Url { url: witness.url.clone() });
        }
        outsiders.push(Outsider { key, url: format!("{}/add-checkpoint", witness.url.trim_end_matches('/')) });
    }
    Ok(outsiders)
}

/// The key with which this node witnesses other logs, from `keys/witness.key`; made where it is missing.
///
/// # Errors
/// [`KeysError`].
pub fn signer(config: &Config, keys: &Path) -> Result<Signer, KeysError> {
    let name = config.witness_name.clone().unwrap_or_else(|| format!("{}/witness", config.name));
    Ok(Signer::from_seed(&name, KeyKind::Cosigner, seed(keys)?.expose())?)
}

/// The secret of that key; made where it is missing.
///
/// # Errors
/// [`KeysError`].
pub fn seed(keys: &Path) -> Result<Seed, KeysError> {
    let path = keys.join("witness.key");
    if path.exists() {
        return Seed::read(&path);
    }
    let seed = Seed::generate()?;
    seed.write(&path)?;
    Ok(seed)
}

fn key(table: &'static str, text: &str, kind: KeyKind) -> Result<VerifierKey, ChoiceError> {
    let key: VerifierKey = text.parse().map_err(|error| ChoiceError::Key { table, key: text.to_owned(), error })?;
    if key.kind() == kind { Ok(key) } else { Err(ChoiceError::Kind { table, name: key.name().to_owned() }) }
}

fn check_count(table: &'static str, count: usize, most: usize) -> Result<(), ChoiceError> {
    if count > most { Err(ChoiceError::TooMany { table, count, most }) } else { Ok(()) }
}
