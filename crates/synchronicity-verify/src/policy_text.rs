//! Reads the text of a policy file, one line at a time.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use crate::checkpoint::parse_decimal;
use crate::key::{KeyError, KeyKind, VerifierKey};
use crate::policy::{Group, PARTS_MAX, POLICY_BYTES_MAX, Part, Policy, Witness};

/// Bytes that are no policy, or a policy that must not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// More than [`POLICY_BYTES_MAX`].
    #[error("policy of {0} bytes; at most {POLICY_BYTES_MAX} are read")]
    TooLong(usize),
    /// Not UTF-8, or with a control character other than tab and newline.
    #[error("policy is not plain text: it must be UTF-8 with no control characters but tab and newline")]
    NotText,
    /// The last line does not end in a newline.
    #[error("policy is cut off: its last line does not end in a newline")]
    Truncated,
    /// A line that breaks a rule.
    #[error("policy, line {number}: {problem}")]
    Line {
        /// Number of the line, from 1.
        number: usize,
        /// Which rule.
        problem: LineProblem,
    },
    /// No line with the log.
    #[error("policy has no log line; add \"log <verifier key>\"")]
    NoLog,
    /// No line with the quorum.
    #[error("policy has no quorum line; add \"quorum <name>\"")]
    NoQuorum,
}

/// What a line of a policy does wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineProblem {
    /// Neither `log`, `witness`, `group` nor `quorum`.
    #[error("unknown word {0:?}; a line begins with log, witness, group or quorum")]
    Keyword(String),
    /// Too few or too many items.
    #[error("too few or too many items; write {0}")]
    Shape(&'static str),
    /// The key cannot be used.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// A log key that is no log's, or a witness key that is no cosigner's.
    #[error("the key is of type {found:02x}; a {wanted:02x} is needed here")]
    Kind {
        /// The key's type byte.
        found: u8,
        /// The type byte that belongs here.
        wanted: u8,
    },
    /// A public key, or a key name with key id, that the policy already has.
    #[error("this key is in the policy already: one key may have one vote only")]
    DuplicateKey,
    /// A second `log` line.
    #[error("a second log; write a policy for each log")]
    SecondLog,
    /// A second `quorum` line.
    #[error("a second quorum")]
    SecondQuorum,
    /// A name defined twice, or `none` defined.
    #[error("the name {0:?} is taken")]
    NameTaken(String),
    /// A name used before it is defined, or never.
    #[error("the name {0:?} is not defined above this line")]
    Undefined(String),
    /// A name that is a member of a group already.
    #[error("{0:?} is a member of a group already: it may have one vote only")]
    SecondMembership(String),
    /// A group's number that is not from 1 to the number of its members.
    #[error("a group needs all, any, or a number from 1 to the number of its members")]
    Threshold,
    /// More than [`PARTS_MAX`] witnesses or groups.
    #[error("more than {PARTS_MAX} witnesses or groups")]
    TooMany,
}

