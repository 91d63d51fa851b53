//! What a builder still owes the group, recomputed from state whenever somebody asks.
//!
//! There is no queue of pending effects anywhere: after a crash the node replays its blocks, reads its journal and
//! asks again. Asking twice gives the same answer, so the node may act on each duty as often as it likes until the
//! machine shows the effect.

use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::{BuilderId, RequestId};
use synchronicity_verify::result::BuildResult;

use crate::journal::Journal;
use crate::machine::Machine;
use crate::round::{Phase, Round};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Duty {
    /// Build, then seal the result in the journal.
    Build {
        /// Which request.
        request: RequestId,
        /// Which round of it.
        round: u32,
    },
    /// Send the commitment of the sealed result.
    Commit {
        /// Which request.
        request: RequestId,
        /// Which round of it.
        round: u32,
        /// The seal.
        commitment: Digest,
    },
    /// Open the commitment that is on the chain.
    Reveal {
        /// Which request.
        request: RequestId,
        /// Which round of it.
        round: u32,
        /// What was sealed.
        result: BuildResult,
        /// What hid it.
        nonce: [u8; 32],
    },
    /// Cosign the log as it is now, after the state that it names is durable.
    Cosign {
        /// Entries in the log.
        size: u64,
        /// Its Merkle root.
        root: Digest,
    },
}

/// Everything that `me` owes in this state: the rounds with the nearest deadline first, the cosignature last. A stranger
/// owes nothing.
pub fn duties(machine: &Machine, journal: &Journal, me: BuilderId) -> Vec<Duty> {
    if machine.group().member(&me).is_none() {
        return Vec::new();
    }
    let mut rounds: Vec<(&RequestId, &Round)> = machine.open_rounds().collect();
    // Not in order of request id: whoever floods the group could choose ids that come before everybody else's.
    rounds.sort_by_key(|(id, round)| (round.deadline_ms(), **id));
    let mut owed: Vec<Duty> = rounds.into_iter().filter_map(|(id, round)| in_round(id, round, journal, me)).collect();
    owed.extend(cosignature(machine, journal));
    owed
}

fn in_round(id: &RequestId, round: &Round, journal: &Journal, me: BuilderId) -> Option<Duty> {
    let (request, number) = (*id, round.number());
    let mine = round.member(&me)?;
    let sealed = journal.sealed(id, number);
    match (round.phase(), mine.commitment(), sealed) {
        (Phase::Committing { .. }, None, None) => Some(Duty::Build { request, round: number }),
        (Phase::Committing { .. }, None, Some(sealed)) => {
            Some(Duty::Commit { request, round: number, commitment: sealed.commitment(id, &me) })
        }
        (Phase::Revealing { .. }, Some(ordered), Some(sealed)) => {
            // A journal that was lost and begun anew holds a seal that cannot open what is on the chain.
            let opens = sealed.commitment(id, &me) == *ordered;
            (opens && mine.opening().is_none()).then(|| Duty::Reveal {
                request,
                round: number,
                result: sealed.result.clone(),
                nonce: sealed.nonce,
            })
        }
        _ => None,
    }
}

fn cosignature(machine: &Machine, journal: &Journal) -> Option<Duty> {
    let (size, root) = (machine.log().size(), machine.log().root());
    let cosigned = journal.cosigned().map_or(0, |(size, _)| size);
    (size > cosigned).then_some(Duty::Cosign { size, root })
}
