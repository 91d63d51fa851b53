//! From one epoch's group to the next one's.

use synchronicity_verify::membership::{self, Membership};

use super::{Charter, Group, GroupError, Member};

impl Group {
    /// How many members must approve of a change of membership; see [`membership::approvals_needed`].
    pub fn approvals_needed(&self) -> usize {
        membership::approvals_needed(self.members().len(), self.threshold())
    }

    /// The members as a membership of the next epoch, unchanged: what a change is made from.
    pub fn membership(&self) -> Membership {
        Membership {
            epoch: self.epoch().saturating_add(1),
            threshold: self.threshold(),
            members: self.members().iter().map(membership::Member::from).collect(),
        }
    }

    /// The group that these members make in the next epoch. Everything else of the group stays.
    ///
    /// # Errors
    /// [`GroupError`]: an epoch that is not the next, or members that make no group.
    pub fn followed_by(&self, next: &Membership) -> Result<Group, GroupError> {
        next.check()?;
        if self.epoch().checked_add(1) != Some(next.epoch) {
            return Err(GroupError::NotNext { epoch: self.epoch(), next: next.epoch });
        }
        Group::new(Charter {
            epoch: next.epoch,
            threshold: next.threshold,
            members: next.members.iter().map(Member::from).collect(),
            ..self.charter.clone()
        })
    }
}

impl From<&Member> for membership::Member {
    fn from(member: &Member) -> Self {
        let Member { name, consensus, command, cosigner, attestation, address, absent } = member.clone();
        Self { name, consensus, builder: command, cosigner, attestation, address, absent }
    }
}

impl From<&membership::Member> for Member {
    fn from(member: &membership::Member) -> Self {
        let membership::Member { name, consensus, builder, cosigner, attestation, address, absent } = member.clone();
        Self { name, consensus, command: builder, cosigner, attestation, address, absent }
    }
}
