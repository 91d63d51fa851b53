//! What this member has seen the others sign, as far as it takes to remind one of them of it.
//!
//! Of each member the vote and the certificate with the highest view are kept: each holds that member's own signature, so
//! that it can be convinced, and nobody can make it believe what it did not sign. Certificates are read back from the
//! journal after a restart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use commonware_codec::{Buf, EncodeSize, Error, Read, ReadExt, Write};
use commonware_consensus::Viewable;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{self, Attributable};
use commonware_cryptography::sha256;
use commonware_runtime::BufMut;

use crate::sightings::Key;

pub(crate) type Vote = types::Vote<Scheme, sha256::Digest>;
pub(crate) type Certificate = types::Certificate<Scheme, sha256::Digest>;
pub(crate) type Finalization = types::Finalization<Scheme, sha256::Digest>;

/// The memory of one engine.
pub(crate) struct Memory {
    /// Keys in the order of the engine's participant indices.
    participants: Vec<Key>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    votes: BTreeMap<Key, Vote>,
    certificates: BTreeMap<Key, Arc<Certificate>>,
    finalized: Option<Finalization>,
}

/// What one member is told of itself, and how far the group is.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The vote of the one who asks with the highest view.
    pub(crate) vote: Option<Vote>,
    /// The certificate with the highest view among those that it signed.
    pub(crate) certificate: Option<Certificate>,
    /// The highest finalization.
    pub(crate) finalized: Option<Finalization>,
}

impl Memory {
    pub(crate) fn new(participants: Vec<Key>) -> Self {
        Self { participants, seen: Mutex::default() }
    }

    pub(crate) fn participants(&self) -> &[Key] {
        &self.participants
    }

    /// `sender` sent this vote, over a link that is its own.
    pub(crate) fn voted(&self, sender: Key, vote: Vote) {
        if self.participants.get(signer(&vote)) != Some(&sender) {
            return;
        }
        let mut seen = self.lock();
        if seen.votes.get(&sender).is_none_or(|known| known.view() < vote.view()) {
            seen.votes.insert(sender, vote);
        }
    }

    /// The engine has checked this certificate.
    pub(crate) fn certified(&self, certificate: Certificate) {
        let (view, certificate) = (certificate.view(), Arc::new(certificate));
        let mut seen = self.lock();
        for signer in signers(&certificate) {
            let Some(key) = self.participants.get(signer) else { continue };
            if seen.certificates.get(key).is_none_or(|known| known.view() < view) {
                seen.certificates.insert(*key, certificate.clone());
            }
        }
        if let Certificate::Finalization(finalization) = &*certificate
            && seen.finalized.as_ref().is_none_or(|known| known.view() < view)
        {
            seen.finalized = Some(finalization.clone());
        }
    }

    pub(crate) fn answer_to(&self, member: &Key) -> Answer {
        let seen = self.lock();
        Answer {
            vote: seen.votes.get(member).cloned(),
            certificate: seen.certificates.get(member).map(|certificate| Certificate::clone(certificate)),
            finalized: seen.finalized.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The engine's index of who signed a vote.
pub(crate) fn signer(vote: &Vote) -> usize {
    usize::from(match vote {
        Vote::Notarize(vote) => vote.signer(),
        Vote::Nullify(vote) => vote.signer(),
        Vote::Finalize(vote) => vote.signer(),
    })
}

/// The engine's indices of who signed a certificate.
pub(crate) fn signers(certificate: &Certificate) -> impl Iterator<Item = usize> + '_ {
    let signed = match certificate {
        Certificate::Notarization(certificate) => &certificate.certificate,
        Certificate::Nullification(certificate) => &certificate.certificate,
        Certificate::Finalization(certificate) => &certificate.certificate,
    };
    signed.signers.iter().map(usize::from)
}

impl Write for Answer {
    fn write(&self, buf: &mut impl BufMut) {
        self.vote.write(buf);
        self.certificate.write(buf);
        self.finalized.write(buf);
    }
}

impl EncodeSize for Answer {
    fn encode_size(&self) -> usize {
        self.vote.encode_size() + self.certificate.encode_size() + self.finalized.encode_size()
    }
}

impl Read for Answer {
    /// Number of members, which bounds the certificates.
    type Cfg = usize;

    fn read_cfg(buf: &mut impl Buf, members: &usize) -> Result<Self, Error> {
        Ok(Self {
            vote: Option::read(buf)?,
            certificate: Option::read_cfg(buf, members)?,
            finalized: Option::read_cfg(buf, members)?,
        })
    }
}
