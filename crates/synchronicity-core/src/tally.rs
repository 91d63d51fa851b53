//! Step 6, tally: what was revealed becomes a verdict, and the verdict an entry of the log.
//!
//! The rule itself is [`tally`] of the verifier, so that whoever recounts an entry counts as the group did.

use synchronicity_verify::digest::Digest;
use synchronicity_verify::entry::{ENTRY_SCHEMA, Entry, MemberRecord, Verdict, tally};
use synchronicity_verify::identity::{BuilderId, RequestId};
use synchronicity_verify::leaf::Leaf;
use synchronicity_verify::result::BuildResult;

use crate::machine::{Applied, Machine};
use crate::round::{Phase, Round};

impl Machine {
    /// Closes a round with whatever was revealed so far.
    pub(crate) fn conclude(&mut self, request: &RequestId, applied: &mut Applied) {
        let entry = self.entry(&self.rounds[request]);
        let verdict = entry.verdict;
        let logged = self.log.append(Leaf::Build(entry));
        let index = logged.index;
        applied.logged.push(logged);
        self.open.remove(request);
        let round = self.round_mut(request);
        round.phase = Phase::Concluded { index, verdict };
        round.lock = [].into();
    }

    fn entry(&self, round: &Round) -> Entry {
        let reveals: Vec<(BuilderId, Digest)> =
            round.members().filter_map(|(builder, member)| Some((*builder, member.opening()?.result))).collect();
        let tally = tally(self.group.threshold(), &reveals);
        let agreed =
            tally.agreed.and_then(|digest| round.results.get(&digest)).map(|agreed| BuildResult::clone(agreed));
        // Every revealed result is kept under its digest, so the agreed one is at hand; were it not, an entry that
        // claims nothing is the only one that could stand.
        let verdict = tally.verdict(agreed.as_ref()).unwrap_or(Verdict::Inconclusive);
        Entry {
            schema: ENTRY_SCHEMA,
            group: self.group.id(),
            epoch: self.group.epoch(),
            height: self.height,
            time_ms: self.time_ms,
            request: round.request.clone(),
            round: round.number,
            threshold: self.group.threshold(),
            verdict,
            agreed,
            members: self.records(round),
            // Stated when the entry is recorded.
            map_root: self.log.map().root(),
        }
    }

    fn records(&self, round: &Round) -> Vec<MemberRecord> {
        let name = |builder: &BuilderId| {
            let member = self.group.member(builder);
            member.map_or_else(String::new, |member| member.cosigner.name().to_owned())
        };
        let records = round.members().map(|(builder, member)| MemberRecord {
            builder: *builder,
            name: name(builder),
            commitment: member.commitment,
            opening: member.opening,
            attestation: member.attestation,
        });
        records.collect()
    }
}
