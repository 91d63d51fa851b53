//! `group.toml`, which all members share, and `member.toml`, which each of them hands to the founder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use synchronicity_core::group::{Group, GroupTextError, MEMBER_NAME_BYTES_MAX, Member, parse_overrides};
use synchronicity_rebuild::containment::Wall;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::note::VerifierKey;
use thiserror::Error;

/// Why a group file, or a member's half of one, cannot be used.
#[derive(Debug, Error, Diagnostic)]
pub enum GroupFileError {
    /// It cannot be read or written.
    #[error("cannot use {}: {error}", path.display())]
    #[diagnostic(help(
        "the founder makes group.toml with `synchronicity-node group new` and gives it to every member"
    ))]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// It founds no group.
    #[error("{}: {error}", path.display())]
    Group {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: GroupTextError,
    },
    /// Not a member's half.
    #[error("{} is not a member's file: {problem}", path.display())]
    #[diagnostic(help("hand over the member.toml that `synchronicity-node init` wrote, unchanged"))]
    Member {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Not a file of overrides.
    #[error("{} is not a file of overrides: {problem}", path.display())]
    #[diagnostic(help(
        "write [[override]] tables with crate, reason, and what is decided; docs/recipe.md has an example"
    ))]
    Overrides {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A name that no member can have.
    #[error("member name {0:?}: use 1 to {MEMBER_NAME_BYTES_MAX} of a-z 0-9 - _ . and not `none` or `builders`")]
    Name(String),
    /// What the founder asked for is no group.
    #[error("these members and numbers found no group: {0}")]
    Founding(GroupTextError),
}

/// What the founder decides.
#[derive(Clone, Debug)]
pub struct Founding<'a> {
    /// Name of the log.
    pub origin: &'a str,
    /// Its key.
    pub log_key: &'a VerifierKey,
    /// How many builders must agree.
    pub threshold: u16,
    /// Seconds to build and commit.
    pub commit_window_s: u64,
    /// Seconds to reveal.
    pub reveal_window_s: u64,
    /// Walls that every builder's sandbox must have.
    pub containment: &'a [Wall],
    /// The text of a file of overrides, or nothing.
    pub overrides: &'a str,
}

/// Reads `group.toml`.
///
/// # Errors
/// [`GroupFileError::File`] or [`GroupFileError::Group`].
pub fn read(path: &Path) -> Result<Group, GroupFileError> {
    let text = fs::read_to_string(path).map_err(|error| GroupFileError::File { path: path.to_owned(), error })?;
    Group::parse(&text).map_err(|error| GroupFileError::Group { path: path.to_owned(), error })
}

/// A member's half: exactly the table that stands for it in the group file.
pub fn member_text(member: &Member) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    format!(
        "[[member]]\nname = {}\nconsensus = {}\ncommand = {}\ncosigner = {}\nattestation = {}\naddress = {}\n",
        quoted(&member.name),
        quoted(&Digest(member.consensus).to_string()),
        quoted(&member.command.to_string()),
        quoted(&member.cosigner.to_string()),
        quoted(&Digest(member.attestation).to_string()),
        quoted(&member.address),
    )
}

/// The member whose file this is, of whom `group` may never have heard.
///
/// # Errors
/// [`GroupFileError`].
pub fn member(path: &Path, group: &Group) -> Result<Member, GroupFileError> {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let alone = format!(
        "origin = {}\nepoch = 0\nlog-key = {}\nthreshold = 1\ncommit-window-ms = 1\nreveal-window-ms = 1\n\n{}",
        quoted(group.origin()),
        quoted(&group.log_key().to_string()),
        read_member(path)?
    );
    let alone = Group::parse(&alone).map_err(|error| GroupFileError::Group { path: path.to_owned(), error })?;
    let problem = || GroupFileError::Member { path: path.to_owned(), problem: "it holds no member".to_owned() };
    alone.members().first().cloned().ok_or_else(problem)
}

/// Founds a group from its members' files.
///
/// # Errors
/// [`GroupFileError`], naming the file at fault where there is one.
pub fn found(founding: &Founding<'_>, members: &[PathBuf]) -> Result<Group, GroupFileError> {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let mut text = format!(
        "origin = {}\nepoch = 0\nlog-key = {}\nthreshold = {}\ncommit-window-ms = {}\nreveal-window-ms = {}\n\
         containment = [{}]\n",
        quoted(founding.origin),
        quoted(&founding.log_key.to_string()),
        founding.threshold,
        founding.commit_window_s.saturating_mul(1000),
        founding.reveal_window_s.saturating_mul(1000),
        founding.containment.iter().map(|wall| quoted(wall.name())).collect::<Vec<_>>().join(", "),
    );
    for path in members {
        text.push('\n');
        text.push_str(&read_member(path)?);
    }
    text.push('\n');
    text.push_str(founding.overrides);
    Group::parse(&text).map_err(GroupFileError::Founding)
}

/// Reads a file of overrides, after a look at whether it is that and nothing else.
///
/// # Errors
/// [`GroupFileError::File`] or [`GroupFileError::Overrides`].
pub fn overrides(path: &Path) -> Result<String, GroupFileError> {
    let text = fs::read_to_string(path).map_err(|error| GroupFileError::File { path: path.to_owned(), error })?;
    let problem = |error: toml::de::Error| error.message().to_owned();
    parse_overrides(&text)
        .map_err(|error| GroupFileError::Overrides { path: path.to_owned(), problem: problem(error) })?;
    Ok(text)
}

/// Checks a member's name before anything is made for it.
///
/// # Errors
/// [`GroupFileError::Name`].
pub fn check_name(name: &str) -> Result<(), GroupFileError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    // The group file is checked again as a whole; `none` and `builders` mean something else in a policy.
    let good = (1..=MEMBER_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed);
    if good && name != "none" && name != "builders" { Ok(()) } else { Err(GroupFileError::Name(name.to_owned())) }
}

/// The text of a member's file, after a look at whether it is one member and nothing else.
fn read_member(path: &Path) -> Result<String, GroupFileError> {
    let text = fs::read_to_string(path).map_err(|error| GroupFileError::File { path: path.to_owned(), error })?;
    let problem = |problem: String| GroupFileError::Member { path: path.to_owned(), problem };
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| problem(error.message().to_owned()))?;
    let members = table.get("member").and_then(toml::Value::as_array).map_or(0, Vec::len);
    if table.len() != 1 || members != 1 {
        return Err(problem("expected one [[member]] table and nothing else".to_owned()));
    }
    Ok(text)
}
