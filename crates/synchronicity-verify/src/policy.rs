//! The policy file (C2SP `tlog-policy`): whose log, which builders, how many of them.
//!
//! ```text
//! # comment
//! log <verifier key> [url]                       exactly one; its key name is the log's origin
//! witness <name> <verifier key> [url]
//! group <name> all|any|<k> <member>...           members are witnesses or groups defined above
//! quorum <name>|none                             exactly one
//! ```
//!
//! Items are separated by spaces and tabs; each line ends in a newline. Stricter than the specification: one log, of
//! type `01`; witnesses of type `04`; UTF-8; and no public key twice, not even as log and witness.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::digest::Digest;
use crate::key::VerifierKey;
use crate::note::NoteSignature;
use crate::policy_text;
pub use crate::policy_text::{LineProblem, PolicyError};

/// The largest policy file, in bytes.
pub const POLICY_BYTES_MAX: usize = 128 * 1024;

/// The most witnesses, and the most groups, of a policy.
pub const PARTS_MAX: usize = 64;

/// A policy: the only thing that a verifier takes on trust. Read by [`Policy::parse`], written by `Display` (without
/// the comments).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub(crate) log: VerifierKey,
    pub(crate) log_url: Option<String>,
    pub(crate) witnesses: Vec<Witness>,
    /// In the order of the file: members of a group stand before it.
    pub(crate) groups: Vec<Group>,
    pub(crate) quorum: Option<Part>,
}

/// A cosigner that the policy knows. It counts only where the quorum includes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Name within the policy file.
    pub name: String,
    /// Key of type `04`.
    pub key: VerifierKey,
    /// Where it can be reached, if anybody needs to.
    pub url: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) name: String,
    /// How many members must cosign: 1 to all of them.
    pub(crate) needed: usize,
    pub(crate) members: Vec<Part>,
}

/// A witness or a group, by its position in the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Witness(usize),
    Group(usize),
}

impl Policy {
    /// Reads a policy file.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        policy_text::parse(bytes)
    }

    /// The ordinary policy of a group of builders: any `threshold` of `witnesses`, in a group named `builders`.
    pub fn any_of(
        log: VerifierKey,
        log_url: Option<String>,
        witnesses: Vec<Witness>,
        threshold: usize,
    ) -> Result<Self, PolicyError> {
        let members = (0..witnesses.len()).map(Part::Witness).collect();
        let groups = vec![Group { name: "builders".to_owned(), needed: threshold, members }];
        let policy = Self { log, log_url, witnesses, groups, quorum: Some(Part::Group(0)) };
        // Written and read again, so that a policy made here obeys each rule of one that comes from a file.
        Self::parse(policy.to_string().as_bytes())
    }

    /// The log's key. Its name is the log's origin.
    pub fn log(&self) -> &VerifierKey {
        &self.log
    }

    /// Where the log can be read.
    pub fn log_url(&self) -> Option<&str> {
        self.log_url.as_deref()
    }

    /// Every witness of the policy, whether the quorum includes it or not.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// Whether the line claims to be of the log's key or of a witness's.
    pub(crate) fn knows(&self, line: &NoteSignature) -> bool {
        line.is_of(&self.log) || self.witnesses.iter().any(|witness| line.is_of(&witness.key))
    }

    /// Whether witness number `index` of [`Policy::witnesses`] is included in the quorum.
    pub fn counts(&self, index: usize) -> bool {
        let mut open: Vec<Part> = self.quorum.into_iter().collect();
        // Ends: a group's members all stand before it, and each name is a member at most once.
        while let Some(part) = open.pop() {
            match part {
                Part::Witness(witness) if witness == index => return true,
                Part::Witness(_) => {}
                Part::Group(group) => open.extend(&self.groups[group].members),
            }
        }
        false
    }

    /// Whether the quorum is reached, when `cosigned[i]` says whether witness `i` cosigned. Missing flags are `false`.
    pub fn is_reached(&self, cosigned: &[bool]) -> bool {
        let times: Vec<_> = cosigned.iter().map(|cosigned| cosigned.then_some(0)).collect();
        self.quorum.is_none() || self.reached_since(&times).is_some()
    }

    /// The latest time for which the cosignatures of that time and later ones still reach the quorum, when
    /// `times[i]` is the time of witness `i`'s cosignature. `None` if all of them do not, or if there is no quorum.
    pub(crate) fn reached_since(&self, times: &[Option<u64>]) -> Option<u64> {
        let mut groups: Vec<Option<u64>> = Vec::new();
        let since = |groups: &[Option<u64>], part: Part| match part {
            Part::Witness(witness) => times.get(witness).copied().flatten(),
            Part::Group(group) => groups.get(group).copied().flatten(),
        };
        for group in &self.groups {
            // As many members as are needed hold at the time of the last of them, latest first.
            let mut members: Vec<_> = group.members.iter().map(|member| since(&groups, *member)).collect();
            members.sort_unstable_by(|a, b| b.cmp(a));
            groups.push(members.get(group.needed.saturating_sub(1)).copied().flatten());
        }
        self.quorum.and_then(|quorum| since(&groups, quorum))
    }

    /// The fewest witnesses whose cosignatures reach the quorum: 0 if there is no quorum.
    pub fn signers_min(&self) -> usize {
        let mut groups: Vec<usize> = Vec::new();
        let fewest = |groups: &[usize], part: Part| match part {
            Part::Witness(_) => 1,
            Part::Group(group) => groups.get(group).copied().unwrap_or(0),
        };
        for group in &self.groups {
            let mut members: Vec<_> = group.members.iter().map(|member| fewest(&groups, *member)).collect();
            members.sort_unstable();
            groups.push(members.iter().take(group.needed).sum());
        }
        self.quorum.map_or(0, |quorum| fewest(&groups, quorum))
    }

    /// Names the policy for people who compare it over another channel: SHA-256 of what `Display` writes without the
    /// addresses. Comments and addresses decide nothing, and differ from node to node.
    pub fn sha256(&self) -> Digest {
        let mut bare = Self { log_url: None, ..self.clone() };
        bare.witnesses.iter_mut().for_each(|witness| witness.url = None);
        Digest::of(bare.to_string().as_bytes())
    }

    /// The quorum in words, as in `3 of builder-a, builder-b, builder-c, builder-d`.
    pub fn quorum_in_words(&self) -> String {
        match self.quorum {
            None => "none".to_owned(),
            Some(Part::Witness(witness)) => self.witnesses[witness].name.clone(),
            Some(Part::Group(group)) => {
                let group = &self.groups[group];
                let names: Vec<_> = group.members.iter().map(|member| self.name_of(*member)).collect();
                format!("{} of {}", group.needed, names.join(", "))
            }
        }
    }

    pub(crate) fn name_of(&self, part: Part) -> &str {
        match part {
            Part::Witness(witness) => &self.witnesses[witness].name,
            Part::Group(group) => &self.groups[group].name,
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = |url: &Option<String>| url.as_ref().map(|url| format!(" {url}")).unwrap_or_default();
        writeln!(f, "log {}{}", self.log, url(&self.log_url))?;
        for witness in &self.witnesses {
            writeln!(f, "witness {} {}{}", witness.name, witness.key, url(&witness.url))?;
        }
        for group in &self.groups {
            write!(f, "group {} {}", group.name, group.needed)?;
            group.members.iter().try_for_each(|member| write!(f, " {}", self.name_of(*member)))?;
            writeln!(f)?;
        }
        writeln!(f, "quorum {}", self.quorum.map_or("none", |quorum| self.name_of(quorum)))
    }
}
