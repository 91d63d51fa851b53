//! Between two epochs: members propose who shall be members next, approve of it, and the group closes the epoch.
//!
//! When as many members have approved of one proposal as [`Group::approvals_needed`] says, the epoch is *ending*: no more
//! requests are taken, and those that are open go on to their verdicts, each of which has a deadline. The block in which
//! none is open is the last of the epoch. Its last entry says who follows; a machine applies nothing after it until
//! [`Machine::begin_epoch`] is called.

use std::collections::BTreeMap;

use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::BuilderId;
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::membership::{Approval, MEMBERSHIP_SCHEMA, Membership, MembershipEntry, Voter};

use crate::group::Group;
use crate::machine::{Applied, Machine};
use crate::open::NOTHING_OPEN;
use crate::rejection::Rejection;

/// Most proposals of one member in an epoch: each makes every node write a block of up to 32 KiB, and must not be a way to
/// fill disks.
pub const MAX_PROPOSALS_PER_AUTHOR: u32 = 16;

/// What one member proposes. Each has at most one proposal at a time: a later one replaces it, with its approvals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub(crate) membership: Membership,
    pub(crate) next: Group,
    pub(crate) approvals: BTreeMap<BuilderId, Approval>,
}

/// Where an epoch stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Succession {
    pub(crate) proposals: BTreeMap<BuilderId, Proposal>,
    /// How often each member has proposed.
    pub(crate) made: BTreeMap<BuilderId, u32>,
    /// The author of the proposal that is agreed on.
    pub(crate) agreed: Option<BuilderId>,
    /// The group that follows, once the epoch is over.
    closed: Option<Group>,
}

impl Proposal {
    /// Who shall be members.
    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    /// The group that they would be.
    pub fn next(&self) -> &Group {
        &self.next
    }

    /// What members approve of.
    pub fn digest(&self) -> Digest {
        self.membership.digest()
    }

    /// Who approved, in order of [`BuilderId`].
    pub fn approved_by(&self) -> impl Iterator<Item = &BuilderId> {
        self.approvals.keys()
    }
}

impl Machine {
    /// The proposals of this epoch, each with its author.
    pub fn proposals(&self) -> impl Iterator<Item = (&BuilderId, &Proposal)> {
        self.succession.proposals.iter()
    }

    /// The proposal that the group has agreed on, if it has: the epoch ends as soon as no round is open.
    pub fn agreed(&self) -> Option<&Proposal> {
        self.succession.proposals.get(self.succession.agreed.as_ref()?)
    }

    /// The group that follows, if the epoch is over. Nothing is applied until [`Machine::begin_epoch`].
    pub fn closed(&self) -> Option<&Group> {
        self.succession.closed.as_ref()
    }

    /// Goes over to the group that follows, if the epoch is over: whether it was.
    pub fn begin_epoch(&mut self) -> bool {
        let Some(next) = self.succession.closed.take() else { return false };
        self.group = next;
        self.succession = Succession::default();
        self.open_digest = NOTHING_OPEN;
        self.begun = self.executed();
        true
    }

    pub(crate) fn may_propose(&self, author: BuilderId, membership: &Membership) -> Result<(), Rejection> {
        if self.agreed().is_some() {
            return Err(Rejection::EpochEnds);
        }
        let digest = membership.digest();
        if self.succession.proposals.values().any(|proposal| proposal.digest() == digest) {
            return Err(Rejection::Duplicate);
        }
        if self.succession.made.get(&author).is_some_and(|made| *made >= MAX_PROPOSALS_PER_AUTHOR) {
            return Err(Rejection::TooManyProposals);
        }
        if self.group.followed_by(membership).is_err() {
            return Err(Rejection::NoSuccessor);
        }
        Ok(())
    }

    pub(crate) fn propose(&mut self, author: BuilderId, membership: &Membership) {
        if let Ok(next) = self.group.followed_by(membership) {
            let proposal = Proposal { membership: membership.clone(), next, approvals: BTreeMap::new() };
            self.succession.proposals.insert(author, proposal);
            *self.succession.made.entry(author).or_default() += 1;
        }
    }

    pub(crate) fn may_approve(&self, author: BuilderId, digest: &Digest) -> Result<(), Rejection> {
        if self.agreed().is_some() {
            return Err(Rejection::EpochEnds);
        }
        let mut proposals = self.succession.proposals.values();
        let proposal = proposals.find(|proposal| proposal.digest() == *digest).ok_or(Rejection::UnknownProposal)?;
        if proposal.approvals.contains_key(&author) { Err(Rejection::Duplicate) } else { Ok(()) }
    }

    pub(crate) fn approve(&mut self, author: BuilderId, digest: &Digest, signature: [u8; 64]) {
        let needed = self.group.approvals_needed();
        let mut proposals = self.succession.proposals.iter_mut();
        let Some((proposer, proposal)) = proposals.find(|(_, proposal)| proposal.digest() == *digest) else { return };
        proposal.approvals.insert(author, Approval(signature));
        if proposal.approvals.len() >= needed {
            self.succession.agreed = Some(*proposer);
        }
    }

    /// Ends the epoch if it is ending and no round is open. Asked at the end of a block.
    pub(crate) fn close_epoch(&mut self, applied: &mut Applied) {
        let Some(proposal) = self.agreed().filter(|_| self.open.is_empty() && self.closed().is_none()) else { return };
        let entry = self.membership_entry(proposal);
        let next = proposal.next.clone();
        applied.changed = true;
        applied.logged.push(self.log.append(Leaf::Membership(entry)));
        self.succession.closed = Some(next);
    }

    fn membership_entry(&self, proposal: &Proposal) -> MembershipEntry {
        let voter = |member: &crate::group::Member| Voter {
            builder: member.command,
            name: member.cosigner.name().to_owned(),
            absent: member.absent,
            approval: proposal.approvals.get(&member.command).copied(),
        };
        let mut members: Vec<Voter> = self.group.members().iter().map(voter).collect();
        members.sort_by_key(|voter| voter.builder);
        MembershipEntry {
            schema: MEMBERSHIP_SCHEMA,
            group: self.group.id(),
            epoch: self.group.epoch(),
            height: self.height,
            time_ms: self.time_ms,
            next: proposal.membership.clone(),
            next_group: proposal.next.id(),
            threshold: self.group.threshold(),
            members,
            map_root: self.log.map().root(),
        }
    }
}
