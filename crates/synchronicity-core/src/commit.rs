//! Step 4, commitment: a builder seals its result before it can know anybody else's.

use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::{BuilderId, RequestId};

use crate::machine::Machine;
use crate::rejection::Rejection;
use crate::round::Phase;

impl Machine {
    pub(crate) fn may_commit(
        &self,
        author: BuilderId,
        request: &RequestId,
        number: u32,
        commitment: &Digest,
    ) -> Result<(), Rejection> {
        let round = self.open_round(request, number)?;
        // An open round is of this epoch, and the command's author one of its members.
        let member = round.members.get(&author).ok_or(Rejection::Absent)?;
        match (round.phase, member.commitment) {
            (_, Some(first)) if first == *commitment => Err(Rejection::Duplicate),
            (Phase::Committing { .. }, None) => Ok(()),
            (Phase::Committing { .. }, Some(_)) => Err(Rejection::Equivocation),
            _ => Err(Rejection::TooLate),
        }
    }

    pub(crate) fn commit(&mut self, author: BuilderId, request: &RequestId, commitment: Digest) {
        let round = self.round_mut(request);
        round.members.entry(author).or_default().commitment = Some(commitment);
        if round.everybody_committed() {
            self.begin_reveals(request);
        }
    }

    /// Keeps the first contradiction only, so that a liar cannot make every node persist block after block.
    /// Says whether this was the first.
    pub(crate) fn note_equivocation(&mut self, author: BuilderId, request: &RequestId, commitment: &Digest) -> bool {
        let member = self.round_mut(request).members.entry(author).or_default();
        let first = member.contradicted.is_none();
        member.contradicted.get_or_insert(*commitment);
        first
    }

    /// From here on nobody can seal any more, so opening gives nothing away.
    pub(crate) fn begin_reveals(&mut self, request: &RequestId) {
        let deadline_ms = self.time_ms.saturating_add(self.group.reveal_window_ms());
        self.round_mut(request).phase = Phase::Revealing { deadline_ms };
    }
}
