//! Before a member votes it asks the others what they have seen it sign.
//!
//! A member must never contradict a vote that it gave before, and it knows its votes from its journal. But a folder may
//! have been restored from an old backup, or lost, and nothing in it says so. The others know better: each answers with the
//! latest vote and the latest certificate that holds the asker's signature, and with the latest finalization. Three things
//! follow.
//!
//! - Nobody votes before so many have answered that there could be a quorum: without those it would have no effect.
//! - If nobody has seen more than the journal holds, the member votes, above the highest finalization that it was shown:
//!   what lies below is decided, and no vote of its own is wanted there.
//! - If somebody has, this member has forgotten votes, and perhaps some that nobody saw. It is silent until a view is final
//!   that lies so far behind the last of them that it cannot have voted there, and then votes above that one. While another
//!   process votes with the same key that never happens.
//!
//! ```text
//! message = 0 (one byte)                                                              what have you seen of me?
//!         / 1 (one byte) ‖ vote? ‖ certificate? ‖ finalization?                       as the engine writes them
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use commonware_codec::{Decode, Encode};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::{Epochable, Viewable};
use commonware_cryptography::ed25519::PublicKey;
use commonware_macros::select;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_parallel::Sequential;
use commonware_runtime::Clock;
use rand_core::CryptoRng;
use tokio::sync::{mpsc, watch};

use crate::chain::EPOCH;
use crate::journal::Own;
use crate::memory::{Answer, Certificate, Finalization, Memory, Vote, signer, signers};
use crate::sightings::{Key, Sightings, hex, key_of};

const QUESTION: u8 = 0;
const ANSWER: u8 = 1;

/// Until those who have not answered are asked again. A link lets several times as many through (`network::quotas`).
const PAUSE: Duration = Duration::from_millis(250);

/// How many views must be final behind the last vote that somebody remembers. A member votes in a view that it has entered,
/// and enters it by a certificate for the one before, which it sends to all: so it is a view or two ahead of what the
/// others know, and these are a few more.
const MARGIN: u64 = 8;

/// Answers that wait to be looked at: one of each member and then some.
pub(crate) const ANSWERS_WAITING_MAX: usize = 64;

/// Where a member stands with its votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It waits for others to tell what they have seen of it: too few are there.
    Asking,
    /// It has signed more than its journal holds, up to this view as far as is known, and is silent until the group is past
    /// all that it may have signed. Its folder was lost, or is older than what it replaced, or another node runs with its
    /// key.
    Forgetful {
        /// Highest view of a vote that somebody has seen.
        signed: u64,
    },
    /// It votes.
    Voting,
}

/// Who asks, and what it knows by itself.
pub(crate) struct Asker {
    pub(crate) scheme: Scheme,
    pub(crate) memory: Arc<Memory>,
    pub(crate) key: Key,
    pub(crate) own: Own,
    pub(crate) answers: mpsc::Receiver<(Key, Answer)>,
    pub(crate) standing: Arc<watch::Sender<Standing>>,
}

/// Answers the others until the network closes, and hands on what they answer. Those who may not vote yet are heard here alone.
pub(crate) async fn hear<E, S, R>(
    clock: &E,
    (memory, sightings): (&Memory, &Sightings),
    (mut sender, mut receiver): (S, R),
    answers: mpsc::Sender<(Key, Answer)>,
) where
    E: Clock,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
{
    while let Ok((from, bytes)) = receiver.recv().await {
        let (key, bytes) = (key_of(&from), bytes.as_ref().to_vec());
        sightings.heard(key, clock.current());
        match bytes.split_first() {
            Some((&QUESTION, [])) => {
                let answer = [&[ANSWER][..], memory.answer_to(&key).encode().as_ref()].concat();
                sender.send(Recipients::One(from), answer, true);
            }
            Some((&ANSWER, answer)) => {
                match Answer::decode_cfg(commonware_codec::Copying(answer), &memory.participants().len()) {
                    // Whoever asks will ask again.
                    Ok(answer) => drop(answers.try_send((key, answer))),
                    Err(error) => tracing::debug!(sender = %hex(&key), %error, "not an answer"),
                }
            }
            _ => tracing::debug!(sender = %hex(&key), "neither a question nor an answer"),
        }
    }
}

