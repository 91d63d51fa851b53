//! The group file: TOML that the members exchange and every node is started with.
//!
//! ```toml
//! origin = "synchronicity.example/devnet-1a2b"
//! epoch = 0
//! log-key = "synchronicity.example/devnet-1a2b+1f2e3d4c+AQ…"
//! threshold = 3
//! commit-window-ms = 1800000
//! reveal-window-ms = 60000
//! # containment = ["cgroups", "seccomp"]   # walls that every builder's sandbox must have; none unless it says so
//!
//! [[member]]
//! name = "alder"
//! consensus = "64 hex digits"
//! command = "64 hex digits"
//! cosigner = "synchronicity.example/devnet-1a2b/alder+5a6b7c8d+BA…"
//! attestation = "64 hex digits"
//! address = "192.0.2.7:4800"
//! # absent = true                          # builds nothing in this epoch; only where it is so
//!
//! [[override]]                             # none, or some: what is done otherwise for a crate, and why
//! crate = "rdkafka-sys"
//! version = ">=4, <5"                      # optional
//! reason = "its C code takes half an hour on a small machine"
//! packages = ["libsasl2-dev"]              # must be there where it is built
//! products = "library"                     # or "binaries", "installed"
//! limits = { memory-mib = 6144, time-seconds = 5400, disk-mib = 16384, processes = 1024, transcript-mib = 32, jobs = 2 }
//! features = { default = true, all = false, named = ["cmake-build"] }
//! ```

use serde::{Deserialize, Serialize};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::BuilderId;
use synchronicity_verify::note::VerifierKey;
use thiserror::Error;

use super::overrides::Override;
use super::{Charter, Group, GroupError, Member};

/// Why a text is no group file.
#[derive(Debug, Error)]
pub enum GroupTextError {
    /// Not TOML, or a field is missing, unknown, or of the wrong kind.
    #[error("the group file cannot be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// A key that cannot be decoded.
    #[error("{field} of {whose}: {problem}")]
    Key {
        /// `log-key`, `consensus`, `command`, `cosigner` or `attestation`.
        field: &'static str,
        /// The member's name, or `the log`.
        whose: String,
        /// What the decoder said.
        problem: String,
    },
    /// Well-formed, but no consistent group.
    #[error(transparent)]
    Inconsistent(#[from] GroupError),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct GroupText {
    origin: String,
    epoch: u64,
    log_key: String,
    threshold: u16,
    commit_window_ms: u64,
    reveal_window_ms: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    containment: Vec<String>,
    member: Vec<MemberText>,
    #[serde(rename = "override", default, skip_serializing_if = "Vec::is_empty")]
    overrides: Vec<Override>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct MemberText {
    name: String,
    consensus: String,
    command: String,
    cosigner: String,
    attestation: String,
    address: String,
    #[serde(default, skip_serializing_if = "is_false")]
    absent: bool,
}

impl Group {
    /// Reads a group file.
    ///
    /// # Errors
    /// [`GroupTextError`]: not the expected TOML, an undecodable key, or an inconsistent charter.
    pub fn parse(text: &str) -> Result<Group, GroupTextError> {
        let written: GroupText = toml::from_str(text)?;
        let members = written.member.into_iter().map(read_member);
        let members = members.collect::<Result<Vec<Member>, GroupTextError>>()?;
        let log_key = key("log-key", "the log", &written.log_key)?;
        Ok(Group::new(Charter {
            origin: written.origin,
            epoch: written.epoch,
            log_key,
            threshold: written.threshold,
            commit_window_ms: written.commit_window_ms,
            reveal_window_ms: written.reveal_window_ms,
            containment: written.containment,
            overrides: written.overrides,
            members,
        })?)
    }

    /// The group file of this group; [`Group::parse`] gives the same group back.
    pub fn to_text(&self) -> String {
        let members = self.members().iter().map(|member| MemberText {
            name: member.name.clone(),
            consensus: Digest(member.consensus).to_string(),
            command: member.command.to_string(),
            cosigner: member.cosigner.to_string(),
            attestation: Digest(member.attestation).to_string(),
            address: member.address.clone(),
            absent: member.absent,
        });
        let text = GroupText {
            origin: self.origin().to_owned(),
            epoch: self.epoch(),
            log_key: self.log_key().to_string(),
            threshold: self.threshold(),
            commit_window_ms: self.commit_window_ms(),
            reveal_window_ms: self.reveal_window_ms(),
            containment: self.containment().to_vec(),
            member: members.collect(),
            overrides: self.overrides().to_vec(),
        };
        toml::to_string(&text).expect("strings, integers and one array of tables are always TOML")
    }
}

/// Reads a file of overrides: `[[override]]` tables as in a group file, and nothing else.
///
/// # Errors
/// What is wrong with it as TOML. Whether a group can have them, [`Group::new`] says.
pub fn parse_overrides(text: &str) -> Result<Vec<Override>, toml::de::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Overrides {
        #[serde(rename = "override")]
        overrides: Vec<Override>,
    }
    toml::from_str(text).map(|written: Overrides| written.overrides)
}

fn read_member(written: MemberText) -> Result<Member, GroupTextError> {
    let whose = written.name.as_str();
    // A key is 32 bytes in hex, which is exactly what a digest reads.
    let consensus: Digest = key("consensus", whose, &written.consensus)?;
    let command: BuilderId = key("command", whose, &written.command)?;
    let cosigner: VerifierKey = key("cosigner", whose, &written.cosigner)?;
    let attestation: Digest = key("attestation", whose, &written.attestation)?;
    Ok(Member {
        consensus: consensus.0,
        command,
        cosigner,
        attestation: attestation.0,
        name: written.name,
        address: written.address,
        absent: written.absent,
    })
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn key<K>(field: &'static str, whose: &str, text: &str) -> Result<K, GroupTextError>
where
    K: core::str::FromStr,
    K::Err: core::fmt::Display,
{
    text.parse().map_err(|error: K::Err| GroupTextError::Key {
        field,
        whose: whose.to_owned(),
        problem: error.to_string(),
    })
}