/// What the lines read so far have defined.
#[derive(Default)]
struct Lines {
    log: Option<(VerifierKey, Option<String>)>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    quorum: Option<Option<Part>>,
    names: BTreeMap<String, Part>,
    members: BTreeSet<String>,
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Policy, PolicyError> {
    if bytes.len() > POLICY_BYTES_MAX {
        return Err(PolicyError::TooLong(bytes.len()));
    }
    let text = core::str::from_utf8(bytes).map_err(|_| PolicyError::NotText)?;
    if text.bytes().any(|byte| (byte < 0x20 && byte != b'\n' && byte != b'\t') || byte == 0x7f) {
        return Err(PolicyError::NotText);
    }
    let body = text.strip_suffix('\n').ok_or(PolicyError::Truncated)?;
    let mut lines = Lines::default();
    for (number, line) in body.split('\n').enumerate() {
        lines.read(line).map_err(|problem| PolicyError::Line { number: number + 1, problem })?;
    }
    let (log, log_url) = lines.log.ok_or(PolicyError::NoLog)?;
    let quorum = lines.quorum.ok_or(PolicyError::NoQuorum)?;
    Ok(Policy { log, log_url, witnesses: lines.witnesses, groups: lines.groups, quorum })
}

impl Lines {
    fn read(&mut self, line: &str) -> Result<(), LineProblem> {
        let items: Vec<&str> = line.split([' ', '\t']).filter(|item| !item.is_empty()).collect();
        match items.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key] => self.log(key, None),
            ["log", key, url] => self.log(key, Some(url)),
            ["log", ..] => Err(LineProblem::Shape("log <verifier key> [url]")),
            ["witness", name, key] => self.witness(name, key, None),
            ["witness", name, key, url] => self.witness(name, key, Some(url)),
            ["witness", ..] => Err(LineProblem::Shape("witness <name> <verifier key> [url]")),
            ["group", name, needed, members @ ..] if !members.is_empty() => self.group(name, needed, members),
            ["group", ..] => Err(LineProblem::Shape("group <name> all|any|<k> <member>...")),
            ["quorum", name] => self.quorum(name),
            ["quorum", ..] => Err(LineProblem::Shape("quorum <name>|none")),
            [other, ..] => Err(LineProblem::Keyword((*other).to_owned())),
        }
    }

    fn log(&mut self, key: &str, url: Option<&str>) -> Result<(), LineProblem> {
        if self.log.is_some() {
            return Err(LineProblem::SecondLog);
        }
        let key = self.new_key(key, KeyKind::Log)?;
        self.log = Some((key, url.map(str::to_owned)));
        Ok(())
    }

    fn witness(&mut self, name: &str, key: &str, url: Option<&str>) -> Result<(), LineProblem> {
        if self.witnesses.len() == PARTS_MAX {
            return Err(LineProblem::TooMany);
        }
        let key = self.new_key(key, KeyKind::Cosigner)?;
        self.define(name, Part::Witness(self.witnesses.len()))?;
        self.witnesses.push(Witness { name: name.to_owned(), key, url: url.map(str::to_owned) });
        Ok(())
    }

    fn group(&mut self, name: &str, needed: &str, members: &[&str]) -> Result<(), LineProblem> {
        if self.groups.len() == PARTS_MAX {
            return Err(LineProblem::TooMany);
        }
        let needed = match needed {
            "all" => members.len(),
            "any" => 1,
            number => parse_decimal(number).and_then(|k| usize::try_from(k).ok()).ok_or(LineProblem::Threshold)?,
        };
        if needed == 0 || needed > members.len() {
            return Err(LineProblem::Threshold);
        }
        let mut parts = Vec::new();
        for member in members {
            parts.push(self.lookup(member)?);
            if !self.members.insert((*member).to_owned()) {
                return Err(LineProblem::SecondMembership((*member).to_owned()));
            }
        }
        self.define(name, Part::Group(self.groups.len()))?;
        self.groups.push(Group { name: name.to_owned(), needed, members: parts });
        Ok(())
    }

    fn quorum(&mut self, name: &str) -> Result<(), LineProblem> {
        if self.quorum.is_some() {
            return Err(LineProblem::SecondQuorum);
        }
        self.quorum = Some(if name == "none" { None } else { Some(self.lookup(name)?) });
        Ok(())
    }

    fn new_key(&self, text: &str, kind: KeyKind) -> Result<VerifierKey, LineProblem> {
        let key: VerifierKey = text.parse()?;
        if key.kind() != kind {
            return Err(LineProblem::Kind { found: key.kind().byte(), wanted: kind.byte() });
        }
        let known = self.log.iter().map(|(log, _)| log).chain(self.witnesses.iter().map(|witness| &witness.key));
        for other in known {
            // Equal names and ids would let one signature line speak for two keys.
            let same_line = other.name() == key.name() && other.id() == key.id();
            if same_line || other.public_bytes() == key.public_bytes() {
                return Err(LineProblem::DuplicateKey);
            }
        }
        Ok(key)
    }

    fn define(&mut self, name: &str, part: Part) -> Result<(), LineProblem> {
        if name == "none" || self.names.contains_key(name) {
            return Err(LineProblem::NameTaken(name.to_owned()));
        }
        self.names.insert(name.to_owned(), part);
        Ok(())
    }

    fn lookup(&self, name: &str) -> Result<Part, LineProblem> {
        self.names.get(name).copied().ok_or_else(|| LineProblem::Undefined(name.to_owned()))
    }
}