/// Resolves when this member may vote: the finalization above which it does, or `None` for what its journal holds.
pub(crate) async fn ask<E, S>(context: &mut E, mut asker: Asker, mut network: S) -> Option<Finalization>
where
    E: Clock + CryptoRng,
    S: Sender<PublicKey = PublicKey>,
{
    let needed = needed(asker.memory.participants().len());
    let mut learned = Learned::default();
    loop {
        if learned.answered.len() >= needed {
            match learned.may_vote(&asker.own) {
                Ok(()) => break,
                Err(signed) => asker.tell(Standing::Forgetful { signed }),
            }
        }
        network.send(Recipients::All, vec![QUESTION], true);
        let again = context.current() + PAUSE;
        loop {
            let answered = select! {
                answer = asker.answers.recv() => Some(answer),
                _ = context.sleep_until(again) => None,
            };
            match answered {
                Some(Some((from, answer))) => learned.take(context, &asker, from, answer),
                // The network is gone, and the engine ends.
                Some(None) => std::future::pending().await,
                None => break,
            }
            if learned.answered.len() >= needed && learned.may_vote(&asker.own).is_ok() {
                break;
            }
        }
    }
    asker.tell(Standing::Voting);
    learned.tip.filter(|tip| tip.view().get() > asker.own.finalized)
}

/// How many others there are in the smallest quorum that this member is in.
fn needed(members: usize) -> usize {
    let faulty = members.saturating_sub(1) / 3;
    (members - faulty).saturating_sub(1)
}

/// What the others have proved.
#[derive(Default)]
struct Learned {
    answered: BTreeSet<Key>,
    /// Highest view of a signature of this member's own.
    signed: u64,
    tip: Option<Finalization>,
}

impl Learned {
    fn take<E: CryptoRng>(&mut self, rng: &mut E, asker: &Asker, from: Key, answer: Answer) {
        let Answer { vote, certificate, finalized } = answer;
        let me = asker.memory.participants().iter().position(|key| *key == asker.key);
        if let Some(vote) = vote
            && vote.view().get() > self.signed
            && Some(signer(&vote)) == me
            && vote.epoch() == EPOCH
            && is_signed(rng, &asker.scheme, &vote)
        {
            self.signed = vote.view().get();
        }
        if let Some(certificate) = certificate
            && certificate.view().get() > self.signed
            && signers(&certificate).any(|signer| Some(signer) == me)
            && certificate.epoch() == EPOCH
            && certificate.verify(rng, &asker.scheme, &Sequential)
        {
            self.signed = certificate.view().get();
        }
        if let Some(tip) = finalized
            && self.tip.as_ref().is_none_or(|known| known.view() < tip.view())
            && tip.epoch() == EPOCH
            && Certificate::Finalization(tip.clone()).verify(rng, &asker.scheme, &Sequential)
        {
            self.tip = Some(tip);
        }
        self.answered.insert(from);
    }

    /// # Errors
    /// Not yet: a vote in this view is in no journal, and the group is not far enough behind it.
    fn may_vote(&self, own: &Own) -> Result<(), u64> {
        let remembered = own.signed.max(own.finalized);
        let tip = self.tip.as_ref().map_or(0, |tip| tip.view().get());
        match self.signed <= remembered || tip >= self.signed.saturating_add(MARGIN) {
            true => Ok(()),
            false => Err(self.signed),
        }
    }
}

fn is_signed<E: CryptoRng>(rng: &mut E, scheme: &Scheme, vote: &Vote) -> bool {
    match vote {
        Vote::Notarize(vote) => vote.verify(rng, scheme, &Sequential),
        Vote::Nullify(vote) => vote.verify::<_, commonware_cryptography::sha256::Digest>(rng, scheme, &Sequential),
        Vote::Finalize(vote) => vote.verify(rng, scheme, &Sequential),
    }
}

impl Asker {
    fn tell(&self, standing: Standing) {
        let before = self.standing.send_replace(standing);
        if let Standing::Forgetful { signed } = standing
            && !matches!(before, Standing::Forgetful { .. })
        {
            tracing::warn!(
                view = signed,
                journal = self.own.signed,
                "others have seen votes of this node that its journal does not hold: silent until the group is past them"
            );
        }
    }
}

#[cfg(test)]
mod tests;
