//! What can be attested: an entry in which a group agreed on artifacts, and that group.

use synchronicity_core::group::{Group, Member};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{Entry, MemberRecord, Verdict};
use synchronicity_verify::identity::BuilderId;
use synchronicity_verify::result::{Artifact, BuildResult};

/// An entry with the verdict `reproduced`, and the group that it names.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    entry: &'a Entry,
    group: &'a Group,
    artifacts: &'a [Artifact],
}

/// Why there is nothing to attest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NothingToAttest {
    /// Builders did not agree on artifacts.
    #[error("the entry's verdict is {0}: only `reproduced` is attested")]
    Verdict(Verdict),
    /// The group file is of another group, or of another epoch.
    #[error("the entry is of the group {entry}, the group file of {file}")]
    Group {
        /// In the entry.
        entry: Digest,
        /// Of the group file.
        file: Digest,
    },
}

impl<'a> Evidence<'a> {
    /// The evidence in an entry.
    ///
    /// # Errors
    /// [`NothingToAttest`].
    pub fn new(entry: &'a Entry, group: &'a Group) -> Result<Self, NothingToAttest> {
        if entry.group != group.id() {
            return Err(NothingToAttest::Group { entry: entry.group, file: group.id() });
        }
        match entry.agreed.as_ref().and_then(BuildResult::artifacts) {
            Some(artifacts) if entry.verdict == Verdict::Reproduced => {
                Ok(Self { entry, group, artifacts: artifacts.as_slice() })
            }
            _ => Err(NothingToAttest::Verdict(entry.verdict)),
        }
    }

    /// The entry.
    pub fn entry(&self) -> &'a Entry {
        self.entry
    }

    /// The group.
    pub fn group(&self) -> &'a Group {
        self.group
    }

    /// What the builders agreed on.
    pub fn artifacts(&self) -> &'a [Artifact] {
        self.artifacts
    }

    /// Members who revealed exactly that, sorted by name, each with its record in the entry.
    pub fn agreeing(&self) -> Vec<(&'a Member, &'a MemberRecord)> {
        let members = self.group.members().iter();
        members.filter_map(|member| Some((member, self.record(&member.command)?))).collect()
    }

    /// The record of a builder who revealed the agreed artifacts; `None` for everybody else.
    pub fn record(&self, builder: &BuilderId) -> Option<&'a MemberRecord> {
        self.entry.agreeing().find(|record| record.builder == *builder)
    }
}
