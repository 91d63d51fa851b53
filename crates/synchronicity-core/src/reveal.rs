//! Step 5, reveal: a builder opens its seal, and only its own.

use std::sync::Arc;

use synchronicity_verify::commitment::commitment;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::Opening;
use synchronicity_verify::identity::{BuilderId, RequestId};
use synchronicity_verify::result::BuildResult;

use crate::machine::{Applied, Machine};
use crate::rejection::Rejection;
use crate::round::Phase;

impl Machine {
    pub(crate) fn may_reveal(
        &self,
        author: BuilderId,
        request: &RequestId,
        number: u32,
        result: &Digest,
        nonce: &[u8; 32],
    ) -> Result<(), Rejection> {
        let round = self.open_round(request, number)?;
        if matches!(round.phase, Phase::Committing { .. }) {
            return Err(Rejection::TooEarly);
        }
        let member = round.members.get(&author).ok_or(Rejection::Absent)?;
        let sealed = member.commitment.ok_or(Rejection::NoCommitment)?;
        if member.opening.is_some() {
            return Err(Rejection::Duplicate);
        }
        // The author's identity is in the commitment: a copied one opens for nobody.
        if commitment(request, &author, result, nonce) != sealed {
            return Err(Rejection::BadOpening);
        }
        Ok(())
    }

    pub(crate) fn reveal(
        &mut self,
        author: BuilderId,
        request: &RequestId,
        result: &BuildResult,
        nonce: &[u8; 32],
        attestation: Digest,
        applied: &mut Applied,
    ) {
        let digest = result.digest();
        let round = self.round_mut(request);
        let member = round.members.entry(author).or_default();
        member.opening = Some(Opening { nonce: *nonce, result: digest });
        member.attestation = Some(attestation);
        round.results.entry(digest).or_insert_with(|| Arc::new(result.clone()));
        if round.every_seal_is_open() {
            self.conclude(request, applied);
        }
    }
}
